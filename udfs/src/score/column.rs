//! The values of one feature as the batch holds them, read as f64 block by block.
//!
//! Nothing is converted when a column is taken: integers, floats, decimals and moments keep their buffers, and
//! dictionaries keep their keys. [`Column::fill`] converts the rows a scorer asks for into space of its own.
//!
//! Read values are *settled*: NULL and NaN are NaN, and magnitudes up to [`ZERO_MAX`] are 0, because the original
//! library's readers drop them.

use super::features::ZERO_MAX;
use crate::error::ScoreError;
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use std::sync::Arc;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// The values of one feature.
#[derive(Debug, Clone)]
pub enum Column {
    /// One value per row, NaN where it is missing.
    Values(ScalarBuffer<f64>),
    /// One number per row in its own type.
    Numbers(Numbers, Option<NullBuffer>),
    /// The values of a dictionary and the rows' keys.
    Keyed(Arc<Keyed>),
    /// The same value in every row.
    Constant(f64),
}

/// Numbers in the types that are read without a copy.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// float8
    F64(ScalarBuffer<f64>),
    /// float4
    F32(ScalarBuffer<f32>),
    /// 8 bits
    I8(ScalarBuffer<i8>),
    /// smallint
    I16(ScalarBuffer<i16>),
    /// integer
    I32(ScalarBuffer<i32>),
    /// bigint
    I64(ScalarBuffer<i64>),
    /// 8 bits, no sign
    U8(ScalarBuffer<u8>),
    /// 16 bits, no sign
    U16(ScalarBuffer<u16>),
    /// 32 bits, no sign
    U32(ScalarBuffer<u32>),
    /// 64 bits, no sign
    U64(ScalarBuffer<u64>),
    /// boolean: 0 and 1
    Bool(BooleanBuffer),
    /// date: seconds since 1970
    Days(ScalarBuffer<i32>),
    /// Moments and durations of 64 bits, and how many of their ticks are a second.
    Ticks(ScalarBuffer<i64>, f64),
    /// Times of 32 bits, and how many of their ticks are a second.
    ShortTicks(ScalarBuffer<i32>, f64),
    /// numeric, and ten to the power of its scale.
    Decimal(ScalarBuffer<i128>, f64),
}

/// A dictionary's values once, and for each row which of them it has.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// The distinct values, settled.
    values: Vec<f64>,
    keys: Numbers,
    nulls: Option<NullBuffer>,
    rows: usize,
}

impl Keyed {
    /// The distinct values, settled.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The places of the rows' values from row `start`; the number of values for a row without one.
    pub fn places(&self, start: usize, out: &mut [u32]) {
        fn keys<T: ArrowNativeType>(keys: &[T], count: usize, out: &mut [u32]) {
            for (place, key) in out.iter_mut().zip(keys) {
                // A key out of range can only belong to a row that is NULL.
                *place = key.to_usize().unwrap_or(count).min(count) as u32;
            }
        }
        let (count, end) = (self.values.len(), start + out.len());
        match &self.keys {
            Numbers::I8(k) => keys(&k[start..end], count, out),
            Numbers::I16(k) => keys(&k[start..end], count, out),
            Numbers::I32(k) => keys(&k[start..end], count, out),
            Numbers::I64(k) => keys(&k[start..end], count, out),
            Numbers::U8(k) => keys(&k[start..end], count, out),
            Numbers::U16(k) => keys(&k[start..end], count, out),
            Numbers::U32(k) => keys(&k[start..end], count, out),
            Numbers::U64(k) => keys(&k[start..end], count, out),
            // Other types are not keys.
            _ => out.fill(count as u32),
        }
        if let Some(nulls) = &self.nulls {
            for (row, place) in out.iter_mut().enumerate() {
                if nulls.is_null(start + row) {
                    *place = count as u32;
                }
            }
        }
    }
}

