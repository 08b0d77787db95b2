//! Records that have been fetched, many at a time: one call takes all that wait, where `BaseConsumer::poll` makes an
//! event, takes a lock and asks for the time at each of them.

use super::client::Consumer;
use super::headers;
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use std::borrow::Cow;
use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

/// Records taken at once, at most.
const AT_ONCE: usize = 512;

/// The queue into which the records of some partitions are fetched.
pub(super) struct Fetched<'a> {
    consumer: &'a Consumer,
    topic: CString,
    partitions: Vec<i32>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    taken: Vec<Record<'a>>,
}

impl<'a> Fetched<'a> {
    /// A queue for partitions of a topic. It must be there before they are assigned: what is fetched earlier would wait
    /// elsewhere and be missed. Errors that are not about one partition still come by `BaseConsumer::poll`.
    pub(super) fn of(
        consumer: &'a Consumer,
        topic: &str,
        partitions: Vec<i32>,
    ) -> Result<Self, KafkaError> {
        let refused = |what: &str| KafkaError::ClientCreation(what.to_owned());
        let topic = CString::new(topic).map_err(|_| refused("a topic's name has no zero byte"))?;
        // SAFETY: the client lives as long as the consumer, which outlives this.
        let queue = unsafe { sys::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let made = Self {
            consumer,
            topic,
            partitions,
            queue: NonNull::new(queue).ok_or_else(|| refused("no queue for records"))?,
            taken: Vec::with_capacity(AT_ONCE),
        };
        made.gather();
        Ok(made)
    }

    /// Puts the partitions into the queue. Assigning them a second time takes them out at some time later; what has
    /// been fetched since waits at the partition.
    pub(super) fn gather(&self) {
        let client = self.consumer.client().native_ptr();
        for partition in &self.partitions {
            // SAFETY: the client is alive and the name ends with a zero byte. Forwarding keeps the target for itself, so
            // the handle of the source can go.
            unsafe {
                let source =
                    sys::rd_kafka_queue_get_partition(client, self.topic.as_ptr(), *partition);
                if !source.is_null() {
                    sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
                    sys::rd_kafka_queue_destroy(source);
                }
            }
        }
    }

    /// The records that wait; when there are none, the first that comes within `patience`.
    pub(super) fn take(&mut self, patience: Duration) -> std::vec::Drain<'_, Record<'a>> {
        if self.fill(AT_ONCE, Duration::ZERO) == 0 {
            // The library waits until all that was asked for is there.
            self.fill(1, patience);
        }
        self.taken.drain(..)
    }

    fn fill(&mut self, count: usize, patience: Duration) -> usize {
        self.taken.clear();
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: there is room for `count` pointers, and a record is one. The library owns the messages it gives no
        // more: each is freed by its record.
        unsafe {
            let room = self
                .taken
                .as_mut_ptr()
                .cast::<*mut sys::rd_kafka_message_t>();
            let taken =
                sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), patience, room, count);
            self.taken.set_len(usize::try_from(taken).unwrap_or(0));
        }
        self.taken.len()
    }
}

impl Drop for Fetched<'_> {
    fn drop(&mut self) {
        // Records point into what the queue's client owns.
        self.taken.clear();
        // SAFETY: made by `rd_kafka_queue_new`, and nobody else has it.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// A record, or an error in its place; it cannot outlive the consumer.
#[repr(transparent)]
pub(super) struct Record<'a> {
    message: NonNull<sys::rd_kafka_message_t>,
    consumer: PhantomData<&'a Consumer>,
}

impl Record<'_> {
    /// Shows a message that somebody else frees as a record.
    ///
    /// # Safety
    /// It must be alive while the record is used.
    pub(super) unsafe fn borrowed(message: NonNull<sys::rd_kafka_message_t>) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self {
            message,
            consumer: PhantomData,
        })
    }

    fn message(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: alive until it is freed when the record is dropped.
        unsafe { self.message.as_ref() }
    }

    /// What stands in the place of a record: the end of its partition, or what went wrong there.
    pub(super) fn error(&self) -> Option<KafkaError> {
        use sys::rd_kafka_resp_err_t as E;
        match self.message().err {
            E::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            E::RD_KAFKA_RESP_ERR__PARTITION_EOF => Some(KafkaError::PartitionEOF(self.partition())),
            other => Some(KafkaError::MessageConsumption(other.into())),
        }
    }

    pub(super) fn partition(&self) -> i32 {
        self.message().partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.message().offset
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: the library gives as many bytes as it says, alive as long as the message.
        unsafe { bytes(message.payload, message.len) }
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        let message = self.message();
        // SAFETY: as for the value.
        unsafe { bytes(message.key, message.key_len) }
    }

    /// When the record was made or appended, in microseconds since 1970 UTC; not every record says.
    pub(super) fn timestamp_us(&self) -> Option<i64> {
        use sys::rd_kafka_timestamp_type_t as T;
        let mut kind = T::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let millis = unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &mut kind) };
        let known = millis != -1 && kind != T::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        known.then(|| millis.checked_mul(1000)).flatten()
    }

    /// Gives name and value of each header to `take`, in their order.
    pub(super) fn headers(&self, take: impl FnMut(Cow<'_, str>, Option<&[u8]>)) {
        let mut headers = null_mut();
        // SAFETY: the message is alive and owns the headers it gives.
        let found = unsafe { sys::rd_kafka_message_headers(self.message.as_ptr(), &mut headers) };
        if found == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            // SAFETY: as above.
            unsafe { headers::each(headers, take) }
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        // SAFETY: the library gave it to us, and it is freed once.
        unsafe { sys::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

/// # Safety
/// A place that is not null must have so many bytes while the result is used.
unsafe fn bytes<'a>(place: *const std::ffi::c_void, size: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!place.is_null()).then(|| unsafe { std::slice::from_raw_parts(place.cast(), size) })
}
