//! Writes rows to a topic: idempotently, acknowledged by all replicas.

use super::client::{CONNECT, Cluster, Log};
use crate::catalog::{Column, MetadataRole, ObjectName, Source};
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Kind, Result};
use crate::format::Encoder;
use crate::format::json::JsonEncoder;
use alcedo_sql::SqlState;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a full queue and a flush wait before they look around.
const STEP: Duration = Duration::from_millis(20);

type Producer = ThreadedProducer<Delivery>;

/// Counts what is acknowledged, and keeps the first failure.
#[derive(Default)]
struct Delivery {
    log: Log,
    delivered: AtomicU64,
    failure: Mutex<Option<KafkaError>>,
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(error, reason);
    }
}

impl ProducerContext for Delivery {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::SeqCst);
            }
            Err((error, _)) => {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert_with(|| error.clone());
            }
        }
    }
}

/// Writes rows and waits until all replicas have them.
///
/// # Errors
/// 428C9 for a given offset, 23502, 08006; the detail says how many rows are in the topic.
pub(in crate::source) async fn produce(
    cluster: &Cluster,
    name: &ObjectName,
    source: &Source,
    columns: &[String],
    rows: SendableRecordBatchStream,
    cancel: &CancellationToken,
) -> Result<u64> {
    let shape = Arc::new(Shape::of(name, source, columns)?);
    let producer: Producer = config(cluster)
        .create_with_context(Delivery::default())
        .map_err(|e| cluster.refused(&e))?;
    let writing = Writing {
        producer: Arc::new(producer),
        shape,
        topic: source.topic.clone(),
        cluster: cluster.clone(),
        cancel: cancel.clone(),
    };
    match writing.all(rows).await {
        Ok(()) => Ok(writing.delivered()),
        Err(error) => {
            // What is not sent yet shall not be.
            writing.producer.purge(PurgeConfig::default().queue());
            Err(match writing.delivered() {
                0 => error.detail("No row was acknowledged."),
                1 => error.detail("1 row was acknowledged and is in the topic."),
                count => error.detail(format!(
                    "{count} rows were acknowledged and are in the topic."
                )),
            })
        }
    }
}

fn config(cluster: &Cluster) -> ClientConfig {
    let defaults = [
        ("client.id", "alcedo"),
        ("message.timeout.ms", "60000"),
        ("reconnect.backoff.max.ms", "1000"),
    ];
    cluster.config(
        &defaults,
        &[("acks", "all"), ("enable.idempotence", "true")],
    )
}

/// What is needed to write batch after batch.
#[derive(Clone)]
struct Writing {
    producer: Arc<Producer>,
    shape: Arc<Shape>,
    topic: String,
    cluster: Cluster,
    cancel: CancellationToken,
}

impl Writing {
    async fn all(&self, mut rows: SendableRecordBatchStream) -> Result<()> {
        self.aside(|writing| writing.connect()).await?;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(from_datafusion)?;
            self.aside(move |writing| writing.send(&batch)).await?;
        }
        self.aside(|writing| writing.flush()).await
    }

    /// Does work that waits on a thread that may.
    async fn aside(&self, work: impl FnOnce(&Self) -> Result<()> + Send + 'static) -> Result<()> {
        let writing = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&writing)).await;
        done.unwrap_or_else(|e| Err(Error::internal(format!("writing to a topic ended: {e}"))))
    }

    fn delivered(&self) -> u64 {
        self.producer.context().delivered.load(Ordering::SeqCst)
    }

    fn failed(&self, error: &KafkaError) -> Error {
        self.cluster.failed(
            &format!("write to topic \"{}\"", self.topic),
            error,
            Some(&self.producer.context().log),
        )
    }

    fn connect(&self) -> Result<()> {
        let metadata = self
            .producer
            .client()
            .fetch_metadata(Some(&self.topic), CONNECT)
            .map_err(|e| self.failed(&e))?;
        let code = metadata
            .topics()
            .first()
            .and_then(|t| t.error())
            .map(RDKafkaErrorCode::from);
        match code {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                let servers = self.cluster.servers();
                let text = format!(
                    "topic \"{}\" does not exist on Kafka broker \"{servers}\"",
                    self.topic
                );
                Err(Error::user(SqlState::UNDEFINED_OBJECT, text))
            }
            _ => Ok(()),
        }
    }

    /// An error once a row could not be delivered or nobody wants the rest.
    fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::canceled());
        }
        let failure = self
            .producer
            .context()
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failure
            .as_ref()
            .map_or(Ok(()), |error| Err(self.failed(error)))
    }

    fn send(&self, batch: &RecordBatch) -> Result<()> {
        let mut value = Vec::new();
        for row in 0..batch.num_rows() {
            let mut record = self.shape.record(&self.topic, batch, row, &mut value)?;
            loop {
                match self.producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), same)) => {
                        self.check()?;
                        std::thread::sleep(STEP);
                        record = same;
                    }
                    Err((
                        KafkaError::MessageProduction(RDKafkaErrorCode::UnknownPartition),
                        same,
                    )) => {
                        let partition = same.partition.unwrap_or_default();
                        let text = format!("topic \"{}\" has no partition {partition}", self.topic);
                        return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text));
                    }
                    Err((
                        KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge),
                        _,
                    )) => {
                        let text = "a row is larger than a record may be";
                        return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                            .hint("The option properties.message.max.bytes and the topic's own say how large."));
                    }
                    Err((error, _)) => return Err(self.failed(&error)),
                }
            }
        }
        self.check()
    }

    fn flush(&self) -> Result<()> {
        while self.producer.in_flight_count() > 0 {
            self.check()?;
            // A timeout is no failure: records that cannot be delivered are told of one by one.
            let _ = self.producer.flush(STEP * 10);
        }
        self.check()
    }
}

