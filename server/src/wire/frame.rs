//! Reading frames: cut by their length, capped at 64 MiB, and checked before pgwire decodes them.
//!
//! pgwire's decoders trust the lengths inside a frame and replace bytes that are not UTF-8; [`check`]
//! refuses both first. A frame is cut out of the stream as a whole, so an error inside it (08P01) leaves
//! the connection in step.

use super::End;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use bytes::{Buf, BytesMut};
use pgwire::messages::{DecodeContext, PgWireFrontendMessage};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// Largest frame taken, without its type byte.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Largest packet before the session.
const STARTUP_BYTES_MAX: usize = 10_000;
/// How much is read ahead while a statement runs.
const AHEAD_BYTES_MAX: usize = 1 << 20;

/// 08P01
pub(super) fn violation(text: impl Into<String>) -> Error {
    Error::user(SqlState::PROTOCOL_VIOLATION, text)
}

/// A frame as it came: type byte, length and body.
pub(super) struct Frame {
    pub(super) kind: u8,
    bytes: BytesMut,
}

impl Frame {
    /// The message within, once it has been checked.
    pub(super) fn message(mut self) -> Result<PgWireFrontendMessage> {
        check(self.kind, &self.bytes[5..])?;
        let mut context = DecodeContext::default();
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        match PgWireFrontendMessage::decode(&mut self.bytes, &context) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(violation("invalid message format")),
            Err(error) => Err(violation(format!("invalid message format: {error}"))),
        }
    }
}

/// The receiving side of a connection.
pub(super) struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

impl Reader {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self {
            half,
            buffer: BytesMut::with_capacity(8192),
        }
    }

    /// Reads until the buffer holds so many bytes. Nothing is lost when it is not awaited to the end.
    async fn fill(&mut self, length: usize) -> std::result::Result<(), End> {
        while self.buffer.len() < length {
            self.buffer.reserve(8192);
            if self.half.read_buf(&mut self.buffer).await? == 0 {
                return Err(End::Client);
            }
        }
        Ok(())
    }

    /// A packet before the session: length and body, with its length in front.
    pub(super) async fn startup_packet(&mut self) -> std::result::Result<BytesMut, End> {
        self.fill(4).await?;
        let length = (&self.buffer[..4]).get_u32() as usize;
        if !(8..=STARTUP_BYTES_MAX).contains(&length) {
            return Err(End::Fatal(violation("invalid length of startup packet")));
        }
        self.fill(length).await?;
        Ok(self.buffer.split_to(length))
    }

    /// Whether a whole frame has been read already.
    pub(super) fn has_frame(&self) -> bool {
        let length = self
            .buffer
            .get(1..5)
            .map(|mut length| length.get_u32() as usize);
        length.is_some_and(|length| self.buffer.len() > length)
    }

    /// The next frame. Nothing is lost when it is not awaited to the end.
    pub(super) async fn frame(&mut self) -> std::result::Result<Frame, End> {
        self.fill(5).await?;
        let kind = self.buffer[0];
        if !b"BCDEFHPQSXcdf".contains(&kind) {
            return Err(End::Fatal(violation(format!(
                "invalid frontend message type {kind}"
            ))));
        }
        let length = (&self.buffer[1..5]).get_u32() as usize;
        if length < 4 {
            return Err(End::Fatal(violation("invalid message length")));
        }
        if length > FRAME_BYTES_MAX {
            let text = format!("message of {length} bytes is too long");
            return Err(End::Fatal(
                violation(text).detail("Messages may have up to 64 MiB."),
            ));
        }
        self.fill(length + 1).await?;
        Ok(Frame {
            kind,
            bytes: self.buffer.split_to(length + 1),
        })
    }

    /// Ends when the client is gone; until then what comes is kept, up to a limit.
    pub(super) async fn gone(&mut self) -> End {
        while self.buffer.len() < AHEAD_BYTES_MAX {
            self.buffer.reserve(8192);
            match self.half.read_buf(&mut self.buffer).await {
                Ok(0) => return End::Client,
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
        std::future::pending().await
    }
}

/// A body as its parts; each says 08P01 when the body ends too early.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (head, tail) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| violation("insufficient data left in message"))?;
        self.0 = tail;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn count(&mut self) -> Result<usize> {
        Ok(usize::from(self.take(2)?.get_u16()))
    }

    fn int(&mut self) -> Result<i32> {
        Ok(self.take(4)?.get_i32())
    }

    fn string(&mut self) -> Result<()> {
        let end = self.0.iter().position(|b| *b == 0);
        let text = self.take(end.ok_or_else(|| violation("invalid string in message"))?)?;
        self.take(1)?;
        match std::str::from_utf8(text) {
            Ok(_) => Ok(()),
            Err(e) => {
                let byte = text[e.valid_up_to()];
                let text = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
                Err(Error::user(SqlState::CHARACTER_NOT_IN_REPERTOIRE, text))
            }
        }
    }
}

/// Whether a body is what its type promises: every length within it, all text UTF-8, nothing left over.
fn check(kind: u8, body: &[u8]) -> Result<()> {
    let mut body = Body(body);
    match kind {
        b'Q' => body.string()?,
        b'P' => {
            body.string()?;
            body.string()?;
            let types = body.count()?;
            body.take(4 * types)?;
        }
        b'B' => {
            body.string()?;
            body.string()?;
            let formats = body.count()?;
            body.take(2 * formats)?;
            for _ in 0..body.count()? {
                match body.int()? {
                    -1 => {}
                    length => {
                        let length = usize::try_from(length);
                        body.take(length.map_err(|_| violation("invalid parameter length"))?)?;
                    }
                }
            }
            let formats = body.count()?;
            body.take(2 * formats)?;
        }
        b'D' | b'C' => {
            let target = body.byte()?;
            if !matches!(target, b'S' | b'P') {
                let name = if kind == b'D' { "DESCRIBE" } else { "CLOSE" };
                return Err(violation(format!(
                    "invalid {name} message subtype {target}"
                )));
            }
            body.string()?;
        }
        b'E' => {
            body.string()?;
            body.int()?;
        }
        b'H' | b'S' | b'X' => {}
        b'F' => {
            return Err(
                Error::unsupported("the message FunctionCall is not supported")
                    .hint("Call the function with SELECT."),
            );
        }
        _ => return Err(violation(format!("invalid frontend message type {kind}"))),
    }
    if body.0.is_empty() {
        Ok(())
    } else {
        Err(violation("invalid message format"))
    }
}
