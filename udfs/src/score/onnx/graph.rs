//! A graph, read once from its inputs to its outputs with symbols instead of numbers.
//!
//! Beside one tree ensemble exporters write operators that only rename, pick, convert or post-process. Every value
//! of the graph is one of four things: columns of the model's inputs, a constant, scores (sums of trees after some
//! steps) or labels (a choice of a class with the names of the classes). An operator makes such a value of such
//! values; one that cannot is refused by name. What the outputs are then says what the model predicts.

use super::classes::Labels;
use super::columns::Program;
use super::constant::{Attributes, Constant, element};
use super::ensemble::Ensemble;
use super::grow::Input;
use super::proto::{self, Node, ValueInfo};
use super::reading::Reading;
use super::split::Precision;
use super::{arithmetic, bad, classes, operators, rearrange, scaling, unsupported, version5};
use crate::error::ScoreError;
use crate::score::features::Feature;
use std::collections::HashMap;
use std::rc::Rc;

/// Most features of a model.
const FEATURES_MAX: usize = 100_000;
/// Most operators of a graph.
const NODES_MAX: usize = 20_000;
/// Most columns and steps that all results of operators have.
const WORK_MAX: usize = 2_000_000;

/// Columns of the inputs.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub columns: Vec<Input>,
    /// ONNX's element type.
    pub element: i64,
    /// Whether the file does not say how many columns there are: as many as the trees ask for, from feature 0 on.
    pub open: bool,
}

/// Sums of trees after some steps: a row of columns per row of input.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The ensembles whose sums are added up.
    pub sources: Vec<usize>,
    pub program: Program,
}

/// A value of the graph.
#[derive(Debug, Clone)]
pub enum Value {
    Inputs(Rc<Inputs>),
    Constant(Rc<Constant>),
    Scores(Rc<Scores>),
    Labels(Rc<Labels>),
}

impl Value {
    /// Columns, steps and entries held.
    fn size(&self) -> usize {
        match self {
            Self::Inputs(inputs) => {
                let steps = inputs.columns.iter().map(|c| 1 + c.reading.steps.len());
                steps.sum()
            }
            Self::Scores(scores) => scores.program.size() + scores.sources.len(),
            Self::Constant(constant) => constant.values.len(),
            Self::Labels(labels) => labels.names.len() + labels.scores.program.size(),
        }
    }
}

/// An ensemble and what it is asked of.
#[derive(Debug)]
pub struct Source {
    pub ensemble: Ensemble,
    pub inputs: Vec<Input>,
    /// Whether sums are `float`.
    pub single: bool,
    /// The class that a classifier chooses.
    pub labels: Option<Rc<Labels>>,
}

/// An operator with its inputs.
pub struct Call<'a> {
    pub node: &'a Node,
    pub attributes: Attributes<'a>,
    pub inputs: Vec<Option<Value>>,
}

impl Call<'_> {
    /// The operator as error texts name it.
    pub fn name(&self) -> String {
        match self.node.domain.as_str() {
            "" | "ai.onnx" | "ai.onnx.ml" => self.node.op_type.clone(),
            domain => format!("{domain}.{}", self.node.op_type),
        }
    }

    /// The refusal of this use of the operator.
    pub fn refuse<T>(&self) -> Result<T, ScoreError> {
        unsupported(format!("operator {} in this place", self.name()))
    }

    /// An input that has to be there.
    pub fn input(&self, at: usize) -> Result<&Value, ScoreError> {
        match self.inputs.get(at) {
            Some(Some(value)) => Ok(value),
            _ => bad(format!("operator {} lacks an input", self.name())),
        }
    }

    /// Whole numbers that newer versions take as an input and older ones as an attribute.
    pub fn ints(&self, at: usize, attribute: &str) -> Result<Option<Vec<i64>>, ScoreError> {
        match self.inputs.get(at) {
            Some(Some(Value::Constant(constant))) => match constant.ints() {
                Some(ints) => Ok(Some(ints.to_vec())),
                None => self.refuse(),
            },
            Some(Some(_)) => self.refuse(),
            _ => Ok(self.attributes.get(attribute).map(|a| a.ints.clone())),
        }
    }
}

/// The state of reading.
#[derive(Debug, Default)]
pub struct Graph {
    values: HashMap<String, Value>,
    /// Name and number of columns of every input; 0 columns when the file does not say.
    declared: Vec<(String, usize)>,
    open_columns: usize,
    pub sources: Vec<Source>,
    work: usize,
}

