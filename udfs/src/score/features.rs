//! Arrow columns as a block of features: one f64 per row and feature, checked once per batch.
//!
//! A model sees numbers only. NULL and NaN are *missing* (NaN). Booleans are 0 and 1, dates and
//! timestamps are seconds since 1970 UTC, times are seconds since midnight, decimals the nearest f64.
//! Text is allowed for categorical features alone: their [`Dictionary`], kept with the model, turns a
//! text into its code; a text that training did not see is missing.
//!
//! [`Column`] reads the values.

pub use super::column::Column;
use crate::error::ScoreError;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
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
            FeatureKind::Numeric | FeatureKind::Code => Column::numbers(array),
        }
        .map_err(|e| ScoreError::BadInput(format!("feature \"{}\": {e}", self.name)))
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
            if let Some(given) = column.rows().filter(|given| *given != rows) {
                return Err(ScoreError::BadInput(format!(
                    "feature {} has {given} values for {rows} rows",
                    index + 1
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
            // Each distinct text is looked up once.
            let texts = categories(dictionary, array.as_any_dictionary().values())?;
            return Column::keyed(texts, array);
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
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
        StringArray, StringViewArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int32Type;

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
