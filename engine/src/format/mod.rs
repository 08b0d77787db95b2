//! How the values of records are written: between bytes and Arrow columns.
//!
//! A decoder takes one record after the other and gives whole columns; a record that does not decode leaves no trace
//! in them and says why.

pub mod json;

use crate::error::Result;
use datafusion::arrow::array::{ArrayRef, RecordBatch};

/// Why a record does not decode: a sentence without its full stop.
pub type Fault = Box<str>;

/// Values of records into columns.
pub trait Decoder: Send {
    /// Adds a row, or nothing when the value does not decode.
    ///
    /// # Errors
    /// Why it does not.
    fn decode(&mut self, value: &[u8]) -> Result<(), Fault>;

    /// Adds the row of a record without a value.
    ///
    /// # Errors
    /// When a column may not be NULL.
    fn absent(&mut self) -> Result<(), Fault>;

    /// Takes the rows out: one array per declared column, none where it was not asked for.
    ///
    /// # Errors
    /// XX000 when the columns do not fit their types.
    fn finish(&mut self) -> Result<Vec<Option<ArrayRef>>>;
}

/// Rows into values of records.
pub trait Encoder: Send {
    /// Appends the value of one row.
    ///
    /// # Errors
    /// 22P02 for a value that the format does not have.
    fn encode(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<()>;
}
