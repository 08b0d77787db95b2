//! Errors of functions, scorers and model files.

use datafusion_common::DataFusionError;

/// What can go wrong with a model file or its inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// The bytes are not a valid model (SQLSTATE 22P03).
    #[error("{0}")]
    BadModel(String),
    /// A part of the file that we do not score (SQLSTATE 0A000).
    #[error("{0}")]
    Unsupported(String),
    /// Inputs that do not fit the model (SQLSTATE 42883).
    #[error("{0}")]
    BadInput(String),
}

/// An error of a function with PostgreSQL's SQLSTATE and text; it travels inside `DataFusionError::External`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SqlError {
    /// Five characters.
    pub state: &'static str,
    /// As PostgreSQL puts it.
    pub text: String,
}

/// [`SqlError`] for the way through DataFusion.
pub fn sql_error(state: &'static str, text: impl Into<String>) -> DataFusionError {
    let text = text.into();
    DataFusionError::External(Box::new(SqlError { state, text }))
}
