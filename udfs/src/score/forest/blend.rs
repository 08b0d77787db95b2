//! Runs a compiled forest over blocks of rows.
//!
//! Rows are taken in blocks of 64 to 512 and blocks in batches whose codes stay in the second cache level. For each
//! batch the codes are found feature by feature; then each chunk of trees is run over all blocks while its operations
//! are in the first level. A row's score starts at 0.0 and is added to in the trees' order, so it has the same bits
//! as the plain scorer's.
//!
//! The three [`Level`]s do the same with vectors of different widths. This file has the portable one, which the
//! compiler vectorises for whatever it builds for; it is also the readable form of the other two.

use super::bins::{BLOCK_ROWS, Bins, LINE_ROWS, Line};
use super::program::{
    ARENA_LINES, BLOCK_LINES, Code, Form, Op, Ops, Program, SLOT_LINES, Step, by_kind, by_lines,
    top,
};
use super::single;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::score::Scratch;
use crate::score::column::Keyed;
use crate::score::features::{Column, Features};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Bytes of codes and sums that a batch of blocks may have: half a second cache level.
const BATCH_BYTES: usize = 256 << 10;

/// Blocks that a batch may have.
const BATCH_BLOCKS_MAX: usize = 32;

/// Rows that walk a tree side by side.
const WALKERS: usize = 16;

/// Steps of a walk between two looks whether all have arrived.
const STRIDE: usize = 8;

/// Which instructions a forest is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Those of every processor the program runs on.
    Portable,
    /// 256-bit vectors.
    Avx2,
    /// 512-bit vectors with byte masks.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the slowest first.
    pub fn available() -> &'static [Self] {
        static LEVELS: OnceLock<Vec<Level>> = OnceLock::new();
        LEVELS.get_or_init(|| {
            let mut levels = vec![Self::Portable];
            #[cfg(target_arch = "x86_64")]
            {
                if avx2::available() {
                    levels.push(Self::Avx2);
                }
                if avx512::available() {
                    levels.push(Self::Avx512);
                }
            }
            levels
        })
    }

    /// The fastest level that this processor has.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// As the benches print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Writes `features.rows() * outputs` raw scores, row by row. The level must be available.
pub fn score(
    level: Level,
    program: &Program,
    outputs: usize,
    features: &Features,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    let rows = features.rows();
    if rows == 1
        && let Some(single) = program.single()
    {
        return single::score(level, program, single, features, scratch, out);
    }
    let (mut batch, batch_rows) = Batch::of(program, outputs, rows, scratch);
    for (index, scores) in out.chunks_mut(batch_rows * outputs).enumerate() {
        let rows = scores.len() / outputs;
        batch.encode(level, features, index * batch_rows, rows);
        batch.score(level, scores);
    }
}

/// Blocks of rows on their way through the forest.
pub(super) struct Batch<'a> {
    pub(super) program: &'a Program,
    outputs: usize,
    /// Lines of a block in each column: one of [`BLOCK_LINES`].
    pub(super) lines: usize,
    /// Slots.
    arena: &'a mut [Line],
    /// For each block the lines of each column.
    pub(super) codes: &'a mut [Line],
    /// For each block the scores of each output.
    sums: &'a mut [f64],
    /// For each block the values of the features that linear leaves use.
    values: &'a mut [f64],
    linear: Vec<usize>,
    /// For each block its rows' steps.
    pub(super) steps: &'a mut [StepSums],
}

impl<'a> Batch<'a> {
    /// Space for the batches of `rows` rows, and how many rows are a batch.
    pub(super) fn of(
        program: &'a Program,
        outputs: usize,
        rows: usize,
        scratch: &'a mut Scratch,
    ) -> (Self, usize) {
        let row_bytes = program.columns() + outputs * size_of::<f64>();
        let fits = |lines: &&usize| row_bytes * **lines * LINE_ROWS <= 2 * BATCH_BYTES;
        let fitting = || BLOCK_LINES.iter().take_while(fits);
        let lines = fitting()
            .find(|lines| **lines * LINE_ROWS >= rows)
            .or(fitting().last())
            .map_or(1, |lines| *lines);
        let block_rows = lines * LINE_ROWS;
        let blocks = (BATCH_BYTES / (row_bytes * block_rows))
            .clamp(1, BATCH_BLOCKS_MAX)
            .min(rows.div_ceil(block_rows).max(1));
        let Scratch {
            lines: space,
            f64s,
            steps,
            ..
        } = scratch;
        if steps.len() < blocks * lines {
            steps.resize(blocks * lines, StepSums::NONE);
        }
        let codes = blocks * program.columns() * lines;
        if space.len() < ARENA_LINES + codes {
            space.resize(ARENA_LINES + codes, Line([0; LINE_ROWS]));
        }
        let (arena, codes_space) = space.split_at_mut(ARENA_LINES);
        let linear = program.linear_features().to_vec();
        let (sums, values) = (
            blocks * lines * LINE_ROWS * outputs,
            blocks * lines * LINE_ROWS * linear.len(),
        );
        if f64s.len() < sums + values {
            f64s.resize(sums + values, 0.0);
        }
        let (sums_space, values_space) = f64s.split_at_mut(sums);
        let batch = Self {
            program,
            outputs,
            lines,
            arena,
            codes: &mut codes_space[..codes],
            sums: sums_space,
            values: &mut values_space[..values],
            linear,
            steps,
        };
        (batch, blocks * block_rows)
    }

