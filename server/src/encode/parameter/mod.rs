//! Parameters of Bind, in text and binary, to values of the types that the statement was prepared with.
//!
//! Every value passes through a one-row Arrow array ([`column`]), so that arrays of any type need nothing
//! but their elements. `scalar` reads numbers, text and bytes, `moment` dates and times, `span` intervals,
//! `array` array literals and their binary form.

mod array;
mod moment;
mod scalar;
mod span;

use super::Format;
use super::style::Zone;
use alcedo_engine::session::ScalarValue;
use alcedo_engine::types::arrow_type;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::DataType;
use std::sync::Arc;

/// 22P03: bytes that are not the binary form of their type.
const INVALID_BINARY: SqlState = SqlState("22P03");

/// Where and how values are read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    format: Format,
    zone: &'a Zone,
}

/// Reads one parameter; `None` is NULL. `zone` is the session's, for timestamps without an offset.
pub fn decode(
    ty: &SqlType,
    format: Format,
    value: Option<&[u8]>,
    zone: &Zone,
) -> Result<ScalarValue> {
    let array = column(ty, &[value], Reading { format, zone })?;
    ScalarValue::try_from_array(&array, 0)
        .map_err(|e| Error::internal(format!("a parameter of type {ty} has no value: {e}")))
}

/// The types of Parse: 0 and `unknown` leave it to the statement.
pub fn type_of_oid(oid: u32) -> Result<Option<SqlType>> {
    use SqlType as S;
    if oid == 0 || oid == 705 {
        return Ok(None);
    }
    let scalars = [
        S::Bool,
        S::Bytea,
        S::Name,
        S::Int8,
        S::Int2,
        S::Int4,
        S::Text,
        S::Oid,
        S::Json,
        S::Float4,
        S::Float8,
        S::Varchar(None),
        S::Date,
        S::Time,
        S::Timestamp,
        S::Timestamptz,
        S::Interval,
        S::Numeric(None),
        S::Uuid,
        S::Jsonb,
    ];
    // char(n) without a length compares like text here; blanks at the end are the client's.
    if oid == 1042 {
        return Ok(Some(S::Text));
    }
    for ty in scalars {
        let (own, array) = ty.oids();
        if own == oid {
            return Ok(Some(ty));
        }
        if array == oid {
            return Ok(Some(S::Array(Box::new(ty))));
        }
    }
    let text = format!("parameters of the type with OID {oid} are not supported");
    Err(Error::unsupported(text)
        .hint("Cast the parameter to a type that is supported, such as text."))
}

/// Reads values of one type into a column.
fn column(ty: &SqlType, values: &[Option<&[u8]>], how: Reading<'_>) -> Result<ArrayRef> {
    use SqlType as S;
    Ok(match ty {
        S::Bool => Arc::new(BooleanArray::from(each(values, |v| {
            scalar::boolean(v, how)
        })?)),
        S::Int2 => Arc::new(Int16Array::from(each(values, |v| {
            scalar::integer(v, how, ty)
        })?)),
        S::Int4 => Arc::new(Int32Array::from(each(values, |v| {
            scalar::integer(v, how, ty)
        })?)),
        S::Int8 => Arc::new(Int64Array::from(each(values, |v| {
            scalar::integer(v, how, ty)
        })?)),
        S::Oid => Arc::new(UInt32Array::from(each(values, |v| scalar::oid(v, how))?)),
        S::Float4 => Arc::new(Float32Array::from(each(values, |v| {
            scalar::float4(v, how)
        })?)),
        S::Float8 => Arc::new(Float64Array::from(each(values, |v| {
            scalar::float8(v, how)
        })?)),
        S::Numeric(_) => {
            let DataType::Decimal128(precision, scale) = arrow_type(ty) else {
                return Err(Error::internal("numeric is not kept as a decimal"));
            };
            let unscaled = each(values, |v| scalar::numeric(v, how, precision, scale))?;
            let array = Decimal128Array::from(unscaled).with_precision_and_scale(precision, scale);
            Arc::new(
                array.map_err(|e| {
                    Error::internal(format!("numeric of {precision}, {scale}: {e}"))
                })?,
            )
        }
        S::Text | S::Varchar(_) | S::Char(_) | S::Name => {
            Arc::new(StringArray::from(each(values, |v| scalar::text(v))?))
        }
        S::Json | S::Struct(_) | S::Map(..) => {
            Arc::new(StringArray::from(each(values, |v| scalar::json(v))?))
        }
        S::Jsonb => Arc::new(StringArray::from(each(values, |v| scalar::jsonb(v, how))?)),
        S::Uuid => Arc::new(StringArray::from(each(values, |v| scalar::uuid(v, how))?)),
        S::Bytea => Arc::new(BinaryArray::from_iter(each(values, |v| {
            scalar::bytea(v, how)
        })?)),
        S::Date => Arc::new(Date32Array::from(each(values, |v| moment::date(v, how))?)),
        S::Time => Arc::new(Time64MicrosecondArray::from(each(values, |v| {
            moment::time(v, how)
        })?)),
        S::Timestamp => {
            let values = each(values, |v| moment::timestamp(v, how, false))?;
            Arc::new(TimestampMicrosecondArray::from(values))
        }
        S::Timestamptz => {
            let values = each(values, |v| moment::timestamp(v, how, true))?;
            Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
        }
        S::Interval => Arc::new(IntervalMonthDayNanoArray::from(each(values, |v| {
            span::interval(v, how)
        })?)),
        S::Array(element) => array::column(ty, element, values, how)?,
    })
}

fn each<'v, T>(
    values: &[Option<&'v [u8]>],
    mut read: impl FnMut(&'v [u8]) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    values
        .iter()
        .map(|v| v.map(&mut read).transpose())
        .collect()
}

/// The fixed-size binary form of a type.
fn exactly<const N: usize>(value: &[u8]) -> Result<[u8; N]> {
    value.try_into().map_err(|_| invalid_binary())
}

fn invalid_binary() -> Error {
    Error::user(
        INVALID_BINARY,
        "incorrect binary data format in bind parameter",
    )
}

/// 22P02
fn invalid_text(ty: &str, text: &str) -> Error {
    let text = format!("invalid input syntax for type {ty}: \"{text}\"");
    Error::user(SqlState::INVALID_TEXT_REPRESENTATION, text)
}

/// 22003
fn out_of_range(ty: &str, text: &str) -> Error {
    let text = format!("value \"{text}\" is out of range for type {ty}");
    Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text)
}
