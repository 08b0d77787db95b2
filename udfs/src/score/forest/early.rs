//! Ends scoring for rows of which only the side of a limit is asked, as soon as the side is certain.
//!
//! First all rows are scored in whole steps (`quantised`), which saves looking up leaves and is certain of all rows but
//! those near the limits. These are gathered from all batches, and scored as ever.
//!
//! The first rows of a call tell whether that pays: when too few of them are decided, the others are scored as ever at
//! once.

use super::bins::{BLOCK_ROWS, LINE_ROWS};
use super::blend::{Batch, Level, Steps, add_bytes, run, slot};
use super::program::Program;
use super::quantised::Quantised;
use crate::score::features::Features;
use crate::score::{Limits, Scratch};

/// What adding up a tree's leaf costs a row, in operations.
const LOOKED_UP: usize = 9;

/// What moving a byte of a row's codes costs, in operations for a row.
const MOVED_BYTE: usize = 84;

/// Blocks of undecided rows that are scored together; a block of these is one line.
const UNDECIDED_BLOCKS: usize = 16;

/// Writes the raw score of each row, or an infinity on its side of the limits.
pub fn score(
    level: Level,
    program: &Program,
    quantised: &Quantised,
    limits: Limits,
    features: &Features,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    let mut spare = scratch.spare.take().unwrap_or_default();
    let mut undecided = Undecided {
        batch: Batch::new(program, 1, 1, &mut spare, UNDECIDED_BLOCKS),
        rows: Vec::with_capacity(UNDECIDED_BLOCKS * LINE_ROWS),
    };
    let (mut batch, batch_rows) = Batch::of(program, 1, features.rows(), scratch);
    let mut rows = batch.lines * LINE_ROWS;
    let mut start = 0;
    let mut pays = true;
    while start < out.len() {
        rows = rows.min(out.len() - start);
        batch.encode(level, features, start, rows);
        let scores = &mut out[start..start + rows];
        if pays {
            batch.score_quantised(level, quantised, scores);
            let mut kept = 0;
            for row in 0..rows {
                let steps = out[start + row];
                out[start + row] = if steps + quantised.high < limits.low {
                    f64::NEG_INFINITY
                } else if steps + quantised.low > limits.high {
                    f64::INFINITY
                } else {
                    undecided.add(level, &batch, row, start, out);
                    kept += 1;
                    continue;
                };
            }
            pays = quantised.pays(kept, rows);
        } else {
            batch.score(level, scores);
        }
        start += rows;
        rows = batch_rows;
    }
    undecided.score(level, out);
    scratch.spare = Some(spare);
}

/// Rows whose side is not certain.
struct Undecided<'a> {
    batch: Batch<'a>,
    /// Their places among all rows.
    rows: Vec<usize>,
}

impl Undecided<'_> {
    /// Takes the codes of row `row` of a batch that begins with row `start`; scores all it has when it is full.
    fn add(&mut self, level: Level, from: &Batch<'_>, row: usize, start: usize, out: &mut [f64]) {
        if self.rows.len() == UNDECIDED_BLOCKS * LINE_ROWS {
            self.score(level, out);
        }
        let place = self.rows.len();
        for column in 0..from.program.columns() {
            let code = from.codes[from.line(row, column)].0[row % LINE_ROWS];
            let line = self.batch.line(place, column);
            self.batch.codes[line].0[place % LINE_ROWS] = code;
        }
        self.rows.push(start + row);
    }

    fn score(&mut self, level: Level, out: &mut [f64]) {
        let mut scores = [0.0; UNDECIDED_BLOCKS * LINE_ROWS];
        let scores = &mut scores[..self.rows.len()];
        self.batch.score(level, scores);
        for (row, score) in self.rows.drain(..).zip(scores) {
            out[row] = *score;
        }
    }
}

impl Quantised {
    /// Whether it was worth it when so many of the rows are undecided, which are moved and scored again.
    fn pays(&self, undecided: usize, rows: usize) -> bool {
        let trees: usize = self.chunks().iter().map(|c| c.trees.len()).sum();
        let ops = self.ops();
        let again = ops.columns() * MOVED_BYTE + ops.all().len() * 3 / 2;
        undecided * again < rows * trees * LOOKED_UP
    }
}

impl Batch<'_> {
    /// The line that holds the code of a row in a column.
    fn line(&self, row: usize, column: usize) -> usize {
        let block_rows = self.lines * LINE_ROWS;
        (row / block_rows * self.program.columns() + column) * self.lines
            + row % block_rows / LINE_ROWS
    }

    /// Writes the widths of all steps that rows whose codes are found have.
    fn score_quantised(&mut self, level: Level, quantised: &Quantised, scores: &mut [f64]) {
        let block_rows = self.lines * LINE_ROWS;
        let rows = scores.len();
        scores.fill(0.0);
        for chunk in quantised.chunks() {
            let mut blocks = scores.chunks_mut(block_rows);
            self.each_block(rows, |block| {
                let mut steps = [Steps::NONE; BLOCK_ROWS / LINE_ROWS];
                let steps = &mut steps[..block.lines];
                for tree in &chunk.trees {
                    run(level, quantised.ops(), tree.ops.clone(), block);
                    add_bytes(level, slot(tree.root, block), tree.first, steps);
                }
                let scores = blocks.next().unwrap_or_default();
                for (scores, steps) in scores.chunks_mut(LINE_ROWS).zip(steps) {
                    steps.add_to(level, chunk.step, scores);
                }
            });
        }
    }
}
