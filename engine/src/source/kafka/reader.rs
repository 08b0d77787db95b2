//! Reads records between offsets, on a thread of its own: polls, decodes, and gives whole batches to the query.
//!
//! A partition is read when its position reaches the end that was taken at the start. Records are not counted:
//! transaction markers and compaction leave gaps. What does not decode becomes a dead letter before the query ends.

use super::client::{Consumer, Deadline};
use super::fetched::{Fetched, Record};
use super::layout::Layout;
use super::topic::{Extent, Topic};
use crate::catalog::OnError;
use crate::error::{Error, Kind, Result};
use crate::source::bounds::Known;
use crate::source::leaving;
use crate::source::letters::Letter;
use crate::source::scan::{Message, Parts};
use crate::source::seek::Seek;
use alcedo_sql::SqlState;
use datafusion::physical_plan::metrics::Count;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;

/// How long a poll waits: what a canceled query waits for its reader.
const POLL: Duration = Duration::from_millis(50);
/// Bytes of values after which a batch is full.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes of dead letters that are kept at once.
const LETTER_BYTES: usize = 8 << 20;
/// How long a broker that cannot be reached is waited for, once it had been.
const GONE: Duration = Duration::from_secs(8);
/// How long a broker may say nothing.
const SILENT: Duration = Duration::from_secs(60);

/// What the readers of one scan count together.
#[derive(Debug)]
pub struct Tally {
    faults: AtomicU64,
    reading: AtomicUsize,
}

impl Tally {
    /// A count for so many readers.
    pub fn new(readers: usize) -> Self {
        Self {
            faults: AtomicU64::new(0),
            reading: AtomicUsize::new(readers),
        }
    }
}

/// One reader of a scan: every so-manieth partition of the topic is its.
pub struct Reader {
    pub(in crate::source) parts: Arc<Parts>,
    pub(in crate::source) layout: Layout,
    pub(in crate::source) seek: Seek,
    pub(in crate::source) limit: Option<usize>,
    pub(in crate::source) batch_rows: usize,
    /// Which reader of the scan, and of how many.
    pub(in crate::source) place: usize,
    pub(in crate::source) readers: usize,
    pub(in crate::source) tally: Arc<Tally>,
    pub(in crate::source) records: Count,
    pub(in crate::source) runtime: Handle,
}

/// A partition that is read.
#[derive(Debug, Clone, Copy)]
struct Position {
    partition: i32,
    next: i64,
    end: i64,
}

impl Position {
    fn is_open(&self) -> bool {
        self.next < self.end
    }
}

/// Why reading ends before all is read.
enum Stop {
    /// Nobody takes the rows any more.
    Unwanted,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    /// Reads all, or until the query has enough, and says how it ended.
    pub(in crate::source) fn run(self, sender: &Sender<Message>, reading: leaving::Reading) {
        let (parts, tally) = (Arc::clone(&self.parts), Arc::clone(&self.tally));
        let mut consumer = None;
        let ended = self.read(sender, &mut consumer);
        if tally.reading.fetch_sub(1, Ordering::SeqCst) == 1 {
            announce(&parts, tally.faults.load(Ordering::SeqCst));
        }
        drop(reading);
        let message = match ended {
            Ok(()) => Message::End,
            Err(Stop::Failed(error)) => Message::Failed(error),
            Err(Stop::Unwanted) => return,
        };
        // The query may be gone.
        let _ = sender.blocking_send(message);
        // Closing a consumer takes time that nobody waits for.
        drop(consumer);
    }

    fn read(self, sender: &Sender<Message>, kept: &mut Option<Consumer>) -> Result<(), Stop> {
        let consumer = kept.insert(self.parts.cluster.consumer()?);
        let parts = Arc::clone(&self.parts);
        let topic = Topic::new(
            &parts.cluster,
            consumer,
            &parts.source.topic,
            Deadline::connect(),
        );
        let known = parts.bounds.get(|| known(&parts, &topic))?;
        let positions = self.positions(&known, &topic)?;
        let mut reading = Reading {
            reader: self,
            consumer,
            known: &known,
            sender,
            open: positions.iter().filter(|p| p.is_open()).count(),
            positions,
            current: 0,
            letters: Vec::new(),
            letter_bytes: 0,
            rows: 0,
            bytes: 0,
            heard: Instant::now(),
        };
        let ended = if reading.open == 0 || reading.reader.limit == Some(0) {
            Ok(())
        } else {
            reading.all()
        };
        // Letters that were found are kept however reading ended.
        let kept = reading.keep();
        ended.and(kept.map_err(Stop::from))
    }

