//! `predict`, `predict_proba` and `predict_raw` for one pinned model version.
//!
//! A statement does not call a function named `predict` that looks a model up: planning builds a function that
//! holds the version, so its type, its inputs and its result are fixed for that statement and nothing is looked
//! up while it runs. Literal arguments stay constants; a call of literals only scores one row.

mod compared;
mod function;
mod monotone;
mod scored;
#[cfg(test)]
mod testing;
mod together;
mod top_k;

pub use compared::{Compared, Side};
pub use function::{Predict, predict_udf};
pub use together::{Company, together};
pub use top_k::{Threshold, TopK};

use crate::error::ScoreError;
use crate::score::features::{Feature, Features};
use crate::score::forest::joined::{Joined, Part};
use crate::score::known::Known;
use crate::score::{Restricted, Scorer, Scratch, Task};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::DataFusionError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Scorers for some rows that a model keeps.
const RESTRICTED_MAX: usize = 8;

/// Companies of other models that a model keeps.
const JOINED_MAX: usize = 4;

/// What is known, and the scorer for it.
type Kept = (Arc<[Known]>, Option<Restricted>);

/// What a plan is told of a model version beside its scorer.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// As error texts name it: `fraud` or `risk.fraud`.
    pub name: String,
    /// The version's number.
    pub version: u64,
    /// The inputs in the model's order, by the names they are bound with. `None`: as the artifact has them.
    pub features: Option<Vec<Feature>>,
    /// Class labels in class order, of the label column's own type. `None`: as the artifact has them, or else
    /// 0, 1, 2 … as int8.
    pub labels: Option<ArrayRef>,
}

/// What a call gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// The number, or the label of the likeliest class.
    Predict,
    /// Probabilities in class order, float8[].
    Proba,
    /// The probability of one class, float8.
    ProbaOf(usize),
    /// What LightGBM calls the raw score: float8, for several scores per row float8[].
    Raw,
}

/// A loaded model version with everything a plan needs of it: immutable, shared by statements.
pub struct PinnedModel {
    name: String,
    version: u64,
    scorer: Arc<dyn Scorer>,
    features: Vec<Feature>,
    inputs: Vec<FieldRef>,
    labels: Option<ArrayRef>,
    /// Buffers that are not in use.
    idle: Mutex<Vec<Scratch>>,
    /// Scorers for rows of which something is known, the last asked for first; `None` where none pays.
    restricted: Mutex<Vec<Kept>>,
    /// This model with others, the last asked for first.
    joined: Mutex<Vec<Arc<Joined>>>,
}

