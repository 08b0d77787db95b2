//! A column that is built from JSON values of one SQL type.

use super::lexer::{Kind, Raw};
use super::moment::{self, Numbers};
use super::nested::{nested_array, nested_value};
use super::number::{self, not};
use super::record::Fields;
use super::text::{binary, unescaped, utf8};
use crate::error::{Error, Result};
use crate::format::Fault;
use crate::types::arrow_type;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano};
use std::mem::take;
use std::sync::Arc;

/// Values of one type. Without `build` they are checked and forgotten.
#[derive(Debug)]
pub(super) struct Column {
    data_type: DataType,
    build: bool,
    valid: Vec<bool>,
    nulls: bool,
    values: Values,
}

/// What texts must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Any,
    /// At most so many characters.
    Length(u32, &'static str),
    Uuid,
    Json,
}

/// What is built, by type.
#[derive(Debug)]
pub(super) enum Values {
    Bool(Vec<bool>),
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Oid(Vec<u32>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Numeric {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
        rounds: bool,
    },
    Text(Bytes, Form),
    Bytea(Bytes),
    Date(Vec<i32>),
    Time(Vec<i64>),
    Timestamp {
        values: Vec<i64>,
        numbers: Numbers,
        zoned: bool,
    },
    Interval(Vec<IntervalMonthDayNano>),
    Array {
        ends: Vec<i32>,
        items: Box<Column>,
    },
    Struct {
        fields: Box<Fields>,
        columns: Vec<Column>,
    },
    Map {
        ends: Vec<i32>,
        keys: Box<Column>,
        values: Box<Column>,
    },
}

/// Values of varying length, one behind the other.
#[derive(Debug)]
pub(super) struct Bytes {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Bytes {
    fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: vec![0],
        }
    }

    fn end(&mut self) {
        // A batch is cut long before 2 GiB.
        self.ends.push(self.bytes.len() as i32);
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
        self.bytes.truncate(self.ends[rows] as usize);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        (
            offsets(&mut self.ends),
            Buffer::from_vec(take(&mut self.bytes)),
        )
    }
}

/// Takes ends out as offsets.
pub(super) fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])))
}

impl Values {
    fn new(ty: &SqlType, numbers: Numbers, build: bool) -> Self {
        match ty {
            SqlType::Bool => Self::Bool(Vec::new()),
            SqlType::Int2 => Self::Int2(Vec::new()),
            SqlType::Int4 => Self::Int4(Vec::new()),
            SqlType::Int8 => Self::Int8(Vec::new()),
            SqlType::Oid => Self::Oid(Vec::new()),
            SqlType::Float4 => Self::Float4(Vec::new()),
            SqlType::Float8 => Self::Float8(Vec::new()),
            SqlType::Numeric(declared) => {
                let (precision, scale) = match arrow_type(ty) {
                    DataType::Decimal128(precision, scale) => (precision, scale),
                    _ => (38, 10),
                };
                Self::Numeric {
                    values: Vec::new(),
                    precision,
                    scale,
                    rounds: declared.is_some(),
                }
            }
            SqlType::Text | SqlType::Name | SqlType::Varchar(None) => {
                Self::Text(Bytes::new(), Form::Any)
            }
            SqlType::Varchar(Some(n)) => {
                Self::Text(Bytes::new(), Form::Length(*n, "character varying"))
            }
            SqlType::Char(n) => Self::Text(Bytes::new(), Form::Length(*n, "character")),
            SqlType::Uuid => Self::Text(Bytes::new(), Form::Uuid),
            SqlType::Json | SqlType::Jsonb => Self::Text(Bytes::new(), Form::Json),
            SqlType::Bytea => Self::Bytea(Bytes::new()),
            SqlType::Date => Self::Date(Vec::new()),
            SqlType::Time => Self::Time(Vec::new()),
            SqlType::Timestamp => Self::Timestamp {
                values: Vec::new(),
                numbers,
                zoned: false,
            },
            SqlType::Timestamptz => Self::Timestamp {
                values: Vec::new(),
                numbers,
                zoned: true,
            },
            SqlType::Interval => Self::Interval(Vec::new()),
            SqlType::Array(item) => Self::Array {
                ends: vec![0],
                items: Box::new(Column::new(item, numbers, build)),
            },
            SqlType::Struct(fields) => Self::Struct {
                fields: Box::new(Fields::new(fields.iter().map(|(n, _)| n.as_str()))),
                columns: fields
                    .iter()
                    .map(|(_, t)| Column::new(t, numbers, build))
                    .collect(),
            },
            SqlType::Map(key, value) => Self::Map {
                ends: vec![0],
                keys: Box::new(Column::new(key, numbers, build)),
                values: Box::new(Column::new(value, numbers, build)),
            },
        }
    }
}

impl Column {
    pub(super) fn new(ty: &SqlType, numbers: Numbers, build: bool) -> Self {
        let values = Values::new(ty, numbers, build);
        Self {
            data_type: arrow_type(ty),
            build,
            valid: Vec::new(),
            nulls: false,
            values,
        }
    }

