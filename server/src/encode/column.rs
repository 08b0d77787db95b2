//! The encoder of one column of one batch, chosen once by SQL type and Arrow type.

use super::datetime::{Dates, Times, Timestamps};
use super::float::Floats;
use super::integer::{Bools, Integers};
use super::interval::Intervals;
use super::list::Lists;
use super::nested::{Maps, Structs};
use super::numeric::Numerics;
use super::text::{Blobs, Kind, Texts, Uuids};
use super::{Format, Style};
use alcedo_engine::types::arrow_type;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, UInt32Type,
};
use bytes::{BufMut, BytesMut};

/// Writes the values of a column; never asked about a NULL.
pub(super) trait Values: Send + Sync {
    /// The value as text.
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()>;

    /// The value as `typsend` writes it.
    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()>;

    /// The value within JSON: by default its text as a string.
    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        self.text(row, out)?;
        super::nested::quote(start, out);
        Ok(())
    }
}

/// A column with its nulls and the format that the client wants.
pub(super) struct Column {
    nulls: Option<NullBuffer>,
    format: Format,
    values: Box<dyn Values>,
}

impl Column {
    pub(super) fn new(
        array: &ArrayRef,
        ty: &SqlType,
        format: Format,
        style: &Style,
    ) -> Result<Self> {
        let nulls = array.logical_nulls().filter(|n| n.null_count() > 0);
        Ok(Self {
            nulls,
            format,
            values: values(array, ty, style)?,
        })
    }

    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// Length and value, -1 for NULL: the form within DataRow and within binary arrays.
    #[inline]
    pub(super) fn append(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let start = out.len();
        out.put_i32(0);
        match self.format {
            Format::Text => self.values.text(row, out)?,
            Format::Binary => self.values.binary(row, out)?,
        }
        let length = i32::try_from(out.len() - start - 4)
            .map_err(|_| Error::user(SqlState("54000"), "a value is longer than 2 GB"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// The text alone.
    pub(super) fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.text(row, out)
    }

    /// The value within JSON, `null` included.
    pub(super) fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.is_null(row) {
            out.put_slice(b"null");
            return Ok(());
        }
        self.values.json(row, out)
    }
}

/// The encoder for an SQL type over an Arrow type; what has none of its own is cast once per batch.
fn values(array: &ArrayRef, ty: &SqlType, style: &Style) -> Result<Box<dyn Values>> {
    if let Some(direct) = scalar(array, ty, style) {
        return Ok(direct);
    }
    match (ty, array.data_type()) {
        (_, DataType::Null) => return Ok(Box::new(Nothing)),
        (_, DataType::Dictionary(_, _)) => return dictionary(array, ty, style),
        (SqlType::Array(element), DataType::List(_)) => {
            return Ok(Box::new(Lists::new(
                array.as_list::<i32>(),
                element,
                style,
            )?));
        }
        (SqlType::Struct(fields), DataType::Struct(_)) => {
            return Ok(Box::new(Structs::new(array.as_struct(), fields, style)?));
        }
        (SqlType::Map(key, value), DataType::Map(..)) => {
            return Ok(Box::new(Maps::new(array.as_map(), key, value, style)?));
        }
        _ => {}
    }
    let target = arrow_type(ty);
    let unknown = || Error::internal(format!("no encoding of {ty} from {}", array.data_type()));
    if *array.data_type() == target {
        return Err(unknown());
    }
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let cast = cast_with_options(array, &target, &options).map_err(|e| {
        let text = format!("value out of range for type {ty}");
        Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text).detail(format!("{e}."))
    })?;
    values(&cast, ty, style)
}

