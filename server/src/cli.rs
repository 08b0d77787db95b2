//! The command line: `serve`, `sql` and `demo`, their flags, and what the process exits with.

use crate::config::{Flags, Settings, variable};
use crate::{demo, serve, shell};
use alcedo_engine::Error;
use alcedo_sql::SqlState;
use clap::{Args, Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// SQL over streams, lakes and models, in one process that speaks the Postgres protocol.
#[derive(Debug, Parser)]
#[command(
    name = "alcedo",
    version,
    propagate_version = false,
    arg_required_else_help = true
)]
#[command(after_help = "Examples:
  alcedo demo                                   a stream, a lake and a model to play with
  alcedo serve --data-dir ./data                a server that keeps its data in ./data
  psql \"host=127.0.0.1 port=5433 user=alcedo\"   a client for either
  alcedo sql -c \"select 1 + 1\"                  SQL without a server")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server for Postgres clients
    #[command(
        after_help = "Settings come from the configuration file, over which go environment variables (ALCEDO_DATA_DIR, ALCEDO_LISTEN,
ALCEDO_HTTP, ALCEDO_ALLOWED_ROOTS as /a:/b, ALCEDO_MAX_CONNECTIONS, ALCEDO_SECRET_KEY, ALCEDO_LOG, TZ; for s3:// the
standard AWS ones), over which go flags. SIGTERM and Ctrl-C let running statements end for some seconds, then the
process exits with 0.

Examples:
  alcedo serve --data-dir ./data --allowed-root /data/lake
  alcedo serve --data-dir s3://bucket/prefix --listen 127.0.0.1:5432
  alcedo serve --config alcedo.toml

A configuration file:
  data_dir = \"/var/lib/alcedo\"
  listen = \"127.0.0.1:5433\"
  http = \"127.0.0.1:8433\"
  max_connections = 100
  allowed_roots = [\"/data/lake\"]
  time_zone = \"UTC\"
  [memory]
  max = \"8GB\"
  spill_dir = \"/var/tmp\"
  [log]
  filter = \"info\""
    )]
    Serve(Serve),
    /// Run SQL in this process, without a server: an interactive shell, or statements from -c and -f
    #[command(
        after_help = "Without --data-dir everything is temporary. In the shell, \\? lists its commands. An error gives exit code 1.

Examples:
  alcedo sql
  alcedo sql -c \"select count(*) from generate_series(1, 100)\"
  alcedo sql --data-dir ./data -f report.sql"
    )]
    Sql(Sql),
    /// Start a server with a stream of card payments, their history and a fraud model, and show a short tour
    #[command(
        after_help = "Nothing else is needed: the Kafka broker is in the process, and all data is temporary.

Examples:
  alcedo demo
  alcedo demo --rate 2000 --no-shell
  alcedo demo --listen 127.0.0.1:0 --http 127.0.0.1:0 --seconds 60"
    )]
    Demo(Demo),
}

#[derive(Debug, Args)]
struct Serve {
    /// Where tables, models and the catalog are kept: a path or s3://bucket/prefix [default: ./alcedo-data]
    #[arg(long, value_name = "URL")]
    data_dir: Option<String>,
    /// Address for Postgres clients [default: 127.0.0.1:5433]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Address for health checks [default: 127.0.0.1:8433]
    #[arg(long, value_name = "HOST:PORT")]
    http: Option<String>,
    /// Configuration in TOML; unknown keys are errors
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Connections at a time, two of them for the owner
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// A folder that file:// locations may point into; may be repeated
    #[arg(long = "allowed-root", value_name = "DIR")]
    allowed_roots: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Sql {
    /// Run these statements and exit
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        conflicts_with = "file",
        allow_hyphen_values = true
    )]
    command: Option<String>,
    /// Run the statements of a file and exit; - reads standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where tables, models and the catalog are kept: a path or s3://bucket/prefix [default: temporary]
    #[arg(long, value_name = "URL")]
    data_dir: Option<String>,
}

/// Flags of `alcedo demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Address for Postgres clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5433")]
    pub listen: String,
    /// Address for health checks
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8433")]
    pub http: String,
    /// Payments per second
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Seed of the generator
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Do not open a shell
    #[arg(long)]
    pub no_shell: bool,
}

/// Runs the program; an error is printed and gives exit code 1.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(cli.command));
            // Threads that wait for a store or a terminal do not keep the process.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Error::internal(format!(
            "the system gives no threads: {error}"
        ))),
    };
    outcome.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

async fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Serve(flags) => {
            let settings = flags.settings()?;
            log(
                settings.log.as_deref(),
                "warn,alcedo_engine=info,alcedo_server=info",
            )?;
            serve::run(settings).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Sql(flags) => {
            log(variable("ALCEDO_LOG").as_deref(), "off")?;
            let input = match (flags.command, flags.file) {
                (Some(text), _) => shell::Input::Text(text),
                (None, Some(path)) => shell::Input::File(path),
                (None, None) => shell::Input::Terminal,
            };
            shell::run(flags.data_dir, input).await
        }
        Command::Demo(flags) => {
            log(variable("ALCEDO_LOG").as_deref(), "off")?;
            demo::run(flags).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Serve {
    fn settings(self) -> Result<Settings, Error> {
        let given = Flags {
            data_dir: self.data_dir,
            listen: self.listen,
            http: self.http,
            connections_max: self.max_connections,
            allowed_roots: self.allowed_roots,
        };
        Settings::load(self.config.as_deref(), given)
    }
}

/// Sends the events that pass a filter to standard error.
fn log(filter: Option<&str>, usual: &str) -> Result<(), Error> {
    let filter = filter.unwrap_or(usual);
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|e| {
        let text = format!("invalid value for ALCEDO_LOG: \"{filter}\": {e}");
        Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint("Write a level as info, or target=level, as warn,alcedo_engine=debug.")
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// An error with detail and hint on standard error.
pub fn complain(error: &Error) {
    let fields = error.fields();
    eprintln!("alcedo: {}", fields.message);
    if let Some(detail) = &fields.detail {
        eprintln!("  detail: {detail}");
    }
    if let Some(hint) = &fields.hint {
        eprintln!("  hint: {hint}");
    }
}
