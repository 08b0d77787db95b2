//! What goes out: messages gathered in one buffer that never grows far beyond 64 KiB.

use bytes::BytesMut;
use pgwire::messages::PgWireBackendMessage;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;

/// From here on the buffer is sent before more rows are written.
const FLUSH_BYTES: usize = 64 << 10;
/// A buffer that had to grow beyond this for a long row is given back.
const KEEP_BYTES_MAX: usize = 1 << 20;

/// The sending side of a connection.
pub(super) struct Output {
    half: OwnedWriteHalf,
    pub(super) buffer: BytesMut,
}

impl Output {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        Self {
            half,
            buffer: BytesMut::with_capacity(2 * FLUSH_BYTES),
        }
    }

    /// Appends a message.
    pub(super) fn message(&mut self, message: PgWireBackendMessage) {
        let start = self.buffer.len();
        if let Err(error) = message.encode(&mut self.buffer) {
            // Only texts of absurd length; the rest of the answer stays in step without the message.
            tracing::error!(%error, "a message could not be written");
            self.buffer.truncate(start);
        }
    }

    /// Whether it is time to send.
    pub(super) fn full(&self) -> bool {
        self.buffer.len() >= FLUSH_BYTES
    }

    /// Sends everything. What was not sent stays when it is not awaited to the end.
    pub(super) async fn flush(&mut self) -> std::io::Result<()> {
        while !self.buffer.is_empty() {
            if self.half.write_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
        }
        if self.buffer.capacity() > KEEP_BYTES_MAX {
            self.buffer = BytesMut::with_capacity(2 * FLUSH_BYTES);
        }
        Ok(())
    }

    /// Sends what is left and ends the stream.
    pub(super) async fn close(&mut self) {
        if self.flush().await.is_ok() {
            // The client may have closed first, which is just as well.
            let _ = self.half.shutdown().await;
        }
    }
}
