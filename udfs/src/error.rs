//! Errors of scorers and model files.

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