    /// Where this reader begins and ends in each of its partitions.
    fn positions(&self, known: &Known, topic: &Topic<'_>) -> Result<Vec<Position>> {
        let start = |e: &Extent| match known.recreated {
            true => 0,
            false => self
                .parts
                .source
                .start
                .get(&e.partition)
                .copied()
                .unwrap_or(0),
        };
        let chosen = |e: &&Extent| {
            self.seek
                .partitions
                .as_ref()
                .is_none_or(|p| p.contains(&e.partition))
        };
        let chosen: Vec<Extent> = known.extents.iter().filter(chosen).copied().collect();
        let since = match self.seek.since_ms {
            Some(millis) => topic.since(&chosen, millis)?,
            None => std::collections::BTreeMap::new(),
        };
        let mut gone = 0;
        let positions = chosen.iter().map(|e| {
            let from = start(e).max(self.seek.from);
            gone += (e.low.min(self.seek.to) - from).max(0);
            let next = from
                .max(e.low)
                .max(since.get(&e.partition).copied().unwrap_or(0));
            Position {
                partition: e.partition,
                next,
                end: e.high.min(self.seek.to),
            }
        });
        let positions: Vec<Position> = positions.collect();
        if gone > 0 && self.place == 0 {
            lost(&self.parts, gone);
        }
        Ok(positions
            .into_iter()
            .skip(self.place)
            .step_by(self.readers)
            .collect())
    }
}

/// What a statement sees of its topic.
fn known(parts: &Parts, topic: &Topic<'_>) -> Result<Known> {
    let partitions = topic.partitions()?;
    let extents = topic.extents(&partitions)?;
    let declared = &parts.source.topic_id;
    // A broker that gave no id when the source was made is not asked again.
    let topic_id = if declared.is_empty() {
        String::new()
    } else {
        topic.id()
    };
    let recreated = !topic_id.is_empty() && topic_id != *declared;
    if recreated {
        let (topic, name) = (&parts.source.topic, &parts.name);
        (parts.access.warn)(format!(
            "topic \"{topic}\" was deleted and made again: source \"{name}\" reads the new one from its beginning"
        ));
    }
    let topic_id = if topic_id.is_empty() {
        declared.clone()
    } else {
        topic_id
    };
    Ok(Known {
        extents,
        topic_id,
        recreated,
    })
}

fn lost(parts: &Parts, count: i64) {
    let (topic, name) = (&parts.source.topic, &parts.name);
    let offsets = if count == 1 { "offset" } else { "offsets" };
    (parts.access.warn)(format!(
        "{count} {offsets} of source \"{name}\" are gone: topic \"{topic}\" no longer has them"
    ));
}

fn announce(parts: &Parts, faults: u64) {
    if faults > 0 {
        let records = if faults == 1 { "record" } else { "records" };
        let name = &parts.name;
        (parts.access.notice)(format!(
            "{faults} {records} of source \"{name}\" did not decode, see streams.dead_letters"
        ));
    }
}

/// Reading under way.
struct Reading<'a> {
    reader: Reader,
    consumer: &'a Consumer,
    known: &'a Known,
    sender: &'a Sender<Message>,
    positions: Vec<Position>,
    /// The partition of the last record: records come in runs.
    current: usize,
    /// Partitions that are not at their end.
    open: usize,
    letters: Vec<Letter>,
    letter_bytes: usize,
    rows: usize,
    bytes: usize,
    /// When the broker last gave something.
    heard: Instant,
}

