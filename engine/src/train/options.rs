//! The OPTIONS of a model: BigQuery's names and LightGBM's own, each to one parameter; unknown names and
//! parameters that open files or that the engine owns are refused.

use super::library::library;
use super::lightgbm;
use crate::error::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::{OptionEntry, Options, Value, closest, parse_bool};
use std::collections::BTreeMap;

/// Boosting rounds unless the options say so: LightGBM's own default.
pub const ITERATIONS: u32 = 100;
/// Rounds without progress that `early_stop = true` waits for.
const EARLY_STOP_ROUNDS: u32 = 20;
/// Fraction of rows held out by `random` and `seq`.
const EVAL_FRACTION: f64 = 0.2;
/// A random forest's share of rows per tree: what bootstrap sampling leaves in.
const FOREST_BAGGING: &str = "0.632";

/// Options that are ours, by all their names; the first is the one we show.
pub(super) const OURS: &[&[&str]] = &[
    &["model_type"],
    &["task"],
    &[
        "label",
        "input_label_cols",
        "label_col",
        "label_column",
        "target",
    ],
    &["positive_class"],
    &[
        "instance_weight_col",
        "weight_col",
        "weight_column",
        "weight",
    ],
    &["data_split_method"],
    &["data_split_eval_fraction"],
    &["data_split_col"],
    &["early_stop"],
    &["min_rel_progress"],
    &["early_stopping_min_delta"],
    &["auto_class_weights"],
    &["class_weights"],
    &[
        "categorical_features",
        "categorical_feature",
        "cat_feature",
        "categorical_column",
    ],
    &["hyperparameters", "hyperparams"],
    &["labels"],
];

/// Which kind of answer the model shall give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Wanted {
    Regression,
    Classification,
    Binary,
    Multiclass,
}

/// How rows are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Auto,
    Random,
    Sequential,
    Custom,
    None,
}

/// A training's options, read and checked.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct TrainOptions {
    pub label: Option<String>,
    pub wanted: Option<Wanted>,
    /// LightGBM's name of the objective, when one was given.
    pub objective: Option<String>,
    pub positive_class: Option<String>,
    pub weight: Option<String>,
    pub method: Method,
    pub eval_fraction: f64,
    pub split_column: Option<String>,
    pub iterations: u32,
    /// Rounds without progress after which training ends.
    pub patience: Option<u32>,
    pub min_delta: f64,
    pub min_rel_progress: f64,
    pub first_metric_only: bool,
    pub auto_class_weights: bool,
    pub class_weights: Option<Vec<(String, f64)>>,
    pub categorical: Vec<String>,
    /// For the split and the library; without it, zero and the library's own.
    pub seed: Option<i64>,
    pub threads: u32,
    /// What goes to the library as it is, by its canonical names.
    pub parameters: BTreeMap<String, String>,
    /// Class labels of an imported model.
    pub labels: Option<Vec<String>>,
}

impl TrainOptions {
    /// Reads an option list.
    ///
    /// # Errors
    /// 22023 for unknown options and bad values, 0A000 for kinds of models that cannot be trained here.
    pub fn read(options: &Options) -> Result<Self> {
        let mut options = spread(options.clone())?;
        let (wanted, forest) = model_type(&mut options)?;
        let wanted = task(&mut options)?.or(wanted);
        let label = options.take_texts(OURS[2])?;
        let label = match label.as_deref() {
            None => None,
            Some([one]) => Some(one.clone()),
            Some(_) => return Err(bad("a model has one label column")),
        };
        let early_stop = options.take_bool(&["early_stop"])?;
        let fraction = options.take_f64(&["data_split_eval_fraction"])?;
        if fraction.is_some_and(|f| f <= 0.0 || f >= 1.0) {
            return Err(bad("data_split_eval_fraction must lie between 0 and 1"));
        }
        let split_column = options.take_text(&["data_split_col"])?;
        let mut read = Self {
            label,
            wanted,
            objective: None,
            positive_class: options.take_text(&["positive_class"])?,
            weight: options.take_text(OURS[4])?,
            method: method(
                options.take_text(&["data_split_method"])?,
                split_column.is_some(),
            )?,
            eval_fraction: fraction.unwrap_or(EVAL_FRACTION),
            split_column,
            iterations: ITERATIONS,
            patience: None,
            min_delta: options
                .take_f64(&["early_stopping_min_delta"])?
                .unwrap_or(0.0),
            min_rel_progress: options.take_f64(&["min_rel_progress"])?.unwrap_or(0.0),
            first_metric_only: false,
            auto_class_weights: options.take_bool(&["auto_class_weights"])?.unwrap_or(false),
            class_weights: class_weights(&mut options)?,
            categorical: options.take_texts(OURS[13])?.unwrap_or_default(),
            seed: None,
            threads: 0,
            parameters: BTreeMap::new(),
            labels: options.take_texts(&["labels"])?,
        };
        read.parameters = library(options)?;
        if forest {
            read.parameters.insert("boosting".into(), "rf".into());
            for (key, value) in [("bagging_freq", "1"), ("bagging_fraction", FOREST_BAGGING)] {
                read.parameters
                    .entry(key.into())
                    .or_insert_with(|| value.into());
            }
        }
        read.own(early_stop)?;
        read.check()?;
        Ok(read)
    }