impl Column {
    /// Takes a numeric, boolean or time column, or a dictionary of them.
    pub fn numbers(array: &ArrayRef) -> Result<Self, ScoreError> {
        let numbers = match array.data_type() {
            DataType::Null => return Ok(Self::Constant(f64::NAN)),
            DataType::Dictionary(_, values) => {
                return match array.as_any_dictionary_opt() {
                    Some(dictionary) => Self::keyed(Self::numbers(dictionary.values())?, array),
                    None => Self::numbers(&cast(array, values).map_err(bad)?),
                };
            }
            DataType::Boolean => Numbers::Bool(array.as_boolean().values().clone()),
            DataType::Date32 => Numbers::Days(buffer(&as_ints(array, &DataType::Int32)?)),
            DataType::Date64 => Numbers::Ticks(buffer(&as_ints(array, &DataType::Int64)?), 1e3),
            DataType::Timestamp(unit, _) | DataType::Time64(unit) | DataType::Duration(unit) => {
                let ticks = buffer(&as_ints(array, &DataType::Int64)?);
                Numbers::Ticks(ticks, per_second(*unit))
            }
            DataType::Time32(unit) => {
                let ticks = buffer(&as_ints(array, &DataType::Int32)?);
                Numbers::ShortTicks(ticks, per_second(*unit))
            }
            DataType::Decimal128(_, scale) => {
                let digits = array.as_primitive::<Decimal128Type>().values().clone();
                Numbers::Decimal(digits, 10_f64.powi(i32::from(*scale)))
            }
            _ => match plain(array.as_ref()) {
                Some(numbers) => numbers,
                None => {
                    let floats = cast(array, &DataType::Float64).map_err(bad)?;
                    Numbers::F64(floats.as_primitive::<Float64Type>().values().clone())
                }
            },
        };
        let nulls = array.nulls().filter(|n| n.null_count() > 0).cloned();
        Ok(match (numbers, nulls) {
            (Numbers::F64(values), None) => Self::Values(values),
            (numbers, nulls) => Self::Numbers(numbers, nulls),
        })
    }

    /// The values of a dictionary's entries, taken by the keys of `array`.
    pub fn keyed(values: Self, array: &ArrayRef) -> Result<Self, ScoreError> {
        let dictionary = array
            .as_any_dictionary_opt()
            .ok_or_else(|| ScoreError::BadInput("not a dictionary".to_owned()))?;
        let mut distinct = vec![0.0; dictionary.values().len()];
        values.fill(0, &mut distinct);
        let keys = plain(dictionary.keys()).unwrap_or(Numbers::U32(vec![].into()));
        let nulls = dictionary.keys().nulls().cloned();
        Ok(Self::Keyed(Arc::new(Keyed {
            values: distinct,
            keys,
            nulls: nulls.filter(|n| n.null_count() > 0),
            rows: array.len(),
        })))
    }

    /// Number of rows; `None` when it stands for any number.
    pub fn rows(&self) -> Option<usize> {
        match self {
            Self::Values(values) => Some(values.len()),
            Self::Numbers(numbers, _) => Some(numbers.len()),
            Self::Keyed(keyed) => Some(keyed.rows),
            Self::Constant(_) => None,
        }
    }

    /// The value of a row; the row must exist.
    pub fn value(&self, row: usize) -> f64 {
        match self {
            Self::Constant(value) => settle(*value),
            Self::Values(values) => settle(values[row]),
            _ => {
                let mut value = [0.0];
                self.fill(row, &mut value);
                value[0]
            }
        }
    }

    /// The column's first row as a constant; an empty column gives a missing value.
    #[must_use]
    pub fn constant(&self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(*value),
            column if column.rows() == Some(0) => Self::Constant(f64::NAN),
            column => Self::Constant(column.value(0)),
        }
    }

    /// The f64 values of `rows` rows as they lie in memory, not settled, when the column has that many of them;
    /// `nulls` gets a bit for each row that is NULL, 64 rows a word.
    #[inline]
    pub fn floats(&self, start: usize, rows: usize, nulls: &mut [u64]) -> Option<&[f64]> {
        match self {
            Self::Values(values) => values.get(start..start + rows),
            Self::Numbers(Numbers::F64(values), valid) => {
                let values = values.get(start..start + rows)?;
                if let Some(valid) = valid {
                    let valid = valid.inner().slice(start, rows);
                    let words = valid.bit_chunks().iter_padded();
                    nulls
                        .iter_mut()
                        .zip(words)
                        .for_each(|(nulls, valid)| *nulls = !valid);
                }
                Some(values)
            }
            _ => None,
        }
    }

    /// Writes the settled values of the rows from `start`; the rows must exist.
    pub fn fill(&self, start: usize, out: &mut [f64]) {
        match self {
            Self::Constant(value) => out.fill(*value),
            Self::Values(values) => out.copy_from_slice(&values[start..start + out.len()]),
            Self::Numbers(numbers, nulls) => {
                numbers.fill(start, out);
                if let Some(nulls) = nulls {
                    let valid = nulls.inner().slice(start, out.len());
                    let words = valid.bit_chunks().iter_padded();
                    for (out, valid) in out.chunks_mut(64).zip(words) {
                        let mut missing = !valid;
                        while missing != 0 {
                            // Bits behind the last row are missing too.
                            let row = missing.trailing_zeros() as usize;
                            if let Some(value) = out.get_mut(row) {
                                *value = f64::NAN;
                            }
                            missing &= missing - 1;
                        }
                    }
                }
            }
            Self::Keyed(keyed) => {
                let mut places = [0; 256];
                for (index, part) in out.chunks_mut(places.len()).enumerate() {
                    let places = &mut places[..part.len()];
                    keyed.places(start + index * 256, places);
                    for (value, place) in part.iter_mut().zip(places) {
                        *value = keyed
                            .values
                            .get(*place as usize)
                            .copied()
                            .unwrap_or(f64::NAN);
                    }
                }
            }
        }
        out.iter_mut().for_each(|value| *value = settle(*value));
    }
}

