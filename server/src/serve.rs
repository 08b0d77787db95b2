//! A server from its start to its end: the engine, the Postgres listener, HTTP, and the signals that end them.

use crate::config::Settings;
use crate::{http, wire};
use alcedo_engine::{Components, Engine, Error, Kind, Result};
use alcedo_sql::SqlState;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// From being asked to stop to the end of the process, at most.
const STOP: Duration = Duration::from_millis(9_500);

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// The engine behind it.
    pub engine: Engine,
    /// Where Postgres clients are served.
    pub listen: SocketAddr,
    /// Where health checks are answered.
    pub http: SocketAddr,
    shutdown: CancellationToken,
    wire: JoinHandle<()>,
    health: JoinHandle<()>,
}

impl Server {
    /// Opens the engine and both listeners.
    ///
    /// # Errors
    /// 0A000 for an address that is not on loopback, 58030 for one that is taken, and what the engine says.
    pub async fn start(settings: Settings) -> Result<Self> {
        // Addresses first: a wrong one should not cost the opening of a large catalog.
        let listener = listen(&settings.listen).await?;
        let health = listen(&settings.http).await?;
        let (at, http_at) = (address(&listener)?, address(&health)?);
        let engine = Engine::open(settings.engine, Components::default()).await?;
        engine.announce(&at.to_string());
        let shutdown = CancellationToken::new();
        let options = wire::Options {
            connections_max: settings.connections_max,
            owner: settings.owner,
        };
        let wire = tokio::spawn(wire::serve(
            listener,
            engine.clone(),
            options,
            shutdown.clone(),
        ));
        let health = tokio::spawn(http::serve(health, shutdown.clone()));
        Ok(Self {
            engine,
            listen: at,
            http: http_at,
            shutdown,
            wire,
            health,
        })
    }

    /// Lets running statements end for some seconds and gives everything up.
    pub async fn stop(self) {
        let from = Instant::now();
        self.shutdown.cancel();
        if let Err(error) = self.wire.await {
            tracing::error!(%error, "the listener broke off");
        }
        self.health.abort();
        let left = STOP.saturating_sub(from.elapsed());
        if tokio::time::timeout(left, self.engine.close())
            .await
            .is_err()
        {
            tracing::warn!("a statement did not end in time");
        }
    }
}

async fn listen(text: &str) -> Result<TcpListener> {
    let addresses = wire::loopback(text).await?;
    TcpListener::bind(addresses.as_slice()).await.map_err(|e| {
        Error::new(
            Kind::Unavailable,
            SqlState::IO_ERROR,
            format!("cannot listen on {text}: {e}"),
        )
        .hint("Stop the program that uses the address, or choose another one.")
    })
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|e| Error::internal(format!("a listener without an address: {e}")))
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> Result<()> {
    let ended = ended([SignalKind::terminate(), SignalKind::interrupt()])?;
    let server = Server::start(settings).await?;
    say(&format!(
        "listening on {}\nhttp on {}",
        server.listen, server.http
    ));
    ended.await;
    tracing::info!("going down: running statements may end");
    server.stop().await;
    Ok(())
}

/// A line on standard output, at once.
pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody may be reading.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Resolves with the first of two signals, which from here on no longer end the process by themselves.
pub fn ended(signals: [SignalKind; 2]) -> Result<impl Future<Output = ()>> {
    let listen = |kind| {
        signal(kind).map_err(|e| Error::internal(format!("signals cannot be received: {e}")))
    };
    let [mut one, mut other] = [listen(signals[0])?, listen(signals[1])?];
    Ok(async move {
        tokio::select! {
            _ = one.recv() => {}
            _ = other.recv() => {}
        }
    })
}
