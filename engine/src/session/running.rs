//! A statement's time: its cancel token, the timer of `statement_timeout`, and when it began.

use crate::query::Cancel;
use std::time::Duration;
use tokio::task::JoinHandle;

/// A statement that runs; dropping it ends its timer.
#[derive(Debug)]
pub struct Running {
    cancel: Cancel,
    timer: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn new(cancel: Cancel, timeout: Option<Duration>) -> Self {
        let timer = timeout.map(|timeout| {
            let cancel = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(timeout).await;
                cancel.time_out();
            })
        });
        Self { cancel, timer }
    }

    /// The end of the statement before its time.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}
