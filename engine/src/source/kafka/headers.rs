//! The headers of a record. The Rust client panics on a name that is not UTF-8, so the library below it is asked.

use rdkafka::bindings as sys;
use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr::null;

/// Gives name and value of each header to `take`, in their order.
///
/// # Safety
/// The headers must be alive, and so must the message that owns them.
pub(super) unsafe fn each(
    headers: *const sys::rd_kafka_headers_t,
    mut take: impl FnMut(Cow<'_, str>, Option<&[u8]>),
) {
    for place in 0.. {
        let (mut name, mut value, mut size) = (null(), null(), 0);
        // SAFETY: the headers are alive; a place behind the last is an error and sets nothing.
        let found = unsafe {
            sys::rd_kafka_header_get_all(headers, place, &mut name, &mut value, &mut size)
        };
        if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
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
