//! Ends scoring for rows of which only the side of a limit is asked, as soon as the side is certain.
//!
//! After some chunks of trees, a row's sum and the least and the most that the other trees can add bound its score.
//! When so many rows are decided that it saves more than it costs, those that are not are moved together, and the rest
//! of the forest has fewer blocks to run over.
//!
//! **Rounding.** Bounds are sums of leaves in f64, wider than they need be by more than all additions of a forest can
//! lose together: n additions lose at most n · 2⁻⁵³ of the sum of magnitudes (Higham, Accuracy and Stability of
//! Numerical Algorithms, §4.2).

use super::bins::LINE_ROWS;
use super::blend::{Batch, Level};
use super::program::Program;
use crate::score::features::Features;
use crate::score::{Limits, Scratch};

/// What moving a byte of a row's codes costs, in operations that run for the row: each does 64 rows at once.
const MOVED_BYTE: usize = 128;

/// What the trees behind a chunk can add to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rest {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
    /// How many leaves they have: what a row that is decided saves.
    pub leaves: usize,
}

/// For each chunk what the trees behind it can add to the score of a forest with one output.
pub fn rest(program: &Program) -> Vec<Rest> {
    if !program.linear().is_empty() {
        // Linear leaves have no bounds.
        let anything = Rest {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            leaves: 0,
        };
        return vec![anything; program.chunks().len()];
    }
    let count = program.codes().len() as f64;
    let magnitude = |tree: &[f64]| tree.iter().fold(0.0_f64, |most, leaf| most.max(leaf.abs()));
    let leaves = |tree: usize| &program.leaves()[program.codes()[tree].leaves.clone()];
    let all: f64 = (0..program.codes().len())
        .map(|tree| magnitude(leaves(tree)))
        .sum();
    let slack = 4.0 * count * f64::EPSILON * all;
    let mut rest = Rest {
        low: -slack,
        high: slack,
        leaves: 0,
    };
    let mut found = Vec::with_capacity(program.chunks().len());
    for chunk in program.chunks().iter().rev() {
        found.push(rest);
        for tree in chunk.clone() {
            rest.leaves += leaves(tree).len();
            rest.low += leaves(tree).iter().copied().fold(f64::INFINITY, f64::min);
            rest.high += leaves(tree)
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
        }
    }
    found.reverse();
    found
}

/// Writes the raw score of each row, or an infinity on its side of the limits.
pub fn score(
    level: Level,
    program: &Program,
    limits: Limits,
    features: &Features,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    let (mut batch, batch_rows) = Batch::of(program, 1, features.rows(), scratch);
    let mut left: Vec<u32> = Vec::with_capacity(batch_rows);
    for (index, scores) in out.chunks_mut(batch_rows).enumerate() {
        batch.encode(level, features, index * batch_rows, scores.len());
        left.clear();
        left.extend(0..scores.len() as u32);
        let mut behind = program.chunks().len();
        for (chunk, rest) in program.chunks().iter().zip(program.rest()) {
            batch.run(level, chunk, left.len());
            behind -= 1;
            // Bounds are wide until little of the forest is left: more looks would cost more than they find.
            if behind.is_power_of_two() {
                batch.drop_decided(limits, *rest, &mut left, scores);
            }
        }
        for (row, sum) in left.iter().zip(batch.sums.iter()) {
            scores[*row as usize] = *sum;
        }
    }
}

impl Batch<'_> {
    /// Takes out the rows whose side is certain; `left` are the rows that are still there, in their places.
    fn drop_decided(
        &mut self,
        limits: Limits,
        rest: Rest,
        left: &mut Vec<u32>,
        scores: &mut [f64],
    ) {
        // Sums below `low` or above `high` are decided; comparisons with NaN decide nothing.
        let (low, high) = (limits.low - rest.high, limits.high - rest.low);
        let decided = |sum: f64| (sum < low) | (sum > high);
        let kept = self.sums[..left.len()]
            .iter()
            .filter(|sum| !decided(**sum))
            .count();
        let moved = kept * self.program.columns() * MOVED_BYTE;
        if moved >= (left.len() - kept) * rest.leaves {
            return;
        }
        let mut places = Vec::with_capacity(kept);
        for (place, row) in left.iter().enumerate() {
            let sum = self.sums[place];
            if !decided(sum) {
                self.sums[places.len()] = sum;
                places.push(place);
            } else {
                scores[*row as usize] = if sum < low {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                };
            }
        }
        for (to, from) in places.iter().enumerate() {
            left[to] = left[*from];
        }
        left.truncate(kept);
        self.move_codes(&places);
    }

    /// Moves the codes of rows to the front; `places` grow.
    fn move_codes(&mut self, places: &[usize]) {
        let block_rows = self.lines * LINE_ROWS;
        let columns = self.program.columns();
        let at = |place: usize, column: usize| {
            let (block, row) = (place / block_rows, place % block_rows);
            let line = (block * columns + column) * self.lines + row / LINE_ROWS;
            (line, row % LINE_ROWS)
        };
        for column in 0..columns {
            for (to, from) in places.iter().enumerate() {
                let (from, from_row) = at(*from, column);
                let (to, to_row) = at(to, column);
                self.codes[to].0[to_row] = self.codes[from].0[from_row];
            }
        }
    }
}
