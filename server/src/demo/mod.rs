//! `alcedo demo`: everything in one process, with nothing to install.
//!
//! `broker` is a Kafka broker in memory, `payments` makes the same kind of card payments for the stream and for its
//! history, `tour` is the SQL that sets the demo up and the lines that show it.

mod broker;
mod payments;
mod tour;

use crate::cli::Demo;
use crate::config::{Settings, time_zone};
use crate::serve::{Server, ended, say};
use crate::shell;
use alcedo_engine::session::SessionOptions;
use alcedo_engine::{Config, Error, Kind, Result};
use alcedo_sql::SqlState;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::signal::unix::SignalKind;

/// Labelled payments in the history.
const HISTORY_ROWS: u64 = 120_000;

/// Runs the demo until its time is over, its shell is left or a signal comes.
pub async fn run(flags: Demo) -> Result<()> {
    let shows =
        !flags.no_shell && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // In the shell, Ctrl-C cancels a statement.
    let ended = ended([
        SignalKind::terminate(),
        if shows {
            SignalKind::hangup()
        } else {
            SignalKind::interrupt()
        },
    ])?;
    let from = Instant::now();
    let history = History::new()?;
    say("starting a Kafka broker in memory, and a server");
    let broker = broker::Broker::start(flags.rate, flags.seed)?;
    let server = Server::start(Settings {
        listen: flags.listen,
        http: flags.http,
        ..Settings::around(Config {
            allowed_roots: vec![history.0.clone()],
            time_zone: time_zone(None)?,
            ..Config::default()
        })
    })
    .await?;
    let shown = async {
        let file = history.0.join("history.csv");
        tokio::select! {
            made = set_up(&server, &file, broker.address(), flags.seed) => made?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        say(&format!(
            "listening on {}\nhttp on {}",
            server.listen, server.http
        ));
        say(&tour::text(server.listen, from.elapsed()));
        match flags.seconds.map(Duration::from_secs) {
            Some(time) if shows => tokio::time::timeout(time, shell::interactive(&server.engine))
                .await
                .unwrap_or(Ok(())),
            None if shows => shell::interactive(&server.engine).await,
            Some(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        () = ended => Ok(()),
    };
    server.stop().await;
    broker.stop();
    outcome
}

/// Makes the history, the model and the sources.
async fn set_up(server: &Server, file: &Path, broker: &str, seed: u64) -> Result<()> {
    payments::write_history(file, HISTORY_ROWS, seed).map_err(|e| unwritable(file, &e))?;
    let session = server.engine.session(SessionOptions::default())?;
    for (what, sql) in tour::setup(file, broker) {
        let began = Instant::now();
        session.run(&sql).await?;
        say(&format!("{what} ({:.1} s)", began.elapsed().as_secs_f64()));
    }
    Ok(())
}

/// The folder in which the history is handed to the engine; it goes with this value.
struct History(PathBuf);

impl History {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("alcedo-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| unwritable(&path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for History {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "a temporary folder stays");
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    let text = format!("\"{}\" cannot be written: {error}", path.display());
    Error::new(Kind::Unavailable, SqlState::IO_ERROR, text)
}
