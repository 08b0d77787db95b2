//! How SQL types are kept in the files of managed tables: what Delta has no type for is kept in one that it has.
//!
//! | SQL type | kept as |
//! |---|---|
//! | time | bigint, microseconds |
//! | interval | text |
//! | oid | bigint |
//! | uuid, json, jsonb, varchar(n), char(n), name | text |
//!
//! The SQL type itself stands in the catalog, and in the metadata of the Delta field for other readers.

use crate::catalog::Column;
use crate::error::datafusion::from_arrow;
use crate::error::{Error, Result};
use crate::types::{TYPE_KEY, arrow_field};
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef,
};
use datafusion::arrow::util::display::FormatOptions;
use std::collections::HashMap;
use std::sync::Arc;

/// The Arrow type that a value is kept as.
pub fn stored_type(ty: &DataType) -> DataType {
    let inside = |field: &FieldRef| {
        Arc::new(Field::new(
            field.name(),
            stored_type(field.data_type()),
            field.is_nullable(),
        ))
    };
    match ty {
        DataType::Time64(_) | DataType::Time32(_) | DataType::UInt32 | DataType::UInt64 => {
            DataType::Int64
        }
        DataType::Interval(_) | DataType::Duration(_) => DataType::Utf8,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::List(item) => DataType::List(Arc::new(Field::new(
            "element",
            stored_type(item.data_type()),
            true,
        ))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect::<Fields>()),
        DataType::Map(entries, sorted) => DataType::Map(inside(entries), *sorted),
        other => other.clone(),
    }
}

/// The columns of a table as SQL has them.
pub fn sql_schema(columns: &[Column]) -> SchemaRef {
    // A NOT NULL column is nullable to the planner, so that outer joins and old files raise no errors of its own.
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|c| arrow_field(&c.name, &c.ty, true))
            .collect::<Vec<_>>(),
    ))
}

/// The columns of a table as its Delta log has them, with SQL types in the metadata.
pub fn stored_schema(columns: &[Column]) -> SchemaRef {
    let fields = columns.iter().map(|c| {
        let sql = arrow_field(&c.name, &c.ty, true);
        let field = Field::new(&c.name, stored_type(sql.data_type()), true);
        field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), c.ty.to_string())]))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The columns of a table as its files have them: those that are kept as they are equal [`sql_schema`]'s, so that
/// reading them is no cast.
pub fn file_schema(columns: &[Column]) -> SchemaRef {
    let fields = columns.iter().map(|c| {
        let sql = arrow_field(&c.name, &c.ty, true);
        match stored_type(sql.data_type()) {
            stored if stored == *sql.data_type() => sql,
            stored => Arc::new(Field::new(&c.name, stored, true)),
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch as files have it; column by column, by position.
pub fn to_stored(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let arrays = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| convert(array, field.data_type()));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|e| Error::internal(e.to_string()))
}

/// Text of an interval that reads back exactly: months, days and microseconds.
fn interval_text(array: &ArrayRef) -> Result<ArrayRef> {
    let plain = cast_with_options(
        array,
        &DataType::Interval(IntervalUnit::MonthDayNano),
        &strict(),
    )
    .map_err(from_arrow)?;
    let values = plain.as_primitive::<datafusion::arrow::datatypes::IntervalMonthDayNanoType>();
    let texts = values.iter().map(|v| {
        v.map(|v| {
            let (sign, nanos) = if v.nanoseconds < 0 {
                ("-", v.nanoseconds.unsigned_abs())
            } else {
                ("", v.nanoseconds.unsigned_abs())
            };
            let (seconds, micros) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000);
            format!(
                "{} mons {} days {sign}{seconds}.{micros:06} seconds",
                v.months, v.days
            )
        })
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn strict() -> CastOptions<'static> {
    CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    }
}

/// An array as it is kept.
fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (DataType::Interval(_) | DataType::Duration(_), DataType::Utf8) => interval_text(array),
        _ => cast_with_options(array, to, &strict()).map_err(from_arrow),
    }
}
