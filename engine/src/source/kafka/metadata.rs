//! What a broker knows of a topic: its partitions, its id, and offsets by position or time.

use super::client::Connection;
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::time::Duration;

/// How long the topic's id is waited for; some brokers have none.
const ID_WITHIN_MS: i32 = 2000;
/// How librdkafka writes an id of zeros, which brokers without ids give.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

impl Connection {
    /// The topic's partitions.
    ///
    /// # Errors
    /// 42704 when there is no such topic, 42501 when it may not be read, 08006 when no broker answers.
    pub(super) fn partitions(&self) -> Result<Vec<i32>> {
        let topic = self.topic.as_str();
        let asked = self.ask(|connection, within| {
            let metadata = connection.consumer.fetch_metadata(Some(topic), within)?;
            let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else { return Ok(Err(None)) };
            match found.error().map(RDKafkaErrorCode::from) {
                None => {}
                Some(code @ RDKafkaErrorCode::LeaderNotAvailable) => return Err(KafkaError::MetadataFetch(code)),
                Some(code) => return Ok(Err(Some(code))),
            }
            let mut partitions: Vec<i32> = found.partitions().iter().map(|p| p.id()).collect();
            partitions.sort_unstable();
            Ok(Ok(partitions))
        })?;
        asked.map_err(|code| match code {
            None | Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => self.no_topic(),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let text = format!("permission denied for topic \"{topic}\"");
                Error::user(SqlState::INSUFFICIENT_PRIVILEGE, text)
            }
            Some(RDKafkaErrorCode::InvalidTopic) => {
                Error::user(SqlState::INVALID_NAME, format!("\"{topic}\" is not the name of a topic"))
            }
            Some(code) => self.unreachable(&KafkaError::MetadataFetch(code)),
        })
    }

    fn no_topic(&self) -> Error {
        let text = format!("topic \"{}\" does not exist", self.topic);
        let error = Error::user(SqlState::UNDEFINED_OBJECT, text);
        let all = self.consumer.fetch_metadata(None, Duration::from_secs(1));
        match all.as_ref().ok().and_then(|m| closest(&self.topic, m.topics().iter().map(|t| t.name()))) {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error.hint("Create it on the broker first."),
        }
    }

    /// Offsets by partition: of the beginning, of the end, or of the first record that is not older than a time
    /// (`Offset::Offset` of milliseconds); `None` where there is no such record.
    pub(super) fn offsets(&self, asked: &[(i32, Offset)]) -> Result<BTreeMap<i32, Option<i64>>> {
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.ask(|connection, within| {
            let mut list = TopicPartitionList::new();
            for (partition, at) in asked {
                // The two ends have the numbers here that the protocol gives them among times.
                list.add_partition_offset(&connection.topic, *partition, *at)?;
            }
            let found = connection.consumer.offsets_for_times(list, within)?;
            let found = found.elements_for_topic(&connection.topic);
            let found = found.iter().map(|e| {
                e.error()?;
                Ok((e.partition(), if let Offset::Offset(offset) = e.offset() { Some(offset) } else { None }))
            });
            found.collect::<KafkaResult<_>>()
        })
    }

    /// First offsets that are there; 0 for an empty answer.
    pub(super) fn lows(&self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>> {
        self.ends_of(partitions, Offset::Beginning)
    }

    /// Offsets that the next records will have, as far as they can be read.
    pub(super) fn highs(&self, partitions: &[i32]) -> Result<BTreeMap<i32, i64>> {
        self.ends_of(partitions, Offset::End)
    }

    fn ends_of(&self, partitions: &[i32], end: Offset) -> Result<BTreeMap<i32, i64>> {
        let asked: Vec<_> = partitions.iter().map(|p| (*p, end)).collect();
        Ok(self.offsets(&asked)?.into_iter().map(|(p, offset)| (p, offset.unwrap_or(0))).collect())
    }

    /// First offsets by time in milliseconds; `None` where all records are older. The inner `None` of a partition is
    /// told from a broker that looks nothing up by time: such a broker is an `Err` of the partitions concerned.
    pub(super) fn at_time(&self, partitions: &[i32], millis: i64) -> Result<BTreeMap<i32, AtTime>> {
        let asked: Vec<_> = partitions.iter().map(|p| (*p, Offset::Offset(millis.max(0)))).collect();
        let found = self.offsets(&asked)?;
        let none: Vec<_> = found.iter().filter(|(_, o)| o.is_none()).map(|(p, _)| (*p, Offset::Offset(0))).collect();
        let probed = self.offsets(&none)?;
        let known = |(partition, offset): (i32, Option<i64>)| {
            let at = match offset {
                Some(offset) => AtTime::First(offset),
                None if probed.get(&partition).is_some_and(Option::is_some) => AtTime::AllOlder,
                None => AtTime::Unknown,
            };
            (partition, at)
        };
        Ok(found.into_iter().map(known).collect())
    }

    /// What tells this life of the topic from others; empty when the broker does not say.
    pub(super) fn topic_id(&self) -> Result<String> {
        let Ok(name) = CString::new(self.topic.as_str()) else { return Ok(String::new()) };
        let id = describe(self, &name).unwrap_or_default();
        Ok(if id == NO_ID { String::new() } else { id })
    }
}

/// Where a time is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtTime {
    /// The first record that is not older.
    First(i64),
    /// All records are older.
    AllOlder,
    /// The broker looks nothing up by time, or the partition is empty.
    Unknown,
}

/// Asks for the description of a topic, which the safe interface does not have; its id.
fn describe(connection: &Connection, name: &CStr) -> Option<String> {
    let client = connection.consumer.client().native_ptr();
    let mut names = [name.as_ptr()];
    // SAFETY: the client lives through the call. Queue and collection are made and destroyed here; the names outlive
    // the collection, which copies them. The request keeps its own reference to the queue.
    let event = unsafe {
        let queue = sys::rd_kafka_queue_new(client);
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        sys::rd_kafka_DescribeTopics(client, topics, std::ptr::null(), queue);
        sys::rd_kafka_TopicCollection_destroy(topics);
        let event = sys::rd_kafka_queue_poll(queue, ID_WITHIN_MS);
        sys::rd_kafka_queue_destroy(queue);
        event
    };
    if event.is_null() {
        return None;
    }
    // SAFETY: what is read belongs to the event, which is destroyed after the text was copied.
    unsafe {
        let id = id_of(event);
        sys::rd_kafka_event_destroy(event);
        id
    }
}

/// The id in the answer.
///
/// # Safety
/// `event` is a living event.
unsafe fn id_of(event: *mut sys::rd_kafka_event_t) -> Option<String> {
    // SAFETY: each pointer is checked before it is followed, and all belong to the event.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count == 0 {
            return None;
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(*topics);
        if id.is_null() {
            return None;
        }
        let text = sys::rd_kafka_Uuid_base64str(id);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}

/// XX001 for records that went while they were read.
pub(super) fn vanished(topic: &str) -> Error {
    let text = format!("records of topic \"{topic}\" were deleted while they were read");
    Error::new(Kind::Unavailable, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).hint("Run the query again.")
}
