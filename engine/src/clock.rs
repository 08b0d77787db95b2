//! The only place that asks for time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from; tests give their own.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Microseconds since 1970 UTC.
    fn now_us(&self) -> i64;
    /// For measuring how long something took.
    fn instant(&self) -> Instant;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)]
    fn now_us(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .as_micros() as i64
    }

    #[allow(clippy::disallowed_methods)]
    fn instant(&self) -> Instant {
        Instant::now()
    }
}