impl PinnedModel {
    /// Checks that names, kinds and labels fit the scorer.
    pub fn new(scorer: Arc<dyn Scorer>, spec: ModelSpec) -> Result<Self, ScoreError> {
        let features = spec.features.unwrap_or_else(|| scorer.features().to_vec());
        let wanted = scorer.feature_names().len();
        if features.len() != wanted {
            return Err(ScoreError::BadModel(format!(
                "model \"{}\" is described with {} features, but its file has {wanted}",
                spec.name,
                features.len()
            )));
        }
        let labels = match (
            class_count(scorer.task()),
            spec.labels.or_else(|| scorer.labels()),
        ) {
            (None, _) => None,
            (Some(count), None) => {
                Some(Arc::new(Int64Array::from_iter_values(0..count as i64)) as ArrayRef)
            }
            (Some(count), Some(labels)) if labels.len() == count => Some(labels),
            (Some(count), Some(labels)) => {
                return Err(ScoreError::BadModel(format!(
                    "model \"{}\" has {count} classes, but {} labels",
                    spec.name,
                    labels.len()
                )));
            }
        };
        let input = |f: &Feature| Arc::new(Field::new(&f.name, f.input_type(), true));
        let inputs = features.iter().map(input).collect();
        let (name, version) = (spec.name, spec.version);
        Ok(Self {
            name,
            version,
            scorer,
            features,
            inputs,
            labels,
            idle: Mutex::default(),
            restricted: Mutex::default(),
            joined: Mutex::default(),
        })
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version's number.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The inputs in the model's order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Names of the inputs and the types that parameters in their places get.
    pub fn input_fields(&self) -> &[FieldRef] {
        &self.inputs
    }

    /// What the model predicts.
    pub fn task(&self) -> Task {
        self.scorer.task()
    }

    /// Class labels in class order; `None` for regression.
    pub fn labels(&self) -> Option<&ArrayRef> {
        self.labels.as_ref()
    }

    /// The place of a class by its label's text.
    pub fn class_index(&self, label: &str) -> Option<usize> {
        let texts = cast(self.labels.as_ref()?, &DataType::Utf8).ok()?;
        texts
            .as_string::<i32>()
            .iter()
            .position(|text| text == Some(label))
    }

    /// The scorer behind it.
    pub fn scorer(&self) -> &Arc<dyn Scorer> {
        &self.scorer
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        let labels = self
            .labels
            .as_ref()
            .map_or(0, |l| l.get_array_memory_size());
        let joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let joined: usize = joined.iter().map(|joined| joined.memory_bytes()).sum();
        self.scorer.memory_bytes() + labels + joined
    }

    /// The type of an output; [`ScoreError::BadInput`] when the model has no such output.
    pub fn output_type(&self, output: Output) -> Result<DataType, ScoreError> {
        match (output, &self.labels) {
            (Output::Predict, Some(labels)) => Ok(labels.data_type().clone()),
            (Output::Predict, None) => Ok(DataType::Float64),
            (Output::Raw, _) if self.scorer.outputs() == 1 => Ok(DataType::Float64),
            (Output::Raw, _) | (Output::Proba, Some(_)) => Ok(float_list()),
            (Output::ProbaOf(class), Some(labels)) if class < labels.len() => Ok(DataType::Float64),
            (Output::ProbaOf(_), Some(_)) => Err(ScoreError::BadInput(format!(
                "model \"{}\" has no such class",
                self.name
            ))),
            (Output::Proba | Output::ProbaOf(_), None) => Err(ScoreError::BadInput(format!(
                "model \"{}\" predicts a number: it has no class probabilities",
                self.name
            ))),
        }
    }

    /// Scores a batch whose columns are in the model's order; one value per row, of [`Self::output_type`].
    pub fn run(&self, output: Output, features: &Features) -> Result<ArrayRef, ScoreError> {
        self.run_by(self.scorer.as_ref(), output, features)
    }

    /// [`Self::run`] by a scorer that stands for the model's own.
    fn run_by(
        &self,
        scorer: &dyn Scorer,
        output: Output,
        features: &Features,
    ) -> Result<ArrayRef, ScoreError> {
        let scores = self.raw_by(scorer, features)?;
        self.present(output, scores, features.rows())
    }

    /// The raw scores of a batch by a scorer that stands for the model's own.
    fn raw_by(&self, scorer: &dyn Scorer, features: &Features) -> Result<Vec<f64>, ScoreError> {
        let mut scores = vec![0.0; features.rows() * scorer.outputs()];
        self.with_scratch(|scratch| scorer.score(features, scratch, &mut scores))?;
        Ok(scores)
    }

    /// An output of rows with these raw scores.
    fn present(
        &self,
        output: Output,
        mut scores: Vec<f64>,
        rows: usize,
    ) -> Result<ArrayRef, ScoreError> {
        self.output_type(output)?;
        let outputs = self.scorer.outputs();
        if output == Output::Predict
            && let (Some(labels), Some(classes)) = (&self.labels, self.scorer.classes(&scores))
        {
            return pick(labels, classes);
        }
        if output != Output::Raw {
            self.scorer.transform(&mut scores);
        }
        let binary = self.task() == Task::Binary;
        Ok(match (output, &self.labels) {
            (Output::Predict, Some(labels)) => choose(labels, &scores, outputs, binary)?,
            (Output::Proba, _) if binary => {
                lists(scores.iter().flat_map(|p| [1.0 - p, *p]).collect(), 2, rows)
            }
            (Output::ProbaOf(class), _) if binary => {
                let of = |p: &f64| if class == 0 { 1.0 - p } else { *p };
                Arc::new(Float64Array::from_iter_values(scores.iter().map(of)))
            }
            (Output::ProbaOf(class), _) => {
                let column = scores.chunks_exact(outputs).map(|row| row[class]);
                Arc::new(Float64Array::from_iter_values(column))
            }
            (Output::Raw | Output::Proba, _) if outputs > 1 => lists(scores, outputs, rows),
            _ => Arc::new(Float64Array::from(scores)),
        })
    }

    /// The scorer for rows of which `known` is true, made once for several statements; `None` when it saves too little.
    fn restricted(&self, known: &[Known]) -> Option<Restricted> {
        let cache = || {
            self.restricted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let found = {
            let mut cache = cache();
            let at = cache.iter().position(|(of, _)| of.as_ref() == known);
            at.map(|at| {
                let found = cache.remove(at);
                cache.insert(0, found.clone());
                found.1
            })
        };
        found.unwrap_or_else(|| {
            let made = self.scorer.restricted(known);
            let mut cache = cache();
            cache.insert(0, (known.into(), made.clone()));
            cache.truncate(RESTRICTED_MAX);
            made
        })
    }

    /// Several models over shared columns, of which this is the first, made once for several statements.
    fn joined(&self, parts: Vec<Part>) -> Option<Arc<Joined>> {
        let mut kept = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|joined| joined.parts() == parts);
        let joined = match at {
            Some(at) => kept.remove(at),
            None => Arc::new(Joined::new(parts)?),
        };
        kept.retain(|joined| !joined.parts().iter().any(Part::is_gone));
        kept.insert(0, Arc::clone(&joined));
        kept.truncate(JOINED_MAX);
        Some(joined)
    }

    /// Lends buffers that are not in use.
    fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = idle().pop().unwrap_or_default();
        let done = work(&mut scratch);
        idle().push(scratch);
        done
    }