/// Encoders that read the array as it stands.
fn scalar(array: &ArrayRef, ty: &SqlType, style: &Style) -> Option<Box<dyn Values>> {
    use SqlType as S;
    Some(match (ty, array.data_type()) {
        (S::Bool, DataType::Boolean) => Box::new(Bools(array.as_boolean().clone())),
        (S::Int2, DataType::Int16) => Box::new(Integers(array.as_primitive::<Int16Type>().clone())),
        (S::Int4, DataType::Int32) => Box::new(Integers(array.as_primitive::<Int32Type>().clone())),
        (S::Int8, DataType::Int64) => Box::new(Integers(array.as_primitive::<Int64Type>().clone())),
        (S::Oid, DataType::UInt32) => {
            Box::new(Integers(array.as_primitive::<UInt32Type>().clone()))
        }
        (S::Float4, DataType::Float32) => Box::new(Floats {
            array: array.as_primitive::<Float32Type>().clone(),
            digits: style.digits,
        }),
        (S::Float8, DataType::Float64) => Box::new(Floats {
            array: array.as_primitive::<Float64Type>().clone(),
            digits: style.digits,
        }),
        (S::Numeric(scale), DataType::Decimal128(_, s)) => Box::new(Numerics::new(
            array.as_primitive::<Decimal128Type>().clone(),
            *s,
            scale.is_none(),
        )),
        (S::Numeric(scale), DataType::Decimal256(_, s)) => Box::new(Numerics::new(
            array.as_primitive::<Decimal256Type>().clone(),
            *s,
            scale.is_none(),
        )),
        (S::Date, DataType::Date32) => Box::new(Dates(array.as_primitive::<Date32Type>().clone())),
        (S::Time, DataType::Time64(TimeUnit::Microsecond)) => {
            Box::new(Times(array.as_primitive::<Time64MicrosecondType>().clone()))
        }
        (S::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, _)) => Box::new(Timestamps::new(
            array.as_primitive::<TimestampMicrosecondType>().clone(),
            None,
        )),
        (S::Timestamptz, DataType::Timestamp(TimeUnit::Microsecond, _)) => {
            Box::new(Timestamps::new(
                array.as_primitive::<TimestampMicrosecondType>().clone(),
                Some(style.zone.clone()),
            ))
        }
        (S::Interval, DataType::Interval(IntervalUnit::MonthDayNano)) => Box::new(Intervals {
            array: array.as_primitive::<IntervalMonthDayNanoType>().clone(),
            style: style.interval,
        }),
        (S::Bytea, _) => return blobs(array, style),
        (S::Uuid, DataType::FixedSizeBinary(16)) => {
            Box::new(Uuids(array.as_fixed_size_binary().clone()))
        }
        (S::Text | S::Varchar(_) | S::Name, _) => return texts(array, Kind::Plain),
        (S::Char(length), _) => return texts(array, Kind::Padded(*length)),
        (S::Uuid, _) => return texts(array, Kind::Uuid),
        (S::Json, _) => return texts(array, Kind::Json),
        (S::Jsonb, _) => return texts(array, Kind::Jsonb),
        _ => return None,
    })
}

fn texts(array: &ArrayRef, kind: Kind) -> Option<Box<dyn Values>> {
    Some(match array.data_type() {
        DataType::Utf8 => Box::new(Texts {
            array: array.as_string::<i32>().clone(),
            kind,
        }),
        DataType::LargeUtf8 => Box::new(Texts {
            array: array.as_string::<i64>().clone(),
            kind,
        }),
        DataType::Utf8View => Box::new(Texts {
            array: array.as_string_view().clone(),
            kind,
        }),
        _ => return None,
    })
}

fn blobs(array: &ArrayRef, style: &Style) -> Option<Box<dyn Values>> {
    let escape = style.bytea_escape;
    Some(match array.data_type() {
        DataType::Binary => Box::new(Blobs {
            array: array.as_binary::<i32>().clone(),
            escape,
        }),
        DataType::LargeBinary => Box::new(Blobs {
            array: array.as_binary::<i64>().clone(),
            escape,
        }),
        DataType::BinaryView => Box::new(Blobs {
            array: array.as_binary_view().clone(),
            escape,
        }),
        DataType::FixedSizeBinary(_) => Box::new(Blobs {
            array: array.as_fixed_size_binary().clone(),
            escape,
        }),
        _ => return None,
    })
}

/// A column of nothing but NULL.
struct Nothing;

impl Values for Nothing {
    fn text(&self, _row: usize, _out: &mut BytesMut) -> Result<()> {
        Err(Error::internal("a value was asked of a column of nulls"))
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// Values through keys.
struct Keyed {
    keys: Vec<usize>,
    values: Box<dyn Values>,
}

fn dictionary(array: &ArrayRef, ty: &SqlType, style: &Style) -> Result<Box<dyn Values>> {
    let dictionary = array.as_any_dictionary();
    if dictionary.values().is_empty() {
        return Ok(Box::new(Nothing));
    }
    let values = values(dictionary.values(), ty, style)?;
    Ok(Box::new(Keyed {
        keys: dictionary.normalized_keys(),
        values,
    }))
}

impl Values for Keyed {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.text(self.keys[row], out)
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.binary(self.keys[row], out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.values.json(self.keys[row], out)
    }
}
