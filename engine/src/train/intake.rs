//! A training query's rows on their way into the spool: which column is what, texts to codes, labels kept.
//!
//! Texts get codes in the order they appear; when the rows are all there they are brought into the order of
//! their bytes, so that codes do not depend on the order of rows, and classes into theirs.

use super::dataset::{CLASSES_MAX, Data, Rows, Target, arrow, too_many_classes};
use super::options::{Method, TrainOptions};
use super::spool::{Spool, Writer};
use crate::error::{Error, Result};
use crate::model::manifest::{Input, InputKind};
use crate::query::Context;
use crate::query::error::from_datafusion;
use crate::types::sql_type;
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::types::SqlType;
use alcedo_udfs::score::features::{Column, Feature};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use std::collections::HashMap;

/// Distinct texts of one feature, at most.
const CATEGORIES_MAX: usize = 1 << 20;
/// Rows of a training: the library counts in 32 bits.
const ROWS_MAX: usize = i32::MAX as usize;

/// Texts in the order they appeared.
#[derive(Debug, Default)]
struct Interner {
    codes: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Interner {
    fn code(&mut self, text: &str, most: usize) -> Option<u32> {
        if let Some(code) = self.codes.get(text) {
            return Some(*code);
        }
        if self.texts.len() >= most {
            return None;
        }
        let code = self.texts.len() as u32;
        self.codes.insert(text.to_owned(), code);
        self.texts.push(text.to_owned());
        Some(code)
    }

    /// Texts in order, and the place of each former code in it.
    fn sorted(&self, numeric: bool) -> (Vec<String>, Vec<u32>) {
        let mut order: Vec<u32> = (0..self.texts.len() as u32).collect();
        let number = |i: u32| self.texts[i as usize].parse::<f64>().unwrap_or(f64::NAN);
        if numeric {
            order.sort_by(|a, b| number(*a).total_cmp(&number(*b)));
        } else {
            order.sort_by(|a, b| self.texts[*a as usize].cmp(&self.texts[*b as usize]));
        }
        let mut places = vec![0; order.len()];
        for (place, code) in order.iter().enumerate() {
            places[*code as usize] = place as u32;
        }
        (
            order
                .iter()
                .map(|code| self.texts[*code as usize].clone())
                .collect(),
            places,
        )
    }
}

/// A feature while rows come in.
#[derive(Debug)]
struct Incoming {
    index: usize,
    feature: Feature,
    sql_type: SqlType,
    /// For categories.
    interner: Option<Interner>,
}

/// The label while rows come in.
#[derive(Debug)]
enum Labels {
    Numbers(Vec<f64>),
    Classes(Interner, Vec<u32>),
}

/// Which column is what, and what came in so far.
#[derive(Debug)]
struct Intake {
    features: Vec<Incoming>,
    label: usize,
    label_type: SqlType,
    label_name: String,
    labels: Labels,
    weight: Option<usize>,
    weights: Vec<f32>,
    split: Option<usize>,
    order: Vec<f64>,
    unlabelled: u64,
    rows: usize,
}

/// Reads a query's rows to their end.
///
/// # Errors
/// 42703 for columns that are named but not there, 42804 for types that cannot be used, 22000 for rows that
/// cannot be learnt from.
pub async fn read(
    ctx: &Context,
    options: &TrainOptions,
    mut rows: SendableRecordBatchStream,
) -> Result<Data> {
    let mut intake = Intake::new(options, &rows.schema())?;
    let folder = ctx
        .services
        .config
        .temp_dir
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let mut writer = Writer::create(&folder, intake.features.len())?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(from_datafusion)?;
        // Writing waits for the disk at most as long as a page cache does.
        (intake, writer) = tokio::task::spawn_blocking(move || {
            intake.take(&batch, &mut writer)?;
            Ok::<_, Error>((intake, writer))
        })
        .await
        .map_err(|e| Error::internal(format!("spooling failed: {e}")))??;
    }
    intake.finish(writer.finish()?, options)
}

fn column(schema: &Schema, name: &str, what: &str) -> Result<usize> {
    let fields = schema.fields();
    if let Some(index) = fields.iter().position(|f| f.name() == name) {
        return Ok(index);
    }
    let alike: Vec<usize> = (0..fields.len())
        .filter(|i| fields[*i].name().eq_ignore_ascii_case(name))
        .collect();
    if let [index] = alike[..] {
        return Ok(index);
    }
    let error = Error::user(
        SqlState::UNDEFINED_COLUMN,
        format!("{what} column \"{name}\" is not in the training query"),
    );
    Err(
        match closest(name, fields.iter().map(|f| f.name().as_str())) {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error,
        },
    )
}