impl<'a> Reading<'a> {
    fn all(&mut self) -> Result<(), Stop> {
        let open = self.positions.iter().filter(|p| p.is_open());
        let partitions = open.map(|p| p.partition).collect();
        let topic = &self.reader.parts.source.topic;
        let consumer = self.consumer;
        let mut fetched = Fetched::of(consumer, topic, partitions).map_err(|e| self.failed(&e))?;
        self.assign()?;
        self.heard = Instant::now();
        while self.open > 0 {
            let mut quiet = true;
            for record in fetched.take(POLL) {
                quiet = false;
                match record.error() {
                    None => self.take(&record)?,
                    Some(error) => self.trouble(&error)?,
                }
                if self.is_done() {
                    return self.flush();
                }
            }
            if quiet {
                fetched.gather();
            }
            // What was fetched before its partition was gathered comes here, and before what follows it there.
            while let Some(polled) = consumer.poll(Duration::ZERO) {
                match polled {
                    Ok(message) => self.stray(&message)?,
                    Err(error) => self.trouble(&error)?,
                }
                if self.is_done() {
                    return self.flush();
                }
            }
            if quiet {
                self.idle()?;
            }
        }
        self.flush()
    }

    fn is_done(&self) -> bool {
        self.open == 0 || self.reader.limit == Some(0)
    }

    /// A record that did not come with the others of its partition.
    fn stray(&mut self, message: &BorrowedMessage<'_>) -> Result<(), Stop> {
        let Some(pointer) = NonNull::new(message.ptr()) else {
            return Ok(());
        };
        // SAFETY: the message is alive while it is borrowed.
        let record = unsafe { Record::borrowed(pointer) };
        self.take(&record)
    }

    /// Tells the client where to read.
    fn assign(&self) -> Result<()> {
        let topic = &self.reader.parts.source.topic;
        let mut list = TopicPartitionList::new();
        let mut open = self.positions.iter().filter(|p| p.is_open());
        let added = open.try_for_each(|p| {
            list.add_partition_offset(topic, p.partition, Offset::Offset(p.next))
        });
        let assigned = added.and_then(|()| self.consumer.assign(&list));
        assigned.map_err(|e| self.failed(&e))
    }

    #[inline]
    fn take(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        let (partition, offset) = (record.partition(), record.offset());
        if self.positions[self.current].partition != partition {
            let Some(found) = self.positions.iter().position(|p| p.partition == partition) else {
                return Ok(());
            };
            self.current = found;
        }
        let position = &mut self.positions[self.current];
        if offset < position.next || !position.is_open() {
            return Ok(());
        }
        let within = offset < position.end;
        position.next = offset + 1;
        let at_end = !position.is_open();
        if within {
            self.decode(record)?;
        }
        if at_end {
            self.close(partition);
        }
        Ok(())
    }

    #[inline]
    fn decode(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        self.reader.records.add(1);
        if let Err(fault) = self.reader.layout.push(record) {
            return self.fault(record, &fault);
        }
        self.rows += 1;
        self.bytes += record.value().map_or(0, <[u8]>::len);
        if let Some(limit) = &mut self.reader.limit {
            *limit -= 1;
        }
        if self.rows >= self.reader.batch_rows || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// A partition is at its end. Others go on, so the client shall not fetch more of it.
    fn close(&mut self, partition: i32) {
        let Some(position) = self.positions.iter_mut().find(|p| p.partition == partition) else {
            return;
        };
        position.next = position.next.max(position.end);
        let open = self.positions.iter().filter(|p| p.is_open()).count();
        if open < self.open && open > 0 {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.reader.parts.source.topic, partition);
            if let Err(error) = self.consumer.pause(&list) {
                tracing::debug!(%error, partition, "a partition that is read goes on being fetched");
            }
        }
        self.open = open;
    }

    /// Gives the rows so far to the query.
    fn flush(&mut self) -> Result<(), Stop> {
        if self.rows > 0 {
            let batch = self.reader.layout.finish(self.rows)?;
            (self.rows, self.bytes) = (0, 0);
            self.sender
                .blocking_send(Message::Rows(batch))
                .map_err(|_| Stop::Unwanted)?;
            self.heard = Instant::now();
            self.consumer.context().recover();
        }
        Ok(())
    }

