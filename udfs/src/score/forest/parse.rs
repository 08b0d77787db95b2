//! Reads LightGBM's text form, versions 2 to 4, from bytes that nobody vouches for.
//!
//! The file: a head of `key=value` lines that starts with `tree`; blocks that start with `Tree=n`, each ending
//! at an empty line; the line `end of trees`; then importances, parameters and, from Python, one line
//! `pandas_categorical:` with the texts of categories as JSON. Lists are separated by blanks.
//!
//! Everything a walk relies on is checked here: lengths of lists, indexes, that nodes form a tree (no cycle, no
//! node reached twice), that numbers are numbers. Memory stays proportional to the file. A damaged file is
//! [`ScoreError::BadModel`] and never a panic.

use super::Forest;
use super::objective::Objective;
use super::tree::{Linear, Missing, Node, Split, Tree};
use crate::error::ScoreError;
use crate::score::features::{Dictionary, Feature, FeatureKind};
use crate::score::forest::json;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

/// Most features of a model.
const FEATURES_MAX: usize = 100_000;
/// Most scores per row of a model.
const OUTPUTS_MAX: usize = 10_000;

const DECISION_CATEGORICAL: u8 = 1;
const DECISION_DEFAULT_LEFT: u8 = 2;

type Keys<'a> = HashMap<&'a str, &'a str>;

fn bad<T>(message: impl Into<String>) -> Result<T, ScoreError> {
    Err(ScoreError::BadModel(format!(
        "invalid LightGBM model: {}",
        message.into()
    )))
}

/// Whether the bytes look like LightGBM text.
pub fn detect(bytes: &[u8]) -> bool {
    bytes.starts_with(b"tree\n") || bytes.starts_with(b"tree\r\n")
}

/// Parses and checks a model.
pub fn parse(bytes: &[u8]) -> Result<Forest, ScoreError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bad("not UTF-8");
    };
    let mut lines = text.lines();
    if lines.next() != Some("tree") {
        return bad("the first line must be \"tree\"");
    }
    let (head, mut tree_line) = head(&mut lines)?;
    match head.get("version") {
        Some(&("v2" | "v3" | "v4")) | None => {}
        Some(version) => {
            return Err(ScoreError::Unsupported(format!(
                "LightGBM model version {version:?} is not supported"
            )));
        }
    }
    let outputs = outputs(&head)?;
    let names = names(&head)?;
    let objective = match head.get("objective") {
        Some(line) => Objective::parse(line, outputs)?,
        None => Objective::Identity,
    };
    let mut trees = Vec::new();
    while tree_line {
        let keys = block(&mut lines);
        trees.push(tree(&keys, names.len()).map_err(|e| in_tree(e, trees.len()))?);
        tree_line = next_tree(&mut lines)?;
    }
    if !trees.len().is_multiple_of(outputs) {
        return bad(format!(
            "{} trees for {outputs} scores per row",
            trees.len()
        ));
    }
    if let Some(sizes) = head.get("tree_sizes")
        && sizes.split_ascii_whitespace().count() != trees.len()
    {
        return bad("tree_sizes does not count the trees");
    }
    let features = kinds(&head, &names, lines)?;
    let average = head.contains_key("average_output");
    Ok(Forest::new(features, trees, outputs, objective, average))
}

fn in_tree(error: ScoreError, number: usize) -> ScoreError {
    match error {
        ScoreError::BadModel(text) => ScoreError::BadModel(format!("{text} in tree {number}")),
        other => other,
    }
}

/// The head's keys, and whether a tree follows.
fn head<'a>(lines: &mut std::str::Lines<'a>) -> Result<(Keys<'a>, bool), ScoreError> {
    let mut keys = Keys::new();
    for line in lines {
        if line.starts_with("Tree=") {
            return Ok((keys, true));
        }
        if line == "end of trees" {
            return Ok((keys, false));
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        keys.insert(key, value);
    }
    bad("the file is cut off")
}

/// The keys of one tree: the lines up to an empty one.
fn block<'a>(lines: &mut std::str::Lines<'a>) -> Keys<'a> {
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once('='))
        .collect()
}

/// Skips to the next tree; false at the end of the trees.
fn next_tree(lines: &mut std::str::Lines<'_>) -> Result<bool, ScoreError> {
    match lines.find(|line| !line.is_empty()) {
        Some("end of trees") => Ok(false),
        Some(line) if line.starts_with("Tree=") => Ok(true),
        Some(_) => bad("expected a tree or \"end of trees\""),
        None => bad("the file is cut off"),
    }
}

