//! Readers whose query went away before they had ended: the dead letters they found are still to be kept, and who
//! looks at dead letters waits for that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Longer than a reader takes to see that nobody takes its rows.
const WAIT: Duration = Duration::from_secs(2);

/// How many such readers there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaving(Arc<watch::Sender<usize>>);

impl Leaving {
    /// Waits until there are none, but not for ever.
    pub(super) async fn over(&self) {
        let mut count = self.0.subscribe();
        if tokio::time::timeout(WAIT, count.wait_for(|n| *n == 0))
            .await
            .is_err()
        {
            tracing::warn!("a reader that nobody listens to takes long to end");
        }
    }

    /// The two ends of a reading: the query's and the reader's.
    pub(super) fn pair(&self) -> (Query, Reading) {
        let shared = Arc::new(Mutex::new(State::Both));
        (
            Query {
                state: Arc::clone(&shared),
                leaving: self.clone(),
            },
            Reading {
                state: shared,
                leaving: self.clone(),
            },
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Both,
    ReaderAlone,
    ReaderDone,
}

/// Held while the query takes rows.
#[derive(Debug)]
pub(super) struct Query {
    state: Arc<Mutex<State>>,
    leaving: Leaving,
}

/// Held until the reader has kept what it found.
#[derive(Debug)]
pub struct Reading {
    state: Arc<Mutex<State>>,
    leaving: Leaving,
}

impl Drop for Query {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == State::Both {
            *state = State::ReaderAlone;
            self.leaving.0.send_modify(|n| *n += 1);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *state, State::ReaderDone) == State::ReaderAlone {
            self.leaving.0.send_modify(|n| *n -= 1);
        }
    }
}