    /// Refuses a wrong number or wrong types of arguments.
    fn check(&self, types: &[&DataType]) -> Result<(), ScoreError> {
        if types.len() != self.features.len() {
            return Err(ScoreError::BadInput(format!(
                "model \"{}\" takes {} feature{}, but {} given",
                self.name,
                self.features.len(),
                if self.features.len() == 1 { "" } else { "s" },
                match types.len() {
                    1 => "1 was".to_owned(),
                    n => format!("{n} were"),
                }
            )));
        }
        self.features
            .iter()
            .zip(types)
            .try_for_each(|(feature, t)| feature.accepts(t))
    }
}

impl fmt::Debug for PinnedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedModel({}@{})", self.name, self.version)
    }
}

/// Number of classes, unless it predicts a number.
fn class_count(task: Task) -> Option<usize> {
    match task {
        Task::Regression => None,
        Task::Binary => Some(2),
        Task::Multiclass { classes } => Some(classes),
    }
}

fn float_list() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Float64, true)))
}

fn lists(values: Vec<f64>, width: usize, rows: usize) -> ArrayRef {
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let offsets = OffsetBuffer::from_repeated_length(width, rows);
    Arc::new(ListArray::new(
        item,
        offsets,
        Arc::new(Float64Array::from(values)),
        None,
    ))
}

/// The label of the likeliest class; the first of equals, so binary needs more than one half.
fn choose(
    labels: &ArrayRef,
    scores: &[f64],
    outputs: usize,
    binary: bool,
) -> Result<ArrayRef, ScoreError> {
    let likeliest = |row: &[f64]| {
        let mut best = 0;
        for (class, score) in row.iter().enumerate().skip(1) {
            if *score > row[best] {
                best = class;
            }
        }
        best as u32
    };
    let classes: Vec<u32> = if binary {
        scores.iter().map(|p| u32::from(*p > 0.5)).collect()
    } else {
        scores.chunks_exact(outputs).map(likeliest).collect()
    };
    pick(labels, classes)
}

/// The labels of classes.
fn pick(labels: &ArrayRef, classes: Vec<u32>) -> Result<ArrayRef, ScoreError> {
    take(labels, &UInt32Array::from(classes), None).map_err(|e| ScoreError::BadInput(e.to_string()))
}