fn outputs(head: &Keys<'_>) -> Result<usize, ScoreError> {
    let key = if head.contains_key("num_tree_per_iteration") {
        "num_tree_per_iteration"
    } else {
        "num_class"
    };
    let outputs = one(head, key)?;
    if outputs == 0 || outputs > OUTPUTS_MAX {
        return bad(format!(
            "{key} must be within 1 and {OUTPUTS_MAX}, not {outputs}"
        ));
    }
    Ok(outputs)
}

fn names(head: &Keys<'_>) -> Result<Vec<String>, ScoreError> {
    let Some(line) = head.get("feature_names") else {
        return bad("feature_names is missing");
    };
    let names: Vec<String> = line
        .split(' ')
        .filter(|n| !n.is_empty())
        .map(str::to_owned)
        .collect();
    let last: usize = one(head, "max_feature_idx")?;
    if names.len() > FEATURES_MAX {
        return bad(format!("more than {FEATURES_MAX} features"));
    }
    if names.is_empty() || names.len() - 1 != last {
        return bad(format!(
            "{} feature_names, but max_feature_idx is {last}",
            names.len()
        ));
    }
    Ok(names)
}

/// What the file tells of the features: which are categories, and their texts.
fn kinds(
    head: &Keys<'_>,
    names: &[String],
    rest: std::str::Lines<'_>,
) -> Result<Vec<Feature>, ScoreError> {
    let mut features: Vec<Feature> = names.iter().map(Feature::numeric).collect();
    if let Some(infos) = head.get("feature_infos") {
        for (feature, info) in features
            .iter_mut()
            .zip(infos.split(' ').filter(|i| !i.is_empty()))
        {
            if info != "none" && !info.starts_with('[') {
                feature.kind = FeatureKind::Code;
            }
        }
    }
    let mut declared = None;
    let mut texts = Vec::new();
    for line in rest {
        if let Some(list) = line
            .strip_prefix("[categorical_feature: ")
            .and_then(|l| l.strip_suffix(']'))
        {
            let indexes: Result<Vec<usize>, _> = list.split(',').map(str::parse).collect();
            declared = indexes.ok();
        } else if let Some(json) = line.strip_prefix("pandas_categorical:") {
            texts = json::lists(json).ok_or_else(|| {
                ScoreError::BadModel(
                    "invalid LightGBM model: pandas_categorical is not a list of lists".into(),
                )
            })?;
        }
    }
    if texts.is_empty() {
        return Ok(features);
    }
    let seen = || {
        (0..features.len())
            .filter(|i| features[*i].kind == FeatureKind::Code)
            .collect()
    };
    let mut indexes: Vec<usize> = declared
        .filter(|d| d.len() == texts.len())
        .unwrap_or_else(seen);
    indexes.sort_unstable();
    indexes.dedup();
    if indexes.len() != texts.len() {
        return bad("pandas_categorical does not fit the categorical features");
    }
    for (index, texts) in indexes.into_iter().zip(texts) {
        let Some(feature) = features.get_mut(index) else {
            return bad("categorical_feature is out of range");
        };
        feature.kind = FeatureKind::Text(Arc::new(Dictionary::new(texts)?));
    }
    Ok(features)
}

/// The number under a key.
fn one<T: FromStr>(keys: &Keys<'_>, key: &str) -> Result<T, ScoreError> {
    let Some(text) = keys.get(key) else {
        return bad(format!("{key} is missing"));
    };
    match text.trim().parse() {
        Ok(value) => Ok(value),
        Err(_) => bad(format!("{key} is not a number that fits")),
    }
}

/// The list of exactly `length` numbers under a key.
fn list<T: FromStr>(keys: &Keys<'_>, key: &str, length: usize) -> Result<Vec<T>, ScoreError> {
    let Some(text) = keys.get(key) else {
        return bad(format!("{key} is missing"));
    };
    let values: Result<Vec<T>, _> = text.split_ascii_whitespace().map(str::parse).collect();
    match values {
        Ok(values) if values.len() == length => Ok(values),
        Ok(values) => bad(format!(
            "{key} has {} values instead of {length}",
            values.len()
        )),
        Err(_) => bad(format!("{key} has a value that is not a number that fits")),
    }
}

fn finite(key: &str, values: &[f64]) -> Result<(), ScoreError> {
    if values.iter().all(|v| v.is_finite()) {
        Ok(())
    } else {
        bad(format!("{key} has a value that is not finite"))
    }
}