impl Numbers {
    /// Number of rows.
    fn len(&self) -> usize {
        match self {
            Self::F64(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::I32(v) | Self::Days(v) | Self::ShortTicks(v, _) => v.len(),
            Self::I64(v) | Self::Ticks(v, _) => v.len(),
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::U64(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Decimal(v, _) => v.len(),
        }
    }

    fn fill(&self, start: usize, out: &mut [f64]) {
        fn each<T: Copy>(values: &[T], out: &mut [f64], float: impl Fn(T) -> f64) {
            for (place, value) in out.iter_mut().zip(values) {
                *place = float(*value);
            }
        }
        let end = start + out.len();
        match self {
            Self::F64(v) => out.copy_from_slice(&v[start..end]),
            Self::F32(v) => each(&v[start..end], out, f64::from),
            Self::I8(v) => each(&v[start..end], out, f64::from),
            Self::I16(v) => each(&v[start..end], out, f64::from),
            Self::I32(v) => each(&v[start..end], out, f64::from),
            Self::I64(v) => each(&v[start..end], out, |x| x as f64),
            Self::U8(v) => each(&v[start..end], out, f64::from),
            Self::U16(v) => each(&v[start..end], out, f64::from),
            Self::U32(v) => each(&v[start..end], out, f64::from),
            Self::U64(v) => each(&v[start..end], out, |x| x as f64),
            Self::Days(v) => each(&v[start..end], out, |x| f64::from(x) * SECONDS_PER_DAY),
            Self::Ticks(v, per) => each(&v[start..end], out, |x| x as f64 / per),
            Self::ShortTicks(v, per) => each(&v[start..end], out, |x| f64::from(x) / per),
            Self::Decimal(v, per) => each(&v[start..end], out, |x| x as f64 / per),
            Self::Bool(v) => {
                for (row, place) in out.iter_mut().enumerate() {
                    *place = f64::from(u8::from(v.value(start + row)));
                }
            }
        }
    }
}

/// The value as the original library reads it: what is next to nothing is 0.
#[inline]
pub(super) fn settle(value: f64) -> f64 {
    if value.abs() <= ZERO_MAX { 0.0 } else { value }
}

fn bad(error: arrow::error::ArrowError) -> ScoreError {
    ScoreError::BadInput(error.to_string())
}

fn per_second(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1e6,
        TimeUnit::Nanosecond => 1e9,
    }
}

/// A moment's ticks: the same buffer under another type.
fn as_ints(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ScoreError> {
    let data = array.to_data().into_builder().data_type(to.clone());
    data.build().map(arrow::array::make_array).map_err(bad)
}

fn buffer<N: ArrowNativeType>(array: &ArrayRef) -> ScalarBuffer<N> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

/// The buffer of a plain number type.
fn plain(array: &dyn Array) -> Option<Numbers> {
    fn values<T: ArrowPrimitiveType>(array: &dyn Array) -> ScalarBuffer<T::Native> {
        let array: &PrimitiveArray<T> = array.as_primitive();
        array.values().clone()
    }
    Some(match array.data_type() {
        DataType::Float64 => Numbers::F64(values::<Float64Type>(array)),
        DataType::Float32 => Numbers::F32(values::<Float32Type>(array)),
        DataType::Int8 => Numbers::I8(values::<Int8Type>(array)),
        DataType::Int16 => Numbers::I16(values::<Int16Type>(array)),
        DataType::Int32 => Numbers::I32(values::<Int32Type>(array)),
        DataType::Int64 => Numbers::I64(values::<Int64Type>(array)),
        DataType::UInt8 => Numbers::U8(values::<UInt8Type>(array)),
        DataType::UInt16 => Numbers::U16(values::<UInt16Type>(array)),
        DataType::UInt32 => Numbers::U32(values::<UInt32Type>(array)),
        DataType::UInt64 => Numbers::U64(values::<UInt64Type>(array)),
        _ => return None,
    })
}
