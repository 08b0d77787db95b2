//! Engine errors and notices as messages of the protocol: the only place that builds an ErrorResponse.

use alcedo_engine::session::{Notice, Severity};
use alcedo_engine::{Error, Kind};
use alcedo_sql::SqlState;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

/// An error of a statement: the connection goes on.
pub fn error_response(error: &Error) -> PgWireBackendMessage {
    response("ERROR", error)
}

/// An error that ends the connection.
pub fn fatal_response(error: &Error) -> PgWireBackendMessage {
    response("FATAL", error)
}

fn response(severity: &str, error: &Error) -> PgWireBackendMessage {
    let fields = error.fields();
    if fields.kind == Kind::Internal {
        tracing::error!(sqlstate = fields.state.0, message = %fields.message, "internal error");
    }
    let mut out = named(severity, fields.state, &fields.message);
    push(&mut out, b'D', fields.detail.as_deref());
    push(&mut out, b'H', fields.hint.as_deref());
    if let Some(position) = fields.position.filter(|p| *p > 0) {
        out.push((b'P', position.to_string()));
    }
    PgWireBackendMessage::ErrorResponse(ErrorResponse::new(out))
}

/// A message beside the result.
pub fn notice_response(notice: &Notice) -> PgWireBackendMessage {
    let severity = match notice.severity {
        Severity::Debug => "DEBUG",
        Severity::Log => "LOG",
        Severity::Info => "INFO",
        Severity::Notice => "NOTICE",
        Severity::Warning => "WARNING",
    };
    let mut out = named(severity, notice.state, &notice.message);
    push(&mut out, b'D', notice.detail.as_deref());
    push(&mut out, b'H', notice.hint.as_deref());
    PgWireBackendMessage::NoticeResponse(NoticeResponse::new(out))
}

/// Whether a session with this `client_min_messages` wants to see a notice; INFO always goes through.
pub fn wanted(severity: Severity, client_min_messages: &str) -> bool {
    let rank = match severity {
        Severity::Info => return true,
        Severity::Debug => 0,
        Severity::Log => 1,
        Severity::Notice => 2,
        Severity::Warning => 3,
    };
    let least = match client_min_messages {
        "error" => 4,
        "warning" => 3,
        "log" => 1,
        debug if debug.starts_with("debug") => 0,
        _ => 2,
    };
    rank >= least
}

fn named(severity: &str, state: SqlState, message: &str) -> Vec<(u8, String)> {
    vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', state.0.to_owned()),
        (b'M', clean(message)),
    ]
}

fn push(out: &mut Vec<(u8, String)>, code: u8, text: Option<&str>) {
    if let Some(text) = text {
        out.push((code, clean(text)));
    }
}

/// Fields end at a zero byte, so none may stand within.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
