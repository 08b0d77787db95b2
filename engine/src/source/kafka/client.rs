//! Connections to a broker: their settings, and questions that are asked until there is an answer or a reason why not.
//!
//! librdkafka connects in the background and retries for ever; what went wrong comes as events. [`Reports`] keeps
//! them, so that an error can name host and cause.

use crate::catalog::{Property, Source};
use crate::error::{Error, Kind, Result};
use crate::source::Access;
use alcedo_sql::SqlState;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a broker has to answer, all questions of a statement together.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// One try; in between the reports are read.
const TRY: Duration = Duration::from_secs(2);
/// With no broker left to ask, that is how long one has to come back.
const DOWN_WITHIN: Duration = Duration::from_secs(3);

/// What every client sets; a source's own properties come after.
const SETTINGS: &[(&str, &str)] = &[
    ("client.id", "alcedo"),
    ("group.id", "alcedo"),
    ("allow.auto.create.topics", "false"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("socket.nagle.disable", "true"),
    ("reconnect.backoff.max.ms", "1000"),
    ("fetch.wait.max.ms", "100"),
    ("fetch.error.backoff.ms", "50"),
    // Rows are taken as fast as they come: a full queue is soon empty again.
    ("fetch.queue.backoff.ms", "5"),
    ("queued.max.messages.kbytes", "16384"),
    ("check.crcs", "false"),
];

/// What a client reported of its connections.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<Said>);

#[derive(Debug, Default, Clone)]
struct Said {
    /// The latest reason why a connection failed.
    reason: Option<String>,
    /// A reason that retrying does not change.
    refused: Option<String>,
    all_down: bool,
}

impl Reports {
    fn said(&self) -> Said {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Said::default();
    }

    /// The latest reason why a connection failed.
    pub(super) fn reason(&self) -> Option<String> {
        let said = self.said();
        said.refused.or(said.reason)
    }
}

impl ClientContext for Reports {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => said.all_down = true,
            Some(
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL,
            ) => said.refused = Some(cause(reason)),
            Some(RDKafkaErrorCode::PartitionEOF) => {}
            _ => said.reason = Some(cause(reason)),
        }
    }
}

impl ConsumerContext for Reports {}

/// librdkafka's words without the name of its client and the counting of milliseconds.
fn cause(reason: &str) -> String {
    let reason = reason.split(" (after ").next().unwrap_or(reason);
    reason.trim().trim_end_matches('.').to_owned()
}

/// A client with the topic it is for.
pub(super) struct Connection {
    pub(super) consumer: BaseConsumer<Reports>,
    pub(super) config: ClientConfig,
    pub(super) topic: String,
    access: Access,
    servers: String,
    /// When it was made, or when [`Connection::rewind`] was called.
    began: Instant,
}

impl Connection {
    /// Makes a client; it connects when it is first asked.
    ///
    /// # Errors
    /// 22023 for properties that librdkafka does not take, 42704 for secrets that are gone.
    pub(super) fn open(access: &Access, source: &Source) -> Result<Self> {
        Self::with(access, config(access, source)?, &source.topic)
    }

    /// The same with settings that are known already.
    pub(super) fn with(access: &Access, config: ClientConfig, topic: &str) -> Result<Self> {
        let consumer = config.create_with_context(Reports::default()).map_err(unusable)?;
        let servers = config.get("bootstrap.servers").unwrap_or_default().to_owned();
        let (topic, access) = (topic.to_owned(), access.clone());
        let began = access.clock.instant();
        Ok(Self { consumer, config, topic, access, servers, began })
    }

