//! A model file with some of its iterations: what LightGBM calls `start_iteration` and `num_iteration`.
//!
//! The trees are cut out of the text and numbered anew, so the file is still one that LightGBM reads; importances and
//! parameters at its end stay those of the whole training.

use super::parse::parse;
use crate::error::ScoreError;
use std::fmt::Write as _;

/// A model file without the iterations before `start` and without those from `start + count` on; all from `start` on
/// without a count.
///
/// # Errors
/// [`ScoreError::BadModel`] when the file is no model; [`ScoreError::BadInput`] when no iteration is left.
pub fn cut(file: &[u8], start: usize, count: Option<usize>) -> Result<String, ScoreError> {
    let model = parse(file)?;
    let (trees, outputs) = (model.trees.len(), model.outputs);
    let Ok(text) = std::str::from_utf8(file) else {
        return Err(ScoreError::BadModel("not UTF-8".to_owned()));
    };
    let end = text.find("\nend of trees").map_or(text.len(), |at| at + 1);
    let places = text[..end].match_indices("\nTree=").map(|(at, _)| at + 1);
    let places: Vec<usize> = places.chain([end]).collect();
    if places.len() != trees + 1 {
        let text = "the file has lines in a tree that look like the start of another";
        return Err(ScoreError::BadModel(text.to_owned()));
    }
    let iterations = trees / outputs;
    let count = count
        .unwrap_or(iterations)
        .min(iterations.saturating_sub(start));
    if count == 0 {
        return Err(ScoreError::BadInput(format!(
            "the model has {iterations} iterations"
        )));
    }
    let chosen = &places[start * outputs..=(start + count) * outputs];
    let chosen = chosen.windows(2).enumerate().map(|(number, place)| {
        let tree = &text[place[0]..place[1]];
        (number, tree.find('\n').map_or("", |at| &tree[at..]))
    });
    let mut cut = String::with_capacity(text.len());
    for line in text[..places[0]].split_inclusive('\n') {
        if line.starts_with("tree_sizes=") {
            let size = |(number, rest): (usize, &str)| format!("Tree={number}").len() + rest.len();
            let sizes: Vec<String> = chosen.clone().map(|tree| size(tree).to_string()).collect();
            // Writing to a string does not fail.
            let _ = writeln!(cut, "tree_sizes={}", sizes.join(" "));
        } else {
            cut += line;
        }
    }
    for (number, rest) in chosen {
        let _ = write!(cut, "Tree={number}{rest}");
    }
    cut += &text[end..];
    Ok(cut)
}
