//! Rows into JSON objects, so that decoding them gives the same rows.

use super::moment;
use super::text::to_base64;
use crate::error::{Error, Result};
use crate::format::Encoder;
use crate::types::sql_type;
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
    UInt32Type,
};
use std::fmt::Write;

/// Encodes columns of a batch as one object per row.
pub struct JsonEncoder {
    /// The column's place in the batch, `"name":`, and its type.
    fields: Vec<(usize, Vec<u8>, SqlType)>,
}

impl JsonEncoder {
    /// An encoder for the columns at `places`, under their names.
    pub fn new<'a>(columns: impl Iterator<Item = (usize, &'a str, &'a SqlType)>) -> Self {
        let fields = columns.map(|(place, name, ty)| {
            let mut key = Vec::new();
            string(name, &mut key);
            key.push(b':');
            (place, key, ty.clone())
        });
        Self {
            fields: fields.collect(),
        }
    }
}

impl Encoder for JsonEncoder {
    fn encode(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>) -> Result<()> {
        out.push(b'{');
        for (i, (place, key, ty)) in self.fields.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key);
            value(batch.column(*place), row, ty, out)?;
        }
        out.push(b'}');
        Ok(())
    }
}

/// Appends a text as a JSON string.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut from = 0;
    for (at, b) in text.bytes().enumerate() {
        let escape: &[u8] = match b {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[from..at]);
        match escape {
            b"" => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
            known => out.extend_from_slice(known),
        }
        from = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}

#[allow(clippy::too_many_lines)] // one arm per type
fn value(array: &ArrayRef, row: usize, ty: &SqlType, out: &mut Vec<u8>) -> Result<()> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let mut text = String::new();
    match array.data_type() {
        DataType::Boolean => out.extend_from_slice(if array.as_boolean().value(row) {
            b"true"
        } else {
            b"false"
        }),
        DataType::Int16 => plain(array.as_primitive::<Int16Type>().value(row), out),
        DataType::Int32 => plain(array.as_primitive::<Int32Type>().value(row), out),
        DataType::Int64 => plain(array.as_primitive::<Int64Type>().value(row), out),
        DataType::UInt32 => plain(array.as_primitive::<UInt32Type>().value(row), out),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            float(
                value.is_finite(),
                value.to_string(),
                serde_json::to_string(&value).ok(),
                out,
            );
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            float(
                value.is_finite(),
                value.to_string(),
                serde_json::to_string(&value).ok(),
                out,
            );
        }
        DataType::Decimal128(..) => {
            out.extend_from_slice(
                array
                    .as_primitive::<Decimal128Type>()
                    .value_as_string(row)
                    .as_bytes(),
            );
        }
        DataType::Utf8 => return texts(array.as_string::<i32>().value(row), ty, out),
        DataType::Binary => {
            out.push(b'"');
            to_base64(array.as_binary::<i32>().value(row), out);
            out.push(b'"');
        }
        DataType::Date32 => moment::write_date(
            array.as_primitive::<Date32Type>().value(row).into(),
            &mut text,
        ),
        DataType::Time64(_) => {
            moment::write_time(
                array.as_primitive::<Time64MicrosecondType>().value(row),
                &mut text,
            );
        }
        DataType::Timestamp(_, zone) => {
            moment::write_timestamp(
                array.as_primitive::<TimestampMicrosecondType>().value(row),
                &mut text,
            );
            text.push_str(if zone.is_some() { "Z" } else { "" });
        }
        DataType::Interval(_) => {
            moment::write_interval(
                array.as_primitive::<IntervalMonthDayNanoType>().value(row),
                &mut text,
            );
        }
        _ => return nested(array, row, out),
    }
    if !text.is_empty() {
        string(&text, out);
    }
    Ok(())
}

fn plain(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{value}");
    out.extend_from_slice(text.as_bytes());
}

/// JSON has no NaN and no infinity: they are strings, which decoding takes.
fn float(finite: bool, name: String, digits: Option<String>, out: &mut Vec<u8>) {
    match digits {
        Some(digits) if finite => out.extend_from_slice(digits.as_bytes()),
        _ => string(&name, out),
    }
}

fn texts(text: &str, ty: &SqlType, out: &mut Vec<u8>) -> Result<()> {
    if !matches!(ty, SqlType::Json | SqlType::Jsonb) {
        string(text, out);
        return Ok(());
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(Error::user(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type json",
        )
        .detail(format!("{error}.")));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn nested(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<()> {
    match array.data_type() {
        DataType::List(field) => {
            let (items, ty) = (array.as_list::<i32>().value(row), sql_type(field));
            out.push(b'[');
            for i in 0..items.len() {
                if i > 0 {
                    out.push(b',');
                }
                value(&items, i, &ty, out)?;
            }
            out.push(b']');
        }
        DataType::Struct(fields) => {
            out.push(b'{');
            for (i, (field, column)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                string(field.name(), out);
                out.push(b':');
                value(column, row, &sql_type(field), out)?;
            }
            out.push(b'}');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let (key, item) = (
                sql_type(&entries.fields()[0]),
                sql_type(&entries.fields()[1]),
            );
            out.push(b'{');
            for i in 0..entries.len() {
                if i > 0 {
                    out.push(b',');
                }
                map_key(keys, i, &key, out)?;
                out.push(b':');
                value(values, i, &item, out)?;
            }
            out.push(b'}');
        }
        other => {
            return Err(Error::unsupported(format!(
                "values of type {other} cannot be written as JSON"
            )));
        }
    }
    Ok(())
}

/// Keys of JSON objects are strings, also where the map's are numbers.
fn map_key(keys: &ArrayRef, row: usize, ty: &SqlType, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    value(keys, row, ty, out)?;
    if out.get(start) != Some(&b'"') {
        let text = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        string(&text, out);
    }
    Ok(())
}
