//! A statement that is being carried out for a client: not yet begun, between two of its rows, or done.

use crate::encode::{BatchEncoder, Format};
use alcedo_engine::session::{Bound, OutputField, Rows};

/// A portal.
pub(super) struct Portal {
    /// Columns of the result, if it has rows.
    pub(super) fields: Option<Vec<OutputField>>,
    /// One per column.
    pub(super) formats: Vec<Format>,
    pub(super) state: State,
}

/// How far a portal is.
pub(super) enum State {
    /// Bound only; `None` is the empty statement.
    Ready(Option<Bound>),
    /// Some rows may have been sent.
    Open(Cursor),
    /// All rows were sent, or it failed.
    Done,
}

/// A result with the place up to which it was sent.
pub(super) struct Cursor {
    pub(super) rows: Rows,
    /// The batch in hand and its next row.
    pub(super) batch: Option<(BatchEncoder, usize)>,
    /// Rows sent so far.
    pub(super) sent: u64,
}

impl Cursor {
    pub(super) fn new(rows: Rows) -> Self {
        Self { rows, batch: None, sent: 0 }
    }
}