    /// Takes the library parameters that the engine's own loop decides.
    fn own(&mut self, early_stop: Option<bool>) -> Result<()> {
        let mut take = |key: &str| self.parameters.remove(key);
        let (objective, iterations) = (take("objective"), take("num_iterations"));
        let (rounds, first) = (take("early_stopping_round"), take("first_metric_only"));
        let (seed, threads) = (take("seed"), take("num_threads"));
        self.objective = objective
            .map(|o| lightgbm::objective_name(&o))
            .transpose()?;
        if let Some(text) = iterations {
            self.iterations = whole("num_iterations", &text, 1)?;
        }
        if let Some(text) = rounds {
            self.patience = Some(whole("early_stopping_rounds", &text, 0)?).filter(|n| *n > 0);
        }
        match early_stop {
            Some(true) => self.patience = self.patience.or(Some(EARLY_STOP_ROUNDS)),
            Some(false) => self.patience = None,
            None => {}
        }
        self.first_metric_only = first.as_deref().and_then(parse_bool).unwrap_or(false);
        if let Some(text) = seed {
            let seed = text.parse::<i32>().map_err(|_| {
                bad(format!(
                    "seed must be a whole number of 32 bits, not \"{text}\""
                ))
            })?;
            self.seed = Some(i64::from(seed));
        }
        self.threads = match threads {
            Some(text) => whole("num_threads", &text, 0)?,
            None => 0,
        };
        if self.threads == 0 {
            self.threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if let (Some(wanted), Some(objective)) = (self.wanted, &self.objective) {
            let classes = lightgbm::classifies(objective);
            let fits = match wanted {
                Wanted::Regression => !classes,
                Wanted::Classification => classes,
                Wanted::Binary => objective == "binary",
                Wanted::Multiclass => classes && objective != "binary",
            };
            if !fits {
                return Err(bad(format!(
                    "objective \"{objective}\" does not fit the task of the model"
                )));
            }
        }
        if self.method == Method::Custom && self.split_column.is_none() {
            return Err(bad("data_split_method = 'custom' needs data_split_col"));
        }
        if self.method == Method::Sequential && self.split_column.is_none() {
            return Err(bad("data_split_method = 'seq' needs data_split_col"));
        }
        if self.auto_class_weights && self.class_weights.is_some() {
            return Err(bad(
                "auto_class_weights and class_weights exclude each other",
            ));
        }
        Ok(())
    }
}

/// An error about an option's value: 22023.
pub fn bad(text: impl Into<String>) -> Error {
    Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
}

fn whole(name: &str, text: &str, least: u32) -> Result<u32> {
    text.parse()
        .ok()
        .filter(|n| *n >= least && *n <= i32::MAX as u32)
        .ok_or_else(|| {
            bad(format!(
                "option \"{name}\" needs a whole number of at least {least}, not \"{text}\""
            ))
        })
}

/// Puts the entries of a `hyperparameters` JSON text or map beside the others.
fn spread(mut options: Options) -> Result<Options> {
    let Some(entry) = options.take(&["hyperparameters", "hyperparams"]) else {
        return Ok(options);
    };
    let entries: Vec<(String, Value)> = match &entry.value {
        Value::Map(entries) => entries.clone(),
        other => {
            let wrong = || bad("option \"hyperparameters\" needs a JSON object");
            let text = other.as_text().ok_or_else(wrong)?;
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&text).map_err(|_| wrong())?;
            object
                .into_iter()
                .map(|(key, value)| (key, from_json(value)))
                .collect()
        }
    };
    for (key, value) in entries {
        let key = key.to_lowercase();
        if options.entries.iter().any(|e| e.key == key) {
            return Err(bad(format!("option \"{key}\" is given twice")));
        }
        options.entries.push(OptionEntry {
            key,
            value,
            position: entry.position,
        });
    }
    Ok(options)
}

