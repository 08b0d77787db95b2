//! The headers of a record. The Rust client panics on a name that is not UTF-8, so the library below it is asked.

use rdkafka::bindings as sys;
use rdkafka::message::BorrowedMessage;
use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr::null_mut;

/// Gives name and value of each header to `take`, in their order.
pub(super) fn each(
    record: &BorrowedMessage<'_>,
    mut take: impl FnMut(Cow<'_, str>, Option<&[u8]>),
) {
    const NO_ERROR: sys::rd_kafka_resp_err_t = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    let mut headers = null_mut();
    // SAFETY: the record is alive while it is borrowed, and owns the headers it gives.
    if unsafe { sys::rd_kafka_message_headers(record.ptr(), &mut headers) } != NO_ERROR {
        return;
    }
    for place in 0.. {
        let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the headers are alive as above; a place behind the last is an error and sets nothing.
        let found = unsafe {
            sys::rd_kafka_header_get_all(headers, place, &mut name, &mut value, &mut size)
        };
        if found != NO_ERROR {
            return;
        }
        // SAFETY: names end with a zero byte; a value that is not null has `size` bytes. Both live as long as the
        // record.
        let (name, value) = unsafe {
            let value =
                (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            (CStr::from_ptr(name), value)
        };
        take(name.to_string_lossy(), value);
    }
}
