//! The one error of this crate: a SQLSTATE, a text, and where in the statement it went wrong.

use crate::sqlstate::SqlState;

/// Text that could not become a [`crate::Statement`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// The condition.
    pub state: SqlState,
    /// Lower case, no full stop.
    pub message: String,
    /// A sentence with facts, when there are some.
    pub detail: Option<String>,
    /// A sentence that names the way out.
    pub hint: Option<String>,
    /// 1-based character position in the script.
    pub position: Option<usize>,
}

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error with a condition and a text only.
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the position unless one is known already.
    #[must_use]
    pub fn at(mut self, position: Option<usize>) -> Self {
        self.position = self.position.or(position);
        self
    }
}
