//! Accepting connections, limiting their number, and draining them when the server goes down.

use super::{Control, startup};
use alcedo_engine::session::Engine;
use alcedo_engine::{Error, Kind, Result};
use alcedo_sql::SqlState;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long running statements may go on after the server was asked to stop.
const DRAIN: Duration = Duration::from_secs(7);
/// How long connections then have to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Connections kept for the owner, to look at a server that is full.
const RESERVED: usize = 2;
/// Connections that may be in their first ten seconds beyond the limit, so that cancel requests get through.
const STARTING_MAX: usize = 64;

/// Limits of the listener.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections at a time; the last two are the owner's.
    pub connections_max: usize,
    /// The user for whom two connections are kept.
    pub owner: String,
}

/// The addresses behind `HOST:PORT`, all on loopback: there is no authentication yet.
pub async fn loopback(listen: &str) -> Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host(listen).await.map_err(|e| {
        Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("cannot listen on {listen}: {e}"),
        )
        .hint("Give an address as HOST:PORT, such as 127.0.0.1:5433.")
    })?;
    let found: Vec<SocketAddr> = found.collect();
    match found.iter().find(|a| !a.ip().is_loopback()) {
        None => Ok(found),
        Some(outside) => Err(Error::unsupported(format!(
            "will not listen on {outside}, which is not a loopback address, without authentication"
        ))
        .detail("Authentication is not available in this version.")
        .hint("Listen on 127.0.0.1 or localhost, and let clients in through a tunnel.")),
    }
}

/// Connections in use.
#[derive(Debug)]
pub(super) struct Slots {
    used: AtomicUsize,
    options: Options,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slots {
    /// Counts a connection of a user in, or 53300.
    pub(super) fn take(self: &Arc<Self>, user: &str) -> Result<Slot> {
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(self));
        let max = self.options.connections_max;
        if used >= max {
            return Err(full("sorry, too many clients already"));
        }
        if used + RESERVED >= max && user != self.options.owner {
            let owner = &self.options.owner;
            return Err(full(&format!(
                "remaining connection slots are reserved for user \"{owner}\""
            )));
        }
        Ok(slot)
    }
}

fn full(text: &str) -> Error {
    Error::new(Kind::Unavailable, SqlState::TOO_MANY_CONNECTIONS, text)
        .hint("Close idle connections, or raise --max-connections.")
}

/// Serves connections until `shutdown`, then drains them; returns within ten seconds of it.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    options: Options,
    shutdown: CancellationToken,
) {
    let control = Control::default();
    let slots = Arc::new(Slots {
        used: AtomicUsize::new(0),
        options,
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => log_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if connections.len() < slots.options.connections_max + STARTING_MAX => {
                    let (engine, slots, control) = (engine.clone(), Arc::clone(&slots), control.clone());
                    connections.spawn(connection(stream, peer, engine, slots, control));
                }
                Ok((_, peer)) => tracing::warn!(%peer, "too many connections: one was closed at once"),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Most often the process is out of file descriptors; some come back as others leave.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    control.drain.cancel();
    if tokio::time::timeout(DRAIN, all(&mut connections))
        .await
        .is_err()
    {
        tracing::info!(
            connections = connections.len(),
            "ending statements that still run"
        );
        control.kill.cancel();
        if tokio::time::timeout(GOODBYE, all(&mut connections))
            .await
            .is_err()
        {
            connections.abort_all();
        }
    }
}

async fn all(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
}

fn log_panic(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection broke off");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    engine: Engine,
    slots: Arc<Slots>,
    control: Control,
) {
    // Answers are written whole, so waiting to fill packets only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "no TCP_NODELAY");
    }
    startup::welcome(stream, peer, engine, slots, control).await;
}