fn from_json(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => Value::Number(n.to_string()),
        Json::String(s) => Value::String(s),
        Json::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(k, v)| (k, from_json(v)))
                .collect(),
        ),
    }
}

/// What `model_type` says: the kind of answer, and whether it is a random forest.
fn model_type(options: &mut Options) -> Result<(Option<Wanted>, bool)> {
    let Some(name) = options.take_text(&["model_type"])? else {
        return Ok((None, false));
    };
    const KNOWN: &[&str] = &[
        "lightgbm",
        "boosted_tree_classifier",
        "boosted_tree_regressor",
        "random_forest_classifier",
        "random_forest_regressor",
    ];
    match name.to_lowercase().as_str() {
        "lightgbm" | "boosted_tree" => Ok((None, false)),
        "boosted_tree_classifier" => Ok((Some(Wanted::Classification), false)),
        "boosted_tree_regressor" => Ok((Some(Wanted::Regression), false)),
        "random_forest_classifier" => Ok((Some(Wanted::Classification), true)),
        "random_forest_regressor" => Ok((Some(Wanted::Regression), true)),
        "linear_reg" | "logistic_reg" | "mlp" | "dnn_classifier" | "dnn_regressor" | "onnx"
        | "kmeans" | "pca" | "arima_plus" | "xgboost" => Err(Error::unsupported(format!(
            "model type \"{name}\" is not supported"
        ))
        .hint(format!("These are: {}.", KNOWN.join(", ")))),
        other => {
            let error = bad(format!("unrecognized model type \"{name}\""));
            Err(match closest(other, KNOWN.iter().copied()) {
                Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                None => error.hint(format!("Model types are: {}.", KNOWN.join(", "))),
            })
        }
    }
}

fn task(options: &mut Options) -> Result<Option<Wanted>> {
    let Some(name) = options.take_text(&["task"])? else {
        return Ok(None);
    };
    match name.to_lowercase().as_str() {
        "regression" => Ok(Some(Wanted::Regression)),
        "classification" => Ok(Some(Wanted::Classification)),
        "binary" | "binary_classification" => Ok(Some(Wanted::Binary)),
        "multiclass" | "multiclass_classification" => Ok(Some(Wanted::Multiclass)),
        "ranking" => Err(Error::unsupported("ranking models are not supported yet")),
        other => {
            let error = bad(format!("unrecognized task \"{name}\""));
            Err(
                match closest(
                    other,
                    ["regression", "classification", "binary", "multiclass"],
                ) {
                    Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                    None => {
                        error.hint("Tasks are: regression, classification, binary, multiclass.")
                    }
                },
            )
        }
    }
}

fn method(name: Option<String>, column: bool) -> Result<Method> {
    let Some(name) = name else {
        return if column {
            Err(bad("data_split_col needs data_split_method"))
        } else {
            Ok(Method::Auto)
        };
    };
    match name.to_lowercase().as_str() {
        "auto" | "auto_split" => Ok(Method::Auto),
        "random" => Ok(Method::Random),
        "seq" | "sequential" => Ok(Method::Sequential),
        "custom" => Ok(Method::Custom),
        "none" | "no_split" => Ok(Method::None),
        other => {
            let error = bad(format!("unrecognized split method \"{name}\""));
            Err(
                match closest(other, ["auto", "random", "seq", "custom", "none"]) {
                    Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                    None => error.hint("Split methods are: auto, random, seq, custom, none."),
                },
            )
        }
    }
}

/// `{'yes': 5, 'no': 1}`, or BigQuery's list of pairs.
fn class_weights(options: &mut Options) -> Result<Option<Vec<(String, f64)>>> {
    let Some(entry) = options.take(&["class_weights"]) else {
        return Ok(None);
    };
    let wrong =
        || bad("option \"class_weights\" needs weights by class, as {'yes': 5.0, 'no': 1.0}");
    let number = |v: &Value| {
        let weight = v.as_text().and_then(|t| t.parse::<f64>().ok());
        weight
            .filter(|w| w.is_finite() && *w >= 0.0)
            .ok_or_else(wrong)
    };
    let pair = |item: &Value| match item {
        Value::Call(_, parts) | Value::List(parts) if parts.len() == 2 => {
            Ok((parts[0].as_text().ok_or_else(wrong)?, number(&parts[1])?))
        }
        _ => Err(wrong()),
    };
    match &entry.value {
        Value::Map(entries) => entries
            .iter()
            .map(|(class, v)| Ok((class.clone(), number(v)?)))
            .collect::<Result<_>>()
            .map(Some),
        Value::List(items) => items.iter().map(pair).collect::<Result<_>>().map(Some),
        _ => Err(wrong()),
    }
}
