//! Ends scoring for rows of which only the side of a limit is asked, as soon as the side is certain.
//!
//! **Stages.** First all rows are scored in whole steps (`quantised`), which saves looking up leaves, by the trees that
//! say most. What the other trees can add at most decides many rows then; the rest are gathered from all blocks, as
//! dense as before, and go on with more trees, several times. Rows that are too near the limits for steps are gathered
//! once more and scored as ever.
//!
//! **Plan.** The first rows of a call tell after which chunks of trees gathering costs least; rows that are sorted may
//! make that a bad plan for the others, never a wrong answer. When too few rows are decided by steps, the others are
//! scored as ever at once.

#[cfg(target_arch = "x86_64")]
use super::avx512_codes;
use super::bins::{BLOCK_ROWS, LINE_ROWS};
use super::blend::{BATCH_BYTES, Batch, Level, StepSums, add_bytes, run, slot};
use super::plan::{Plan, STOPS_MAX, Stop};
use super::program::Program;
use super::quantised::Quantised;
use crate::score::features::Features;
use crate::score::{Limits, Scratch};
use std::ops::Range;

/// Blocks of undecided rows that are scored together; a block of these is one line.
const UNDECIDED_BLOCKS: usize = 16;

/// After how many chunks it is looked at most how many rows are undecided.
const STOPS_SEEN_MAX: usize = 32;

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
    let columns = program.columns().max(1);
    let blocks = (BATCH_BYTES / (columns * LINE_ROWS)).clamp(1, UNDECIDED_BLOCKS);
    let undecided = Batch::new(program, 1, 1, last, blocks);
    let mut rows = Rows {
        level,
        quantised,
        limits,
        plan: quantised.straight(),
        undecided: Gathered::new(undecided, blocks * LINE_ROWS),
        tried: 0,
        scored: 0,
        out,
    };
    let (mut batch, batch_rows) = Batch::of(program, 1, features.rows(), scratch);
    let mut start = batch_rows.min(BLOCK_ROWS).min(rows.out.len());
    batch.encode(level, features, 0, start);
    rows.first(&mut batch, start);
    let stops = &rows.plan.stops[..rows.plan.stops.len() - 1];
    let mut later: Vec<Gathered<'_>> = stops
        .iter()
        .zip(others)
        .map(|(stop, spare)| {
            // A stage has space for its share of the rows, and for a block at least.
            let rows = (stop.share * (rows.out.len() - start) as f64) as usize;
            let (batch, most) = Batch::of(program, 1, rows.max(BLOCK_ROWS), spare);
            Gathered::new(batch, most)
        })
        .collect();
    let mut pays = true;
    while start < rows.out.len() {
        let count = batch_rows.min(rows.out.len() - start);
        batch.encode(level, features, start, count);
        pays = pays && quantised.pays(level, &rows.plan, rows.scored, rows.tried);
        if pays {
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

/// The rows of a call, and what is done with them.
struct Rows<'a> {
    level: Level,
    quantised: &'a Quantised,
    limits: Limits,
    plan: Plan,
    /// Rows that steps do not decide.
    undecided: Gathered<'a>,
    /// Of how many rows it is known whether steps decide them.
    tried: usize,
    /// How many of these they do not decide.
    scored: usize,
    /// Scores; of undecided rows the steps so far.
    out: &'a mut [f64],
}

impl Rows<'_> {
    /// Decides a call's first rows, whose codes are found, and plans the others' stages if there are any.
    fn first(&mut self, batch: &mut Batch<'_>, rows: usize) {
        let chunks = self.quantised.chunks().len();
        let left = self.out.len() - rows;
        let stride = match left {
            0 => chunks,
            _ => chunks.div_ceil(STOPS_SEEN_MAX),
        };
        let mut seen = Vec::with_capacity(STOPS_SEEN_MAX);
        self.out[..rows].fill(0.0);
        for from in (0..chunks).step_by(stride) {
            let to = chunks.min(from + stride);
            let scores = &mut self.out[..rows];
            batch.add_chunks(self.level, self.quantised, from..to, scores);
            let side = |steps: &&f64| self.quantised.side(to, self.limits, **steps);
            let undecided = scores.iter().filter(|steps| side(steps).is_none());
            seen.push(Stop {
                chunks: to,
                share: undecided.count() as f64 / rows as f64,
            });
        }
        self.each_undecided(chunks, 0..rows, |this, line, bits| {
            this.hand(1, batch, line, bits, |row| line * LINE_ROWS + row, &mut []);
        });
        if left > 0 {
            self.plan = self.quantised.plan(self.level, &seen, left);
        }
    }

    /// Decides rows whose codes are found as far as the first stage does.
    fn begin(
        &mut self,
        batch: &mut Batch<'_>,
        start: usize,
        rows: usize,
        later: &mut [Gathered<'_>],
    ) {
        let chunks = self.plan.stops[0].chunks;
        let scores = &mut self.out[start..start + rows];
        scores.fill(0.0);
        batch.add_chunks(self.level, self.quantised, 0..chunks, scores);
        self.each_undecided(chunks, start..start + rows, |this, line, bits| {
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
            self.tried += scores.len() - bits.count_ones() as usize;
            work(self, line, bits);
        }
    }

    /// Takes the rows that wait for a stage through it, and hands the undecided to those behind.
    fn go_on(&mut self, stage: usize, waiting: &mut Gathered<'_>, later: &mut [Gathered<'_>]) {
        let stops = &self.plan.stops;
        let chunks = stops[stage - 1].chunks..stops[stage].chunks;
        let stop = chunks.end;
        let mut scores: Vec<f64> = waiting.rows.iter().map(|row| self.out[*row]).collect();
        let Gathered { batch, rows, .. } = waiting;
        batch.add_chunks(self.level, self.quantised, chunks, &mut scores);
        let lines = rows.chunks(LINE_ROWS).zip(scores.chunks_mut(LINE_ROWS));
        for (line, (rows, scores)) in lines.enumerate() {
            let bits = self.quantised.decide(stop, self.limits, scores);
            self.tried += rows.len() - bits.count_ones() as usize;
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
                self.tried += bits.count_ones() as usize;
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
}

/// Whether rows are gathered by vectors.
pub(super) fn sifts(level: Level) -> bool {
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
                let mut steps = [StepSums::NONE; BLOCK_ROWS / LINE_ROWS];
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
