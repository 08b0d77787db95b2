//! Ends scoring for rows of which only the side of a limit is asked, as soon as the side is certain.
//!
//! **Stages.** First all rows are scored in whole steps (`quantised`), which saves looking up leaves, by the trees that
//! say most. What the other trees can add at most decides many rows then; the rest are gathered from all blocks, as
//! dense as before, and go on with the other trees. Rows that are too near the limits for steps are gathered once more
//! and scored as ever.
//!
//! **Plan.** The first rows of a call tell after which tree gathering pays most, if at all, and whether steps pay: when
//! too few rows are decided by them, the others are scored as ever at once.

#[cfg(target_arch = "x86_64")]
use super::avx512_codes;
use super::bins::{BLOCK_ROWS, LINE_ROWS};
use super::blend::{Batch, Level, Sums, add_bytes, run, slot};
use super::program::Program;
use super::quantised::{Chunk, Quantised};
use crate::score::features::Features;
use crate::score::{Limits, Scratch};
use std::ops::Range;

/// What adding up a tree's leaf costs a row, in operations.
const LOOKED_UP: f64 = 7.0;

/// What it costs to gather a row's code, in operations, row by row; by vectors it costs as much for each row there is.
const TAKEN: f64 = 84.0;
const SIFTED: f64 = 2.0;

/// How much more operations cost in blocks of one line.
const SMALL_BLOCKS: f64 = 1.5;

/// Blocks of undecided rows that are scored together; a block of these is one line.
const UNDECIDED_BLOCKS: usize = 16;

/// How often undecided rows are gathered at most before all steps are known, and after how many different chunks.
const STOPS_MAX: usize = 6;
const PLACES_MAX: usize = 32;

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
    let mut spare = std::mem::take(&mut scratch.spare);
    spare.resize_with(STOPS_MAX + 1, Scratch::default);
    let (last, others) = spare.split_last_mut().expect("there is one");
    let undecided = Batch::new(program, 1, 1, last, UNDECIDED_BLOCKS);
    let mut rows = Rows {
        level,
        quantised,
        limits,
        stops: vec![quantised.chunks().len()],
        undecided: Gathered::new(undecided, UNDECIDED_BLOCKS * LINE_ROWS),
        scored: 0,
        out,
    };
    let (mut batch, batch_rows) = Batch::of(program, 1, features.rows(), scratch);
    let mut start = (batch.lines * LINE_ROWS).min(rows.out.len());
    batch.encode(level, features, 0, start);
    rows.first(&mut batch, start);
    let stages = rows.stops[1..].iter().zip(others);
    let mut later: Vec<Gathered<'_>> = stages
        .map(|(_, spare)| {
            let (batch, most) = Batch::of(program, 1, features.rows(), spare);
            Gathered::new(batch, most)
        })
        .collect();
    while start < rows.out.len() {
        let count = batch_rows.min(rows.out.len() - start);
        batch.encode(level, features, start, count);
        if quantised.pays(level, rows.scored, start) {
            rows.begin(&mut batch, start, count, &mut later);
        } else {
            batch.score(level, &mut rows.out[start..start + count]);
        }
        start += count;
    }
    for stage in 0..later.len() {
        let (done, rest) = later.split_at_mut(stage + 1);
        rows.go_on(stage + 1, &mut done[stage], rest);
    }
    rows.score_undecided();
    scratch.spare = spare;
}

/// The rows of a call.
struct Rows<'a> {
    level: Level,
    quantised: &'a Quantised,
    limits: Limits,
    /// How many chunks of trees rows have taken at the end of each stage.
    stops: Vec<usize>,
    /// Rows that steps do not decide.
    undecided: Gathered<'a>,
    /// How many rows these have been.
    scored: usize,
    /// Scores; of undecided rows the steps so far.
    out: &'a mut [f64],
}

