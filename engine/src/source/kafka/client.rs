//! Clients of a broker: their settings, what they say when it cannot be reached, and how long that may take.

use crate::catalog::store::Catalog;
use crate::catalog::{Property, Snapshot};
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a broker may take to answer at first.
pub(super) const CONNECT: Duration = Duration::from_secs(8);
/// How long a broker that refuses connections, or whose name nobody knows, is tried.
const REFUSED: Duration = Duration::from_secs(2);
/// How long one try may take before causes are looked for.
const STEP: Duration = Duration::from_millis(1500);

/// A consumer that remembers what went wrong.
pub type Consumer = BaseConsumer<Log>;

/// How to reach a cluster: properties with their secrets, in memory only.
#[derive(Clone)]
pub struct Cluster {
    properties: BTreeMap<String, String>,
    /// Properties whose values came from secrets.
    secret: Vec<String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cluster({})", self.servers())
    }
}

impl Cluster {
    /// Puts the values of secrets into properties.
    ///
    /// # Errors
    /// 42704 when a secret is not there.
    pub fn of(
        catalog: &Catalog,
        snapshot: &Snapshot,
        properties: &BTreeMap<String, Property>,
    ) -> Result<Self> {
        let mut cluster = Self {
            properties: BTreeMap::new(),
            secret: Vec::new(),
        };
        for (name, property) in properties {
            let value = match property {
                Property::Plain(text) => text.clone(),
                Property::Secret(secret) => {
                    cluster.secret.push(name.clone());
                    let values = catalog.secret_values(snapshot, secret)?;
                    values.get("value").cloned().ok_or_else(|| {
                        let text = format!("secret \"{secret}\" is not a single value");
                        Error::user(SqlState::WRONG_OBJECT_TYPE, text)
                            .hint("Make it by CREATE SECRET name AS 'value'.")
                    })?
                }
            };
            cluster.properties.insert(name.clone(), value);
        }
        Ok(cluster)
    }

    /// The servers as declared.
    pub fn servers(&self) -> &str {
        self.properties
            .get("bootstrap.servers")
            .map_or("", String::as_str)
    }

    /// The settings of a client: `defaults`, then what was declared, then `fixed`.
    pub(super) fn config(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in fixed {
            config.set(*name, *value);
        }
        config
    }

    /// A consumer that reads what it is assigned and nothing else.
    ///
    /// # Errors
    /// 22023 for a property that the client does not take.
    pub fn consumer(&self) -> Result<Consumer> {
        let defaults = [
            // No group is joined, but the client asks for the name of one.
            ("group.id", "alcedo"),
            ("client.id", "alcedo"),
            ("queued.max.messages.kbytes", "32768"),
            ("fetch.queue.backoff.ms", "5"),
            ("fetch.error.backoff.ms", "100"),
            ("fetch.wait.max.ms", "100"),
            ("reconnect.backoff.max.ms", "1000"),
            ("socket.keepalive.enable", "true"),
            // The transport has its own checks.
            ("check.crcs", "false"),
        ];
        let fixed = [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            ("allow.auto.create.topics", "false"),
        ];
        let config = self.config(&defaults, &fixed);
        config
            .create_with_context(Log::default())
            .map_err(|e| self.refused(&e))
    }

    /// Settings that the client refuses.
    pub(super) fn refused(&self, error: &KafkaError) -> Error {
        match error {
            KafkaError::ClientConfig(_, description, key, _) => {
                let text = format!("invalid value for option \"properties.{key}\"");
                let error = Error::user(SqlState::INVALID_PARAMETER_VALUE, text);
                if self.secret.contains(key) {
                    error
                } else {
                    error.detail(format!("{description}."))
                }
            }
            KafkaError::ClientCreation(text) => Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("the Kafka client cannot be made: {text}"),
            )
            .hint("Check the options that begin with properties."),
            other => self.failed("make a Kafka client", other, None),
        }
    }

    /// An error of the broker or on the way to it. `log` may know the cause.
    pub(super) fn failed(&self, what: &str, error: &KafkaError, log: Option<&Log>) -> Error {
        let code = error.rdkafka_error_code();
        let unreachable = log.is_some_and(Log::is_unreachable) || code.is_none_or(unreachable);
        let said = || code.map_or_else(|| error.to_string(), |code| code.to_string());
        let cause = log
            .and_then(Log::cause)
            .filter(|_| unreachable || log.is_some_and(Log::is_refused));
        let text = format!(
            "could not {what}: Kafka broker \"{}\": {}",
            self.servers(),
            cause.unwrap_or_else(said)
        );
        let error = Error::new(Kind::Unavailable, SqlState::CONNECTION_FAILURE, text);
        match unreachable {
            true => error.hint(
                "Check properties.bootstrap.server, and that the address which the broker gives of itself can be reached.",
            ),
            false => error,
        }
    }
}

