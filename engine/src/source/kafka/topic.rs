//! What a topic is at a moment: its partitions, and the offsets between which records lie.

use super::client::{Cluster, Consumer, Deadline, ask};
use super::options::Start;
use super::topic_id;
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the broker may take for the topic's id, which not every broker gives.
const ID_WITHIN: Duration = Duration::from_secs(2);

/// Records of a partition: from `low` to before `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Extent {
    pub partition: i32,
    /// Offset of the first record there is.
    pub low: i64,
    /// Behind the last record that readers may see.
    pub high: i64,
}

/// A topic on a cluster, asked through one consumer.
pub struct Topic<'a> {
    cluster: &'a Cluster,
    consumer: &'a Consumer,
    name: &'a str,
    deadline: Deadline,
}

impl<'a> Topic<'a> {
    /// A topic that has until the deadline to answer.
    pub fn new(
        cluster: &'a Cluster,
        consumer: &'a Consumer,
        name: &'a str,
        deadline: Deadline,
    ) -> Self {
        Self {
            cluster,
            consumer,
            name,
            deadline,
        }
    }

    fn ask<T>(&self, question: impl Fn(Duration) -> Result<T, KafkaError>) -> Result<T> {
        let what = format!("read topic \"{}\"", self.name);
        ask(self.cluster, self.consumer, self.deadline, &what, question)
    }

    /// The numbers of its partitions.
    ///
    /// # Errors
    /// 42704 when there is no such topic, 08006 when the broker cannot be reached.
    pub fn partitions(&self) -> Result<Vec<i32>> {
        let partitions = self.ask(|within| {
            let metadata = self.consumer.fetch_metadata(Some(self.name), within)?;
            let Some(topic) = metadata.topics().first() else {
                return Ok(Vec::new());
            };
            match topic.error().map(RDKafkaErrorCode::from) {
                None | Some(RDKafkaErrorCode::NoError) => {}
                Some(
                    RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
                ) => return Ok(Vec::new()),
                Some(code) => return Err(KafkaError::MetadataFetch(code)),
            }
            Ok(topic.partitions().iter().map(|p| p.id()).collect())
        })?;
        if partitions.is_empty() {
            let text = format!(
                "topic \"{}\" does not exist on Kafka broker \"{}\"",
                self.name,
                self.cluster.servers()
            );
            let error = Error::new(Kind::User, SqlState::UNDEFINED_OBJECT, text);
            return Err(match self.alike() {
                Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                None => error,
            });
        }
        let mut partitions: Vec<i32> = partitions;
        partitions.sort_unstable();
        Ok(partitions)
    }

    /// A topic of the cluster with nearly this name.
    fn alike(&self) -> Option<String> {
        let all = self
            .ask(|within| self.consumer.fetch_metadata(None, within))
            .ok()?;
        closest(self.name, all.topics().iter().map(|t| t.name())).map(str::to_owned)
    }

    /// The id of this life of the topic; empty when the broker gives none.
    pub fn id(&self) -> String {
        let within = self.deadline.left().min(ID_WITHIN);
        topic_id::of(self.consumer.client(), self.name, within).unwrap_or_default()
    }

    /// The extents of partitions now.
    pub fn extents(&self, partitions: &[i32]) -> Result<Vec<Extent>> {
        let low = self.offsets(partitions, Offset::Beginning)?;
        let high = self.offsets(partitions, Offset::End)?;
        let extents = partitions.iter().map(|partition| {
            let (low, high) = (low.get(partition)?, high.get(partition)?);
            let (Offset::Offset(low), Offset::Offset(high)) = (*low, *high) else {
                return None;
            };
            Some(Extent {
                partition: *partition,
                low,
                high: high.max(low),
            })
        });
        extents.collect::<Option<_>>().ok_or_else(|| {
            let text = format!(
                "topic \"{}\": the broker does not tell where its partitions end",
                self.name
            );
            Error::new(Kind::Unavailable, SqlState::CONNECTION_FAILURE, text)
        })
    }

    /// For each partition the offset of the first record that is not older than a time in milliseconds; its end when
    /// there is none. A broker that does not look times up (librdkafka's mock) gives nothing, and nothing is known.
    pub fn since(&self, extents: &[Extent], millis: i64) -> Result<BTreeMap<i32, i64>> {
        let partitions: Vec<i32> = extents
            .iter()
            .filter(|e| e.low < e.high)
            .map(|e| e.partition)
            .collect();
        if partitions.is_empty() || millis <= 0 {
            return Ok(BTreeMap::new());
        }
        let found = self.offsets(&partitions, Offset::Offset(millis))?;
        let none: Vec<i32> = partitions
            .iter()
            .copied()
            .filter(|p| !matches!(found.get(p), Some(Offset::Offset(_))))
            .collect();
        let mut since: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, offset) in &found {
            if let Offset::Offset(offset) = offset {
                since.insert(*partition, *offset);
            }
        }
        if !none.is_empty() {
            // Any time is later than the first moment: who finds nothing then does not look.
            let looked = self.offsets(&none, Offset::Offset(0))?;
            for extent in extents.iter().filter(|e| none.contains(&e.partition)) {
                if matches!(looked.get(&extent.partition), Some(Offset::Offset(_))) {
                    since.insert(extent.partition, extent.high);
                }
            }
        }
        Ok(since)
    }

    /// One question for all partitions: where they begin, end, or reach a time.
    fn offsets(&self, partitions: &[i32], wanted: Offset) -> Result<BTreeMap<i32, Offset>> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.ask(|within| {
            let mut list = TopicPartitionList::with_capacity(partitions.len());
            for partition in partitions {
                list.add_partition_offset(self.name, *partition, wanted)?;
            }
            let answer = self.consumer.offsets_for_times(list, within)?;
            let mut offsets = BTreeMap::new();
            for element in answer.elements() {
                element.error()?;
                offsets.insert(element.partition(), element.offset());
            }
            Ok(offsets)
        })
    }

    /// The first offset of each partition for a source that begins there.
    pub fn start(&self, start: &Start) -> Result<BTreeMap<i32, i64>> {
        let partitions = self.partitions()?;
        let extents = self.extents(&partitions)?;
        let mut offsets: BTreeMap<i32, i64> =
            extents.iter().map(|e| (e.partition, e.low)).collect();
        match start {
            Start::Earliest => {}
            Start::Latest => offsets = extents.iter().map(|e| (e.partition, e.high)).collect(),
            Start::Timestamp(millis) => offsets.extend(self.since(&extents, *millis)?),
            Start::Offsets(given) => {
                if let Some(unknown) = given.keys().find(|p| !partitions.contains(p)) {
                    let text = format!("topic \"{}\" has no partition {unknown}", self.name);
                    return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                        .hint(format!("It has {} partitions, from 0.", partitions.len())));
                }
                offsets.extend(given);
            }
        }
        Ok(offsets)
    }
}
