//! TreeEnsemble, in version 5 of ai.onnx.ml: inner nodes and leaves in lists of their own, modes by numbers, and nodes
//! that ask whether a value is in a set.

use super::constant::{Attributes, Constant};
use super::ensemble::{Ensemble, Link, Node, PostTransform, Question};
use super::operators::{by_leaf, count, exactly, node, question};
use super::{bad, unsupported};
use crate::error::ScoreError;

/// The mode of a node that asks for a set.
const MEMBER: i64 = 6;

/// Reads the operator.
pub fn tree_ensemble(attributes: Attributes<'_>) -> Result<Ensemble, ScoreError> {
    let weights = numbers(attributes, "leaf_weights")?;
    let targets = exactly(
        attributes.ints("leaf_targetids"),
        weights.len(),
        "leaf_targetids",
    )?;
    let mut sorted = Vec::with_capacity(weights.len());
    for ((leaf, target), weight) in (0..).zip(targets).zip(&weights) {
        match u32::try_from(*target) {
            Ok(target) => sorted.push((leaf, target, *weight)),
            Err(_) => return bad("the target of a leaf is out of range"),
        }
    }
    let (leaves, weights) = by_leaf(&sorted, sorted.len() as u32);
    let roots = attributes.ints("tree_roots").iter();
    let ensemble = Ensemble {
        nodes: nodes(attributes)?,
        leaves,
        weights,
        roots: roots.map(|id| link(0, *id)).collect::<Result<_, _>>()?,
        targets: count(attributes.int("n_targets"))?,
        base: Vec::new(),
        average: match attributes.int_or("aggregate_function", 1) {
            0 => true,
            1 => false,
            other => return unsupported(format!("aggregate_function {other}")),
        },
        post: match attributes.int("post_transform") {
            0 => PostTransform::None,
            1 => PostTransform::Softmax,
            2 => PostTransform::Logistic,
            3 => PostTransform::SoftmaxZero,
            4 => PostTransform::Probit,
            other => return unsupported(format!("post_transform {other}")),
        },
    };
    ensemble.check()?;
    Ok(ensemble)
}

fn numbers(attributes: Attributes<'_>, name: &str) -> Result<Vec<f64>, ScoreError> {
    match attributes.tensor(name)?.map(|t| t.floats()) {
        Some(Some(numbers)) => Ok(numbers),
        Some(None) => bad(format!("{name} are not numbers")),
        None => Ok(Vec::new()),
    }
}

fn link(leaf: i64, id: i64) -> Result<Link, ScoreError> {
    match u32::try_from(id) {
        Ok(id) if leaf == 0 => Ok(Link::Node(id)),
        Ok(id) => Ok(Link::Leaf(id)),
        Err(_) => bad("a branch leads to a node that does not exist"),
    }
}

fn nodes(attributes: Attributes<'_>) -> Result<Vec<Node>, ScoreError> {
    let modes = attributes.tensor("nodes_modes")?;
    let modes = modes.as_ref().and_then(Constant::ints).unwrap_or(&[]);
    let length = modes.len();
    let ints = |name: &str| exactly(attributes.ints(name), length, name);
    let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (ints("nodes_trueleafs")?, ints("nodes_falseleafs")?);
    let features = ints("nodes_featureids")?;
    let splits = numbers(attributes, "nodes_splits")?;
    let splits = exactly(&splits, length, "nodes_splits")?;
    let nan_true = match attributes.ints("nodes_missing_value_tracks_true") {
        [] => &[],
        list => exactly(list, length, "nodes_missing_value_tracks_true")?,
    };
    // Each set of numbers ends at a NaN.
    let members = numbers(attributes, "membership_values")?;
    let mut sets = members.split(|v| v.is_nan());
    let mut nodes = Vec::with_capacity(length);
    for at in 0..length {
        let question = if modes[at] == MEMBER {
            sets.next().map(|s| (Question::In(s.to_vec()), false))
        } else {
            question(mode_name(modes[at]), splits[at])?
        };
        let Some(question) = question else {
            return bad("a node without membership_values");
        };
        let (yes, no) = (link(yes_leaf[at], yes[at])?, link(no_leaf[at], no[at])?);
        let nan_true = nan_true.get(at).is_some_and(|t| *t == 1);
        nodes.push(node(question, features[at], nan_true, yes, no)?);
    }
    Ok(nodes)
}

/// The modes by their numbers.
fn mode_name(mode: i64) -> &'static [u8] {
    match mode {
        0 => b"BRANCH_LEQ",
        1 => b"BRANCH_LT",
        2 => b"BRANCH_GTE",
        3 => b"BRANCH_GT",
        4 => b"BRANCH_EQ",
        5 => b"BRANCH_NEQ",
        _ => b"of an unknown number",
    }
}
