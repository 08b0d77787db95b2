//! Dead letters as rows, and rows in the files that keep them.

use crate::error::{Error, Kind, Result};
use crate::types::arrow_field;
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use bytes::Bytes;
use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
    TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

/// A record that did not decode.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Letter {
    pub partition: i32,
    pub offset: i64,
    /// Microseconds since 1970 UTC.
    pub timestamp_us: Option<i64>,
    pub error: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

impl Letter {
    /// Bytes it holds.
    pub fn size(&self) -> usize {
        let length = |v: &Option<Vec<u8>>| v.as_ref().map_or(0, Vec::len);
        64 + self.error.len() + length(&self.key) + length(&self.value)
    }
}

/// Whose letters.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Addressee {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub topic: String,
    pub topic_id: String,
}

/// The columns of `streams.dead_letters`; files have the topic's id behind them.
const COLUMNS: &[(&str, SqlType)] = &[
    ("source_schema", SqlType::Text),
    ("source_name", SqlType::Text),
    ("topic", SqlType::Text),
    ("partition", SqlType::Int4),
    ("offset", SqlType::Int8),
    ("record_timestamp", SqlType::Timestamptz),
    ("error", SqlType::Text),
    ("key", SqlType::Bytea),
    ("value", SqlType::Bytea),
    ("first_seen", SqlType::Timestamptz),
];
/// Places of columns in a file.
pub(super) const PARTITION: usize = 3;
pub(super) const OFFSET: usize = 4;
pub(super) const TOPIC_ID: usize = 10;

/// The columns of the table.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(
        COLUMNS
            .iter()
            .map(|(n, t)| arrow_field(n, t, true))
            .collect::<Vec<_>>(),
    ))
}

fn file_schema() -> SchemaRef {
    let id = ("topic_id", SqlType::Text);
    let columns = COLUMNS
        .iter()
        .chain([&id])
        .map(|(n, t)| arrow_field(n, t, true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// Letters as rows of a file.
pub(super) fn rows(to: &Addressee, letters: &[Letter], first_seen_us: i64) -> Result<RecordBatch> {
    let text = |value: &str| -> ArrayRef {
        let mut column = StringBuilder::new();
        letters.iter().for_each(|_| column.append_value(value));
        Arc::new(column.finish())
    };
    let bytes = |value: &dyn Fn(&Letter) -> Option<&Vec<u8>>| -> ArrayRef {
        let mut column = BinaryBuilder::new();
        letters.iter().for_each(|l| column.append_option(value(l)));
        Arc::new(column.finish())
    };
    let time = |value: &dyn Fn(&Letter) -> Option<i64>| -> ArrayRef {
        let mut column = TimestampMicrosecondBuilder::new().with_timezone("UTC");
        letters.iter().for_each(|l| column.append_option(value(l)));
        Arc::new(column.finish())
    };
    let mut partitions = Int32Builder::new();
    let mut offsets = Int64Builder::new();
    let mut errors = StringBuilder::new();
    for letter in letters {
        partitions.append_value(letter.partition);
        offsets.append_value(letter.offset);
        errors.append_value(&letter.error);
    }
    let columns: Vec<ArrayRef> = vec![
        text(&to.schema),
        text(&to.name),
        text(&to.topic),
        Arc::new(partitions.finish()),
        Arc::new(offsets.finish()),
        time(&|l| l.timestamp_us),
        Arc::new(errors.finish()),
        bytes(&|l| l.key.as_ref()),
        bytes(&|l| l.value.as_ref()),
        time(&|_| Some(first_seen_us)),
        text(&to.topic_id),
    ];
    RecordBatch::try_new(file_schema(), columns).map_err(|e| Error::internal(e.to_string()))
}

/// A file of rows.
pub(super) fn write(batches: &[RecordBatch]) -> Result<Vec<u8>> {
    let wrong = |e| Error::internal(format!("dead letters cannot be written: {e}"));
    let mut writer = ArrowWriter::try_new(Vec::new(), file_schema(), None).map_err(wrong)?;
    for batch in batches {
        writer.write(batch).map_err(wrong)?;
    }
    writer.into_inner().map_err(wrong)
}

/// The rows of a file.
pub(super) fn read(bytes: Bytes) -> Result<Vec<RecordBatch>> {
    let damaged = |e: String| {
        Error::new(
            Kind::Data,
            SqlState::DATA_CORRUPTED,
            format!("a file of dead letters is damaged: {e}"),
        )
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|b| b.build());
    let reader = reader.map_err(|e| damaged(e.to_string()))?;
    let schema = file_schema();
    reader
        .map(|batch| {
            let batch = batch.map_err(|e| damaged(e.to_string()))?;
            RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec())
                .map_err(|e| damaged(e.to_string()))
        })
        .collect()
}
