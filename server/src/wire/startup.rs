//! From a fresh connection to a session: encryption declined, version negotiated, the user let in.

use super::connection::Connection;
use super::frame::{Reader, violation};
use super::listener::{Slot, Slots};
use super::output::Output;
use super::{Control, End};
use crate::errors::fatal_response;
use alcedo_engine::session::{Engine, Session, SessionOptions};
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use bytes::{Buf, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::response::{GssEncResponse, SslResponse};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, GssEncRequest, NegotiateProtocolVersion, ParameterStatus,
    SecretKey, SslRequest, Startup,
};
use pgwire::messages::{DecodeContext, Message, PgWireBackendMessage, ProtocolVersion};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tracing::Instrument;

/// How long a client may take to come in.
const STARTUP: Duration = Duration::from_secs(10);
/// How long the last words to a client may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The newest minor version of protocol 3 spoken.
const MINOR_MAX: u16 = 2;
/// The one database.
const DATABASE: &str = "alcedo";

/// Takes a connection from its first byte to its end.
pub(super) async fn welcome(
    stream: TcpStream,
    peer: SocketAddr,
    engine: Engine,
    slots: Arc<Slots>,
    control: Control,
) {
    let (read, write) = stream.into_split();
    let (mut reader, mut out) = (Reader::new(read), Output::new(write));
    let entered = tokio::select! {
        () = control.drain.cancelled() => Err(End::Shutdown),
        entered = tokio::time::timeout(STARTUP, enter(&mut reader, &mut out, &engine, &slots)) => {
            // A client that says nothing for ten seconds is sent away without a word, as PostgreSQL does.
            entered.unwrap_or(Err(End::Client))
        }
    };
    let (session, slot) = match entered {
        Ok(entered) => entered,
        Err(end) => return goodbye(&mut out, end).await,
    };
    let span = tracing::info_span!("connection", pid = session.pid(), %peer);
    let connection = Connection::new(session, reader, out, control);
    async {
        tracing::debug!("connection opened");
        let (mut out, end) = connection.run().await;
        goodbye(&mut out, end).await;
        tracing::debug!("connection closed");
    }
    .instrument(span)
    .await;
    drop(slot);
}

/// Tells the client why, if there is something to tell.
async fn goodbye(out: &mut Output, end: End) {
    let error = match end {
        End::Client => return,
        End::Shutdown => Error::new(
            alcedo_engine::Kind::Canceled,
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection due to administrator command",
        ),
        End::Fatal(error) => error,
    };
    out.message(fatal_response(&error));
    // A client that does not read gets no last words.
    let _ = tokio::time::timeout(LAST_WORDS, out.close()).await;
}

/// Everything up to the first ReadyForQuery, which the connection sends.
async fn enter(
    reader: &mut Reader,
    out: &mut Output,
    engine: &Engine,
    slots: &Arc<Slots>,
) -> std::result::Result<(Session, Slot), End> {
    let startup = loop {
        let mut packet = reader.startup_packet().await?;
        if SslRequest::is_ssl_request_packet(&packet) {
            out.message(PgWireBackendMessage::SslResponse(SslResponse::Refuse));
            out.flush().await?;
        } else if GssEncRequest::is_gss_enc_request_packet(&packet) {
            out.message(PgWireBackendMessage::GssEncResponse(GssEncResponse::Refuse));
            out.flush().await?;
        } else if CancelRequest::is_cancel_request_packet(&packet) {
            cancel(&mut packet, engine);
            return Err(End::Client);
        } else {
            break decode(packet).map_err(End::Fatal)?;
        }
    };
    negotiate(&startup, out);
    let (session, slot) = admit(startup, engine, slots).map_err(End::Fatal)?;
    out.message(PgWireBackendMessage::Authentication(Authentication::Ok));
    for (name, value) in session.take_parameter_changes() {
        out.message(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(
            name, value,
        )));
    }
    let key = SecretKey::I32(session.secret());
    out.message(PgWireBackendMessage::BackendKeyData(BackendKeyData::new(
        session.pid(),
        key,
    )));
    Ok((session, slot))
}

