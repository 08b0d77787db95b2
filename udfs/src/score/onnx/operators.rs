//! TreeEnsembleRegressor and TreeEnsembleClassifier, in versions 1 to 4 of ai.onnx.ml: lists of nodes and of weights,
//! by the numbers of trees and nodes. A node is a leaf or not, so its place tells little: inner nodes and leaves are
//! numbered apart.

use super::classes::Name;
use super::constant::Attributes;
use super::ensemble::{Ensemble, Link, Node, PostTransform, Question};
use super::split::Comparison;
use super::{bad, unsupported};
use crate::error::ScoreError;
use std::collections::{HashMap, HashSet};

/// TreeEnsembleRegressor.
pub fn regressor(attributes: Attributes<'_>) -> Result<Ensemble, ScoreError> {
    let targets = count(attributes.int("n_targets"))?;
    let mut ensemble = read(attributes, "target", targets)?;
    ensemble.average = match attributes.word("aggregate_function", "SUM") {
        "SUM" => false,
        "AVERAGE" => true,
        other => return unsupported(format!("aggregate_function {other:?}")),
    };
    ensemble.check()?;
    Ok(ensemble)
}

/// TreeEnsembleClassifier and the labels of its classes.
pub fn classifier(attributes: Attributes<'_>) -> Result<(Ensemble, Vec<Name>), ScoreError> {
    let texts = attributes.texts("classlabels_strings")?;
    let ints = attributes.ints("classlabels_int64s");
    let names = match (texts.is_empty(), ints.is_empty()) {
        (true, true) => return bad("a classifier without class labels"),
        (false, false) => return bad("a classifier with two lists of class labels"),
        (false, true) => texts.into_iter().map(Name::Text).collect(),
        (true, false) => ints.iter().copied().map(Name::Int).collect::<Vec<_>>(),
    };
    let ensemble = read(attributes, "class", names.len())?;
    ensemble.check()?;
    Ok((ensemble, names))
}

pub fn count(number: i64) -> Result<usize, ScoreError> {
    match usize::try_from(number) {
        Ok(count) => Ok(count),
        Err(_) => bad(format!("{number} targets")),
    }
}

/// A list that has to have one value per node or per weight.
pub fn exactly<'a, T>(list: &'a [T], length: usize, name: &str) -> Result<&'a [T], ScoreError> {
    if list.len() == length {
        Ok(list)
    } else {
        bad(format!(
            "{name} has {} values instead of {length}",
            list.len()
        ))
    }
}

/// The node a mode stands for; `None` for a leaf.
pub fn question(mode: &[u8], value: f64) -> Result<Option<(Question, bool)>, ScoreError> {
    let compare = |c| Some((Question::Compare(c, value), false));
    Ok(match mode {
        b"LEAF" => None,
        b"BRANCH_LEQ" => compare(Comparison::AtMost),
        b"BRANCH_LT" => compare(Comparison::Below),
        b"BRANCH_GTE" => compare(Comparison::AtLeast),
        b"BRANCH_GT" => compare(Comparison::Above),
        b"BRANCH_EQ" => Some((Question::In(vec![value]), false)),
        b"BRANCH_NEQ" => Some((Question::In(vec![value]), true)),
        other => return unsupported(format!("node mode \"{}\"", other.escape_ascii())),
    })
}

/// A branch with its question; for "not equal" the two sides of "equal" are swapped, and NaN is not equal to anything.
pub fn node(
    (question, negated): (Question, bool),
    feature: i64,
    nan_true: bool,
    yes: Link,
    no: Link,
) -> Result<Node, ScoreError> {
    let Ok(feature) = u32::try_from(feature) else {
        return bad(format!("feature {feature} of a node is out of range"));
    };
    let (yes, no) = if negated { (no, yes) } else { (yes, no) };
    Ok(Node {
        question,
        feature,
        nan_holds: nan_true && !negated,
        yes,
        no,
    })
}

