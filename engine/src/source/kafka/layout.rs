//! Records into the columns that a scan wants.

use super::fetched::Record;
use super::record::Surrounding;
use crate::catalog::Source;
use crate::error::{Error, Result};
use crate::format::json::{JsonDecoder, Numbers};
use crate::format::{Decoder, Fault};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use std::sync::Arc;

/// Which columns are built of a record, and in which order they stand.
pub struct Layout {
    decoder: JsonDecoder,
    surroundings: Vec<Surrounding>,
    /// For each column of the result its place among all values, or behind them among the surroundings.
    places: Vec<usize>,
    values: usize,
    schema: SchemaRef,
}

impl Layout {
    /// The columns at `columns` of a source.
    pub fn new(source: &Source, columns: &[usize], schema: SchemaRef, numbers: Numbers) -> Self {
        let values = source.columns.len() - source.metadata.len();
        let wanted: Vec<bool> = (0..values).map(|i| columns.contains(&i)).collect();
        let mut surroundings = Vec::new();
        let places = columns.iter().map(|place| {
            if *place < values {
                return *place;
            }
            surroundings.push(Surrounding::new(&source.metadata[*place - values].role));
            values + surroundings.len() - 1
        });
        let places = places.collect();
        let decoder = JsonDecoder::new(&source.columns[..values], &wanted, numbers);
        Self {
            decoder,
            surroundings,
            places,
            values,
            schema,
        }
    }

    /// Adds a record as a row, or nothing when it does not decode.
    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        match record.value() {
            Some(value) => self.decoder.decode(value)?,
            None => self.decoder.absent()?,
        }
        self.surroundings.iter_mut().for_each(|s| s.push(record));
        Ok(())
    }

    /// The rows so far.
    pub(super) fn finish(&mut self, rows: usize) -> Result<RecordBatch> {
        let values = self.decoder.finish()?;
        let surroundings = self
            .surroundings
            .iter_mut()
            .map(Surrounding::finish)
            .collect::<Result<Vec<_>>>()?;
        let array = |place: &usize| -> Option<ArrayRef> {
            match place.checked_sub(self.values) {
                None => values[*place].clone(),
                Some(behind) => Some(Arc::clone(&surroundings[behind])),
            }
        };
        let arrays: Option<Vec<ArrayRef>> = self.places.iter().map(array).collect();
        let arrays = arrays.ok_or_else(|| Error::internal("a column of a source was not built"))?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| Error::internal(format!("a batch of a source does not fit: {e}")))
    }
}