    /// Adds a value, or says why it is none of the type. After an error [`Column::truncate`] is due.
    #[inline]
    #[allow(clippy::too_many_lines)] // one arm per type
    pub(super) fn append(&mut self, bytes: &[u8], raw: Raw) -> Result<(), Fault> {
        if raw.kind == Kind::Null {
            self.null();
            return Ok(());
        }
        let build = self.build;
        match &mut self.values {
            Values::Bool(values) => put(build, values, boolean(bytes, raw)?),
            Values::Int2(values) => {
                let (least, most) = (i64::from(i16::MIN), i64::from(i16::MAX));
                put(
                    build,
                    values,
                    number::integer(bytes, raw, "smallint", least, most)? as i16,
                );
            }
            Values::Int4(values) => {
                let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
                put(
                    build,
                    values,
                    number::integer(bytes, raw, "integer", least, most)? as i32,
                );
            }
            Values::Int8(values) => {
                put(
                    build,
                    values,
                    number::integer(bytes, raw, "bigint", i64::MIN, i64::MAX)?,
                );
            }
            Values::Oid(values) => {
                put(
                    build,
                    values,
                    number::integer(bytes, raw, "oid", 0, i64::from(u32::MAX))? as u32,
                );
            }
            Values::Float4(values) => put(build, values, number::float4(bytes, raw)?),
            Values::Float8(values) => put(build, values, number::float8(bytes, raw)?),
            Values::Numeric {
                values,
                precision,
                scale,
                rounds,
            } => {
                put(
                    build,
                    values,
                    number::numeric(bytes, raw, *precision, *scale, *rounds)?,
                );
            }
            Values::Text(values, form) => text(build, values, *form, bytes, raw)?,
            Values::Bytea(values) => {
                if !raw.is_text() {
                    return Err(not("a string of bytes", bytes, raw));
                }
                binary(&unescaped(bytes, raw)?, &mut values.bytes)?;
                if build {
                    values.end()
                } else {
                    values.bytes.clear()
                }
            }
            Values::Date(values) => put(build, values, moment::date(bytes, raw)?),
            Values::Time(values) => put(build, values, moment::time(bytes, raw)?),
            Values::Timestamp {
                values,
                numbers,
                zoned,
            } => {
                put(
                    build,
                    values,
                    moment::timestamp(bytes, raw, *numbers, *zoned)?,
                );
            }
            Values::Interval(values) => put(build, values, moment::interval(bytes, raw)?),
            nested => nested_value(build, nested, bytes, raw)?,
        }
        put(build, &mut self.valid, true);
        Ok(())
    }

    fn null(&mut self) {
        if !self.build {
            return;
        }
        self.nulls = true;
        self.valid.push(false);
        match &mut self.values {
            Values::Bool(v) => v.push(false),
            Values::Int2(v) => v.push(0),
            Values::Int4(v) | Values::Date(v) => v.push(0),
            Values::Int8(v) | Values::Time(v) | Values::Timestamp { values: v, .. } => v.push(0),
            Values::Oid(v) => v.push(0),
            Values::Float4(v) => v.push(0.0),
            Values::Float8(v) => v.push(0.0),
            Values::Numeric { values, .. } => values.push(0),
            Values::Text(v, _) | Values::Bytea(v) => v.end(),
            Values::Interval(v) => v.push(IntervalMonthDayNano::ZERO),
            Values::Array { ends, .. } | Values::Map { ends, .. } => {
                ends.push(ends[ends.len() - 1])
            }
            Values::Struct { columns, .. } => columns.iter_mut().for_each(Column::null),
        }
    }

    /// How many values there are.
    pub(super) fn rows(&self) -> usize {
        self.valid.len()
    }

    /// Drops all values behind the first `rows`.
    pub(super) fn truncate(&mut self, rows: usize) {
        if !self.build {
            if let Values::Text(v, _) | Values::Bytea(v) = &mut self.values {
                v.bytes.clear();
            }
            return;
        }
        self.valid.truncate(rows);
        match &mut self.values {
            Values::Bool(v) => v.truncate(rows),
            Values::Int2(v) => v.truncate(rows),
            Values::Int4(v) | Values::Date(v) => v.truncate(rows),
            Values::Int8(v) | Values::Time(v) | Values::Timestamp { values: v, .. } => {
                v.truncate(rows)
            }
            Values::Oid(v) => v.truncate(rows),
            Values::Float4(v) => v.truncate(rows),
            Values::Float8(v) => v.truncate(rows),
            Values::Numeric { values, .. } => values.truncate(rows),
            Values::Text(v, _) | Values::Bytea(v) => v.truncate(rows),
            Values::Interval(v) => v.truncate(rows),
            Values::Array { ends, items } => {
                ends.truncate(rows + 1);
                items.truncate(ends[rows] as usize);
            }
            Values::Struct { columns, .. } => columns.iter_mut().for_each(|c| c.truncate(rows)),
            Values::Map { ends, keys, values } => {
                ends.truncate(rows + 1);
                keys.truncate(ends[rows] as usize);
                values.truncate(ends[rows] as usize);
            }
        }
    }