impl Graph {
    /// Reads a whole graph.
    pub fn read(graph: &proto::Graph) -> Result<Self, ScoreError> {
        if graph.nodes.len() > NODES_MAX {
            return unsupported(format!("a graph of more than {NODES_MAX} operators"));
        }
        let mut state = Self::default();
        for tensor in &graph.initializers {
            let constant = Value::Constant(Rc::new(Constant::read(tensor)?));
            state.define(&tensor.name, constant)?;
        }
        // Old files list their constants among the inputs.
        let given: Vec<&ValueInfo> = graph
            .inputs
            .iter()
            .filter(|i| !state.values.contains_key(&i.name))
            .collect();
        for input in &given {
            state.declare(input, given.len() == 1)?;
        }
        for node in &graph.nodes {
            state.call(node)?;
        }
        Ok(state)
    }

    /// A value of the graph by its name.
    pub fn value(&self, name: &str) -> Result<&Value, ScoreError> {
        match self.values.get(name) {
            Some(value) => Ok(value),
            None => bad(format!("\"{name}\" is used before it is computed")),
        }
    }

    fn define(&mut self, name: &str, value: Value) -> Result<(), ScoreError> {
        match self.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => bad(format!("\"{name}\" is computed twice")),
        }
    }

    /// An input of the graph: a matrix with rows as its first dimension.
    fn declare(&mut self, input: &ValueInfo, only: bool) -> Result<(), ScoreError> {
        let name = &input.name;
        let Some(tensor) = input.value_type.as_ref().and_then(|t| t.tensor.as_ref()) else {
            return unsupported(format!("input \"{name}\", which is no tensor"));
        };
        let element = i64::from(tensor.element);
        let precision = match element {
            element::FLOAT => Precision::Single,
            element::STRING => return unsupported(format!("text input \"{name}\"")),
            element::DOUBLE => Precision::Double,
            // Exact until it is cast.
            whole if element::is_whole(whole) => Precision::Double,
            other => {
                return unsupported(format!("input \"{name}\" of ONNX's element type {other}"));
            }
        };
        let dims = tensor.shape.as_ref().map(|s| s.dims.as_slice());
        let width = match dims {
            None => None,
            Some([_, width]) => width.length,
            Some(dims) => {
                let count = dims.len();
                return unsupported(format!(
                    "input \"{name}\" of {count} dimensions instead of 2"
                ));
            }
        };
        let start: usize = self.declared.iter().map(|(_, width)| width).sum();
        let width = match width {
            Some(width) if width > 0 => usize::try_from(width).unwrap_or(usize::MAX),
            _ if only => 0,
            _ => return unsupported(format!("input \"{name}\" of an unknown number of columns")),
        };
        if width > FEATURES_MAX - start.min(FEATURES_MAX) {
            return unsupported(format!("more than {FEATURES_MAX} features"));
        }
        self.declared.push((name.clone(), width));
        let column = |feature: usize| Input {
            feature: feature as u32,
            reading: Reading::plain(precision),
        };
        let inputs = Inputs {
            columns: (start..start + width).map(column).collect(),
            element,
            open: width == 0,
        };
        self.define(name, Value::Inputs(Rc::new(inputs)))
    }

    /// The model's inputs: one name per column.
    pub fn features(&self) -> Vec<Feature> {
        let mut features = Vec::new();
        for (name, width) in &self.declared {
            let width = if *width == 0 {
                self.open_columns
            } else {
                *width
            };
            for column in 0..width {
                features.push(Feature::numeric(match self.declared.len() {
                    _ if width == 1 => name.clone(),
                    1 => format!("f{column}"),
                    _ => format!("{name}_{column}"),
                }));
            }
        }
        features
    }

    /// Reads one operator.
    fn call(&mut self, node: &Node) -> Result<(), ScoreError> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            inputs.push(if name.is_empty() {
                None
            } else {
                Some(self.value(name)?.clone())
            });
        }
        let call = Call {
            node,
            attributes: Attributes::of(node),
            inputs,
        };
        let results = self.results(&call)?;
        if node.outputs.len() > results.len() {
            return bad(format!("operator {} has too many outputs", call.name()));
        }
        for (name, value) in node.outputs.iter().zip(results) {
            self.work += value.size();
            if self.work > WORK_MAX {
                return unsupported("a graph of this many columns");
            }
            if !name.is_empty() {
                self.define(name, value)?;
            }
        }
        Ok(())
    }

    fn results(&mut self, call: &Call<'_>) -> Result<Vec<Value>, ScoreError> {
        let ml = match call.node.domain.as_str() {
            "ai.onnx.ml" => true,
            "" | "ai.onnx" => false,
            _ => return unsupported(format!("operator {}", call.name())),
        };
        let one = match (ml, call.node.op_type.as_str()) {
            (true, "TreeEnsembleRegressor") => {
                self.regressor(call, operators::regressor(call.attributes)?)?
            }
            (true, "TreeEnsemble") => {
                self.regressor(call, version5::tree_ensemble(call.attributes)?)?
            }
            (true, "TreeEnsembleClassifier") => return self.classifier(call),
            (true, "ZipMap") => classes::zip_map(call)?,
            (true, "LabelEncoder") => classes::encode(call)?,
            (true, "Scaler") => scaling::scale(call)?,
            (true, "Imputer") => scaling::impute(call)?,
            (true, "Normalizer") => arithmetic::normalize(call)?,
            (true, "ArrayFeatureExtractor") => rearrange::extract(call)?,
            (true, "FeatureVectorizer") => rearrange::concatenate(call)?,
            (false, "ArgMax") => classes::arg_max(call)?,
            (false, "Constant") => rearrange::constant(call)?,
            (false, "Identity") => call.input(0)?.clone(),
            (false, "Cast") => rearrange::cast(call)?,
            (false, "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze") => rearrange::reshape(call)?,
            (false, "Concat") => rearrange::concat(call)?,
            (false, "Slice") => rearrange::slice(call)?,
            (false, "Gather") => rearrange::gather(call)?,
            (false, "Softmax") => arithmetic::softmax(call)?,
            (false, "Add" | "Sub" | "Mul" | "Div" | "Sum") => arithmetic::combine(call)?,
            (false, "Exp" | "Log" | "Sqrt" | "Abs" | "Neg" | "Reciprocal" | "Sigmoid" | "Tanh") => {
                arithmetic::each(call)?
            }
            _ => return unsupported(format!("operator {}", call.name())),
        };
        Ok(vec![one])
    }

    fn regressor(&mut self, call: &Call<'_>, ensemble: Ensemble) -> Result<Value, ScoreError> {
        let program = classes::targets(&ensemble)?;
        let source = self.source(call, ensemble)?;
        Ok(Value::Scores(Rc::new(Scores {
            sources: vec![source],
            program,
        })))
    }

    fn classifier(&mut self, call: &Call<'_>) -> Result<Vec<Value>, ScoreError> {
        let (ensemble, names) = operators::classifier(call.attributes)?;
        let rule = classes::Rule::of(ensemble)?;
        let source = self.source(call, rule.ensemble)?;
        let scores = Rc::new(Scores {
            sources: vec![source],
            program: rule.program,
        });
        let labels = Rc::new(Labels {
            pick: rule.pick,
            names,
            scores: Rc::clone(&scores),
        });
        self.sources[source].labels = Some(Rc::clone(&labels));
        Ok(vec![Value::Labels(labels), Value::Scores(scores)])
    }

    /// Keeps an ensemble with the columns it is asked of.
    fn source(&mut self, call: &Call<'_>, ensemble: Ensemble) -> Result<usize, ScoreError> {
        let Value::Inputs(given) = call.input(0)? else {
            return call.refuse();
        };
        let whole = element::is_whole(given.element);
        let last = ensemble.nodes.iter().map(|n| n.feature as usize).max();
        let needed = last.map_or(0, |last| last + 1);
        let mut inputs = given.columns.clone();
        if given.open {
            if needed > FEATURES_MAX {
                return unsupported(format!("more than {FEATURES_MAX} features"));
            }
            self.open_columns = self.open_columns.max(needed).max(1);
            let precision = if given.element == element::DOUBLE {
                Precision::Double
            } else {
                Precision::Single
            };
            let column = |feature| Input {
                feature,
                reading: Reading::plain(precision),
            };
            inputs = (0..needed as u32).map(column).collect();
        } else if needed > inputs.len() {
            return bad(format!(
                "a node asks for feature {} of {}",
                needed - 1,
                inputs.len()
            ));
        }
        if whole {
            inputs.iter_mut().for_each(|i| i.reading.as_float());
        }
        self.work += inputs.len();
        self.sources.push(Source {
            ensemble,
            inputs,
            single: given.element != element::DOUBLE,
            labels: None,
        });
        Ok(self.sources.len() - 1)
    }
}
