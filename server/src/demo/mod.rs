//! `alcedo demo`: everything in one process, with nothing to install.
//!
//! `broker` is a Kafka broker in memory, `payments` makes the same kind of card payments for the stream and for its
//! history, `tour` is the SQL that sets the demo up and the lines that show it.

mod broker;
mod payments;
mod tour;

use crate::cli::Demo;
use crate::config::Settings;
use crate::serve::{Server, ended, say};
use crate::shell;
use alcedo_engine::session::SessionOptions;
use alcedo_engine::{Config, Error, Kind, Result};
use alcedo_sql::SqlState;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Labelled payments in the history.
const HISTORY_ROWS: u64 = 120_000;

/// Runs the demo until its time is over, its shell is left or a signal comes.
pub async fn run(flags: Demo) -> Result<()> {
    let ended = ended()?;
    let from = Instant::now();
    let over = async {
        match flags.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let (server, broker) = start(&flags).await?;
    say(&format!("listening on {}\nhttp on {}", server.listen, server.http));
    say(&tour::text(server.listen, from.elapsed()));
    let shown = async {
        if !flags.no_shell && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            return shell::interactive(&server.engine).await;
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        () = ended => Ok(()),
        () = over => Ok(()),
        left = shown => left,
    };
    broker.stop();
    server.stop().await;
    outcome
}

/// The broker with its generator, the server, and in it the history, the model and the sources.
async fn start(flags: &Demo) -> Result<(Server, broker::Broker)> {
    say("starting a Kafka broker in memory and a server");
    let folder = std::env::temp_dir().join(format!("alcedo-demo-{}", std::process::id()));
    let made = setup(flags, &folder).await;
    // Only the history's file lay there.
    let _ = std::fs::remove_dir_all(&folder);
    made
}

async fn setup(flags: &Demo, folder: &std::path::Path) -> Result<(Server, broker::Broker)> {
    let unusable = |e: std::io::Error| {
        Error::new(Kind::Unavailable, SqlState::IO_ERROR, format!("\"{}\" cannot be written: {e}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let broker = broker::Broker::start(flags.rate, flags.seed)?;
    let server = Server::start(Settings {
        engine: Config { allowed_roots: vec![folder.to_owned()], ..Config::default() },
        listen: flags.listen.clone(),
        http: flags.http.clone(),
        connections_max: 100,
        owner: "alcedo".to_owned(),
    })
    .await?;
    let file = folder.join("history.csv");
    payments::write_history(&file, HISTORY_ROWS, flags.seed).map_err(unusable)?;
    let session = server.engine.session(SessionOptions::default())?;
    for (what, sql) in tour::setup(&file, broker.address()) {
        let began = Instant::now();
        session.run(&sql).await?;
        say(&format!("{what} ({:.1} s)", began.elapsed().as_secs_f64()));
    }
    Ok((server, broker))
}