    /// Nothing came for a while.
    fn idle(&mut self) -> Result<(), Stop> {
        if self.sender.is_closed() || self.reader.parts.access.cancel.is_cancelled() {
            return Err(Stop::Unwanted);
        }
        if self.rows > 0 {
            return self.flush();
        }
        let silence = self.heard.elapsed();
        if silence > SILENT || (silence > GONE && self.consumer.context().is_unreachable()) {
            return Err(self
                .failed(&KafkaError::MessageConsumption(
                    RDKafkaErrorCode::OperationTimedOut,
                ))
                .into());
        }
        Ok(())
    }

    fn trouble(&mut self, error: &KafkaError) -> Result<(), Stop> {
        use RDKafkaErrorCode as C;
        if let KafkaError::PartitionEOF(partition) = error {
            self.close(*partition);
            return Ok(());
        }
        match error.rdkafka_error_code() {
            Some(C::AutoOffsetReset | C::OffsetOutOfRange) => Ok(self.relocate()?),
            Some(
                C::AllBrokersDown
                | C::BrokerTransportFailure
                | C::OperationTimedOut
                | C::Resolve
                | C::NotLeaderForPartition
                | C::LeaderNotAvailable
                | C::RequestTimedOut,
            ) => self.idle(),
            _ => Err(self.failed(error).into()),
        }
    }

    /// The topic has dropped records that were still to be read: goes on with the first there is.
    fn relocate(&mut self) -> Result<()> {
        let parts = Arc::clone(&self.reader.parts);
        let topic = Topic::new(
            &parts.cluster,
            self.consumer,
            &parts.source.topic,
            Deadline::connect(),
        );
        let open: Vec<i32> = self
            .positions
            .iter()
            .filter(|p| p.is_open())
            .map(|p| p.partition)
            .collect();
        let extents = topic.extents(&open)?;
        let mut gone = 0;
        for position in self.positions.iter_mut().filter(|p| p.is_open()) {
            if let Some(extent) = extents.iter().find(|e| e.partition == position.partition) {
                gone += (extent.low.min(position.end) - position.next).max(0);
                position.next = position.next.max(extent.low);
            }
        }
        if gone > 0 {
            lost(&parts, gone);
        }
        self.open = self.positions.iter().filter(|p| p.is_open()).count();
        if self.open > 0 { self.assign() } else { Ok(()) }
    }

    fn failed(&self, error: &KafkaError) -> Error {
        let what = format!("read topic \"{}\"", self.reader.parts.source.topic);
        self.reader
            .parts
            .cluster
            .failed(&what, error, Some(self.consumer.context().as_ref()))
    }

    /// A record that does not decode.
    #[cold]
    fn fault(&mut self, record: &Record<'_>, fault: &str) -> Result<(), Stop> {
        if self.reader.parts.source.on_error == OnError::Fail {
            let place = format!(
                "partition {} offset {}",
                record.partition(),
                record.offset()
            );
            let topic = &self.reader.parts.source.topic;
            let text =
                format!("the record at {place} of topic \"{topic}\" does not decode: {fault}");
            let error = Error::new(Kind::Data, SqlState::INVALID_TEXT_REPRESENTATION, text);
            let hint = "With on_error = 'dead_letter' such records go to streams.dead_letters.";
            return Err(error.hint(hint).into());
        }
        let letter = Letter {
            partition: record.partition(),
            offset: record.offset(),
            timestamp_us: record.timestamp_us(),
            error: fault.to_owned(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
        };
        self.reader.tally.faults.fetch_add(1, Ordering::SeqCst);
        self.letter_bytes += letter.size();
        self.letters.push(letter);
        if self.letter_bytes >= LETTER_BYTES {
            self.keep()?;
        }
        if self.sender.is_closed() {
            return Err(Stop::Unwanted);
        }
        Ok(())
    }

    /// Makes the dead letters so far durable.
    fn keep(&mut self) -> Result<()> {
        if self.letters.is_empty() {
            return Ok(());
        }
        let to = self.reader.parts.addressee(&self.known.topic_id);
        self.letter_bytes = 0;
        let letters = std::mem::take(&mut self.letters);
        self.reader
            .runtime
            .block_on(self.reader.parts.access.dead_letters.keep(&to, letters))
    }
}
