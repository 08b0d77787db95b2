//! The rows of a training at rest: features in the spool, one label, weight and split value per row in memory.
//!
//! What is not in memory is the features: they are read in pieces, in the order of the query, for the rows
//! that train and for those held out.

use super::spool::Spool;
use crate::error::{Error, Result};
use crate::model::manifest::Input;
use crate::types::arrow_type;
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use std::sync::Arc;

/// Classes of a label, at most.
pub const CLASSES_MAX: usize = 1000;
/// Values read from the spool at a time.
const CHUNK_VALUES: usize = 1 << 18;

/// What the label turned out to be.
#[derive(Debug)]
pub enum Target {
    /// Numbers to regress on.
    Numbers(Vec<f64>),
    /// Indexes of classes, and their labels as text in class order.
    #[allow(missing_docs)]
    Classes {
        codes: Vec<u32>,
        labels: Vec<String>,
    },
}

/// The spooled features.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Rows {
    pub spool: Spool,
    /// For categories: the final code by the spooled one.
    pub places: Vec<Option<Vec<u32>>>,
}

/// All rows of a training.
#[derive(Debug)]
pub struct Data {
    features: Rows,
    /// Inputs with their kinds and categories.
    pub inputs: Vec<Input>,
    /// The label.
    pub target: Target,
    /// The label's name and type.
    pub label: (String, SqlType),
    /// One per row, when there is a weight column.
    pub weights: Option<Vec<f32>>,
    /// Values of the split column, or none.
    pub order: Vec<f64>,
    /// Rows left out because their label is NULL.
    pub unlabelled: u64,
    /// Labels as the library takes them; set by [`Data::finish`].
    numbers: Vec<f32>,
    held: Vec<bool>,
}

/// The rows that train, or those held out.
#[derive(Debug)]
pub struct Part<'a> {
    data: &'a Data,
    held: bool,
    rows: usize,
}

/// Some rows of a part.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Chunk<'a> {
    /// Ordinal of the first row within the part.
    pub start: usize,
    /// Rows of features, one after the other.
    pub values: &'a [f64],
    /// Ordinals of the rows in the data.
    pub rows: &'a [usize],
    pub labels: &'a [f32],
    pub weights: Option<&'a [f32]>,
}

