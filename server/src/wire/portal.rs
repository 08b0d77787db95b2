//! A statement that is being carried out for a client: not yet begun, between two of its rows, or done.

use crate::encode::{BatchEncoder, Format};
use alcedo_engine::session::{Bound, Prepared, Rows};

/// A portal.
pub(super) struct Portal {
    /// What was bound; `None` is the empty statement.
    pub(super) prepared: Option<Prepared>,
    /// One per column of the result.
    pub(super) formats: Vec<Format>,
    pub(super) state: State,
}

/// How far a portal is.
pub(super) enum State {
    /// Bound only; `None` is the empty statement.
    Ready(Option<Bound>),
    /// Some rows may have been sent.
    Open(Cursor),
    /// All rows were sent; the command tag for those that ask again.
    Sent(String),
    /// It has run, and gave no rows.
    Done,
}

/// A result with the place up to which it was sent.
pub(super) struct Cursor {
    pub(super) rows: Rows,
    /// The batch in hand and its next row.
    pub(super) batch: Option<(BatchEncoder, usize)>,
    /// Rows sent, as the command tag counts them.
    pub(super) sent: u64,
}

impl Cursor {
    pub(super) fn new(rows: Rows) -> Self {
        Self {
            rows,
            batch: None,
            sent: 0,
        }
    }

    /// The command tag of what was sent.
    pub(super) fn tag(&self) -> String {
        if self.rows.counted {
            format!("{} {}", self.rows.tag, self.sent)
        } else {
            self.rows.tag.clone()
        }
    }
}