/// What the types of features may be.
fn incoming(index: usize, field: &Field, categorical: bool) -> Result<Incoming> {
    let sql = sql_type(field);
    let feature = Feature::numeric(field.name());
    let text = matches!(
        field.data_type(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    ) || matches!(field.data_type(), DataType::Dictionary(_, v) if matches!(**v, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View));
    let usable = match sql {
        SqlType::Json | SqlType::Jsonb | SqlType::Uuid => false,
        _ if text => true,
        _ if categorical => matches!(
            sql,
            SqlType::Bool
                | SqlType::Int2
                | SqlType::Int4
                | SqlType::Int8
                | SqlType::Float4
                | SqlType::Float8
                | SqlType::Numeric(_)
        ),
        _ => feature.accepts(field.data_type()).is_ok(),
    };
    if !usable {
        return Err(Error::user(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "column \"{}\" of type {sql} cannot be a feature",
                field.name()
            ),
        )
        .hint("Cast it in the training query, or leave it out."));
    }
    Ok(Incoming {
        index,
        feature,
        sql_type: sql,
        interner: (text || categorical).then(Interner::default),
    })
}

impl Intake {
    #[allow(clippy::too_many_lines)] // one check after the other
    fn new(options: &TrainOptions, schema: &Schema) -> Result<Self> {
        let label = match &options.label {
            Some(name) => column(schema, name, "label")?,
            None => column(schema, "label", "label").map_err(|_| {
                super::options::bad("the model needs a label")
                    .hint("Name the column to predict: OPTIONS (label = '…').")
            })?,
        };
        let weight = options
            .weight
            .as_deref()
            .map(|w| column(schema, w, "weight"))
            .transpose()?;
        let split = options
            .split_column
            .as_deref()
            .map(|s| column(schema, s, "split"))
            .transpose()?;
        let categorical: Vec<usize> = options
            .categorical
            .iter()
            .map(|name| column(schema, name, "categorical"))
            .collect::<Result<_>>()?;
        let fields = schema.fields().iter().enumerate();
        let features: Vec<Incoming> = fields
            .filter(|(i, _)| *i != label && Some(*i) != weight && Some(*i) != split)
            .map(|(i, field)| incoming(i, field, categorical.contains(&i)))
            .collect::<Result<_>>()?;
        if features.is_empty() {
            return Err(Error::user(
                SqlState::DATA_EXCEPTION,
                "the training query has no feature columns",
            ));
        }
        for (i, one) in features.iter().enumerate() {
            if features[..i]
                .iter()
                .any(|f| f.feature.name == one.feature.name)
            {
                return Err(Error::user(
                    SqlState::DUPLICATE_COLUMN,
                    format!(
                        "column \"{}\" is in the training query twice",
                        one.feature.name
                    ),
                ));
            }
        }
        let field = schema.field(label);
        let label_type = sql_type(field);
        let labels = match label_type {
            SqlType::Text
            | SqlType::Varchar(_)
            | SqlType::Char(_)
            | SqlType::Name
            | SqlType::Bool => Labels::Classes(Interner::default(), Vec::new()),
            SqlType::Int2
            | SqlType::Int4
            | SqlType::Int8
            | SqlType::Float4
            | SqlType::Float8
            | SqlType::Numeric(_) => Labels::Numbers(Vec::new()),
            _ => {
                return Err(Error::user(
                    SqlState::DATATYPE_MISMATCH,
                    format!(
                        "column \"{}\" of type {label_type} cannot be a label",
                        field.name()
                    ),
                ));
            }
        };
        Ok(Self {
            features,
            label,
            label_type,
            label_name: field.name().clone(),
            labels,
            weight,
            weights: Vec::new(),
            split,
            order: Vec::new(),
            unlabelled: 0,
            rows: 0,
        })
    }

    /// Takes the labelled rows of a batch.
    fn take(&mut self, batch: &RecordBatch, writer: &mut Writer) -> Result<()> {
        let kept = self.take_labels(batch.column(self.label))?;
        self.rows += kept.len();
        if self.rows > ROWS_MAX {
            return Err(Error::user(
                SqlState::DATA_EXCEPTION,
                format!("a training takes at most {ROWS_MAX} rows"),
            ));
        }
        if let Some(index) = self.weight {
            let values = numbers("weight", batch.column(index))?;
            for row in &kept {
                let weight = values.value(*row);
                if !(weight.is_finite() && weight >= 0.0) {
                    return Err(Error::user(
                        SqlState::DATA_EXCEPTION,
                        format!("a weight must be a number of at least 0, not {weight}"),
                    ));
                }
                self.weights.push(weight as f32);
            }
        }
        if let Some(index) = self.split {
            let values = numbers("split", batch.column(index))?;
            self.order.extend(kept.iter().map(|row| values.value(*row)));
        }
        let columns: Vec<Column> = self
            .features
            .iter_mut()
            .map(|f| f.take(batch.column(f.index)))
            .collect::<Result<_>>()?;
        let mut row_values = vec![0.0; columns.len()];
        for row in kept {
            for (value, column) in row_values.iter_mut().zip(&columns) {
                *value = column.value(row);
            }
            writer.push(&row_values)?;
        }
        Ok(())
    }

