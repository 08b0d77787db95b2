//! Text to [`Statement`]: the dialect of Alcedo. Pure and synchronous, no I/O, no DataFusion.
//!
//! [`parse`] splits a script into statements, keeping each one's own text and offset; ours are parsed
//! here by keyword, the rest by sqlparser. [`vars`] is the one table of session variables.

pub mod error;
pub mod options;
pub mod sqlstate;
pub mod statement;
pub mod types;

pub use error::{Result, SqlError};
pub use sqlparser::ast;
pub use sqlstate::SqlState;
pub use statement::{Parsed, Statement};

/// Parses a type name as `SqlType` displays it, or as declared.
pub fn parse_type(_text: &str) -> Result<types::SqlType> {
    Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, "no parser yet"))
}

/// Parses a script into its statements; an empty script gives none.
pub fn parse(_sql: &str) -> Result<Vec<Parsed>> {
    Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, "no parser yet"))
}
