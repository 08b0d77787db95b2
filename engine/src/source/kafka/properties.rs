//! Properties of librdkafka that a source may set as `properties.…`.

use alcedo_sql::SqlState;
use alcedo_sql::options::closest;

use crate::error::{Error, Result};

/// What may be set. Not in the list is what the source decides itself (groups, commits, resets), and what would load
/// code or write files.
pub(super) const KNOWN: &[&str] = &[
    "acks",
    "batch.num.messages",
    "batch.size",
    "bootstrap.server",
    "bootstrap.servers",
    "broker.address.family",
    "broker.address.ttl",
    "check.crcs",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "enable.ssl.certificate.verification",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "isolation.level",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.max.age.ms",
    "partitioner",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.crl.location",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.sigalgs.list",
    "sticky.partitioning.linger.ms",
];

/// Properties whose values nobody may read again.
const SECRET: &[&str] = &[
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

/// librdkafka's name of a property.
///
/// # Errors
/// 22023 for names that are not known, with the closest that is.
pub(super) fn canonical(name: &str) -> Result<&'static str> {
    let Some(known) = KNOWN.iter().copied().find(|k| *k == name) else {
        let text = format!("unrecognized source option \"properties.{name}\"");
        let error = Error::user(SqlState::INVALID_PARAMETER_VALUE, text);
        return Err(match closest(name, KNOWN.iter().copied()) {
            Some(meant) => error.hint(format!("Did you mean \"properties.{meant}\"?")),
            None => error.hint("Properties of librdkafka for connections, security, fetching and producing may be set."),
        });
    };
    Ok(if known == "bootstrap.server" { "bootstrap.servers" } else { known })
}

/// Whether a property's value is a secret.
pub fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}