/// The error as it comes back from a plan: downcast the source to [`ScoreError`].
fn external(error: ScoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::forest::parse::parse;
    use arrow::datatypes::Float64Type;
    use datafusion_common::config::ConfigOptions;
    use datafusion_common::{Result as PlanResult, ScalarValue};
    use datafusion_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl};

    /// Adds 1 where feature `a` is at most 0.5, else 3, for missing values 1.
    const STUMP: &str = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\n\
        feature_names=a\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\n\
        decision_type=10\nleft_child=-1\nright_child=-2\nleaf_value=1 3\n\nend of trees\n";

    fn stump() -> Arc<PinnedModel> {
        let scorer = Arc::new(parse(STUMP.as_bytes()).unwrap());
        let spec = ModelSpec {
            name: "m".into(),
            version: 2,
            features: None,
            labels: None,
        };
        Arc::new(PinnedModel::new(scorer, spec).unwrap())
    }

    fn call(args: Vec<ColumnarValue>, rows: usize) -> PlanResult<ColumnarValue> {
        let udf = predict_udf(&stump(), Output::Predict, "predict 1").unwrap();
        let field = |t: DataType| Arc::new(Field::new("x", t, true));
        udf.invoke_with_args(ScalarFunctionArgs {
            arg_fields: args.iter().map(|a| field(a.data_type())).collect(),
            args,
            number_rows: rows,
            return_field: field(DataType::Float64),
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    #[test]
    fn columns_and_constants() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), Some(0.6), None]));
        let result = call(vec![ColumnarValue::Array(column)], 3)
            .unwrap()
            .into_array(3)
            .unwrap();
        assert_eq!(
            result.as_primitive::<Float64Type>().values(),
            &[1.0, 3.0, 1.0]
        );
        let literal = call(
            vec![ColumnarValue::Scalar(ScalarValue::Int64(Some(7)))],
            1000,
        )
        .unwrap();
        assert!(
            matches!(literal, ColumnarValue::Scalar(ScalarValue::Float64(Some(v))) if v == 3.0)
        );
        let null = call(vec![ColumnarValue::Scalar(ScalarValue::Null)], 1).unwrap();
        assert!(matches!(null, ColumnarValue::Scalar(ScalarValue::Float64(Some(v))) if v == 1.0));
    }

    #[test]
    fn comparisons_of_many_rows_at_once() {
        let number = predict_udf(&stump(), Output::Predict, "predict 1").unwrap();
        let binary = STUMP.replace("feature_names", "objective=binary sigmoid:1\nfeature_names");
        let binary = testing::model("b", parse(binary.as_bytes()).unwrap());
        // 1 / (1 + exp(-1)) is 0.73, and 0.95 that of 3.
        let first = predict_udf(&binary, Output::ProbaOf(0), "predict 2").unwrap();
        let last = predict_udf(&binary, Output::ProbaOf(1), "predict 3").unwrap();
        let (few, many) = (Known::up_to(0.5), Known::from(0.6));
        let null = Known::value(f64::NAN);
        for (call, side, bound, holds) in [
            (&number, Side::Above, 2.0, [false, true, false]),
            (&number, Side::Above, 3.5, [false, false, false]),
            (&number, Side::AtMost, 1.0, [true, false, true]),
            (&number, Side::AtMost, 0.9, [false, false, false]),
            (&number, Side::Below, 2.0, [true, false, true]),
            (&last, Side::AtLeast, 0.9, [false, true, false]),
            (&last, Side::Below, 0.9, [true, false, true]),
            (&first, Side::Above, 0.1, [true, false, true]),
            (&first, Side::Below, 0.1, [false, true, false]),
        ] {
            let made = Predict::of(call).unwrap().compared(side, bound).unwrap();
            let compared = Compared::of(&made).unwrap();
            assert!(compared.is_bounded());
            for (known, holds) in [few, many, null].into_iter().zip(holds) {
                let may = compared.may_hold(&[known]);
                assert_eq!(may, holds, "{} for {known:?}", compared.name());
            }
        }
    }

    #[test]
    fn refusals_keep_their_kind() {
        let udf = predict_udf(&stump(), Output::Predict, "predict 1").unwrap();
        let field = |t: DataType| Arc::new(Field::new("x", t, true));
        for (types, text) in [
            (
                vec![DataType::Utf8],
                "feature \"a\" must be a number, not text",
            ),
            (vec![], "model \"m\" takes 1 feature, but 0 were given"),
        ] {
            let fields: Vec<FieldRef> = types.into_iter().map(field).collect();
            let none = vec![None; fields.len()];
            let args = ReturnFieldArgs {
                arg_fields: &fields,
                scalar_arguments: &none,
            };
            let DataFusionError::External(error) = udf.return_field_from_args(args).unwrap_err()
            else {
                panic!("the error lost its kind");
            };
            assert_eq!(
                error.downcast_ref(),
                Some(&ScoreError::BadInput(text.to_owned()))
            );
        }
        assert!(predict_udf(&stump(), Output::Proba, "p").is_err());
        assert_eq!(stump().input_fields()[0].name(), "a");
    }
}
