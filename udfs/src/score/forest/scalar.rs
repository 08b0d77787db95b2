//! The plain scorer: every row walks every tree. It is the specification; faster kernels must equal it bit
//! for bit, and it equals the original library in every bit of the raw score.
//!
//! Order matters, because f64 addition does not associate: a score starts at 0.0 and the trees are added in
//! the file's order. Trees of several classes are interleaved: tree i belongs to class `i % outputs`.
//!
//! Rows are taken in blocks that fit the first cache level together with a tree: the block is laid out row by
//! row once, then each tree is walked by all its rows while its nodes are warm.

use super::tree::Tree;
use crate::score::features::Features;

/// Rows that walk a tree together.
const BLOCK_ROWS: usize = 64;

/// Writes `features.rows() * outputs` raw scores, row by row; `block` is reused space.
pub fn score(
    trees: &[Tree],
    outputs: usize,
    features: &Features,
    block: &mut Vec<f64>,
    out: &mut [f64],
) {
    let width = features.columns().len();
    block.resize(BLOCK_ROWS * width, 0.0);
    for (index, scores) in out.chunks_mut(BLOCK_ROWS * outputs).enumerate() {
        let rows = scores.len() / outputs;
        lay_out(features, index * BLOCK_ROWS, rows, block);
        scores.fill(0.0);
        for (number, tree) in trees.iter().enumerate() {
            let class = number % outputs;
            for (row, score) in block
                .chunks_exact(width)
                .zip(scores.chunks_exact_mut(outputs))
            {
                score[class] += tree.predict(row);
            }
        }
    }
}

/// Copies `rows` rows from `start` so that the features of a row lie side by side.
fn lay_out(features: &Features, start: usize, rows: usize, block: &mut [f64]) {
    let width = features.columns().len();
    let mut values = [0.0; BLOCK_ROWS];
    for (feature, column) in features.columns().iter().enumerate() {
        column.fill(start, &mut values[..rows]);
        let places = block.iter_mut().skip(feature).step_by(width);
        for (place, value) in places.zip(&values[..rows]) {
            *place = *value;
        }
    }
}
