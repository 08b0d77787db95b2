//! Classes: which of them a row belongs to, and what they are called.
//!
//! ONNX leaves open how a classifier of two classes with one set of weights decides; the rules here are those of
//! ONNX Runtime. With weights for one class only, the second class wins when the sum is above 0, or above one half
//! if no weight is negative, whatever the transformation makes of the sum. With weights for both, it wins when its
//! own sum is above 0. Of more classes the first with the largest sum wins.
//!
//! Where ONNX Runtime gives 0 and 1 instead of the labels (two classes with weights for both and whole numbers as
//! labels), the labels are given here.

use super::columns::{Column, Program, RowStep, Step};
use super::constant::{Attributes, Values};
use super::ensemble::{Ensemble, PostTransform};
use super::graph::{Call, Scores, Value};
use super::{bad, unsupported};
use crate::error::ScoreError;
use std::collections::HashMap;
use std::rc::Rc;

/// How a class is chosen, from an ensemble's sums.
#[derive(Debug, Clone, PartialEq)]
pub enum Pick {
    /// The second class when a sum is above a bound, else the first.
    Above { target: usize, bound: f64 },
    /// The first with the largest sum.
    Largest,
    /// The first with the largest of these columns.
    LargestOf(Program),
}

/// The name of a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    Int(i64),
    Text(String),
}

/// The choice of a class and the names of the classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub pick: Pick,
    pub names: Vec<Name>,
    /// What the class is chosen by.
    pub scores: Rc<Scores>,
}

/// An ensemble's transformation as steps.
fn transformed(targets: usize, post: PostTransform) -> Program {
    let plain = Program::plain(targets);
    match post {
        PostTransform::None => plain,
        PostTransform::Logistic => plain.each(|_| Step::Logistic),
        PostTransform::Probit => plain.each(|_| Step::Probit),
        PostTransform::Softmax => plain.rows(RowStep::Softmax),
        PostTransform::SoftmaxZero => plain.rows(RowStep::SoftmaxZero),
    }
}

/// What a regressor gives: ONNX Runtime transforms a single target by PROBIT only.
pub fn targets(ensemble: &Ensemble) -> Result<Program, ScoreError> {
    if !ensemble.base.is_empty() && ensemble.base.len() != ensemble.targets {
        return bad(format!(
            "{} base_values for {} targets",
            ensemble.base.len(),
            ensemble.targets
        ));
    }
    let post = match ensemble.post {
        PostTransform::Probit => PostTransform::Probit,
        _ if ensemble.targets == 1 => PostTransform::None,
        post => post,
    };
    Ok(transformed(ensemble.targets, post))
}

/// What a classifier gives.
#[derive(Debug)]
pub struct Rule {
    /// With the targets that are needed.
    pub ensemble: Ensemble,
    pub program: Program,
    pub pick: Pick,
}

impl Rule {
    /// The rules of the module's head.
    pub fn of(ensemble: Ensemble) -> Result<Self, ScoreError> {
        let (classes, base) = (ensemble.targets, ensemble.base.len());
        match classes {
            1 => return unsupported("a classifier with a single class"),
            2 if base == 2 => return unsupported("two base_values of a classifier of two classes"),
            2 if base < 2 => return Self::of_two(ensemble),
            _ if base != 0 && base != classes => {
                return bad(format!("{base} base_values for {classes} classes"));
            }
            _ => {}
        }
        let negative = ensemble.weights.iter().any(|(_, w)| *w < 0.0);
        if base == 0 && negative && !ensemble.always_scored().iter().all(|a| *a) {
            return unsupported("a classifier whose leaves do not score every class");
        }
        Ok(Self {
            program: transformed(classes, ensemble.post),
            ensemble,
            pick: Pick::Largest,
        })
    }

    fn of_two(mut ensemble: Ensemble) -> Result<Self, ScoreError> {
        let first = ensemble.weights.iter().any(|(target, _)| *target == 0);
        let second = ensemble.weights.iter().any(|(target, _)| *target == 1);
        let positive = ensemble.weights.iter().all(|(_, w)| *w >= 0.0);
        let bound = if positive && !(first && second) {
            0.5
        } else {
            0.0
        };
        let post = ensemble.post;
        if !second {
            ensemble.targets = 1;
            return Ok(Self {
                program: pair(post, positive)?,
                ensemble,
                pick: Pick::Above { target: 0, bound },
            });
        }
        if !ensemble.always_scored()[1] {
            return unsupported("a classifier whose leaves do not score every class");
        }
        if !first && !ensemble.base.is_empty() {
            return unsupported("base_values of a class without weights");
        }
        if post == PostTransform::Logistic && ensemble.base.is_empty() && is_mirrored(&ensemble) {
            keep_second(&mut ensemble);
            return Ok(Self {
                program: pair(post, false)?,
                ensemble,
                pick: Pick::Above { target: 0, bound },
            });
        }
        if !ensemble.base.is_empty() {
            // One number for two classes is added to the first.
            ensemble.base.push(0.0);
        }
        Ok(Self {
            program: transformed(2, post),
            ensemble,
            pick: Pick::Above { target: 1, bound },
        })
    }
}

/// Two columns from the one sum of the second class.
fn pair(post: PostTransform, positive: bool) -> Result<Program, ScoreError> {
    let sum = Column::plain(0);
    let (first, second) = match post {
        PostTransform::Probit => return unsupported("post_transform \"PROBIT\" of two classes"),
        PostTransform::Logistic => {
            let p = sum.then(Step::Logistic);
            (p.clone().then(Step::From(1.0)), p)
        }
        _ if positive => (sum.clone().then(Step::From(1.0)), sum),
        _ => (sum.clone().then(Step::Multiply(-1.0)), sum),
    };
    Ok(Program {
        stages: Vec::new(),
        columns: vec![first, second],
    })
}

