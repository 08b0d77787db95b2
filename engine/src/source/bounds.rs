//! Where a statement's reading of a source ends: found out by the first scan, the same for all of them.

use super::kafka::topic::Extent;
use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// A topic as a statement sees it.
#[derive(Debug)]
#[allow(missing_docs)]
pub(super) struct Known {
    pub extents: Vec<Extent>,
    pub topic_id: String,
    /// Whether the topic was deleted and made again since the source was.
    pub recreated: bool,
}

/// The bounds of a source in a statement.
#[derive(Debug, Default)]
pub(super) struct Bounds(Mutex<Option<Result<Arc<Known>, Error>>>);

impl Bounds {
    /// What is known; `find` finds it out for whoever is first while others wait.
    pub(super) fn get(&self, find: impl FnOnce() -> Result<Known>) -> Result<Arc<Known>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(|| find().map(Arc::new)).clone()
    }
}
