//! Codes: each value of a feature as one byte that answers every question the forest asks of it.
//!
//! **Idea.** A forest compares a feature with finitely many thresholds. Sorted, t₀ < t₁ < …, they cut the numbers
//! into intervals, and a value's code is how many thresholds are below it: `v > t[j]` is exactly `code > j`. The f64
//! is looked at once per row; the trees then compare bytes, 16 to 64 at a time.
//!
//! **Columns.** A feature has one code column for each way its nodes treat a missing value: NaN as code 0 (it goes
//! left everywhere) or 255 (right everywhere), and the same with zero as missing. More than [`SEGMENT`] thresholds
//! take several columns: segment s holds `code - s · SEGMENT`, cut to 0..=255, which decides `code > j` for the j of
//! that segment. So a byte is always enough.
//!
//! **Categories.** A set of categories is a column that is 0 for members (left) and 255 for others. Eight sets are
//! looked up at once: a category's row in a table has one bit per set.
//!
//! **Finding the code.** A grid over the values, or over their bits for values spread over magnitudes, is a function
//! g that never decreases; so a threshold in a lower cell than v is below v and one in a higher cell is not. A table
//! tells how many thresholds lie in lower cells; the few of v's own cell are compared. Thresholds too close for any
//! grid are searched by halves. No approximation is involved: g orders, the comparisons decide. Processors with byte
//! permutations look up in registers instead, see `places`.
//!
//! **Limits.** Magnitudes up to [`ZERO_MAX`] count as 0. That is done to the thresholds, not to every value: those
//! within that range move to its ends, see [`settled`].

use super::blend::Level;
use super::places::Places;
#[cfg(target_arch = "x86_64")]
use super::{avx512, avx512_codes};
use crate::score::features::ZERO_MAX;

/// Thresholds that one byte tells apart beside "missing, right".
pub const SEGMENT: usize = 254;

/// The codes of 64 rows in one column: a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u8; LINE_ROWS]);

/// Rows of a [`Line`].
pub const LINE_ROWS: usize = 64;

/// Most rows whose codes are found in one go.
pub const BLOCK_ROWS: usize = 8 * LINE_ROWS;

/// Cells of a grid at most, per threshold.
const CELLS_PER_THRESHOLD: usize = 16;

/// Most thresholds in one cell.
pub(super) const RUN_MAX: usize = 4;

/// Entries behind a table's last that vectors may read.
pub(super) const OVERREAD: usize = 3;

/// How the nodes of a code column treat missing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// NaN goes where 0 goes.
    NanZero,
    /// NaN goes left.
    NanLeft,
    /// NaN goes right.
    NanRight,
    /// NaN and 0 go left.
    ZeroLeft,
    /// NaN and 0 go right.
    ZeroRight,
}

/// Kinds of [`Missing`].
const MISSING_WAYS: usize = 5;

impl Missing {
    /// Whether 0 is a missing value to these nodes.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::ZeroLeft | Self::ZeroRight)
    }

    /// Whether it is a missing value to these nodes.
    fn takes(self, value: f64) -> bool {
        value.is_nan() || self.is_zero() && value.abs() <= ZERO_MAX
    }
}

/// Bins with a grid over the values: only [`Bins::new`] makes such tables, so a cell's entry is at most the number of
/// thresholds, behind which there are [`RUN_MAX`] more.
#[derive(Clone, Copy)]
pub(super) struct Gridded<'a> {
    grid: ValueGrid,
    cells: &'a Cells,
    thresholds: &'a [f64],
}

impl<'a> Gridded<'a> {
    /// Which cell a value is in: 0 to `last`.
    pub fn grid(self) -> ValueGrid {
        self.grid
    }

    /// Thresholds below each cell, and [`OVERREAD`] entries more.
    pub fn below(self) -> &'a [u16] {
        &self.cells.below
    }

    /// Most thresholds in one cell.
    pub fn run(self) -> usize {
        self.cells.run
    }

    /// The thresholds, and [`RUN_MAX`] infinities more.
    pub fn thresholds(self) -> &'a [f64] {
        self.thresholds
    }
}

/// What is found out about 64 values.
pub(super) struct Found {
    /// How many thresholds are below each.
    pub line: Line,
    /// A bit for each that is NaN.
    pub nan: u64,
    /// A bit for each that is next to nothing.
    pub zero: u64,
}

fn bits(values: &[f64; LINE_ROWS], test: impl Fn(f64) -> bool) -> u64 {
    if !values.iter().fold(false, |any, value| any | test(*value)) {
        return 0;
    }
    let bits = values.iter().enumerate();
    bits.fold(0, |bits, (row, value)| {
        bits | u64::from(test(*value)) << row
    })
}

