//! Ends scoring for rows of which only the side of a limit is asked, as soon as the side is certain.
//!
//! **Stages.** First all rows are scored in whole steps (`quantised`), which saves looking up leaves, by the trees that
//! say most. What the other trees can add at most decides many rows then; the rest are gathered from all blocks, as
//! dense as before, and go on with more trees, several times. Rows that are too near the limits for steps are gathered
//! once more and scored as ever.
//!
//! **Plan.** The first rows of a call tell after which chunks of trees gathering costs least; the next calls of the same
//! caller follow that plan while rows go by it. Rows that are sorted may make it a bad plan for the others, never a wrong
//! answer. When too few rows are decided by steps, the others of the call are scored as ever at once.

use super::bins::{BLOCK_ROWS, LINE_ROWS};
use super::blend::{Batch, Level, StepSums, add_bytes, run, slot};
use super::plan::{Plan, STOPS_MAX, Stop};
use super::program::Program;
use super::quantised::Quantised;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512, avx512_codes};
use crate::score::features::Features;
use crate::score::{Limits, Scratch};
use std::ops::Range;

/// After how many chunks it is looked at most how many rows are undecided.
const STOPS_SEEN_MAX: usize = 64;

/// Up to so many rows of a line are gathered one by one.
const FEW: u32 = 2;

/// How many calls use a plan, the one that makes it included.
const CALLS: u32 = 16;

/// A plan that a caller follows, and how well rows went by it.
#[derive(Debug)]
pub struct Followed {
    plan: Plan,
    /// The forest's address, its number of chunks, the level and the limits. Should another forest have come to lie there,
    /// its rows go by this plan, too.
    of: (usize, usize, Level, Limits),
    /// Rows of the call it was made for; it does not suit calls that are much larger.
    rows: usize,
    calls: u32,
    /// Of how many rows it is known whether steps decide them.
    tried: usize,
    /// How many of these they do not decide.
    scored: usize,
    /// How many rows went through the first stage.
    begun: usize,
    /// How many of these went on.
    went_on: usize,
}

impl Followed {
    /// Whether rows go by the plan: not many more go on than were seen to.
    fn is_good(&self) -> bool {
        let seen = self.plan.stops[0].share * self.begun as f64;
        self.went_on as f64 <= 1.25 * seen + 0.05 * self.begun as f64
    }
}

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
    spare.resize_with(STOPS_MAX + 1, Spare::default);
    let chunks = quantised.chunks().len();
    let of = (std::ptr::from_ref(quantised).addr(), chunks, level, limits);
    let followed = scratch.followed.take();
    let (mut batch, batch_rows) = Batch::of(program, 1, features.rows(), scratch);
    let mut start = 0;
    // A single block has no stages.
    let staged = out.len() > batch_rows.min(BLOCK_ROWS);
    let followed = followed.filter(|followed| {
        staged && followed.of == of && followed.calls < CALLS && out.len() / 2 <= followed.rows
    });
    let mut followed = followed.unwrap_or_else(|| {
        start = batch_rows.min(BLOCK_ROWS).min(out.len());
        batch.encode(level, features, 0, start);
        Followed {
            plan: plan(level, quantised, limits, &mut batch, start, out),
            of,
            rows: out.len(),
            calls: 0,
            tried: 0,
            scored: 0,
            begun: 0,
            went_on: 0,
        }
    });
    followed.calls += 1;
    let mut later = stages(program, &followed.plan, out.len(), &mut spare);
    let mut rows = Rows {
        level,
        quantised,
        limits,
        undecided: later.pop().expect("there is a last stop"),
        followed,
        out,
    };
    rows.decide(&batch, chunks, 0..start, &mut []);
    let mut pays = true;
    while start < rows.out.len() {
        let count = batch_rows.min(rows.out.len() - start);
        batch.encode(level, features, start, count);
        let Followed {
            plan,
            tried,
            scored,
            ..
        } = &rows.followed;
        pays = pays && quantised.pays(level, plan, *scored, *tried);
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
    let followed = rows.followed;
    scratch.followed = Some(followed).filter(|followed| staged && pays && followed.is_good());
    scratch.spare = spare;
}