    /// Asks until there is an answer, the broker refuses, or time is over.
    pub(super) fn ask<T>(&self, question: impl Fn(&Self, Duration) -> KafkaResult<T>) -> Result<T> {
        loop {
            if self.access.cancel.is_cancelled() {
                return Err(Error::canceled());
            }
            let left = ANSWER_WITHIN.saturating_sub(self.elapsed());
            let error = match question(self, left.min(TRY).max(Duration::from_millis(100))) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Events come only to those who poll; nothing is assigned yet, so no record comes.
            while self.consumer.poll(Duration::ZERO).is_some() {}
            let said = self.consumer.client().context().said();
            let hopeless = said.refused.is_some()
                || !transient(&error)
                || (said.all_down && self.elapsed() >= DOWN_WITHIN)
                || self.elapsed() + Duration::from_millis(100) >= ANSWER_WITHIN;
            if hopeless {
                return Err(self.unreachable(&error));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Grants the next questions the whole time again.
    pub(super) fn rewind(&mut self) {
        self.began = self.access.clock.instant();
        self.consumer.client().context().forget();
    }

    fn elapsed(&self) -> Duration {
        self.access.clock.instant().saturating_duration_since(self.began)
    }

    /// 08006 with the broker and the cause.
    pub(super) fn unreachable(&self, error: &KafkaError) -> Error {
        unreachable(&self.servers, self.consumer.client().context(), error)
    }
}

/// 08006 with the broker and the cause: what was reported, else the error.
pub(super) fn unreachable(servers: &str, reports: &Reports, error: &KafkaError) -> Error {
    let said = reports.said();
    let why = said.refused.clone().or(said.reason).unwrap_or_else(|| match error.rdkafka_error_code() {
        Some(code) => lower(&code.to_string()),
        None => error.to_string(),
    });
    let text = format!("could not reach Kafka at \"{servers}\": {why}");
    let error = Error::new(Kind::Unavailable, SqlState::CONNECTION_FAILURE, text);
    if said.refused.is_some() {
        return error.hint("Check the source's properties.security.protocol, properties.sasl.… and properties.ssl.….");
    }
    error.hint("Check properties.bootstrap.server, and that the broker runs and advertises an address that can be reached.")
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + chars.as_str())
}

/// Whether asking again may help.
fn transient(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else { return false };
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::Resolve
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::WaitingForCoordinator
            | Code::UnknownPartition
            | Code::InProgress
            | Code::PartitionEOF
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::KafkaStorageError
    )
}

/// The settings of a source's clients, secrets among them.
///
/// # Errors
/// 42704 when a secret is gone.
pub(super) fn config(access: &Access, source: &Source) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Error);
    for (name, value) in SETTINGS {
        config.set(*name, *value);
    }
    for (name, value) in &source.properties {
        match value {
            Property::Plain(text) => config.set(name, text),
            Property::Secret(secret) => {
                let values = access.catalog.secret_values(&access.snapshot, secret)?;
                let value = values.get("value").ok_or_else(|| {
                    let text = format!("secret \"{secret}\" has no single value");
                    Error::user(SqlState::WRONG_OBJECT_TYPE, text)
                        .hint(format!("Make it with CREATE SECRET {secret} AS '…'."))
                })?;
                config.set(name, value)
            }
        };
    }
    Ok(config)
}

/// 22023 for settings that librdkafka does not take. Its words name the property, but would repeat the value of one
/// that is not valid, so only those of other kinds are told.
pub(super) fn unusable(error: KafkaError) -> Error {
    let text = match &error {
        KafkaError::ClientConfig(_, _, key, _) => format!("invalid value for option \"properties.{key}\""),
        KafkaError::ClientCreation(why) => format!("Kafka client cannot be made: {why}"),
        other => format!("Kafka client cannot be made: {other}"),
    };
    Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
}

/// Runs work that waits on a thread of its own; an ended statement does not wait for it.
pub(super) async fn on_thread<T: Send + 'static>(
    access: &Access,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    spawn(move || {
        // Nobody is left to tell when the statement has ended.
        let _ = sender.send(work());
    })?;
    tokio::select! {
        biased;
        () = access.cancel.cancelled() => Err(Error::canceled()),
        done = receiver => done.unwrap_or_else(|_| Err(Error::internal("a thread of a source broke off"))),
    }
}

/// Starts a thread for work with a broker.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("kafka".to_owned()).spawn(work);
    thread.map(|_| ()).map_err(|e| Error::new(Kind::Unavailable, SqlState::OUT_OF_MEMORY, format!("no thread: {e}")))
}