/// The threshold that decides about values as they are as `threshold` does about settled ones.
pub fn settled(threshold: f64) -> f64 {
    if !(-ZERO_MAX..ZERO_MAX).contains(&threshold) {
        threshold
    } else if threshold < 0.0 {
        (-ZERO_MAX).next_down()
    } else {
        ZERO_MAX
    }
}

/// A feature's thresholds and the code columns made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// The feature's place in the model.
    feature: usize,
    /// Sorted and distinct, then `RUN_MAX` times infinity.
    thresholds: Vec<f64>,
    index: Index,
    /// A faster way than the index for vectors that have it, if the thresholds allow it.
    tables: Option<Box<Places>>,
    columns: Vec<Codes>,
    /// The column of each segment and each way to treat missing values.
    segments: Vec<[Option<usize>; MISSING_WAYS]>,
}

/// A code column of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Codes {
    pub column: usize,
    /// The first threshold of its segment.
    first: usize,
    pub missing: Missing,
    /// The code of a missing value.
    pub side: u8,
}

impl Codes {
    /// Missing values have the code of their side.
    fn mark_missing(&self, found: &Found, line: &mut Line) {
        let mut missing = found.nan;
        if self.missing.is_zero() {
            missing |= found.zero;
        }
        while missing != 0 {
            line.0[missing.trailing_zeros() as usize] = self.side;
            missing &= missing - 1;
        }
    }
}

/// Where to begin counting.
#[derive(Debug, Clone, PartialEq)]
enum Index {
    /// All thresholds are compared.
    Few,
    /// Cells over the values.
    Values(ValueGrid, Cells),
    /// Cells over the values' bits.
    Bits(BitGrid, Cells),
    /// By halves.
    Search,
}

/// What lies below each cell.
#[derive(Debug, Clone, PartialEq)]
struct Cells {
    /// Thresholds in lower cells; the length is a power of two and [`OVERREAD`] zeros.
    below: Vec<u16>,
    /// Most thresholds in one cell, 1 to [`RUN_MAX`].
    run: usize,
}

/// Cells of equal width: cell `(v - low) · scale`, cut to the table. Subtraction and multiplication round
/// monotonically, so it never decreases; NaN falls into cell 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ValueGrid {
    pub low: f64,
    pub scale: f64,
    pub last: f64,
}

/// Adding it to a number below 2^32 leaves the rounded number in the low bits.
pub(super) const INTEGERS: f64 = (1_u64 << 52) as f64;

impl ValueGrid {
    #[inline(always)]
    pub fn cell(self, value: f64) -> usize {
        let place = (value - self.low) * self.scale;
        let place = if place > 0.0 { place } else { 0.0 };
        let place = if place < self.last { place } else { self.last };
        (place + INTEGERS).to_bits() as u32 as usize
    }
}

/// Cells of equal width in the order of the bits, in which magnitudes are spread evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct BitGrid {
    low: u64,
    shift: u32,
    last: u64,
}

impl BitGrid {
    #[inline(always)]
    fn cell(self, value: f64) -> usize {
        (ordered(value).saturating_sub(self.low) >> self.shift).min(self.last) as usize
    }
}

/// Bits that order as the numbers do; -0 and 0 are the same.
#[inline(always)]
fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    let flip = ((bits as i64) >> 63) as u64 | 1 << 63;
    bits ^ flip
}

impl Cells {
    /// The table of thresholds whose cells are sorted and below `cells`; `None` when one holds too many.
    fn of(places: &[usize], cells: usize) -> Option<Self> {
        let mut below = vec![0_u16; cells];
        let mut run = 0;
        let mut at = 0;
        for (cell, count) in below.iter_mut().enumerate() {
            *count = u16::try_from(at).ok()?;
            let here = places[at..].iter().take_while(|p| **p == cell).count();
            run = run.max(here);
            at += here;
        }
        below.extend([0; OVERREAD]);
        (run <= RUN_MAX).then_some(Self {
            below,
            run: run.max(1),
        })
    }

    /// The smallest table whose cells hold at most two thresholds, else the one that tells them apart best, of grids
    /// that `grid` makes of so many cells with the thresholds' places.
    fn best<G>(count: usize, grid: impl Fn(usize) -> (G, Vec<usize>)) -> Option<(G, Self)> {
        let mut best: Option<(G, Self)> = None;
        let mut cells = (2 * count).next_power_of_two();
        while cells <= (CELLS_PER_THRESHOLD * count).next_power_of_two() {
            let (grid, places) = grid(cells);
            if let Some(made) = Self::of(&places, cells)
                && best.as_ref().is_none_or(|(_, best)| made.run < best.run)
            {
                let run = made.run;
                best = Some((grid, made));
                if run <= 2 {
                    break;
                }
            }
            cells *= 2;
        }
        best
    }

