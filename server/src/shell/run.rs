//! One script: its statements in order, results on standard output, notices and errors on standard error.

use super::table::Printer;
use alcedo_engine::session::{Notice, Output, Running, Severity};
use alcedo_engine::{Error, Kind, Result, Session};
use alcedo_sql::SqlState;
use std::future::Future;
use std::io::{BufWriter, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that takes longer than this shows how long it has been going on.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// Runs a script up to its first error; says whether there was none.
pub(super) async fn script(session: &Session, text: &str, timing: bool) -> bool {
    let statements = match session.parse(text) {
        Ok(statements) => statements,
        Err(error) => {
            complain(&error, text);
            return false;
        }
    };
    for parsed in statements {
        let from = Instant::now();
        let running = session.begin();
        let outcome = watched(session, &running, statement(session, parsed)).await;
        for notice in session.take_notices() {
            tell(&notice);
        }
        if let Err(error) = outcome {
            session.fail();
            complain(&error, text);
            return false;
        }
        if timing {
            eprintln!("Time: {:.3} ms", from.elapsed().as_secs_f64() * 1000.0);
        }
    }
    true
}

async fn statement(session: &Session, parsed: alcedo_sql::Parsed) -> Result<()> {
    let prepared = session.prepare(parsed, &[]).await?;
    let bound = session.bind(&prepared, Vec::new())?;
    let mut out = BufWriter::new(std::io::stdout());
    match session.execute(bound).await? {
        Output::Done(tag) => writeln!(out, "{tag}")
            .and_then(|()| out.flush())
            .map_err(|e| unwritten(&e)),
        Output::Rows(mut rows) => {
            let zone = session
                .vars()
                .lock()
                .map(|v| v.time_zone())
                .unwrap_or_default();
            let mut printer = Printer::new(out, &rows.fields);
            while let Some(batch) = rows.next().await {
                for row in crate::encode::text_cells(&batch?, &rows.fields, &zone)? {
                    printer.row(row).map_err(|e| unwritten(&e))?;
                }
            }
            printer.end().map_err(|e| unwritten(&e))
        }
    }
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::new(
        Kind::Unavailable,
        SqlState::IO_ERROR,
        format!("standard output cannot be written: {error}"),
    )
}

/// Waits for a statement; shows notices as they come and how long it takes, and lets Ctrl-C end it.
async fn watched(
    session: &Session,
    running: &Running,
    work: impl Future<Output = Result<()>>,
) -> Result<()> {
    let from = Instant::now();
    let shows = std::io::stderr().is_terminal();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut work = std::pin::pin!(work);
    let mut shown = false;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut work => break outcome,
            notice = session.next_notice() => {
                clear(&mut shown);
                tell(&notice);
            }
            pressed = tokio::signal::ctrl_c() => {
                if pressed.is_ok() {
                    running.cancel().token.cancel();
                }
            }
            _ = tick.tick(), if shows => {
                if from.elapsed() >= PROGRESS_AFTER {
                    // A terminal that is gone shows nothing.
                    let _ = write!(std::io::stderr(), "\r… {} s, Ctrl-C cancels ", from.elapsed().as_secs());
                    shown = true;
                }
            }
        }
    };
    clear(&mut shown);
    outcome
}

fn clear(shown: &mut bool) {
    if std::mem::take(shown) {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

fn tell(notice: &Notice) {
    let severity = match notice.severity {
        Severity::Debug => "DEBUG",
        Severity::Log => "LOG",
        Severity::Info => "INFO",
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
    };
    eprintln!("{severity}:  {}", notice.message);
    if let Some(detail) = &notice.detail {
        eprintln!("DETAIL:  {detail}");
    }
    if let Some(hint) = &notice.hint {
        eprintln!("HINT:  {hint}");
    }
}

/// An error as psql shows it, with the line it is in and a mark under the place.
pub(super) fn complain(error: &Error, script: &str) {
    let fields = error.fields();
    eprintln!("ERROR:  {}", fields.message);
    if let Some(position) = fields.position.filter(|p| *p > 0) {
        let before: String = script.chars().take(position - 1).collect();
        let number = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        if let Some(line) = script.lines().nth(number - 1) {
            let head = format!("LINE {number}: ");
            eprintln!("{head}{line}\n{}^", " ".repeat(head.len() + column));
        }
    }
    if let Some(detail) = &fields.detail {
        eprintln!("DETAIL:  {detail}");
    }
    if let Some(hint) = &fields.hint {
        eprintln!("HINT:  {hint}");
    }
}