impl Data {
    /// Rows without weights or split values; nothing is held out yet.
    pub fn new(
        features: Rows,
        inputs: Vec<Input>,
        target: Target,
        label: (String, SqlType),
    ) -> Self {
        Self {
            features,
            inputs,
            target,
            label,
            weights: None,
            order: Vec::new(),
            unlabelled: 0,
            numbers: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Rows with a label.
    pub fn rows(&self) -> usize {
        self.features.spool.rows()
    }

    /// The distinct values of a numeric label in order, unless there are more than `most`.
    pub fn distinct(values: &[f64], most: usize) -> Option<Vec<f64>> {
        let mut distinct: Vec<f64> = Vec::new();
        for value in values {
            let value = value + 0.0;
            if let Err(place) = distinct.binary_search_by(|d| d.total_cmp(&value)) {
                if distinct.len() >= most {
                    return None;
                }
                distinct.insert(place, value);
            }
        }
        Some(distinct)
    }

    /// Makes classes of a numeric label.
    pub fn classify(&mut self) -> Result<()> {
        let Target::Numbers(values) = &self.target else {
            return Ok(());
        };
        let distinct = Self::distinct(values, CLASSES_MAX).ok_or_else(too_many_classes)?;
        let place = |v: &f64| {
            distinct
                .binary_search_by(|d| d.total_cmp(&(v + 0.0)))
                .unwrap_or(0) as u32
        };
        let codes = values.iter().map(place).collect();
        let floats: ArrayRef = Arc::new(Float64Array::from(distinct));
        let typed = cast(&floats, &arrow_type(&self.label.1)).map_err(arrow)?;
        let texts = cast(&typed, &DataType::Utf8).map_err(arrow)?;
        let labels = texts
            .as_string::<i32>()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        self.target = Target::Classes { codes, labels };
        Ok(())
    }

    /// Moves a class to the end, where the positive one of two stands.
    pub fn put_last(&mut self, class: &str) -> Result<()> {
        let Target::Classes { codes, labels } = &mut self.target else {
            return Err(super::options::bad(
                "positive_class needs a label with classes",
            ));
        };
        let Some(at) = labels.iter().position(|l| l == class) else {
            return Err(
                super::options::bad(format!("the label has no class \"{class}\""))
                    .hint(format!("Its classes are: {}.", labels.join(", "))),
            );
        };
        let last = labels.len() - 1;
        labels.swap(at, last);
        for code in codes {
            *code = match *code as usize {
                c if c == at => last as u32,
                c if c == last => at as u32,
                c => c as u32,
            };
        }
        Ok(())
    }

    /// Fixes labels and held-out rows; parts can be read from now on.
    pub fn finish(&mut self, held: Vec<bool>) {
        self.numbers = match &self.target {
            Target::Numbers(values) => values.iter().map(|v| *v as f32).collect(),
            Target::Classes { codes, .. } => codes.iter().map(|c| *c as f32).collect(),
        };
        self.held = held;
    }

    /// The held-out flags.
    pub fn held(&self) -> &[bool] {
        &self.held
    }

    /// The held-out rows, or the others.
    pub fn part(&self, held: bool) -> Part<'_> {
        Part {
            data: self,
            held,
            rows: self.held.iter().filter(|h| **h == held).count(),
        }
    }
}

impl Part<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.data.features.spool.columns()
    }

    /// Whether rows have weights.
    pub fn weighted(&self) -> bool {
        self.data.weights.is_some()
    }

    /// Hands out all rows in order.
    pub fn each(&self, f: &mut dyn FnMut(&Chunk<'_>) -> Result<()>) -> Result<()> {
        let (data, columns) = (self.data, self.columns());
        let step = (CHUNK_VALUES / columns).max(1);
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        let (mut rows, mut labels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let (mut from, mut start) = (0, 0);
        while from < data.rows() {
            let count = step.min(data.rows() - from);
            data.features
                .spool
                .read(from, count, &mut bytes, &mut values)?;
            rows.clear();
            labels.clear();
            weights.clear();
            let mut kept = 0;
            for offset in 0..count {
                let row = from + offset;
                if data.held[row] != self.held {
                    continue;
                }
                values.copy_within(offset * columns..(offset + 1) * columns, kept * columns);
                rows.push(row);
                labels.push(data.numbers[row]);
                weights.extend(data.weights.as_ref().map(|w| w[row]));
                kept += 1;
            }
            values.truncate(kept * columns);
            self.settle(&mut values);
            if kept > 0 {
                let weights = data.weights.is_some().then_some(weights.as_slice());
                f(&Chunk {
                    start,
                    values: &values,
                    rows: &rows,
                    labels: &labels,
                    weights,
                })?;
            }
            start += kept;
            from += count;
        }
        Ok(())
    }

    /// Puts the final codes of categories in the place of the spooled ones.
    fn settle(&self, values: &mut [f64]) {
        let columns = self.columns();
        for (column, places) in self.data.features.places.iter().enumerate() {
            let Some(places) = places else { continue };
            for value in values.iter_mut().skip(column).step_by(columns) {
                if !value.is_nan() {
                    *value = f64::from(places[*value as usize]);
                }
            }
        }
    }
}

/// 22000 for a label with too many classes.
pub fn too_many_classes() -> Error {
    Error::user(
        SqlState::DATA_EXCEPTION,
        format!("the label has more than {CLASSES_MAX} different values"),
    )
    .hint("Use task = 'regression' for numbers.")
}

/// A column that cannot be converted: 22000.
pub fn arrow(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::user(
        SqlState::DATA_EXCEPTION,
        format!("a column cannot be read: {error}"),
    )
}