    /// Counts the thresholds below each value, whose cell is `cell(value)`. The thresholds end with infinities, so
    /// that comparing more of them than the cell holds counts no more.
    #[inline(always)]
    fn count(
        &self,
        thresholds: &[f64],
        values: &[f64],
        counts: &mut [u32],
        cell: impl Fn(f64) -> usize,
    ) {
        match self.run {
            1 => self.count_run::<1>(thresholds, values, counts, cell),
            2 => self.count_run::<2>(thresholds, values, counts, cell),
            _ => self.count_run::<RUN_MAX>(thresholds, values, counts, cell),
        }
    }

    #[inline(always)]
    fn count_run<const RUN: usize>(
        &self,
        thresholds: &[f64],
        values: &[f64],
        counts: &mut [u32],
        cell: impl Fn(f64) -> usize,
    ) {
        let mask = self.below.len() - OVERREAD - 1;
        let last = thresholds.len() - RUN;
        for (count, value) in counts.iter_mut().zip(values) {
            // Neither changes anything: cells are within the table, and what is below them within the thresholds.
            let from = usize::from(self.below[cell(*value) & mask]).min(last);
            let run = &thresholds[from..from + RUN];
            let mut below = from as u32;
            for threshold in run {
                below += u32::from(*threshold < *value);
            }
            *count = below;
        }
    }
}

impl Index {
    /// The cheapest way to count among sorted thresholds.
    fn over(thresholds: &[f64]) -> Self {
        let count = thresholds.len();
        if count <= RUN_MAX {
            return Self::Few;
        }
        if count > usize::from(u16::MAX) {
            return Self::Search;
        }
        // Cells over values are found faster, so they are taken whenever they tell thresholds apart. A threshold far
        // out, as training sets one between the largest number and NaN, is left to the outermost cell.
        for (first, last) in [(0, 1), (1, 2)] {
            let (low, high) = (thresholds[first], thresholds[count - last]);
            let grid = |cells: usize| {
                let last = (cells - 1) as f64;
                let scale = last / (high - low);
                let grid = ValueGrid { low, scale, last };
                (grid, thresholds.iter().map(|t| grid.cell(*t)).collect())
            };
            if let Some((grid, cells)) = Cells::best(count, grid)
                && grid.scale.is_finite()
            {
                return Self::Values(grid, cells);
            }
        }
        let bits = |cells: usize| {
            let grid = BitGrid::over(thresholds[0], thresholds[count - 1], cells);
            (grid, thresholds.iter().map(|t| grid.cell(*t)).collect())
        };
        Cells::best(count, bits).map_or(Self::Search, |(grid, cells)| Self::Bits(grid, cells))
    }
}

impl BitGrid {
    fn over(first: f64, last: f64, cells: usize) -> Self {
        let (low, high) = (ordered(first), ordered(last));
        let last = cells as u64 - 1;
        let mut shift = 0;
        while (high - low) >> shift > last {
            shift += 1;
        }
        Self { low, shift, last }
    }
}

impl Bins {
    /// Bins of a feature for sorted, distinct thresholds that are not NaN.
    pub fn new(feature: usize, mut thresholds: Vec<f64>) -> Self {
        let index = Index::over(&thresholds);
        let tables = Self::tables(&thresholds);
        let segments = thresholds.len().div_ceil(SEGMENT);
        thresholds.extend([f64::INFINITY; RUN_MAX]);
        Self {
            feature,
            thresholds,
            index,
            tables: tables.map(Box::new),
            columns: Vec::new(),
            segments: vec![[None; MISSING_WAYS]; segments],
        }
    }

    /// Tables for registers, if this processor has use for them.
    fn tables(thresholds: &[f64]) -> Option<Places> {
        #[cfg(target_arch = "x86_64")]
        if avx512_codes::available() {
            return [0, 1].iter().find_map(|far| Places::of(thresholds, *far));
        }
        let _ = thresholds;
        None
    }

    /// The feature's place in the model.
    pub fn feature(&self) -> usize {
        self.feature
    }

    /// The place of a threshold: its code column, made if there is none yet, and what its codes are compared with.
    /// `next` is the number of the next new column. The threshold must be one of the bins'.
    pub fn place(&mut self, threshold: f64, missing: Missing, next: &mut usize) -> (usize, u8) {
        let mut below = [0];
        self.count_below(&[threshold], &mut below);
        let at = below[0] as usize;
        let first = at - at % SEGMENT;
        let place = &mut self.segments[at / SEGMENT][missing as usize];
        let column = *place.get_or_insert_with(|| {
            let column = *next;
            *next += 1;
            let side = match missing {
                Missing::NanLeft | Missing::ZeroLeft => 0,
                Missing::NanRight | Missing::ZeroRight => 255,
                Missing::NanZero => {
                    let below = self.thresholds.partition_point(|t| *t < 0.0);
                    below.saturating_sub(first).min(255) as u8
                }
            };
            self.columns.push(Codes {
                column,
                first,
                missing,
                side,
            });
            column
        });
        (column, (at - first) as u8)
    }

