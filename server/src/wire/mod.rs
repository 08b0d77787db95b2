//! The Postgres protocol: a listener, and one task and one session per connection.
//!
//! `listener` accepts, limits and drains; `startup` negotiates; `connection` is the loop over messages and
//! the one place that waits for a statement; `script` (simple protocol) and `extended` are two ways to the
//! same prepare, bind and execute; `portal` and `rows` stream results with flat memory; `frame` reads
//! frames and checks them before pgwire's decoders see them; `output` buffers what goes out.
//!
//! A connection is read ahead while its statement runs, so that a client that leaves ends its statement.

mod connection;
mod describe;
mod extended;
mod frame;
mod listener;
mod output;
mod portal;
mod rows;
mod script;
mod startup;

pub use listener::{Options, loopback, serve};

use alcedo_engine::Error;
use tokio_util::sync::CancellationToken;

/// Tells every connection that the server goes down.
#[derive(Debug, Clone, Default)]
struct Control {
    /// Idle connections end; others when their statement has ended.
    drain: CancellationToken,
    /// Everything ends.
    kill: CancellationToken,
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The client said so, or is gone.
    Client,
    /// The server goes down: 57P01.
    Shutdown,
    /// The protocol was broken in a way that cannot be mended, or the session was refused.
    Fatal(Error),
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        tracing::debug!(%error, "connection lost");
        End::Client
    }
}

/// Why a message could not be carried out.
#[derive(Debug)]
enum Fault {
    /// The statement failed; the connection goes on.
    Error(Error),
    /// The connection ends.
    End(End),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Error(error)
    }
}

impl From<End> for Fault {
    fn from(end: End) -> Self {
        Fault::End(end)
    }
}