/// Which columns of the rows are what of a record.
struct Shape {
    encoder: JsonEncoder,
    /// Whether there is a value at all: rows without value columns are tombstones.
    valued: bool,
    /// Places and names of columns that may not be NULL.
    required: Vec<(usize, String)>,
    surroundings: Vec<(usize, MetadataRole)>,
    name: String,
}

impl Shape {
    fn of(name: &ObjectName, source: &Source, given: &[String]) -> Result<Self> {
        let values = &source.columns[..source.columns.len() - source.metadata.len()];
        let mut surroundings = Vec::new();
        let mut columns: Vec<(usize, &Column)> = Vec::new();
        for (place, column) in given.iter().enumerate() {
            if let Some(value) = values.iter().find(|v| v.name == *column) {
                columns.push((place, value));
            } else if let Some(metadata) = source.metadata.iter().find(|m| m.name == *column) {
                if metadata.role == MetadataRole::Offset {
                    let text = format!("cannot insert a value into column \"{column}\"");
                    return Err(Error::user(SqlState::GENERATED_ALWAYS, text)
                        .detail("The broker gives records their offsets.")
                        .hint("Name the other columns: INSERT INTO source (columns) …"));
                }
                surroundings.push((place, metadata.role.clone()));
            }
        }
        let absent = values
            .iter()
            .find(|v| !v.nullable && !given.contains(&v.name));
        if let Some(column) = absent {
            return Err(null(name, &column.name));
        }
        let required = columns
            .iter()
            .filter(|(_, c)| !c.nullable)
            .map(|(place, c)| (*place, c.name.clone()));
        Ok(Self {
            required: required.collect(),
            valued: !columns.is_empty(),
            encoder: JsonEncoder::new(
                columns
                    .iter()
                    .map(|(place, c)| (*place, c.name.as_str(), &c.ty)),
            ),
            surroundings,
            name: name.name.clone(),
        })
    }

    fn record<'a>(
        &'a self,
        topic: &'a str,
        batch: &'a RecordBatch,
        row: usize,
        value: &'a mut Vec<u8>,
    ) -> Result<BaseRecord<'a, [u8], [u8]>> {
        if let Some((_, column)) = self
            .required
            .iter()
            .find(|(place, _)| batch.column(*place).is_null(row))
        {
            let name = ObjectName {
                schema: String::new(),
                name: self.name.clone(),
            };
            return Err(null(&name, column));
        }
        value.clear();
        let mut record: BaseRecord<'a, [u8], [u8]> = BaseRecord::to(topic);
        if self.valued {
            self.encoder.encode(batch, row, value)?;
            record.payload = Some(value.as_slice());
        }
        let mut headers = OwnedHeaders::new();
        for (place, role) in &self.surroundings {
            let column = batch.column(*place);
            if column.is_null(row) {
                continue;
            }
            match role {
                MetadataRole::Key => record.key = Some(column.as_binary::<i32>().value(row)),
                MetadataRole::Partition => {
                    record.partition = Some(column.as_primitive::<Int32Type>().value(row))
                }
                MetadataRole::Timestamp => {
                    let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
                    record.timestamp = Some(micros.div_euclid(1000));
                }
                MetadataRole::Header(key) => {
                    let value = Some(column.as_string::<i32>().value(row).as_bytes());
                    headers = headers.insert(Header { key, value });
                }
                MetadataRole::Headers => {
                    let pairs = column.as_list::<i32>().value(row);
                    let pairs = pairs.as_struct();
                    let (keys, values) = (
                        pairs.column(0).as_string::<i32>(),
                        pairs.column(1).as_binary::<i32>(),
                    );
                    for i in (0..pairs.len()).filter(|i| keys.is_valid(*i)) {
                        let value = values.is_valid(i).then(|| values.value(i));
                        headers = headers.insert(Header {
                            key: keys.value(i),
                            value,
                        });
                    }
                }
                MetadataRole::Offset => {}
            }
        }
        if self
            .surroundings
            .iter()
            .any(|(_, r)| matches!(r, MetadataRole::Headers | MetadataRole::Header(_)))
        {
            record.headers = Some(headers);
        }
        if record.partition.is_some_and(|p| p < 0) {
            return Err(Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                "a partition cannot be negative",
            ));
        }
        Ok(record)
    }
}

fn null(name: &ObjectName, column: &str) -> Error {
    let relation = &name.name;
    Error::new(
        Kind::User,
        SqlState::NOT_NULL_VIOLATION,
        format!(
            "null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint"
        ),
    )
}
