//! Arrow columns as a block of features: one f64 per row and feature, checked once per batch.
//!
//! A model sees numbers only. NULL and NaN are *missing* (NaN). Booleans are 0 and 1, dates and
//! timestamps are seconds since 1970 UTC, times are seconds since midnight, decimals the nearest f64.
//! Text is allowed for categorical features alone: their [`Dictionary`], kept with the model, turns a
//! text into its code; a text that training did not see is missing.
//!
//! Magnitudes up to [`ZERO_MAX`] become 0, because the original library's readers drop them.

use crate::error::ScoreError;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, UInt32Type};
use std::collections::HashMap;
use std::sync::Arc;

/// Largest magnitude that counts as zero: the f32 nearest to 1e-35, as LightGBM has it.
pub const ZERO_MAX: f64 = 1e-35_f32 as f64;

/// Texts of a categorical feature in the order of their codes 0, 1, 2 …
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    texts: Vec<String>,
    codes: HashMap<String, u32>,
}

impl Dictionary {
    /// A dictionary whose n-th text has code n.
    pub fn new(texts: Vec<String>) -> Result<Self, ScoreError> {
        let mut codes = HashMap::with_capacity(texts.len());
        for (code, text) in (0_u32..).zip(&texts) {
            if codes.insert(text.clone(), code).is_some() {
                return Err(ScoreError::BadModel(format!(
                    "category {text:?} is listed twice"
                )));
            }
        }
        Ok(Self { texts, codes })
    }

    /// The texts by code.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The code of a text.
    pub fn code(&self, text: &str) -> Option<u32> {
        self.codes.get(text).copied()
    }

    fn feature(&self, text: Option<&str>) -> f64 {
        text.and_then(|t| self.code(t)).map_or(f64::NAN, f64::from)
    }
}

/// How the values of a feature become numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureKind {
    /// A quantity.
    Numeric,
    /// A category given by its integer code, because the model holds no texts for it.
    Code,
    /// A category given by its text.
    Text(Arc<Dictionary>),
}

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// The name it is bound by.
    pub name: String,
    /// How its values are read.
    pub kind: FeatureKind,
}

impl Feature {
    /// A quantity.
    pub fn numeric(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: FeatureKind::Numeric,
        }
    }

    /// The type that an untyped parameter in this place gets.
    pub fn input_type(&self) -> DataType {
        match self.kind {
            FeatureKind::Numeric => DataType::Float64,
            FeatureKind::Code => DataType::Int64,
            FeatureKind::Text(_) => DataType::Utf8,
        }
    }

    /// Whether columns of this type can be read; the error names the feature.
    pub fn accepts(&self, data_type: &DataType) -> Result<(), ScoreError> {
        let ok = match data_type {
            DataType::Dictionary(_, value) => return self.accepts(value),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                matches!(self.kind, FeatureKind::Text(_))
            }
            DataType::Null | DataType::Boolean => true,
            t if t.is_numeric() => true,
            DataType::Date32
            | DataType::Date64
            | DataType::Timestamp(..)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Duration(_) => self.kind == FeatureKind::Numeric,
            _ => false,
        };
        if ok {
            return Ok(());
        }
        let wanted = match self.kind {
            FeatureKind::Numeric => "a number",
            FeatureKind::Code => "the number of a category",
            FeatureKind::Text(_) => "text",
        };
        let given = type_name(data_type);
        Err(ScoreError::BadInput(format!(
            "feature \"{}\" must be {wanted}, not {given}",
            self.name
        )))
    }

    /// Reads a column; one row of any type may also stand for a constant, see [`Column::constant`].
    pub fn read(&self, array: &ArrayRef) -> Result<Column, ScoreError> {
        self.accepts(array.data_type())?;
        match &self.kind {
            FeatureKind::Text(dictionary) => categories(dictionary, array),
            FeatureKind::Numeric | FeatureKind::Code => numbers(array),
        }
        .map_err(|e| ScoreError::BadInput(format!("feature \"{}\": {e}", self.name)))
    }
}