impl Rows<'_> {
    /// Decides a call's first rows, whose codes are found, and plans the others' stages.
    fn first(&mut self, batch: &mut Batch<'_>, rows: usize) {
        let chunks = self.quantised.chunks().len();
        let stride = chunks.div_ceil(PLACES_MAX);
        let mut places = Vec::with_capacity(PLACES_MAX);
        self.out[..rows].fill(0.0);
        for from in (0..chunks).step_by(stride) {
            let to = chunks.min(from + stride);
            let scores = &mut self.out[..rows];
            batch.add_chunks(self.level, self.quantised, from..to, scores);
            let side = |steps: &&f64| self.quantised.side(to, self.limits, **steps);
            let undecided = scores.iter().filter(|steps| side(steps).is_none());
            places.push((to, undecided.count() as f64 / rows as f64));
        }
        self.each_undecided(chunks, 0..rows, |this, line, bits| {
            this.hand(1, batch, line, bits, |row| line * LINE_ROWS + row, &mut []);
        });
        self.stops = self.quantised.stops(self.level, &places, self.out.len());
    }

    /// Decides rows whose codes are found as far as the first stage does.
    fn begin(
        &mut self,
        batch: &mut Batch<'_>,
        start: usize,
        rows: usize,
        later: &mut [Gathered<'_>],
    ) {
        let stop = self.stops[0];
        let scores = &mut self.out[start..start + rows];
        scores.fill(0.0);
        batch.add_chunks(self.level, self.quantised, 0..stop, scores);
        self.each_undecided(stop, start..start + rows, |this, line, bits| {
            let first = start + line * LINE_ROWS;
            this.hand(1, batch, line, bits, |row| first + row, later);
        });
    }

    /// Decides rows that have the steps of so many chunks; does something with each line's bits of the undecided.
    fn each_undecided(
        &mut self,
        chunks: usize,
        rows: Range<usize>,
        mut work: impl FnMut(&mut Self, usize, u64),
    ) {
        for (line, first) in rows.clone().step_by(LINE_ROWS).enumerate() {
            let end = rows.end.min(first + LINE_ROWS);
            let scores = &mut self.out[first..end];
            let bits = self.quantised.decide(chunks, self.limits, scores);
            work(self, line, bits);
        }
    }

    /// Takes the rows that wait for a stage through it, and hands the undecided to those behind.
    fn go_on(&mut self, stage: usize, waiting: &mut Gathered<'_>, later: &mut [Gathered<'_>]) {
        let chunks = self.stops[stage - 1]..self.stops[stage];
        let stop = chunks.end;
        let mut scores: Vec<f64> = waiting.rows.iter().map(|row| self.out[*row]).collect();
        let Gathered { batch, rows, .. } = waiting;
        batch.add_chunks(self.level, self.quantised, chunks, &mut scores);
        let lines = rows.chunks(LINE_ROWS).zip(scores.chunks_mut(LINE_ROWS));
        for (line, (rows, scores)) in lines.enumerate() {
            let bits = self.quantised.decide(stop, self.limits, scores);
            for (row, score) in rows.iter().zip(scores) {
                self.out[*row] = *score;
            }
            self.hand(stage + 1, batch, line, bits, |row| rows[row], later);
        }
        rows.clear();
    }

    /// Hands the rows of a line whose bits are set to a stage, which is the first of `later` or, behind all, to be scored
    /// as ever. Row i of the line is `row(i)` of the call.
    fn hand(
        &mut self,
        stage: usize,
        from: &Batch<'_>,
        line: usize,
        mut bits: u64,
        row: impl Fn(usize) -> usize,
        later: &mut [Gathered<'_>],
    ) {
        match later.split_first_mut() {
            Some((next, later)) => {
                while bits != 0 {
                    bits = next.take(self.level, from, line, bits, &row);
                    if next.is_full() {
                        self.go_on(stage, next, later);
                    }
                }
            }
            None => {
                self.scored += bits.count_ones() as usize;
                while bits != 0 {
                    bits = self.undecided.take(self.level, from, line, bits, &row);
                    if self.undecided.is_full() {
                        self.score_undecided();
                    }
                }
            }
        }
    }

    /// Scores the rows that steps do not decide.
    fn score_undecided(&mut self) {
        let Gathered { batch, rows, .. } = &mut self.undecided;
        let mut scores = [0.0; UNDECIDED_BLOCKS * LINE_ROWS];
        let scores = &mut scores[..rows.len()];
        batch.score(self.level, scores);
        for (row, score) in rows.drain(..).zip(scores) {
            self.out[row] = *score;
        }
    }
}

/// Rows that are gathered from others' blocks.
struct Gathered<'a> {
    batch: Batch<'a>,
    /// Their places among the rows of the call.
    rows: Vec<usize>,
    /// How many there is room for.
    most: usize,
}

impl<'a> Gathered<'a> {
    fn new(batch: Batch<'a>, most: usize) -> Self {
        Self {
            batch,
            rows: Vec::new(),
            most,
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() == self.most
    }

    /// Takes the codes of the rows of a line whose bits are set, as many as there is room for in a block; the bits of
    /// the others. Row i of the line is `row(i)` of the call.
    fn take(
        &mut self,
        level: Level,
        from: &Batch<'_>,
        line: usize,
        bits: u64,
        row: impl Fn(usize) -> usize,
    ) -> u64 {
        let block_rows = self.batch.lines * LINE_ROWS;
        let (block, at) = (self.rows.len() / block_rows, self.rows.len() % block_rows);
        let mut left = bits;
        while left != 0 && self.rows.len() < (block + 1) * block_rows {
            self.rows.push(row(left.trailing_zeros() as usize));
            left &= left - 1;
        }
        self.batch.sift(level, from, line, bits ^ left, block, at);
        left
    }
}

impl Quantised {
    /// On which side of the limits a score is that has the steps of so many chunks; `None` when that is not certain.
    #[inline(always)]
    fn side(&self, chunks: usize, limits: Limits, steps: f64) -> Option<f64> {
        let (low, high) = self.bounds(chunks);
        if steps + high < limits.low {
            Some(f64::NEG_INFINITY)
        } else if steps + low > limits.high {
            Some(f64::INFINITY)
        } else {
            None
        }
    }