    /// Takes the values out as an array; `None` when they were only checked.
    pub(super) fn finish(&mut self) -> Result<Option<ArrayRef>> {
        if !self.build {
            return Ok(None);
        }
        let rows = self.valid.len();
        let valid = take(&mut self.valid);
        let nulls = take(&mut self.nulls)
            .then(|| NullBuffer::from(valid))
            .filter(|n| n.null_count() > 0);
        let wrong = |e| Error::internal(format!("a column of a source does not fit its type: {e}"));
        let array: ArrayRef = match &mut self.values {
            Values::Bool(v) => Arc::new(BooleanArray::new(take(v).into(), nulls)),
            Values::Int2(v) => Arc::new(Int16Array::new(take(v).into(), nulls)),
            Values::Int4(v) => Arc::new(Int32Array::new(take(v).into(), nulls)),
            Values::Int8(v) => Arc::new(Int64Array::new(take(v).into(), nulls)),
            Values::Oid(v) => Arc::new(UInt32Array::new(take(v).into(), nulls)),
            Values::Float4(v) => Arc::new(Float32Array::new(take(v).into(), nulls)),
            Values::Float8(v) => Arc::new(Float64Array::new(take(v).into(), nulls)),
            Values::Numeric {
                values,
                precision,
                scale,
                ..
            } => {
                let array = Decimal128Array::new(take(values).into(), nulls);
                Arc::new(
                    array
                        .with_precision_and_scale(*precision, *scale)
                        .map_err(wrong)?,
                )
            }
            Values::Text(v, _) => {
                let (ends, bytes) = v.take();
                // SAFETY: each value is a piece of UTF-8 between bytes that are ASCII (quotes, commas, brackets), or
                // a whole `str`; offsets stand only between values.
                Arc::new(unsafe { StringArray::new_unchecked(ends, bytes, nulls) })
            }
            Values::Bytea(v) => {
                let (ends, bytes) = v.take();
                Arc::new(BinaryArray::try_new(ends, bytes, nulls).map_err(wrong)?)
            }
            Values::Date(v) => Arc::new(Date32Array::new(take(v).into(), nulls)),
            Values::Time(v) => Arc::new(Time64MicrosecondArray::new(take(v).into(), nulls)),
            Values::Timestamp { values, zoned, .. } => {
                let array = TimestampMicrosecondArray::new(take(values).into(), nulls);
                Arc::new(if *zoned {
                    array.with_timezone("UTC")
                } else {
                    array
                })
            }
            Values::Interval(v) => Arc::new(IntervalMonthDayNanoArray::new(take(v).into(), nulls)),
            nested => nested_array(nested, &self.data_type, rows, nulls)?,
        };
        Ok(Some(array))
    }
}

/// Keeps a value that is built.
#[inline]
pub(super) fn put<T>(build: bool, values: &mut Vec<T>, value: T) {
    if build {
        values.push(value);
    }
}

fn boolean(bytes: &[u8], raw: Raw) -> Result<bool, Fault> {
    match raw.kind {
        Kind::True => Ok(true),
        Kind::False => Ok(false),
        Kind::Text if raw.of(bytes).eq_ignore_ascii_case(b"true") => Ok(true),
        Kind::Text if raw.of(bytes).eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(not("true or false", bytes, raw)),
    }
}

fn text(build: bool, values: &mut Bytes, form: Form, bytes: &[u8], raw: Raw) -> Result<(), Fault> {
    match form {
        Form::Any => match raw.kind {
            Kind::Escaped => values
                .bytes
                .extend_from_slice(unescaped(bytes, raw)?.as_bytes()),
            _ if build => values.bytes.extend_from_slice(raw.of(bytes)),
            _ => {}
        },
        Form::Length(most, ty) => {
            let text = unescaped(bytes, raw)?;
            if text.len() > most as usize && text.chars().count() > most as usize {
                return Err(not(
                    &format!("a text of type {ty}({most}): it is too long"),
                    bytes,
                    raw,
                ));
            }
            values.bytes.extend_from_slice(text.as_bytes());
        }
        Form::Uuid => {
            let parsed = if raw.is_text() {
                uuid::Uuid::try_parse(&unescaped(bytes, raw)?).ok()
            } else {
                None
            };
            let uuid = parsed.ok_or_else(|| not("a uuid", bytes, raw))?;
            let mut buffer = uuid::Uuid::encode_buffer();
            values
                .bytes
                .extend_from_slice(uuid.hyphenated().encode_lower(&mut buffer).as_bytes());
        }
        Form::Json => values
            .bytes
            .extend_from_slice(utf8(raw.json(bytes))?.as_bytes()),
    }
    if build {
        values.end()
    } else {
        values.bytes.clear()
    }
    Ok(())
}
