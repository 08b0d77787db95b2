//! Arrow columns to PostgreSQL values and back: text and binary, one batch at a time.
//!
//! A [`BatchEncoder`] looks at each column once (downcast, nulls, format) and then appends whole
//! `DataRow` messages to one buffer, value after value, without an allocation per value. `column` chooses
//! the encoder of a column; the other files hold the types. `parameter` goes the other way: parameters of
//! `Bind` to values of the engine. [`text_cells`] is the same text for the shell.

mod column;
mod datetime;
mod float;
mod integer;
mod interval;
mod list;
mod nested;
mod numeric;
pub mod parameter;
mod style;
mod text;

pub use style::{Style, Zone};

use alcedo_engine::session::OutputField;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use arrow::record_batch::RecordBatch;
use bytes::{BufMut, BytesMut};
use column::Column;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As in SQL.
    Text,
    /// As `typsend` of the type writes it.
    Binary,
}

impl Format {
    /// From the code of the protocol.
    pub fn from_code(code: i16) -> Result<Self> {
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => {
                let text = format!("unsupported format code: {code}");
                Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text))
            }
        }
    }

    /// The code of the protocol.
    pub fn code(self) -> i16 {
        match self {
            Format::Text => 0,
            Format::Binary => 1,
        }
    }
}

/// The columns of one batch, ready to be written row by row.
pub struct BatchEncoder {
    columns: Vec<Column>,
    rows: usize,
}

impl BatchEncoder {
    /// Looks at the columns; `formats` has one entry per field.
    pub fn new(
        batch: &RecordBatch,
        fields: &[OutputField],
        formats: &[Format],
        style: &Style,
    ) -> Result<Self> {
        if batch.num_columns() != fields.len() || formats.len() != fields.len() {
            return Err(Error::internal(format!(
                "a batch has {} columns where {} are announced",
                batch.num_columns(),
                fields.len()
            )));
        }
        let columns = batch.columns().iter().zip(fields).zip(formats);
        let columns = columns
            .map(|((array, field), format)| Column::new(array, &field.ty, *format, style))
            .collect::<Result<_>>()?;
        Ok(Self {
            columns,
            rows: batch.num_rows(),
        })
    }

    /// Number of rows of the batch.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends one `DataRow` message; on an error the buffer is as it was.
    pub fn row(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        out.put_u8(b'D');
        out.put_i32(0);
        // The protocol counts columns in 16 bits; more than 1600 are refused when the query is described.
        out.put_i16(self.columns.len() as i16);
        for column in &self.columns {
            if let Err(error) = column.append(row, out) {
                out.truncate(start);
                return Err(error);
            }
        }
        let length = i32::try_from(out.len() - start - 1).map_err(|_| {
            Error::user(SqlState("54000"), "a row is longer than 2 GB")
                .hint("Select fewer columns.")
        });
        match length {
            Ok(length) => {
                out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }
}

/// The rows of a batch as text, as a client in text format gets them; `None` is NULL.
///
/// `fields` are those of the result that the batch belongs to, `time_zone` is the session's `TimeZone`.
/// The shell prints these.
pub fn text_cells(
    batch: &RecordBatch,
    fields: &[OutputField],
    time_zone: &str,
) -> Result<Vec<Vec<Option<String>>>> {
    let style = Style::in_zone(time_zone)?;
    let columns = batch.columns().iter().zip(fields);
    let columns: Vec<Column> = columns
        .map(|(array, field)| Column::new(array, &field.ty, Format::Text, &style))
        .collect::<Result<_>>()?;
    let mut out = BytesMut::new();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut cells = Vec::with_capacity(columns.len());
        for column in &columns {
            if column.is_null(row) {
                cells.push(None);
                continue;
            }
            out.clear();
            column.text(row, &mut out)?;
            cells.push(Some(String::from_utf8_lossy(&out).into_owned()));
        }
        rows.push(cells);
    }
    Ok(rows)
}