/// Room for the rows that wait for the stages of a plan behind the first, and for those that no stage decides.
fn stages<'a>(
    program: &'a Program,
    plan: &Plan,
    rows: usize,
    spare: &'a mut [Spare],
) -> Vec<Gathered<'a>> {
    let last = plan.stops.len() - 1;
    let stage = |(number, (stop, spare)): (usize, (&Stop, &'a mut Spare))| {
        // Its share of the rows, and some that are unlike the first.
        let rows = (stop.share * rows as f64 * 1.25) as usize;
        let least = if number < last { BLOCK_ROWS } else { LINE_ROWS };
        Gathered::new(program, rows.max(least), spare)
    };
    let stops = plan.stops.iter().zip(spare).enumerate();
    stops.map(stage).collect()
}

/// Adds up the steps of a call's first rows, whose codes are found, and plans the stages of the others.
fn plan(
    level: Level,
    quantised: &Quantised,
    limits: Limits,
    batch: &mut Batch<'_>,
    rows: usize,
    out: &mut [f64],
) -> Plan {
    let chunks = quantised.chunks().len();
    let (scores, others) = out.split_at_mut(rows);
    scores.fill(0.0);
    let stride = match others.len() {
        0 => chunks,
        _ => chunks.div_ceil(STOPS_SEEN_MAX),
    };
    let mut seen = Vec::with_capacity(STOPS_SEEN_MAX);
    for from in (0..chunks).step_by(stride) {
        let to = chunks.min(from + stride);
        batch.add_chunks(level, quantised, from..to, scores);
        let undecided = scores.chunks(LINE_ROWS).map(|line| {
            let copy = &mut [0.0; LINE_ROWS][..line.len()];
            copy.copy_from_slice(line);
            quantised.decide(level, to, limits, copy).count_ones()
        });
        seen.push(Stop {
            chunks: to,
            share: f64::from(undecided.sum::<u32>()) / rows as f64,
        });
    }
    quantised.plan(level, &seen, out.len())
}

/// The rows of a call, and what is done with them.
struct Rows<'a> {
    level: Level,
    quantised: &'a Quantised,
    limits: Limits,
    followed: Followed,
    /// Rows that steps do not decide.
    undecided: Gathered<'a>,
    /// Scores; of undecided rows the steps so far.
    out: &'a mut [f64],
}

