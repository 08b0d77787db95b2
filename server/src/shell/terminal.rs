//! The interactive shell: statements over several lines, a history, and commands that begin with a backslash.

use super::run::script;
use super::session;
use alcedo_engine::{Engine, Error, Kind, Result, Session};
use alcedo_sql::{SqlState, quote_literal};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper};
use std::path::PathBuf;

const HELP: &str =
    "Statements end with a semicolon and may have several lines; Ctrl-C cancels one that runs.
  \\d          tables, views and sources       \\d NAME   columns of one of them
  \\dt         tables                          \\dv       views
  \\ds         sources                         \\dm       models
  \\dn         schemas                         \\timing   show how long statements take
  \\? or help  this page                       \\q        leave (also Ctrl-D)";

const RELATIONS: &str = "select table_schema as schema, table_name as name, lower(table_type) as type \
    from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema', 'ml', 'streams')";

/// Says where a statement ends, so that Enter goes to the next line until then.
struct Statements;

impl Validator for Statements {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let done = complete(context.input());
        Ok(if done {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Completer for Statements {
    type Candidate = String;
}

impl Hinter for Statements {
    type Hint = String;
}

impl Highlighter for Statements {}
impl Helper for Statements {}

/// Whether a text is a command, or a script whose last statement has its end.
fn complete(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('\\')
        || ["help", "quit", "exit"].contains(&text)
        || alcedo_sql::is_complete(text)
}

/// Reads and runs statements until the user leaves.
///
/// # Errors
/// 58030 when the terminal cannot be read.
pub async fn interactive(engine: &Engine) -> Result<()> {
    let _restored = Restored::new();
    let session = session(engine)?;
    let mut editor: Editor<Statements, FileHistory> =
        Editor::with_config(Config::builder().auto_add_history(true).build()).map_err(unusable)?;
    editor.set_helper(Some(Statements));
    let history = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".alcedo_history"));
    if let Some(path) = &history {
        // The first time there is none.
        let _ = editor.load_history(path);
    }
    println!("alcedo {}; \\? for help", env!("CARGO_PKG_VERSION"));
    let mut timing = false;
    loop {
        let reading = tokio::task::spawn_blocking(move || {
            let line = editor.readline("alcedo=> ");
            (editor, line)
        });
        let (back, line) = reading
            .await
            .map_err(|e| Error::internal(format!("the terminal broke off: {e}")))?;
        editor = back;
        match line {
            Ok(line) => {
                if !act(&session, line.trim(), &mut timing).await {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(unusable(error)),
        }
    }
    if let Some(path) = &history {
        // A history that cannot be kept is no reason to complain on leaving.
        let _ = editor.save_history(path);
    }
    Ok(())
}

fn unusable(error: ReadlineError) -> Error {
    Error::new(
        Kind::Unavailable,
        SqlState::IO_ERROR,
        format!("the terminal cannot be used: {error}"),
    )
}

/// Carries out a command or a statement; `false` ends the shell.
async fn act(session: &Session, line: &str, timing: &mut bool) -> bool {
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = rest.trim().trim_end_matches(';');
    let query = match (command.trim_end_matches(';'), name) {
        ("" | ";", _) => return true,
        ("\\q" | "quit" | "exit", _) => return false,
        ("\\?" | "help", _) => {
            println!("{HELP}");
            return true;
        }
        ("\\timing", _) => {
            *timing = !*timing;
            println!("Timing is {}.", if *timing { "on" } else { "off" });
            return true;
        }
        ("\\d", "") => format!("{RELATIONS} order by 1, 2"),
        ("\\dt", _) => format!("{RELATIONS} and table_type = 'BASE TABLE' order by 1, 2"),
        ("\\dv", _) => format!("{RELATIONS} and table_type = 'VIEW' order by 1, 2"),
        ("\\ds", _) => format!("{RELATIONS} and table_type = 'FOREIGN' order by 1, 2"),
        ("\\dm", _) => "show models".to_owned(),
        ("\\dn", _) => {
            "select schema_name as name from information_schema.schemata order by 1".to_owned()
        }
        ("\\d", name) => {
            let (schema, table) = match name.split_once('.') {
                Some((schema, table)) => (
                    format!("table_schema = {} and ", quote_literal(schema)),
                    table,
                ),
                None => (String::new(), name),
            };
            format!(
                "select column_name as column, data_type as type, is_nullable as nullable, column_default as default \
                 from information_schema.columns where {schema}table_name = {} order by ordinal_position",
                quote_literal(table)
            )
        }
        (unknown, _) if unknown.starts_with('\\') => {
            eprintln!("invalid command {unknown}\nTry \\? for help.");
            return true;
        }
        _ => line.to_owned(),
    };
    script(session, &query, *timing).await;
    true
}

/// Gives the terminal back as it was, also when a reader of keys is left waiting.
struct Restored(Option<libc::termios>);

impl Restored {
    fn new() -> Self {
        let mut settings = std::mem::MaybeUninit::uninit();
        // SAFETY: tcgetattr fills the structure it is given, and says so by 0.
        let got = unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } == 0;
        // SAFETY: filled, as just said.
        Self(got.then(|| unsafe { settings.assume_init() }))
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if let Some(settings) = &self.0 {
            // SAFETY: the structure is a valid one that tcgetattr gave.
            unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) };
        }
    }
}