    fn count(&self) -> usize {
        self.thresholds.len() - RUN_MAX
    }

    /// Writes the codes of a block's values into the feature's columns of `codes`, a line for every 64 values; `nulls`
    /// has a bit for each value that is missing whatever it is. The level must be available.
    pub fn write(&self, level: Level, values: &[f64], nulls: &[u64], codes: &mut [Line]) {
        #[cfg(target_arch = "x86_64")]
        if level == Level::Avx512
            && let Some(tables) = &self.tables
        {
            let columns = &self.columns;
            return avx512_codes::write(tables, &self.thresholds, columns, values, nulls, codes);
        }
        let lines = values.len() / LINE_ROWS;
        for (at, (values, nulls)) in values.as_chunks().0.iter().zip(nulls).enumerate() {
            let column = |of: &Codes| of.column * lines + at;
            match self.codes(level, values) {
                Some(mut found) => {
                    found.nan |= nulls;
                    for of in &self.columns {
                        let line = &mut codes[column(of)];
                        *line = found.line;
                        of.mark_missing(&found, line);
                    }
                }
                None => {
                    let mut counts = [0_u32; LINE_ROWS];
                    self.count_below(values, &mut counts);
                    let mut found = Found {
                        line: Line([0; LINE_ROWS]),
                        nan: nulls | bits(values, |v| v.is_nan()),
                        zero: 0,
                    };
                    if self.columns.iter().any(|of| of.missing.is_zero()) {
                        found.zero = bits(values, |v| v.abs() <= ZERO_MAX);
                    }
                    for of in &self.columns {
                        let line = &mut codes[column(of)];
                        for (code, count) in line.0.iter_mut().zip(counts) {
                            *code = count.saturating_sub(of.first as u32).min(255) as u8;
                        }
                        of.mark_missing(&found, line);
                    }
                }
            }
        }
    }

    /// The codes of 64 values by vectors, where that is the faster way and one byte is enough.
    fn codes(&self, level: Level, values: &[f64; LINE_ROWS]) -> Option<Found> {
        #[cfg(target_arch = "x86_64")]
        if level == Level::Avx512
            && self.count() <= SEGMENT
            && let Index::Values(grid, cells) = &self.index
        {
            let thresholds = &self.thresholds;
            return Some(avx512::codes(
                values,
                Gridded {
                    grid: *grid,
                    cells,
                    thresholds,
                },
            ));
        }
        let _ = (level, values);
        None
    }

    /// The same without tables for registers.
    #[cfg(test)]
    pub fn without_tables(&self) -> Self {
        Self {
            tables: None,
            ..self.clone()
        }
    }

    /// Whether there are tables for registers.
    #[cfg(test)]
    pub fn has_tables(&self) -> bool {
        self.tables.is_some()
    }

    /// The code columns.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|of| of.column)
    }

    /// Writes the codes of one value, a byte for each column of the forest.
    pub fn write_one(&self, value: f64, codes: &mut [u8]) {
        let mut count = [0];
        self.count_below(&[value], &mut count);
        for of in &self.columns {
            codes[of.column] = if of.missing.takes(value) {
                of.side
            } else {
                (count[0] as usize).saturating_sub(of.first).min(255) as u8
            };
        }
    }

    /// How many thresholds are below each value; any number for NaN. Inlined, so that one value needs no loop.
    #[inline(always)]
    fn count_below(&self, values: &[f64], counts: &mut [u32]) {
        let known = self.count();
        match &self.index {
            Index::Few => {
                counts.fill(0);
                for threshold in &self.thresholds[..known] {
                    for (count, value) in counts.iter_mut().zip(values) {
                        *count += u32::from(*threshold < *value);
                    }
                }
            }
            Index::Values(grid, cells) => {
                cells.count(&self.thresholds, values, counts, |v| grid.cell(v));
            }
            Index::Bits(grid, cells) => {
                cells.count(&self.thresholds, values, counts, |v| grid.cell(v));
            }
            Index::Search => {
                for (count, value) in counts.iter_mut().zip(values) {
                    *count = self.thresholds[..known].partition_point(|t| t < value) as u32;
                }
            }
        }
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let table = match &self.index {
            Index::Few | Index::Search => 0,
            Index::Values(_, cells) | Index::Bits(_, cells) => size_of_val(&cells.below[..]),
        };
        let tables = self.tables.as_ref();
        table
            + tables.map_or(0, |t| size_of::<Places>() + t.memory_bytes())
            + size_of_val(&self.thresholds[..])
            + size_of_val(&self.columns[..])
            + size_of_val(&self.segments[..])
    }
}