/// One tree of a model with `features` features.
fn tree(keys: &Keys<'_>, features: usize) -> Result<Tree, ScoreError> {
    let leaves_count: usize = one(keys, "num_leaves")?;
    if leaves_count == 0 || leaves_count > i32::MAX as usize {
        return bad("num_leaves is out of range");
    }
    let leaves: Vec<f64> = list(keys, "leaf_value", leaves_count)?;
    finite("leaf_value", &leaves)?;
    let linear = match keys.get("is_linear").map(|v| v.trim()) {
        None | Some("0") => Vec::new(),
        Some(_) => linear(keys, leaves_count, features)?,
    };
    if leaves_count == 1 {
        return Ok(Tree {
            leaves,
            linear,
            ..Tree::default()
        });
    }
    let (bounds, sets) = sets(keys)?;
    let nodes = nodes(keys, leaves_count - 1, features, &bounds)?;
    let tree = Tree {
        nodes,
        leaves,
        sets,
        linear,
    };
    tree.check_shape().or_else(bad)?;
    Ok(tree)
}

/// Boundaries and words of the bit sets of categorical splits.
fn sets(keys: &Keys<'_>) -> Result<(Vec<u32>, Vec<u32>), ScoreError> {
    let count: usize = if keys.contains_key("num_cat") {
        one(keys, "num_cat")?
    } else {
        0
    };
    if count == 0 {
        return Ok((vec![0], Vec::new()));
    }
    // The list is there in full before anything is sized by the count.
    let bounds: Vec<u32> = list(keys, "cat_boundaries", count.saturating_add(1))?;
    if bounds[0] != 0 || bounds.windows(2).any(|pair| pair[0] > pair[1]) {
        return bad("cat_boundaries must ascend from 0");
    }
    let words = bounds[count] as usize;
    Ok((bounds, list(keys, "cat_threshold", words)?))
}

fn nodes(
    keys: &Keys<'_>,
    count: usize,
    features: usize,
    bounds: &[u32],
) -> Result<Vec<Node>, ScoreError> {
    let split_feature: Vec<u32> = list(keys, "split_feature", count)?;
    let threshold: Vec<f64> = list(keys, "threshold", count)?;
    let left: Vec<i32> = list(keys, "left_child", count)?;
    let right: Vec<i32> = list(keys, "right_child", count)?;
    let decision: Vec<u8> = match keys.get("decision_type") {
        Some(_) => list(keys, "decision_type", count)?,
        None => vec![0; count],
    };
    let mut nodes = Vec::with_capacity(count);
    for i in 0..count {
        if split_feature[i] as usize >= features {
            return bad(format!(
                "split_feature {} is out of range",
                split_feature[i]
            ));
        }
        let split = split(decision[i], threshold[i], bounds)?;
        nodes.push(Node {
            split,
            feature: split_feature[i],
            left: left[i],
            right: right[i],
        });
    }
    Ok(nodes)
}

/// A split from its `decision_type`: bit 0 categorical, bit 1 default left, bits 2-3 the missing type.
fn split(decision: u8, threshold: f64, bounds: &[u32]) -> Result<Split, ScoreError> {
    if threshold.is_nan() {
        return bad("a threshold is not a number");
    }
    let missing = match decision >> 2 {
        0 => Missing::None,
        1 => Missing::Zero,
        2 => Missing::NaN,
        _ => return bad(format!("decision_type {decision} is not known")),
    };
    if decision & DECISION_CATEGORICAL == 0 {
        return Ok(Split::numeric(
            threshold,
            missing,
            decision & DECISION_DEFAULT_LEFT != 0,
        ));
    }
    // A huge threshold is the largest `usize`: nothing may be added to it.
    let set = threshold as usize;
    if threshold.fract() != 0.0 || threshold < 0.0 || set >= bounds.len() - 1 {
        return bad(format!("categorical split {threshold} is out of range"));
    }
    Ok(Split::Category {
        start: bounds[set],
        words: bounds[set + 1] - bounds[set],
    })
}

/// The linear functions of the leaves: `num_features` says how many terms each takes of the two flat lists.
fn linear(keys: &Keys<'_>, leaves: usize, features: usize) -> Result<Vec<Linear>, ScoreError> {
    let constants: Vec<f64> = list(keys, "leaf_const", leaves)?;
    let counts: Vec<u32> = list(keys, "num_features", leaves)?;
    let total: usize = counts.iter().map(|c| *c as usize).sum();
    let indexes: Vec<u32> = list(keys, "leaf_features", total)?;
    let coefficients: Vec<f64> = list(keys, "leaf_coeff", total)?;
    finite("leaf_const", &constants)?;
    finite("leaf_coeff", &coefficients)?;
    if indexes.iter().any(|i| *i as usize >= features) {
        return bad("leaf_features is out of range");
    }
    let mut terms = indexes.into_iter().zip(coefficients);
    let leaf = |(constant, count): (f64, u32)| Linear {
        constant,
        terms: terms.by_ref().take(count as usize).collect(),
    };
    Ok(constants.into_iter().zip(counts).map(leaf).collect())
}