/// Whether each leaf has two weights that differ in sign only, as CatBoost writes two classes.
fn is_mirrored(ensemble: &Ensemble) -> bool {
    ensemble.leaves.iter().all(|range| {
        let own = &ensemble.weights[range.start as usize..range.end as usize];
        matches!(own, [] | [_, _]) && own.first().map(|w| -w.1) == own.last().map(|w| w.1)
    })
}

/// Leaves the second class alone, as the only target.
fn keep_second(ensemble: &mut Ensemble) {
    let mut kept = Vec::with_capacity(ensemble.weights.len() / 2);
    for range in &mut ensemble.leaves {
        let own = &ensemble.weights[range.start as usize..range.end as usize];
        let start = kept.len() as u32;
        kept.extend(own.iter().filter(|w| w.0 == 1).map(|w| (0, w.1)));
        *range = start..kept.len() as u32;
    }
    ensemble.weights = kept;
    ensemble.targets = 1;
}

/// ArgMax: the place of the largest column.
pub fn arg_max(call: &Call<'_>) -> Result<Value, ScoreError> {
    let axis = call.attributes.int("axis");
    let Value::Scores(scores) = call.input(0)? else {
        return call.refuse();
    };
    if !matches!(axis, 1 | -1) || call.attributes.int("select_last_index") != 0 {
        return call.refuse();
    }
    let classes = scores.program.columns.len() as i64;
    Ok(Value::Labels(Rc::new(Labels {
        pick: Pick::LargestOf(scores.program.clone()),
        names: (0..classes).map(Name::Int).collect(),
        scores: Rc::clone(scores),
    })))
}

/// ZipMap: columns with names, which the labels have too.
pub fn zip_map(call: &Call<'_>) -> Result<Value, ScoreError> {
    let Value::Scores(scores) = call.input(0)? else {
        return call.refuse();
    };
    let texts = call
        .attributes
        .get("classlabels_strings")
        .map_or(0, |a| a.strings.len());
    let names = texts + call.attributes.ints("classlabels_int64s").len();
    let columns = scores.program.columns.len();
    if names != columns {
        return bad(format!(
            "ZipMap has {names} class labels for {columns} columns"
        ));
    }
    Ok(Value::Scores(Rc::clone(scores)))
}

/// The labels with every name replaced.
pub fn rename(
    labels: &Labels,
    rename: impl Fn(&Name) -> Result<Name, ScoreError>,
) -> Result<Value, ScoreError> {
    let names: Result<_, _> = labels.names.iter().map(rename).collect();
    Ok(Value::Labels(Rc::new(Labels {
        names: names?,
        ..labels.clone()
    })))
}

/// The entry of a list at a label that is its place.
pub fn entry(values: &Values, name: &Name) -> Result<Name, ScoreError> {
    let Name::Int(at) = name else {
        return unsupported("texts as places of a list");
    };
    let found = usize::try_from(*at).ok().and_then(|at| match values {
        Values::Ints(ints) => ints.get(at).copied().map(Name::Int),
        Values::Texts(texts) => texts.get(at).cloned().map(Name::Text),
        Values::Floats(_) => None,
    });
    match found {
        Some(name) => Ok(name),
        None => bad(format!("a list of class labels has no place {at}")),
    }
}

/// LabelEncoder: labels by labels, in version 1 texts by their places.
pub fn encode(call: &Call<'_>) -> Result<Value, ScoreError> {
    let Value::Labels(labels) = call.input(0)? else {
        return call.refuse();
    };
    let texts = call.attributes.texts("classes_strings")?;
    if !texts.is_empty() {
        let texts = Values::Texts(texts);
        return rename(labels, |name| entry(&texts, name));
    }
    let list = |what| names(call.attributes, what);
    let (Some(keys), Some(values)) = (list("keys")?, list("values")?) else {
        return call.refuse();
    };
    let (key_count, value_count) = (keys.len(), values.len());
    if key_count != value_count {
        return bad(format!(
            "LabelEncoder has {key_count} keys and {value_count} values"
        ));
    }
    let map: HashMap<Name, Name> = keys.into_iter().zip(values).collect();
    rename(labels, |name| match map.get(name) {
        Some(name) => Ok(name.clone()),
        None => unsupported("a LabelEncoder that lacks a class"),
    })
}

/// Keys or values of a LabelEncoder, whole numbers or texts.
fn names(attributes: Attributes<'_>, what: &str) -> Result<Option<Vec<Name>>, ScoreError> {
    let texts = attributes.texts(&format!("{what}_strings"))?;
    let ints = attributes.ints(&format!("{what}_int64s"));
    if !texts.is_empty() {
        return Ok(Some(texts.into_iter().map(Name::Text).collect()));
    }
    if !ints.is_empty() {
        return Ok(Some(ints.iter().copied().map(Name::Int).collect()));
    }
    let tensor = attributes.tensor(&format!("{what}_tensor"))?;
    Ok(tensor.and_then(|t| match t.values {
        Values::Ints(ints) => Some(ints.into_iter().map(Name::Int).collect()),
        Values::Texts(texts) => Some(texts.into_iter().map(Name::Text).collect()),
        Values::Floats(_) => None,
    }))
}
