//! `alcedo sql`: statements in this process, without a server.
//!
//! `terminal` reads lines, `run` carries one script out, `table` prints results as psql does.

mod run;
mod table;
mod terminal;

use crate::config::{time_zone, variable};
use crate::serve::ended;
use alcedo_engine::session::SessionOptions;
use alcedo_engine::{Components, Config, Engine, Error, Result, Session};
use alcedo_sql::SqlState;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::SignalKind;

pub use terminal::interactive;

/// Where statements come from.
#[derive(Debug)]
pub enum Input {
    /// `-c`
    Text(String),
    /// `-f`; `-` is standard input.
    File(PathBuf),
    /// The user, or a pipe.
    Terminal,
}

/// Runs statements on a data directory, a temporary one without `data_dir`; an error among them gives exit code 1.
pub async fn run(data_dir: Option<String>, input: Input) -> Result<ExitCode> {
    let script = match input {
        Input::Text(text) => Some(text),
        Input::File(path) if path.as_os_str() == "-" => Some(standard_input()?),
        Input::File(path) => Some(std::fs::read_to_string(&path).map_err(|e| {
            Error::user(
                SqlState::UNDEFINED_FILE,
                format!("\"{}\" cannot be read: {e}", path.display()),
            )
        })?),
        Input::Terminal if !std::io::stdin().is_terminal() => Some(standard_input()?),
        Input::Terminal => None,
    };
    // The user of this process may read whatever the process may read.
    let config = Config {
        data_dir,
        allowed_roots: vec![PathBuf::from("/")],
        time_zone: time_zone(None)?,
        secret_key: variable("ALCEDO_SECRET_KEY"),
        ..Config::default()
    };
    let asked_to_end = ended([SignalKind::terminate(), SignalKind::hangup()])?;
    let engine = Engine::open(config, Components::default()).await?;
    let work = async {
        match script {
            Some(script) => {
                let session = session(&engine)?;
                Ok(run::script(&session, &script, false).await)
            }
            None => interactive(&engine).await.map(|()| true),
        }
    };
    // A temporary directory goes whatever ends the work.
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = asked_to_end => Ok(false),
    };
    engine.close().await;
    Ok(if outcome? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn session(engine: &Engine) -> Result<Session> {
    engine.session(SessionOptions::default())
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| {
        Error::user(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            format!("standard input cannot be read: {e}"),
        )
    })?;
    Ok(text)
}