    /// Finds the codes of `rows` rows from `start`; the last block is filled up with rows of zeros.
    pub(super) fn encode(&mut self, level: Level, features: &Features, start: usize, rows: usize) {
        let block_rows = self.lines * LINE_ROWS;
        let block_lines = self.program.columns() * self.lines;
        let mut space = [0.0; BLOCK_ROWS];
        let blocks = || (0..rows.div_ceil(block_rows)).map(|block| (block, block * block_rows));
        // A dictionary of more values than there are rows is read row by row.
        let small = |column: &'_ Column| match column {
            Column::Keyed(keyed) if keyed.values().len() < rows => Some(Arc::clone(keyed)),
            _ => None,
        };
        for bins in self.program.bins() {
            let column = &features.columns()[bins.feature()];
            if let Some(keyed) = small(column) {
                self.encode_keyed(bins, &keyed, start, rows);
                continue;
            }
            for (block, from) in blocks() {
                let codes = &mut self.codes[block * block_lines..][..block_lines];
                let mut nulls = [0; BLOCK_ROWS / LINE_ROWS];
                match column.floats(start + from, block_rows, &mut nulls) {
                    Some(values) => bins.write(level, values, &nulls, codes),
                    None => {
                        let values =
                            filled(column, start + from, rows - from, &mut space[..block_rows]);
                        bins.write(level, values, &nulls, codes);
                    }
                }
            }
        }
        for categories in self.program.categories() {
            let column = &features.columns()[categories.feature()];
            // A row without a value has the place behind the last.
            let keyed = small(column).map(|keyed| {
                let values = keyed.values().iter().chain([&f64::NAN]);
                let numbers: Vec<u32> = values.map(|v| categories.number(*v)).collect();
                (keyed, numbers)
            });
            let numbers = &mut [0; BLOCK_ROWS][..block_rows];
            for (block, from) in blocks() {
                if let Some((keyed, of_places)) = &keyed {
                    let here = block_rows.min(rows - from);
                    keyed.places(start + from, &mut numbers[..here]);
                    numbers[here..].fill(0);
                    numbers.iter_mut().for_each(|n| *n = of_places[*n as usize]);
                } else {
                    let space = &mut space[..block_rows];
                    let values = filled(column, start + from, rows - from, space);
                    for (number, value) in numbers.iter_mut().zip(values) {
                        *number = categories.number(*value);
                    }
                }
                let codes = &mut self.codes[block * block_lines..][..block_lines];
                categories.write(numbers, codes);
            }
        }
        let width = self.linear.len();
        for (place, feature) in self.linear.iter().enumerate() {
            let column = &features.columns()[*feature];
            for block in 0..rows.div_ceil(block_rows) {
                let from = block * block_rows;
                let here = block_rows.min(rows - from);
                let values = &mut self.values[(block * width + place) * block_rows..][..block_rows];
                column.fill(start + from, &mut values[..here]);
            }
        }
    }

    /// Finds the codes of a dictionary's values, and the rows' codes by their keys.
    fn encode_keyed(&mut self, bins: &Bins, keyed: &Keyed, start: usize, rows: usize) {
        let block_rows = self.lines * LINE_ROWS;
        let block_lines = self.program.columns() * self.lines;
        let mut codes = vec![0; self.program.columns()];
        let mut tables: Vec<(usize, Vec<u8>)> =
            bins.columns().map(|column| (column, Vec::new())).collect();
        // A row without a value has the place behind the last.
        for value in keyed.values().iter().chain([&f64::NAN]) {
            bins.write_one(*value, &mut codes);
            tables
                .iter_mut()
                .for_each(|(column, table)| table.push(codes[*column]));
        }
        let mut places = [0; BLOCK_ROWS];
        for (block, from) in (0..rows).step_by(block_rows).enumerate() {
            let here = block_rows.min(rows - from);
            keyed.places(start + from, &mut places[..here]);
            let lines = &mut self.codes[block * block_lines..][..block_lines];
            for (column, table) in &tables {
                let lines = &mut lines[column * self.lines..][..self.lines];
                for (line, places) in lines.iter_mut().zip(places.as_chunks::<LINE_ROWS>().0) {
                    line.0 = places.map(|place| table[place as usize]);
                }
            }
        }
    }

    /// Writes the scores of rows whose codes are found, row by row.
    pub(super) fn score(&mut self, level: Level, scores: &mut [f64]) {
        let rows = scores.len() / self.outputs;
        let block_sums = self.lines * LINE_ROWS * self.outputs;
        let program = self.program;
        let sums = std::mem::take(&mut self.sums);
        sums.fill(0.0);
        for chunk in program.chunks() {
            let mut sums = sums.chunks_exact_mut(block_sums);
            self.each_block(rows, |block| {
                let sums = sums.next().unwrap_or_default();
                for tree in &program.codes()[chunk.clone()] {
                    add(level, program, tree, block, sums);
                }
            });
        }
        self.sums = sums;
        self.write(scores, rows);
    }

    /// Does something with each of the blocks of `rows` rows.
    pub(super) fn each_block(&mut self, rows: usize, mut work: impl FnMut(&mut Block<'_>)) {
        let block_rows = self.lines * LINE_ROWS;
        let block_lines = self.program.columns() * self.lines;
        let width = self.linear.len() * block_rows;
        for block in 0..rows.div_ceil(block_rows) {
            work(&mut Block {
                lines: self.lines,
                codes: &self.codes[block * block_lines..][..block_lines],
                arena: self.arena,
                values: &self.values[block * width..][..width],
            });
        }
    }

    /// Takes the sums out, row by row.
    fn write(&self, scores: &mut [f64], rows: usize) {
        let block_rows = self.lines * LINE_ROWS;
        let blocks = scores.chunks_mut(block_rows * self.outputs);
        for (scores, sums) in blocks.zip(self.sums.chunks(block_rows * self.outputs)) {
            if self.outputs == 1 {
                scores.copy_from_slice(&sums[..scores.len()]);
                continue;
            }
            for (output, sums) in sums.chunks_exact(block_rows).enumerate() {
                let places = scores.iter_mut().skip(output).step_by(self.outputs);
                for (place, sum) in places.zip(sums) {
                    *place = *sum;
                }
            }
        }
        debug_assert_eq!(scores.len(), rows * self.outputs);
    }
}