/// The values of one feature.
#[derive(Debug, Clone)]
pub enum Column {
    /// One value per row.
    Values(ScalarBuffer<f64>),
    /// The same value in every row.
    Constant(f64),
}

impl Column {
    /// The value of a row; the row must exist.
    #[inline]
    pub fn value(&self, row: usize) -> f64 {
        match self {
            Self::Values(values) => values[row],
            Self::Constant(value) => *value,
        }
    }

    /// The column's first row as a constant; an empty column gives a missing value.
    #[must_use]
    pub fn constant(&self) -> Self {
        match self {
            Self::Values(values) => Self::Constant(values.first().copied().unwrap_or(f64::NAN)),
            Self::Constant(value) => Self::Constant(*value),
        }
    }
}

/// A batch of inputs: columns in the model's order, all with the same number of rows.
#[derive(Debug, Clone)]
pub struct Features {
    columns: Vec<Column>,
    rows: usize,
}

impl Features {
    /// Checks that every column has `rows` values.
    pub fn new(columns: Vec<Column>, rows: usize) -> Result<Self, ScoreError> {
        for (index, column) in columns.iter().enumerate() {
            if let Column::Values(values) = column
                && values.len() != rows
            {
                return Err(ScoreError::BadInput(format!(
                    "feature {} has {} values for {rows} rows",
                    index + 1,
                    values.len()
                )));
            }
        }
        Ok(Self { columns, rows })
    }