    /// Writes the sides of a line's rows that have the steps of so many chunks; a bit for each that is not certain.
    fn decide(&self, chunks: usize, limits: Limits, steps: &mut [f64]) -> u64 {
        let mut uncertain = 0;
        for (row, steps) in steps.iter_mut().enumerate() {
            let side = self.side(chunks, limits, *steps);
            uncertain |= u64::from(side.is_none()) << row;
            *steps = side.unwrap_or(*steps);
        }
        uncertain
    }

    /// What it costs to gather a share of the rows from a share of them, in operations for each of all rows.
    fn gathering(&self, level: Level, from: f64, share: f64) -> f64 {
        let code = match sifts(level) {
            true => (SIFTED * from).min(TAKEN * share),
            false => TAKEN * share,
        };
        code * self.ops().columns() as f64
    }

    /// Whether it was worth it when so many of the rows are undecided, which are gathered and scored again.
    fn pays(&self, level: Level, undecided: usize, rows: usize) -> bool {
        let share = undecided as f64 / rows as f64;
        let again = share * self.ops().all().len() as f64 * SMALL_BLOCKS;
        let trees: usize = self.chunks().iter().map(|c| c.trees.len()).sum();
        self.gathering(level, 1.0, share) + again < trees as f64 * LOOKED_UP
    }

    /// The ends of the stages that cost the least for so many rows, of which a share is undecided after some numbers of
    /// chunks; the last of these is all chunks. Found from the end (dynamic programming): what is best behind a stop
    /// does not depend on what was before.
    fn stops(&self, level: Level, places: &[(usize, f64)], rows: usize) -> Vec<usize> {
        let cost = |chunk: &Chunk| -> usize { chunk.trees.iter().map(|t| t.ops.len() + 1).sum() };
        let mut done = 0;
        let mut at = 0;
        let mut stops = vec![(0, 1.0, 0.0)];
        for (chunks, share) in places {
            done += self.chunks()[at..*chunks].iter().map(cost).sum::<usize>();
            at = *chunks;
            // Blocks are run whole.
            let blocks = (share * rows as f64 / BLOCK_ROWS as f64).ceil();
            let share = blocks * BLOCK_ROWS as f64 / rows as f64;
            stops.push((*chunks, share, done as f64));
        }
        let end = stops.len() - 1;
        // For each stop: what is left costs, and where the next one is, with so many stops more at most.
        let mut best: Vec<(f64, usize)> = stops
            .iter()
            .map(|(_, share, before)| (share * (done as f64 - before), end))
            .collect();
        let mut plans = vec![best.clone()];
        for _ in 0..STOPS_MAX {
            for from in 0..end {
                let (_, share, before) = stops[from];
                for to in from + 1..end {
                    let (_, kept, after) = stops[to];
                    let here = share * (after - before) + self.gathering(level, share, kept);
                    let all = here + plans[plans.len() - 1][to].0;
                    if all < best[from].0 {
                        best[from] = (all, to);
                    }
                }
            }
            plans.push(best.clone());
        }
        let mut at = 0;
        let next = plans.iter().rev().map(|plan| {
            at = plan[at].1;
            stops[at].0
        });
        let mut ends: Vec<usize> = next.collect();
        ends.dedup();
        ends
    }
}

/// Whether rows are gathered by vectors.
fn sifts(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    if level == Level::Avx512 {
        return avx512_codes::sifts();
    }
    let _ = level;
    false
}

impl Batch<'_> {
    /// Adds the widths of the steps that rows whose codes are found have in some of the chunks.
    fn add_chunks(
        &mut self,
        level: Level,
        quantised: &Quantised,
        chunks: Range<usize>,
        scores: &mut [f64],
    ) {
        let block_rows = self.lines * LINE_ROWS;
        let rows = scores.len();
        for chunk in &quantised.chunks()[chunks] {
            let mut blocks = scores.chunks_mut(block_rows);
            self.each_block(rows, |block| {
                let mut steps = [Sums::NONE; BLOCK_ROWS / LINE_ROWS];
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

    /// Takes the codes of the rows of a line of `from` whose bits are set, to a block's rows from `at`.
    fn sift(
        &mut self,
        level: Level,
        from: &Batch<'_>,
        line: usize,
        bits: u64,
        block: usize,
        at: usize,
    ) {
        let columns = self.program.columns();
        let (of_block, line) = (line / from.lines, line % from.lines);
        let from_block = &from.codes[of_block * columns * from.lines..][..columns * from.lines];
        let to_block = &mut self.codes[block * columns * self.lines..][..columns * self.lines];
        #[cfg(target_arch = "x86_64")]
        if sifts(level) {
            return avx512_codes::sift(
                from_block, from.lines, line, bits, to_block, self.lines, at,
            );
        }
        let _ = level;
        let columns = from_block.chunks_exact(from.lines);
        for (from, to) in columns.zip(to_block.chunks_exact_mut(self.lines)) {
            let (mut bits, mut at) = (bits, at);
            while bits != 0 {
                let code = from[line].0[bits.trailing_zeros() as usize];
                to[at / LINE_ROWS].0[at % LINE_ROWS] = code;
                bits &= bits - 1;
                at += 1;
            }
        }
    }
}