/// The lists of versions 1 to 4; weights are called `target_…` or `class_…`.
fn read(attributes: Attributes<'_>, kind: &str, targets: usize) -> Result<Ensemble, ScoreError> {
    let modes = attributes
        .get("nodes_modes")
        .map_or(&[][..], |a| &a.strings);
    let length = modes.len();
    if u32::try_from(length).is_err() {
        return bad("too many nodes");
    }
    let ints = |name: &str| exactly(attributes.ints(name), length, name);
    let (trees, ids) = (ints("nodes_treeids")?, ints("nodes_nodeids")?);
    let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
    let features = ints("nodes_featureids")?;
    let values = attributes.numbers("nodes_values")?;
    let values = exactly(&values, length, "nodes_values")?;
    let nan_true = match attributes.ints("nodes_missing_value_tracks_true") {
        [] => &[],
        list => exactly(list, length, "nodes_missing_value_tracks_true")?,
    };

    // Inner nodes and leaves are numbered apart, in the file's order.
    let mut links = Vec::with_capacity(length);
    let (mut inner, mut leaf) = (0_u32, 0_u32);
    let mut places = HashMap::with_capacity(length);
    for (at, mode) in modes.iter().enumerate() {
        let number = if mode == b"LEAF" {
            &mut leaf
        } else {
            &mut inner
        };
        links.push(if mode == b"LEAF" {
            Link::Leaf(*number)
        } else {
            Link::Node(*number)
        });
        *number += 1;
        if places.insert((trees[at], ids[at]), at).is_some() {
            return bad(format!(
                "node {} of tree {} is there twice",
                ids[at], trees[at]
            ));
        }
    }
    let find = |tree: i64, id: i64| match places.get(&(tree, id)) {
        Some(at) => Ok(links[*at]),
        None => bad(format!("tree {tree} has no node {id}")),
    };
    let mut nodes = Vec::with_capacity(inner as usize);
    for (at, mode) in modes.iter().enumerate() {
        if let Some(question) = question(mode, values[at])? {
            let (yes, no) = (find(trees[at], yes[at])?, find(trees[at], no[at])?);
            let nan_true = nan_true.get(at).is_some_and(|t| *t == 1);
            nodes.push(node(question, features[at], nan_true, yes, no)?);
        }
    }
    let roots = roots(trees, &links)?;
    let (leaves, weights) = weights(attributes, kind, leaf, find)?;
    Ok(Ensemble {
        nodes,
        leaves,
        weights,
        roots,
        targets,
        base: attributes.numbers("base_values")?,
        average: false,
        post: PostTransform::named(attributes.word("post_transform", "NONE"))?,
    })
}

/// A tree's first node is its root; the nodes of a tree stand together.
fn roots(trees: &[i64], links: &[Link]) -> Result<Vec<Link>, ScoreError> {
    let mut roots = Vec::new();
    let mut seen = HashSet::new();
    for (at, tree) in trees.iter().enumerate() {
        if at == 0 || trees[at - 1] != *tree {
            if !seen.insert(*tree) {
                return bad(format!("the nodes of tree {tree} do not stand together"));
            }
            roots.push(links[at]);
        }
    }
    Ok(roots)
}

type Weights = (Vec<std::ops::Range<u32>>, Vec<(u32, f64)>);

/// The weights, sorted by leaf; those of inner nodes count for nothing, as old exporters wrote them.
fn weights(
    attributes: Attributes<'_>,
    kind: &str,
    leaves: u32,
    find: impl Fn(i64, i64) -> Result<Link, ScoreError>,
) -> Result<Weights, ScoreError> {
    let list = |what: &str| attributes.ints(&format!("{kind}_{what}"));
    let (targets, nodes, trees) = (list("ids"), list("nodeids"), list("treeids"));
    exactly(nodes, targets.len(), &format!("{kind}_nodeids"))?;
    exactly(trees, targets.len(), &format!("{kind}_treeids"))?;
    let weights = attributes.numbers(&format!("{kind}_weights"))?;
    exactly(&weights, targets.len(), &format!("{kind}_weights"))?;
    let mut sorted = Vec::with_capacity(weights.len());
    for (at, weight) in weights.iter().enumerate() {
        let Ok(target) = u32::try_from(targets[at]) else {
            return bad("the target of a weight is out of range");
        };
        if let Link::Leaf(leaf) = find(trees[at], nodes[at])? {
            sorted.push((leaf, target, *weight));
        }
    }
    sorted.sort_by_key(|(leaf, target, _)| (*leaf, *target));
    Ok(by_leaf(&sorted, leaves))
}

/// Sorted weights as one list, and where each leaf's part of it lies.
pub fn by_leaf(sorted: &[(u32, u32, f64)], leaves: u32) -> Weights {
    let mut ranges = Vec::with_capacity(leaves as usize);
    let mut start = 0;
    for leaf in 0..leaves {
        let own = sorted[start..].partition_point(|(l, ..)| *l <= leaf);
        ranges.push(start as u32..(start + own) as u32);
        start += own;
    }
    let weights = sorted.iter().map(|(_, target, w)| (*target, *w)).collect();
    (ranges, weights)
}
