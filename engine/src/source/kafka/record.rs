//! What surrounds the value of a record, as columns.

use super::fetched::Record;
use crate::catalog::{Column, MetadataRole};
use crate::error::{Error, Result};
use crate::types::arrow_type;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, Int32Array, Int64Array, ListArray, StringBuilder, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::DataType;
use std::mem::take;
use std::sync::Arc;

/// The column that a role makes, under a name or its default one.
pub fn column_of(role: &MetadataRole, name: Option<&str>) -> Column {
    let headers = SqlType::Struct(vec![
        ("key".into(), SqlType::Text),
        ("value".into(), SqlType::Bytea),
    ]);
    let (default, ty) = match role {
        MetadataRole::Key => ("_kafka_key", SqlType::Bytea),
        MetadataRole::Partition => ("_kafka_partition", SqlType::Int4),
        MetadataRole::Offset => ("_kafka_offset", SqlType::Int8),
        MetadataRole::Timestamp => ("_kafka_timestamp", SqlType::Timestamptz),
        MetadataRole::Headers => ("_kafka_headers", SqlType::Array(Box::new(headers))),
        MetadataRole::Header(key) => (key.as_str(), SqlType::Text),
    };
    Column {
        name: name.unwrap_or(default).to_owned(),
        ty,
        nullable: true,
        default: None,
    }
}

/// Builds one such column.
pub(super) enum Surrounding {
    Key(BinaryBuilder),
    Partition(Vec<i32>),
    Offset(Vec<i64>),
    Timestamp(Vec<Option<i64>>),
    Headers {
        ends: Vec<i32>,
        keys: StringBuilder,
        values: BinaryBuilder,
    },
    Header(String, StringBuilder),
}

impl Surrounding {
    pub(super) fn new(role: &MetadataRole) -> Self {
        match role {
            MetadataRole::Key => Self::Key(BinaryBuilder::new()),
            MetadataRole::Partition => Self::Partition(Vec::new()),
            MetadataRole::Offset => Self::Offset(Vec::new()),
            MetadataRole::Timestamp => Self::Timestamp(Vec::new()),
            MetadataRole::Headers => Self::Headers {
                ends: vec![0],
                keys: StringBuilder::new(),
                values: BinaryBuilder::new(),
            },
            MetadataRole::Header(key) => Self::Header(key.clone(), StringBuilder::new()),
        }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        match self {
            Self::Key(keys) => keys.append_option(record.key()),
            Self::Partition(values) => values.push(record.partition()),
            Self::Offset(values) => values.push(record.offset()),
            Self::Timestamp(values) => values.push(record.timestamp_us()),
            Self::Headers { ends, keys, values } => {
                let mut end = ends[ends.len() - 1];
                record.headers(|key, value| {
                    keys.append_value(key);
                    values.append_option(value);
                    end += 1;
                });
                ends.push(end);
            }
            Self::Header(wanted, values) => {
                let mut text = None;
                record.headers(|key, value| {
                    // Of equal names the last counts, as with fields.
                    if key == *wanted {
                        text = value.map(|v| String::from_utf8_lossy(v).into_owned());
                    }
                });
                values.append_option(text);
            }
        }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Key(keys) => Arc::new(keys.finish()),
            Self::Partition(values) => Arc::new(Int32Array::from(take(values))),
            Self::Offset(values) => Arc::new(Int64Array::from(take(values))),
            Self::Timestamp(values) => {
                Arc::new(TimestampMicrosecondArray::from(take(values)).with_timezone("UTC"))
            }
            Self::Headers { ends, keys, values } => {
                let wrong = |e| Error::internal(format!("headers do not fit their type: {e}"));
                let DataType::List(item) = arrow_type(&column_of(&MetadataRole::Headers, None).ty)
                else {
                    return Err(Error::internal("headers are a list"));
                };
                let DataType::Struct(fields) = item.data_type() else {
                    return Err(Error::internal("headers are a list of structs"));
                };
                let pairs: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
                let pairs = StructArray::try_new(fields.clone(), pairs, None).map_err(wrong)?;
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
                Arc::new(ListArray::try_new(item, ends, Arc::new(pairs), None).map_err(wrong)?)
            }
            Self::Header(_, values) => Arc::new(values.finish()),
        })
    }
}