fn unreachable(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as C;
    matches!(
        code,
        C::AllBrokersDown
            | C::BrokerTransportFailure
            | C::OperationTimedOut
            | C::Resolve
            | C::RequestTimedOut
    )
}

/// The time that talking to a broker may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    begun: Instant,
}

impl Deadline {
    /// The time for a first answer and what follows at once.
    pub fn connect() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// What is left; never nothing, so that an answer on its way is taken.
    pub fn left(self) -> Duration {
        CONNECT
            .saturating_sub(self.begun.elapsed())
            .max(Duration::from_millis(100))
    }

    /// Whether the time is over, given what the client has seen so far.
    fn is_over(self, log: &Log) -> bool {
        let passed = self.begun.elapsed();
        passed >= CONNECT || (log.is_unreachable() && passed >= REFUSED)
    }
}

/// Asks until there is an answer, the deadline passes, or it is clear that none will come.
pub(super) fn ask<T>(
    cluster: &Cluster,
    consumer: &Consumer,
    deadline: Deadline,
    what: &str,
    question: impl Fn(Duration) -> Result<T, KafkaError>,
) -> Result<T> {
    use rdkafka::consumer::Consumer as _;
    let log = Arc::clone(consumer.context());
    loop {
        match question(deadline.left().min(STEP)) {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                // Serves the client's own events, which tell causes.
                while consumer.poll(Duration::from_millis(10)).is_some() {}
                let lasting = error.rdkafka_error_code().is_none_or(|c| !passes(c));
                if lasting || log.is_refused() || deadline.is_over(&log) {
                    return Err(cluster.failed(what, &error, Some(&log)));
                }
                // Some errors come at once; the next answer may be another one.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Whether another try may do.
fn passes(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as C;
    unreachable(code)
        || matches!(
            code,
            C::LeaderNotAvailable
                | C::NotLeaderForPartition
                | C::NetworkException
                | C::WaitingForCoordinator
                | C::InProgress
        )
}

/// What a client says beside its answers.
#[derive(Debug, Default)]
pub struct Log(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    cause: Option<String>,
    unreachable: bool,
    refused: bool,
}

impl Log {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last cause that a connection failed for.
    fn cause(&self) -> Option<String> {
        self.seen().cause.clone()
    }

    /// Whether connections are refused or names unknown.
    pub(super) fn is_unreachable(&self) -> bool {
        self.seen().unreachable
    }

    /// Whether the broker answered and does not let us in.
    fn is_refused(&self) -> bool {
        self.seen().refused
    }

    /// Forgets what has passed: records come.
    pub(super) fn recover(&self) {
        self.seen().unreachable = false;
    }
}

impl ClientContext for Log {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(?level, facility, text, "Kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode as C;
        match error.rdkafka_error_code() {
            Some(C::PartitionEOF | C::AutoOffsetReset) => {}
            Some(C::AllBrokersDown) => self.seen().unreachable = true,
            code => {
                tracing::debug!(%error, reason, "Kafka client");
                let mut seen = self.seen();
                seen.unreachable |= matches!(code, Some(C::Resolve));
                seen.refused |= matches!(
                    code,
                    Some(C::Authentication | C::SaslAuthenticationFailed | C::SSL)
                );
                seen.cause = Some(plain(reason));
            }
        }
    }
}

impl ConsumerContext for Log {}

/// A reason without the client's names for its threads and states:
/// `127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)`.
fn plain(reason: &str) -> String {
    let end = reason.find(" (after ").unwrap_or(reason.len());
    reason[..end].replace("/bootstrap", "").trim().to_owned()
}
