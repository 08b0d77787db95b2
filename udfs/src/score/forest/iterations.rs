//! A model file with some of its iterations: what LightGBM calls `start_iteration` and `num_iteration`.
//!
//! The trees are cut out of the text and numbered anew, so the file is still one that LightGBM reads; importances and
//! parameters at its end stay those of the whole training.

use crate::error::ScoreError;
use std::fmt::Write as _;

/// The text of a model without the iterations before `start` and without those from `start + count` on; all from
/// `start` on without a count. The text is that of a model which was parsed, or the result will not parse.
///
/// # Errors
/// [`ScoreError::BadInput`] when no iteration is left.
pub fn cut(text: &str, start: usize, count: Option<usize>) -> Result<String, ScoreError> {
    let end = text.find("\nend of trees").map_or(text.len(), |at| at + 1);
    let mut places: Vec<usize> = text[..end]
        .match_indices("\nTree=")
        .map(|(at, _)| at + 1)
        .collect();
    let head = &text[..places.first().copied().unwrap_or(end)];
    let per_iteration = head
        .lines()
        .find_map(|line| line.strip_prefix("num_tree_per_iteration="))
        .and_then(|number| number.trim().parse().ok())
        .filter(|number| *number > 0)
        .unwrap_or(1);
    let iterations = places.len() / per_iteration;
    let count = count
        .unwrap_or(iterations)
        .min(iterations.saturating_sub(start));
    if count == 0 {
        return Err(ScoreError::BadInput(format!(
            "the model has {iterations} iterations"
        )));
    }
    places.push(end);
    let mut trees = Vec::with_capacity(count * per_iteration);
    let chosen = start * per_iteration..(start + count) * per_iteration;
    for (number, place) in places[chosen.start..=chosen.end].windows(2).enumerate() {
        let tree = &text[place[0]..place[1]];
        let rest = tree.find('\n').map_or("", |at| &tree[at..]);
        trees.push(format!("Tree={number}{rest}"));
    }
    let mut cut = String::with_capacity(text.len());
    for line in head.split_inclusive('\n') {
        if line.starts_with("tree_sizes=") {
            let sizes: Vec<String> = trees.iter().map(|tree| tree.len().to_string()).collect();
            // Writing to a string does not fail.
            let _ = writeln!(cut, "tree_sizes={}", sizes.join(" "));
        } else {
            cut += line;
        }
    }
    cut += &trees.concat();
    cut += &text[end..];
    Ok(cut)
}