/// The values of a block of a column of which `rows` rows are left; zeros behind them.
fn filled<'a>(column: &Column, start: usize, rows: usize, space: &'a mut [f64]) -> &'a [f64] {
    let rows = rows.min(space.len());
    column.fill(start, &mut space[..rows]);
    space[rows..].fill(0.0);
    space
}

/// A block of rows and where it is worked on.
pub struct Block<'a> {
    /// Lines of a column: one of [`BLOCK_LINES`].
    pub lines: usize,
    /// The lines of each column.
    pub codes: &'a [Line],
    /// Slots, [`ARENA_LINES`] lines of them; those of slot 0 are zeros.
    pub arena: &'a mut [Line],
    /// The rows' values of each feature that linear leaves use.
    pub values: &'a [f64],
}

/// Runs some of the operations on a block.
pub(super) fn run(level: Level, ops: &Ops, range: Range<usize>, block: &mut Block<'_>) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::run(ops, range, block),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::run(ops, range, block),
        _ => by_lines!(block.lines, run_lines(&ops.all()[range], block)),
    }
}

/// Adds a tree to the sums of a block: the rows' scores of each output.
fn add(level: Level, program: &Program, tree: &Code, block: &mut Block<'_>, sums: &mut [f64]) {
    let rows = block.lines * LINE_ROWS;
    let leaves = &program.leaves()[tree.leaves.clone()];
    let mut found = [0_u32; BLOCK_ROWS];
    match &tree.form {
        Form::Walk(steps) => walk(&program.steps()[steps.clone()], block, &mut found[..rows]),
        Form::Blend { ops, low, high } => {
            run(level, program.ops(), ops.clone(), block);
            if tree.linear.is_empty() && high.is_none() {
                let sums = sums[tree.output * rows..][..rows].as_chunks_mut().0;
                add_leaves(level, slot(*low, block), leaves, sums);
                return;
            }
            let found = found[..rows].as_chunks_mut::<LINE_ROWS>().0;
            for (found, low) in found.iter_mut().zip(slot(*low, block)) {
                *found = low.0.map(u32::from);
            }
            if let Some(high) = high {
                for (found, high) in found.iter_mut().zip(slot(*high, block)) {
                    let bytes = found.iter_mut().zip(high.0);
                    bytes.for_each(|(found, high)| *found |= u32::from(high) << 8);
                }
            }
        }
    }
    let sums = &mut sums[tree.output * rows..][..rows];
    let functions = &program.linear()[tree.linear.clone()];
    for (row, (sum, leaf)) in sums.iter_mut().zip(found).enumerate() {
        let value = |place: u32| block.values[place as usize * rows + row];
        let linear = functions
            .get(leaf as usize)
            .and_then(|function| function.value(value));
        *sum += linear.unwrap_or(leaves[leaf as usize]);
    }
}