impl Rows<'_> {
    /// Decides rows whose codes are found as far as the first stage does.
    fn begin(
        &mut self,
        batch: &mut Batch<'_>,
        start: usize,
        rows: usize,
        later: &mut [Gathered<'_>],
    ) {
        let chunks = self.followed.plan.stops[0].chunks;
        let steps = &mut self.out[start..start + rows];
        steps.fill(0.0);
        batch.add_chunks(self.level, self.quantised, 0..chunks, steps);
        self.followed.begun += rows;
        self.followed.went_on += self.decide(batch, chunks, start..start + rows, later);
    }

    /// Decides rows of the call whose steps of so many chunks are in their places, and hands the others on; how many
    /// these are.
    fn decide(
        &mut self,
        batch: &Batch<'_>,
        chunks: usize,
        rows: Range<usize>,
        later: &mut [Gathered<'_>],
    ) -> usize {
        let mut handed = 0;
        for (line, first) in rows.clone().step_by(LINE_ROWS).enumerate() {
            let mut steps = [0.0; LINE_ROWS];
            let steps = &mut steps[..LINE_ROWS.min(rows.end - first)];
            let here = &mut self.out[first..][..steps.len()];
            let undecided = self.quantised.decide(self.level, chunks, self.limits, here);
            handed += undecided.count_ones() as usize;
            steps.copy_from_slice(here);
            let places: [u32; LINE_ROWS] = std::array::from_fn(|row| (first + row) as u32);
            self.hand(
                (batch, line),
                undecided,
                (&places[..steps.len()], steps),
                1,
                later,
            );
        }
        handed
    }

    /// Takes the rows that wait for a stage through it, and hands the undecided to those behind.
    fn go_on(&mut self, stage: usize, waiting: &mut Gathered<'_>, later: &mut [Gathered<'_>]) {
        let stops = &self.followed.plan.stops;
        let chunks = stops[stage - 1].chunks..stops[stage].chunks;
        let stop = chunks.end;
        let Gathered {
            batch,
            places,
            steps,
            rows,
        } = waiting;
        let steps = &mut steps[..*rows];
        batch.add_chunks(self.level, self.quantised, chunks, steps);
        let lines = places.chunks(LINE_ROWS).zip(steps.chunks_mut(LINE_ROWS));
        for (line, (places, steps)) in lines.enumerate() {
            let places = &places[..steps.len()];
            let bits = self.quantised.decide(self.level, stop, self.limits, steps);
            // Undecided rows are written again.
            for (place, steps) in places.iter().zip(&*steps) {
                self.out[*place as usize] = *steps;
            }
            self.hand((batch, line), bits, (places, steps), stage + 1, later);
        }
        *rows = 0;
    }

    /// Hands the rows of a line whose bits are set to a stage, which is the first of `later` or, behind all, to be scored
    /// as ever. The rows come with their places in the call and their steps.
    fn hand(
        &mut self,
        from: (&Batch<'_>, usize),
        mut bits: u64,
        rows: (&[u32], &[f64]),
        stage: usize,
        later: &mut [Gathered<'_>],
    ) {
        let undecided = bits.count_ones() as usize;
        self.followed.tried += rows.0.len() - undecided;
        match later.split_first_mut() {
            Some((next, later)) => {
                while bits != 0 {
                    bits = next.take(self.level, from, bits, rows);
                    if next.is_full() {
                        self.go_on(stage, next, later);
                    }
                }
            }
            None => {
                self.followed.tried += undecided;
                self.followed.scored += undecided;
                while bits != 0 {
                    bits = self.undecided.take(self.level, from, bits, rows);
                    if self.undecided.is_full() {
                        self.score_undecided();
                    }
                }
            }
        }
    }

    /// Scores the rows that steps do not decide.
    fn score_undecided(&mut self) {
        let Gathered {
            batch,
            places,
            steps: scores,
            rows,
        } = &mut self.undecided;
        batch.score(self.level, &mut scores[..*rows]);
        for (place, score) in places[..*rows].iter().zip(&**scores) {
            self.out[*place as usize] = *score;
        }
        *rows = 0;
    }
}

/// Space for rows that are gathered; see [`Gathered`].
#[derive(Debug, Default)]
pub struct Spare {
    scratch: Scratch,
    places: Vec<u32>,
    steps: Vec<f64>,
}

/// Rows that are gathered from others' blocks.
struct Gathered<'a> {
    batch: Batch<'a>,
    /// Their places among the rows of the call; there is room for as many rows as these.
    places: &'a mut [u32],
    /// Their steps.
    steps: &'a mut [f64],
    /// How many there are.
    rows: usize,
}

impl<'a> Gathered<'a> {
    /// Room for some of so many rows.
    fn new(program: &'a Program, rows: usize, spare: &'a mut Spare) -> Self {
        let (batch, most) = Batch::of(program, 1, rows, &mut spare.scratch);
        if spare.steps.len() < most {
            spare.places.resize(most, 0);
            spare.steps.resize(most, 0.0);
        }
        Self {
            batch,
            places: &mut spare.places[..most],
            steps: &mut spare.steps[..most],
            rows: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.rows == self.places.len()
    }

    /// Takes the rows of a line of a batch whose bits are set, as many as there is room for in a block, with their places
    /// and steps; the bits of the others.
    fn take(
        &mut self,
        level: Level,
        (from, line): (&Batch<'_>, usize),
        bits: u64,
        (places, steps): (&[u32], &[f64]),
    ) -> u64 {
        let block_rows = self.batch.lines * LINE_ROWS;
        let (block, at) = (self.rows / block_rows, self.rows % block_rows);
        let mut left = bits;
        if bits.count_ones() as usize <= block_rows - at {
            left = 0;
        } else {
            (at..block_rows).for_each(|_| left &= left - 1);
        }
        let taken = bits ^ left;
        let to = self.rows..self.rows + taken.count_ones() as usize;
        self.rows = to.end;
        let to = (&mut self.places[to.clone()], &mut self.steps[to]);
        pick(level, taken, (places, steps), to);
        self.batch.sift(level, from, line, taken, block, at);
        left
    }
}

/// Copies the places and steps of a line's rows whose bits are set.
fn pick(level: Level, bits: u64, from: (&[u32], &[f64]), to: (&mut [u32], &mut [f64])) {
    #[cfg(target_arch = "x86_64")]
    if level == Level::Avx512
        && let (Ok(places), Ok(steps)) = (from.0.try_into(), from.1.try_into())
    {
        return avx512::pick(bits, (places, steps), to);
    }
    let _ = level;
    let mut left = bits;
    for (place, steps) in to.0.iter_mut().zip(to.1) {
        let row = left.trailing_zeros() as usize;
        (*place, *steps) = (from.0[row], from.1[row]);
        left &= left - 1;
    }
}

impl Quantised {
    /// Writes the sides of a line's rows that have the steps of so many chunks; a bit for each that is not certain.
    fn decide(&self, level: Level, chunks: usize, limits: Limits, steps: &mut [f64]) -> u64 {
        let bounds = self.bounds(chunks);
        #[cfg(target_arch = "x86_64")]
        if level == Level::Avx512
            && let Ok(steps) = steps.try_into()
        {
            return avx512::sides(steps, bounds, limits);
        }
        let _ = level;
        let mut uncertain = 0;
        for (row, steps) in steps.iter_mut().enumerate() {
            if *steps + bounds.1 < limits.low {
                *steps = f64::NEG_INFINITY;
            } else if *steps + bounds.0 > limits.high {
                *steps = f64::INFINITY;
            } else {
                uncertain |= 1 << row;
            }
        }
        uncertain
    }
}

/// Whether the codes of many rows are gathered at once.
pub(super) fn sifts(level: Level) -> bool {
    #[cfg(target_arch = "x86_64")]
    return level >= Level::Avx2;
    #[cfg(not(target_arch = "x86_64"))]
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
        let sums = std::mem::take(&mut self.steps);
        let lines = rows.div_ceil(block_rows) * self.lines;
        for chunks in quantised.chunks()[chunks].chunk_by(|one, next| one.sum == next.sum) {
            sums[..lines].fill(StepSums::NONE);
            for chunk in chunks {
                let mut sums = sums.chunks_exact_mut(self.lines);
                self.each_block(rows, |block| {
                    let sums = sums.next().unwrap_or_default();
                    for tree in &chunk.trees {
                        run(level, quantised.ops(), tree.ops.clone(), block);
                        add_bytes(level, slot(tree.root, block), tree.first, sums);
                    }
                });
            }
            for (scores, sums) in scores.chunks_mut(LINE_ROWS).zip(&*sums) {
                sums.add_to(level, chunks[0].step, scores);
            }
        }
        self.steps = sums;
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
        let from = (from_block, from.lines, line);
        let to = (to_block, self.lines, at);
        #[cfg(target_arch = "x86_64")]
        if sifts(level) && bits.count_ones() > FEW {
            return match level == Level::Avx512 && avx512_codes::sifts() {
                true => avx512_codes::sift(from, bits, to),
                false => avx2::sift(from, bits, to),
            };
        }
        let (from, from_lines, line) = from;
        let (to, to_lines, at) = to;
        let columns = from.chunks_exact(from_lines);
        for (from, to) in columns.zip(to.chunks_exact_mut(to_lines)) {
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