fn context() -> DecodeContext {
    let mut context = DecodeContext::default();
    // Our keys have four bytes in every version.
    context.protocol_version = ProtocolVersion::PROTOCOL3_0;
    context
}

/// There is no answer to a cancel request, whether it hits or not.
fn cancel(packet: &mut BytesMut, engine: &Engine) {
    if let Ok(Some(request)) = CancelRequest::decode(packet, &context()) {
        if let Some(secret) = request.secret_key.as_i32() {
            engine.cancel(request.pid, secret);
        }
    }
}

fn decode(mut packet: BytesMut) -> Result<Startup> {
    let (major, minor) = ((&packet[4..6]).get_u16(), (&packet[6..8]).get_u16());
    if major != 3 {
        let text = format!(
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{MINOR_MAX}"
        );
        return Err(Error::unsupported(text));
    }
    // What follows the version ends with an empty name.
    if packet.last() != Some(&0) {
        return Err(violation(
            "invalid startup packet layout: expected terminator as last byte",
        ));
    }
    match Startup::decode(&mut packet, &context()) {
        Ok(Some(startup)) => Ok(startup),
        _ => Err(violation("invalid startup packet")),
    }
}

/// A newer minor version or options of the protocol that we lack are talked down.
fn negotiate(startup: &Startup, out: &mut Output) {
    let options = startup.parameters.keys().filter(|k| k.starts_with("_pq_."));
    let options: Vec<String> = options.cloned().collect();
    let minor = startup.protocol_number_minor;
    if matches!(minor, 0 | MINOR_MAX) && options.is_empty() {
        return;
    }
    let spoken = if minor < MINOR_MAX { 0 } else { MINOR_MAX };
    let version = 3 << 16 | i32::from(spoken);
    let message = NegotiateProtocolVersion::new(version, options);
    out.message(PgWireBackendMessage::NegotiateProtocolVersion(message));
}

/// The session of a user, if there is room and the database exists.
fn admit(startup: Startup, engine: &Engine, slots: &Arc<Slots>) -> Result<(Session, Slot)> {
    let mut user = String::new();
    let mut database = DATABASE.to_owned();
    let mut parameters = Vec::new();
    for (name, value) in startup.parameters {
        match name.as_str() {
            "user" => user = value,
            "database" if value.is_empty() => {}
            "database" => database = value,
            "replication" if matches!(value.as_str(), "false" | "off" | "no" | "0") => {}
            "replication" => {
                return Err(Error::unsupported(
                    "replication connections are not supported",
                ));
            }
            "options" => parameters.extend(options(&value)?),
            _ if name.starts_with("_pq_.") => {}
            _ => parameters.push((name, value)),
        }
    }
    if user.is_empty() {
        let text = "no PostgreSQL user name specified in startup packet";
        return Err(Error::user(SqlState::INVALID_AUTHORIZATION, text));
    }
    let slot = slots.take(&user)?;
    let session = engine.session(SessionOptions {
        user,
        database,
        parameters,
    })?;
    Ok((session, slot))
}

/// `-c name=value --name=value`, with backslashes before blanks that belong to a value.
fn options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let word = words.last_mut().expect("there is always a word");
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(String::new());
                }
            }
            c => word.push(c),
        }
    }
    let invalid = |word: &str| {
        let text = format!("invalid command-line argument for server process: {word}");
        Error::user(SqlState::SYNTAX_ERROR, text).hint("Use \"-c name=value\".")
    };
    let mut parameters = Vec::new();
    let mut words = words.into_iter().filter(|w| !w.is_empty());
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next().ok_or_else(|| invalid(&word))?
        } else if let Some(rest) = word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            rest.to_owned()
        } else {
            return Err(invalid(&word));
        };
        let (name, value) = setting.split_once('=').ok_or_else(|| invalid(&setting))?;
        parameters.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(parameters)
}