/// Adds the numbers of the leaves that rows are found in, of at most 256.
#[inline]
fn add_leaves(level: Level, found: &[Line], leaves: &[f64], sums: &mut [[f64; LINE_ROWS]]) {
    #[cfg(target_arch = "x86_64")]
    if level == Level::Avx512 && leaves.len() <= avx512::REGISTER_LEAVES {
        return avx512::add_few(found, leaves, sums);
    }
    let _ = level;
    for (found, sums) in found.iter().zip(sums) {
        for (sum, leaf) in sums.iter_mut().zip(found.0) {
            *sum += leaves[usize::from(leaf)];
        }
    }
}

/// How many steps the rows of a line have: sums of bytes, in two bytes each.
#[derive(Debug, Clone, Copy)]
pub struct StepSums {
    /// The low bytes.
    pub low: Line,
    /// How often they were carried over.
    pub high: Line,
}

impl StepSums {
    /// No steps.
    pub const NONE: Self = Self {
        low: Line([0; LINE_ROWS]),
        high: Line([0; LINE_ROWS]),
    };

    /// Adds their widths to the scores of the rows, which may be fewer than a line has.
    pub(super) fn add_to(&self, level: Level, width: f64, scores: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if level == Level::Avx512
            && let Ok(scores) = scores.try_into()
        {
            return avx512::add_steps(self, width, scores);
        }
        let _ = level;
        for (score, (low, high)) in scores.iter_mut().zip(self.low.0.iter().zip(self.high.0)) {
            *score += f64::from(u16::from_le_bytes([*low, high])) * width;
        }
    }
}

/// Adds bytes, each and `first` modulo 256, row by row.
#[inline]
pub(super) fn add_bytes(level: Level, lines: &[Line], first: u8, steps: &mut [StepSums]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::add_bytes(lines, first, steps),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::add_bytes(lines, first, steps),
        _ => {
            for (line, StepSums { low, high }) in lines.iter().zip(steps) {
                let rows = line.0.iter().zip(low.0.iter_mut().zip(&mut high.0));
                for (byte, (low, high)) in rows {
                    let byte = byte.wrapping_add(first);
                    *low = low.wrapping_add(byte);
                    *high += u8::from(*low < byte);
                }
            }
        }
    }
}

/// A block's lines in a slot.
pub(super) fn slot<'a>(slot: u8, block: &'a Block<'_>) -> &'a [Line] {
    &block.arena[usize::from(slot) * SLOT_LINES..][..block.lines]
}

fn run_lines<const LINES: usize>(ops: &[Op], block: &mut Block<'_>) {
    for op in ops {
        by_kind!(op, decide::<LINES>(op, block));
    }
}

/// One operation on all lines of a block.
#[inline]
fn decide<const KIND: u8, const LINES: usize>(op: &Op, block: &mut Block<'_>) {
    for line in 0..LINES {
        let node = |at: usize, left: [u8; LINE_ROWS], right: [u8; LINE_ROWS]| {
            let codes = &block.codes[op.columns[at] as usize * LINES + line];
            let (threshold, add) = (op.thresholds[at] as u8, op.adds[at] as u8);
            let mut out = left;
            for (out, (code, right)) in out.iter_mut().zip(codes.0.iter().zip(right)) {
                // A mask instead of a choice, which the compiler would make a branch of.
                let above = u8::from(*code > threshold).wrapping_neg();
                *out = right.wrapping_add(add) & above | *out & !above;
            }
            out
        };
        let input = |at: usize| match KIND % 2 {
            0 => block.arena[usize::from(op.inputs[at]) * SLOT_LINES + line].0,
            _ => [0; LINE_ROWS],
        };
        let top = top!(KIND / 2, node, input);
        block.arena[usize::from(op.out) * SLOT_LINES + line].0 = top;
    }
}

/// Walks a tree with each row of a block; several rows side by side, so that they wait for memory together.
fn walk(steps: &[Step], block: &Block<'_>, found: &mut [u32]) {
    for (group, found) in found.chunks_exact_mut(WALKERS).enumerate() {
        let (line, row) = (group * WALKERS / LINE_ROWS, group * WALKERS % LINE_ROWS);
        let mut at = [0_i32; WALKERS];
        while at.iter().any(|at| *at >= 0) {
            for _ in 0..STRIDE {
                for (walker, at) in at.iter_mut().enumerate() {
                    let code = |column: u32| {
                        block.codes[column as usize * block.lines + line].0[row + walker]
                    };
                    *at = Step::follow(steps, *at, code);
                }
            }
        }
        for (found, at) in found.iter_mut().zip(at) {
            *found = !at as u32;
        }
    }
}
