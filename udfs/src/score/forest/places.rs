//! Places: a feature's values as numbers of 16 bits, whose codes are found by tables that fit into registers.
//!
//! **Idea.** A grid of 65,535 cells is a function g that never decreases. A value v in a higher cell than a threshold's
//! is above it, and one in a lower cell is not; only a value in the very cell of a threshold is unsure and compared as
//! it is. The high byte of a place says how many thresholds have lower ones, and the low byte is compared with those of
//! the thresholds that have the same. All of these are tables of 256 bytes with the high byte as the index: four
//! registers, in which 64 values are looked up at once, with no address that depends on them.
//!
//! **Limits.** For features of one byte's thresholds, when these are spread so that few share a high byte and few values
//! are unsure; `bins` has other ways for the rest.

use super::bins::{Line, SEGMENT, ValueGrid};

/// The highest place. The next one has the low byte that tables have where there is no threshold.
const LAST: f64 = 65534.0;

/// Most thresholds with the same high byte.
const RUN_MAX: usize = 8;

/// Values that are unsure, at most: one of so many.
const SURE: f64 = 24.0;

/// A byte for each high byte of a place.
pub type Table = [Line; 4];

/// The tables of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Places {
    grid: ValueGrid,
    below: Table,
    within: Vec<Table>,
}

impl Places {
    /// Tables for sorted, distinct thresholds; the first and the last `far` of them are left to the outermost cells.
    /// `None` if they are too many or too close.
    pub fn of(thresholds: &[f64], far: usize) -> Option<Self> {
        let near = thresholds.get(far..thresholds.len().checked_sub(far)?)?;
        let (low, high) = (*near.first()?, *near.last()?);
        // The outermost places are left to values beyond all thresholds, which would be unsure otherwise.
        let width = match high - low {
            0.0 => low.abs().max(1.0),
            width => width,
        };
        let scale = (LAST - 4.0) / width;
        let low = low - 2.0 / scale;
        if thresholds.len() > SEGMENT || !(scale.is_normal() && low.is_finite()) {
            return None;
        }
        let grid = ValueGrid {
            low,
            scale,
            last: LAST,
        };
        let places: Vec<usize> = thresholds.iter().map(|t| grid.cell(*t)).collect();
        let gaps = places.windows(2).map(|two| two[1] - two[0]);
        let unsure: f64 = gaps.map(|gap| 1.0 / gap.max(1) as f64).sum();
        if unsure * SURE > thresholds.len() as f64 {
            return None;
        }
        let mut below = [Line([0; 64]); 4];
        let mut within = Vec::new();
        for cell in 0..=255 {
            let first = places.partition_point(|place| place >> 8 < cell);
            let here = places[first..]
                .iter()
                .take_while(|place| **place >> 8 == cell);
            entry(&mut below, cell, first as u8);
            for (number, place) in here.enumerate() {
                if number == RUN_MAX {
                    return None;
                }
                if number == within.len() {
                    // What holds no threshold holds one that no place is above.
                    within.push([Line([u8::MAX; 64]); 4]);
                }
                entry(&mut within[number], cell, *place as u8);
            }
        }
        Some(Self {
            grid,
            below,
            within,
        })
    }

    /// Which place a value has: 0 to 65,534.
    pub fn grid(&self) -> ValueGrid {
        self.grid
    }

    /// How many thresholds have lower high bytes.
    pub fn below(&self) -> &Table {
        &self.below
    }

    /// The low bytes of the first, second, … threshold with the high byte; 255 where there is none.
    pub fn within(&self) -> &[Table] {
        &self.within
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.within[..])
    }
}

fn entry(table: &mut Table, at: usize, byte: u8) {
    table[at / 64].0[at % 64] = byte;
}

#[cfg(test)]
mod tests {
    use crate::score::features::ZERO_MAX;
    use crate::score::forest::bins::{Bins, LINE_ROWS, Line, Missing};
    use crate::score::forest::blend::Level;
    use crate::score::forest::random::Random;

    const WAYS: [Missing; 5] = [
        Missing::NanZero,
        Missing::NanLeft,
        Missing::NanRight,
        Missing::ZeroLeft,
        Missing::ZeroRight,
    ];

    /// A value at, next to or between thresholds, or nothing like them.
    fn value(random: &mut Random, thresholds: &[f64]) -> f64 {
        let near = thresholds[random.below(thresholds.len())];
        match random.below(8) {
            0 => near,
            1 => near.next_up(),
            2 => near.next_down(),
            3 => random.number(5),
            4 => [f64::NAN, f64::INFINITY, -f64::INFINITY, ZERO_MAX][random.below(4)],
            _ => near + (random.unit() - 0.5) * 0.1,
        }
    }

    /// Every level finds the codes that one value after the other has, with tables and without.
    #[test]
    fn codes_of_all_levels() {
        let mut random = Random(31);
        let known = Bins::new(0, vec![0.0]).has_tables();
        let mut tables = 0;
        for round in 0..600 {
            let spread = 10_f64.powi(random.below(9) as i32 - 4);
            let mut thresholds: Vec<f64> = (0..1 + random.below(254))
                .map(|_| match round % 4 {
                    0 => random.unit() * spread,
                    1 => (random.unit() * 400.0).round(),
                    2 => random.unit() + random.unit() - random.unit() - random.unit(),
                    _ => random.unit().powi(3) * spread - 1.0,
                })
                .collect();
            if round % 5 == 0 {
                thresholds[0] = 1e300;
            }
            thresholds.sort_by(f64::total_cmp);
            thresholds.dedup();
            let mut bins = Bins::new(0, thresholds.clone());
            let mut columns = 0;
            for way in WAYS.into_iter().take(1 + random.below(5)) {
                bins.place(thresholds[0], way, &mut columns);
            }
            tables += usize::from(bins.has_tables());
            let lines = [1, 8][round % 2];
            let values: Vec<f64> = (0..lines * LINE_ROWS)
                .map(|_| value(&mut random, &thresholds))
                .collect();
            let nulls: Vec<u64> = (0..lines).map(|_| random.next() & random.next()).collect();
            let wanted: Vec<Vec<u8>> = values
                .iter()
                .enumerate()
                .map(|(row, value)| {
                    let mut codes = vec![0; columns];
                    let null = nulls[row / LINE_ROWS] >> (row % LINE_ROWS) & 1 == 1;
                    bins.write_one(if null { f64::NAN } else { *value }, &mut codes);
                    codes
                })
                .collect();
            for bins in [&bins, &bins.without_tables()] {
                for level in Level::available() {
                    let mut codes = vec![Line([0xaa; LINE_ROWS]); columns * lines];
                    bins.write(*level, &values, &nulls, &mut codes);
                    for (row, wanted) in wanted.iter().enumerate() {
                        let (line, at) = (row / LINE_ROWS, row % LINE_ROWS);
                        let code = |column: usize| codes[column * lines + line].0[at];
                        let got: Vec<u8> = (0..columns).map(code).collect();
                        assert_eq!(&got, wanted, "{level:?}: {} of {bins:?}", values[row]);
                    }
                }
            }
        }
        assert!(
            (300..600).contains(&tables) || !known,
            "{tables} with tables"
        );
    }
}