    /// Rows that have a label.
    fn take_labels(&mut self, array: &ArrayRef) -> Result<Vec<usize>> {
        let mut kept = Vec::with_capacity(array.len());
        match &mut self.labels {
            Labels::Numbers(values) => {
                let floats = cast(array, &DataType::Float64).map_err(arrow)?;
                for (row, value) in floats.as_primitive::<Float64Type>().iter().enumerate() {
                    let Some(value) = value.filter(|v| !v.is_nan()) else {
                        continue;
                    };
                    if value.is_infinite() {
                        return Err(Error::user(SqlState::DATA_EXCEPTION, "a label is infinite"));
                    }
                    values.push(value);
                    kept.push(row);
                }
            }
            Labels::Classes(interner, codes) => {
                let texts = cast(array, &DataType::Utf8).map_err(arrow)?;
                for (row, text) in texts.as_string::<i32>().iter().enumerate() {
                    let Some(text) = text else { continue };
                    codes.push(
                        interner
                            .code(text, CLASSES_MAX)
                            .ok_or_else(too_many_classes)?,
                    );
                    kept.push(row);
                }
            }
        }
        self.unlabelled += (array.len() - kept.len()) as u64;
        Ok(kept)
    }

    fn finish(self, spool: Spool, options: &TrainOptions) -> Result<Data> {
        if self.rows == 0 {
            let text = if self.unlabelled > 0 {
                "no row has a label"
            } else {
                "the training query gives no rows"
            };
            return Err(Error::user(SqlState::DATA_EXCEPTION, text));
        }
        let mut inputs = Vec::with_capacity(self.features.len());
        let mut places = Vec::with_capacity(self.features.len());
        for incoming in self.features {
            let numeric = !matches!(
                incoming.sql_type,
                SqlType::Text
                    | SqlType::Varchar(_)
                    | SqlType::Char(_)
                    | SqlType::Name
                    | SqlType::Bool
            );
            let (kind, place) = match &incoming.interner {
                None => (InputKind::Numeric, None),
                Some(interner) => {
                    let (texts, place) = interner.sorted(numeric);
                    (InputKind::Text(texts), Some(place))
                }
            };
            inputs.push(Input {
                name: incoming.feature.name,
                sql_type: incoming.sql_type.to_string(),
                kind,
            });
            places.push(place);
        }
        let target = match self.labels {
            Labels::Numbers(values) => Target::Numbers(values),
            Labels::Classes(interner, codes) => {
                // Labels of booleans are the texts false and true: their order is that of the bytes too.
                let (labels, place) = interner.sorted(false);
                Target::Classes {
                    codes: codes.iter().map(|c| place[*c as usize]).collect(),
                    labels,
                }
            }
        };
        let order = match options.method {
            Method::Sequential | Method::Custom => self.order,
            Method::Auto | Method::Random | Method::None => Vec::new(),
        };
        let label = (self.label_name, self.label_type);
        let mut data = Data::new(Rows { spool, places }, inputs, target, label);
        data.weights = self.weight.map(|_| self.weights);
        data.order = order;
        data.unlabelled = self.unlabelled;
        Ok(data)
    }
}

impl Incoming {
    /// The column as numbers: codes in order of appearance for categories.
    fn take(&mut self, array: &ArrayRef) -> Result<Column> {
        let name = &self.feature.name;
        let Some(interner) = &mut self.interner else {
            return self.feature.read(array).map_err(crate::model::from_score);
        };
        let mut code = |text: &str| {
            interner.code(text, CATEGORIES_MAX).map(f64::from).ok_or_else(|| {
                Error::user(
                    SqlState::DATA_EXCEPTION,
                    format!("column \"{name}\" has more than {CATEGORIES_MAX} different values"),
                )
                .hint("Leave it out of the training query: it tells rows apart instead of describing them.")
            })
        };
        let fraction = array.data_type().is_floating() || array.data_type().is_decimal();
        let codes: Vec<f64> = if fraction {
            // 1.0 and 1 are the same category, named as the scorer names it.
            let floats = cast(array, &DataType::Float64).map_err(arrow)?;
            let values = floats.as_primitive::<Float64Type>().iter();
            values
                .map(|v| {
                    v.filter(|v| !v.is_nan())
                        .map_or(Ok(f64::NAN), |v| code(&v.to_string()))
                })
                .collect::<Result<_>>()?
        } else {
            let texts = cast(array, &DataType::Utf8).map_err(arrow)?;
            let values = texts.as_string::<i32>().iter();
            values
                .map(|t| t.map_or(Ok(f64::NAN), &mut code))
                .collect::<Result<_>>()?
        };
        Ok(Column::Values(codes.into()))
    }
}

/// A numeric, boolean or time column as numbers.
fn numbers(name: &str, array: &ArrayRef) -> Result<Column> {
    Feature::numeric(name).read(array).map_err(|_| {
        Error::user(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "the {name} column must be a number or a time, not {}",
                sql_type(&Field::new("", array.data_type().clone(), true))
            ),
        )
    })
}