    /// Takes the columns of a batch that carry the features' names, whatever their order.
    pub fn from_batch(features: &[Feature], batch: &RecordBatch) -> Result<Self, ScoreError> {
        let missing: Vec<&str> = features
            .iter()
            .filter(|f| batch.column_by_name(&f.name).is_none())
            .map(|f| f.name.as_str())
            .collect();
        if !missing.is_empty() {
            return Err(ScoreError::BadInput(format!(
                "missing features: {}",
                missing.join(", ")
            )));
        }
        let read = |f: &Feature| batch.column_by_name(&f.name).map(|column| f.read(column));
        let columns = features.iter().filter_map(read).collect::<Result<_, _>>()?;
        Self::new(columns, batch.num_rows())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in the model's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// What users call a type that a feature does not take.
fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytea",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "an array",
        DataType::Struct(_) => "a record",
        DataType::Map(..) => "a map",
        DataType::Interval(_) | DataType::Duration(_) => "an interval",
        DataType::Date32 | DataType::Date64 => "a date",
        DataType::Timestamp(..) => "a timestamp",
        DataType::Time32(_) | DataType::Time64(_) => "a time",
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

/// The value as the original library reads it: what is next to nothing is 0.
#[inline]
fn settle(value: f64) -> f64 {
    if value.abs() <= ZERO_MAX { 0.0 } else { value }
}

fn with_missing(values: impl Iterator<Item = f64>, nulls: Option<&NullBuffer>) -> Column {
    let mut values: Vec<f64> = values.map(settle).collect();
    if let Some(nulls) = nulls.filter(|n| n.null_count() > 0) {
        for (value, valid) in values.iter_mut().zip(nulls.iter()) {
            if !valid {
                *value = f64::NAN;
            }
        }
    }
    Column::Values(values.into())
}

fn scaled<T>(array: &PrimitiveArray<T>, unit_seconds: f64) -> Column
where
    T: arrow::datatypes::ArrowPrimitiveType<Native = i64>,
{
    with_missing(
        array.values().iter().map(|v| *v as f64 / unit_seconds),
        array.nulls(),
    )
}

fn units_per_second(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1e6,
        TimeUnit::Nanosecond => 1e9,
    }
}

/// A numeric, boolean or time column as f64; float8 without NULL is taken as it is.
fn numbers(array: &ArrayRef) -> Result<Column, ScoreError> {
    let bad = |e: arrow::error::ArrowError| ScoreError::BadInput(e.to_string());
    Ok(match array.data_type() {
        DataType::Null => Column::Values(vec![f64::NAN; array.len()].into()),
        DataType::Float64 => {
            let floats = array.as_primitive::<Float64Type>();
            let plain = floats.null_count() == 0
                && !floats
                    .values()
                    .iter()
                    .any(|v| *v != 0.0 && v.abs() <= ZERO_MAX);
            if plain {
                Column::Values(floats.values().clone())
            } else {
                with_missing(floats.values().iter().copied(), floats.nulls())
            }
        }
        DataType::Boolean => {
            let booleans: &BooleanArray = array.as_boolean();
            with_missing(
                booleans.values().iter().map(|b| f64::from(u8::from(b))),
                booleans.nulls(),
            )
        }
        DataType::Date32 => {
            let days = cast(array, &DataType::Int32).map_err(bad)?;
            let days = days.as_primitive::<Int32Type>();
            with_missing(
                days.values().iter().map(|d| f64::from(*d) * 86_400.0),
                days.nulls(),
            )
        }
        DataType::Date64 => scaled(
            cast(array, &DataType::Int64)
                .map_err(bad)?
                .as_primitive::<Int64Type>(),
            1e3,
        ),
        DataType::Timestamp(unit, _) | DataType::Time64(unit) | DataType::Duration(unit) => {
            let ticks = cast(array, &DataType::Int64).map_err(bad)?;
            scaled(ticks.as_primitive::<Int64Type>(), units_per_second(*unit))
        }
        DataType::Time32(unit) => {
            let ticks = cast(array, &DataType::Int32).map_err(bad)?;
            let ticks = cast(&ticks, &DataType::Int64).map_err(bad)?;
            scaled(ticks.as_primitive::<Int64Type>(), units_per_second(*unit))
        }
        DataType::Dictionary(_, value) => numbers(&cast(array, value).map_err(bad)?)?,
        _ => {
            let floats = cast(array, &DataType::Float64).map_err(bad)?;
            let floats = floats.as_primitive::<Float64Type>();
            with_missing(floats.values().iter().copied(), floats.nulls())
        }
    })
}

/// The codes of a categorical column.
fn categories(dictionary: &Dictionary, array: &ArrayRef) -> Result<Column, ScoreError> {
    let bad = |e: arrow::error::ArrowError| ScoreError::BadInput(e.to_string());
    let codes: Vec<f64> = match array.data_type() {
        DataType::Null => vec![f64::NAN; array.len()],
        DataType::Utf8 => array
            .as_string::<i32>()
            .iter()
            .map(|t| dictionary.feature(t))
            .collect(),
        DataType::LargeUtf8 => array
            .as_string::<i64>()
            .iter()
            .map(|t| dictionary.feature(t))
            .collect(),
        DataType::Utf8View => array
            .as_string_view()
            .iter()
            .map(|t| dictionary.feature(t))
            .collect(),
        DataType::Dictionary(..) => {
            // Each distinct text is looked up once; the keys then pick the codes.
            let keyed = array.as_any_dictionary();
            let Column::Values(codes) = categories(dictionary, keyed.values())? else {
                return Err(ScoreError::BadInput(
                    "a dictionary without values".to_owned(),
                ));
            };
            let codes: PrimitiveArray<Float64Type> = PrimitiveArray::new(codes, None);
            let keys = cast(keyed.keys(), &DataType::UInt32).map_err(bad)?;
            let picked = take(&codes, keys.as_primitive::<UInt32Type>(), None).map_err(bad)?;
            picked
                .as_primitive::<Float64Type>()
                .iter()
                .map(|c| c.unwrap_or(f64::NAN))
                .collect()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            named_numbers(dictionary, array)?
        }
        t if t.is_decimal() => named_numbers(dictionary, array)?,
        _ => {
            let texts = cast(array, &DataType::Utf8).map_err(bad)?;
            texts
                .as_string::<i32>()
                .iter()
                .map(|t| dictionary.feature(t))
                .collect()
        }
    };
    Ok(Column::Values(codes.into()))
}

/// Categories that are fractional numbers: 1.0 and 1 are the same category, named `1`.
fn named_numbers(dictionary: &Dictionary, array: &ArrayRef) -> Result<Vec<f64>, ScoreError> {
    let floats =
        cast(array, &DataType::Float64).map_err(|e| ScoreError::BadInput(e.to_string()))?;
    let floats = floats.as_primitive::<Float64Type>();
    let code = |v: Option<f64>| dictionary.feature(v.map(|v| v.to_string()).as_deref());
    Ok(floats.iter().map(code).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array, StringArray,
        StringViewArray, TimestampMicrosecondArray,
    };

    fn values(feature: &Feature, array: ArrayRef) -> Vec<f64> {
        let rows = array.len();
        let column = feature.read(&array).unwrap();
        (0..rows).map(|row| column.value(row)).collect()
    }

    fn same(got: Vec<f64>, want: &[f64]) {
        let bits = |v: &f64| if v.is_nan() { u64::MAX } else { v.to_bits() };
        assert!(
            got.iter().map(bits).eq(want.iter().map(bits)),
            "{got:?} != {want:?}"
        );
    }

    #[test]
    fn numbers_of_every_kind() {
        let n = Feature::numeric("n");
        same(
            values(&n, Arc::new(Int64Array::from(vec![Some(3), None]))),
            &[3.0, f64::NAN],
        );
        same(
            values(
                &n,
                Arc::new(Float64Array::from(vec![Some(1e-36), Some(-2.5), None])),
            ),
            &[0.0, -2.5, f64::NAN],
        );
        same(
            values(&n, Arc::new(BooleanArray::from(vec![true, false]))),
            &[1.0, 0.0],
        );
        same(
            values(&n, Arc::new(Date32Array::from(vec![-1, 2]))),
            &[-86_400.0, 172_800.0],
        );
        same(
            values(
                &n,
                Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
            ),
            &[1.5],
        );
        let decimals = Decimal128Array::from(vec![12345])
            .with_precision_and_scale(10, 2)
            .unwrap();
        same(values(&n, Arc::new(decimals)), &[123.45]);
        let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
        let error = n.read(&text).unwrap_err().to_string();
        assert_eq!(error, "feature \"n\" must be a number, not text");
    }

    #[test]
    fn texts_become_codes() {
        let texts = ["a", "b", "7"].map(str::to_owned).to_vec();
        let kind = FeatureKind::Text(Arc::new(Dictionary::new(texts).unwrap()));
        let c = Feature {
            name: "c".into(),
            kind,
        };
        let want = [1.0, 0.0, f64::NAN, f64::NAN];
        let given = vec![Some("b"), Some("a"), None, Some("new")];
        same(
            values(&c, Arc::new(StringArray::from(given.clone()))),
            &want,
        );
        same(
            values(&c, Arc::new(StringViewArray::from(given.clone()))),
            &want,
        );
        let keyed: DictionaryArray<Int32Type> = given.into_iter().collect();
        same(values(&c, Arc::new(keyed)), &want);
        same(
            values(&c, Arc::new(Int64Array::from(vec![7, 8]))),
            &[2.0, f64::NAN],
        );
        same(values(&c, Arc::new(Float64Array::from(vec![7.0]))), &[2.0]);
        assert!(Dictionary::new(vec!["x".into(), "x".into()]).is_err());
    }

    #[test]
    fn names_and_lengths_are_checked() {
        let features = [Feature::numeric("a"), Feature::numeric("b")];
        let a: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("a", a)]).unwrap();
        let error = Features::from_batch(&features, &batch).unwrap_err();
        assert_eq!(error, ScoreError::BadInput("missing features: b".into()));
        let short = Column::Values(vec![1.0].into());
        assert!(Features::new(vec![short], 2).is_err());
        assert_eq!(
            Column::Values(vec![4.0, 5.0].into()).constant().value(9),
            4.0
        );
    }
}
