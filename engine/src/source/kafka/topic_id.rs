//! The id of a topic, by which a topic that was deleted and made again differs from the former one.
//!
//! The Rust client does not wrap the question, so the library below it is asked.

use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use std::ffi::{CStr, CString};
use std::time::Duration;

/// Asks for the id; `None` when the broker gives none in time.
pub(super) fn of<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    within: Duration,
) -> Option<String> {
    let name = CString::new(topic).ok()?;
    let millis = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
    let mut names = [name.as_ptr()];
    let mut message = [0; 256];
    // SAFETY: each object is made here, checked for null where it can be, used while alive and destroyed once, in the
    // reverse order; what `describe` reads belongs to the event, which is destroyed after it. `name` and `names`
    // outlive the call that reads them, and the client outlives this function.
    unsafe {
        let handle = client.native_ptr();
        let queue = sys::rd_kafka_queue_new(handle);
        let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(handle, kind);
        // A timeout out of range leaves the default, which is longer.
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis,
            message.as_mut_ptr(),
            message.len(),
        );
        sys::rd_kafka_DescribeTopics(handle, topics, options, queue);
        let event = sys::rd_kafka_queue_poll(queue, millis);
        let id = if event.is_null() {
            None
        } else {
            described(event)
        };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(topics);
        sys::rd_kafka_queue_destroy(queue);
        id
    }
}

/// The id in an answer.
///
/// # Safety
/// `event` is an event that is alive.
unsafe fn described(event: *mut sys::rd_kafka_event_t) -> Option<String> {
    // SAFETY: the caller's event is alive; all pointers that are read here belong to it and are checked for null.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count != 1 {
            return None;
        }
        let error = sys::rd_kafka_TopicDescription_error(*topics);
        if !error.is_null()
            && sys::rd_kafka_error_code(error)
                != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let id = sys::rd_kafka_TopicDescription_topic_id(*topics);
        if id.is_null()
            || (sys::rd_kafka_Uuid_most_significant_bits(id) == 0
                && sys::rd_kafka_Uuid_least_significant_bits(id) == 0)
        {
            return None;
        }
        let text = sys::rd_kafka_Uuid_base64str(id);
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}
