//! Code columns of categorical splits: 0 for the members of a set, who go left, and 255 for all others.
//!
//! A category that no set of the feature holds is like any other such, and like a missing value. The rest are
//! numbered 1, 2 …; a table holds for each number one bit per set, eight sets to a byte, so that one look decides
//! about eight columns.
//!
//! For a single row those bits are not made into codes, which would be far more than are looked at; see `single`.

use super::bins::{BLOCK_ROWS, LINE_ROWS, Line};
use std::collections::HashMap;

/// Sets that a byte of the table holds.
const SETS_PER_BYTE: usize = 8;

/// Most bytes of all tables of a forest.
pub const TABLES_MAX: usize = 32 << 20;

/// Most members of all sets of a feature, counted as often as they occur.
const KNOWN_MAX: usize = 4 << 20;

/// The sets of a feature and their code columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Categories {
    feature: usize,
    numbers: Numbers,
    /// One more than the categories in any set: 0 stands for all others.
    count: usize,
    /// For each eight sets, `count` bytes.
    table: Vec<u8>,
    /// The columns of the sets, in the table's order.
    columns: Vec<usize>,
}

/// Which number a category has.
#[derive(Debug, Clone, PartialEq)]
enum Numbers {
    Dense(Vec<u32>),
    Sparse(HashMap<u32, u32>),
}

impl Categories {
    /// Takes a feature's sets, bit c of word w being category `32 w + c`, with the column of each; `None` when the
    /// table would be larger than `bytes_left`.
    pub fn new(feature: usize, sets: &[(&[u32], usize)], bytes_left: &mut usize) -> Option<Self> {
        let mut known: Vec<u32> = Vec::new();
        for (words, _) in sets {
            known.extend(members(words));
            // Sets repeat each other's members: what is kept stays as small as what differs.
            if known.len() > KNOWN_MAX {
                known.sort_unstable();
                known.dedup();
                if known.len() > KNOWN_MAX / 2 {
                    return None;
                }
            }
        }
        known.sort_unstable();
        known.dedup();
        let count = known.len() + 1;
        let bytes = sets.len().div_ceil(SETS_PER_BYTE);
        *bytes_left = bytes_left.checked_sub(count.checked_mul(bytes)?)?;
        let highest = known.last().map_or(0, |c| *c as usize);
        let numbered = known.iter().zip(1_u32..);
        let numbers = if highest < 8 * count + 1024 {
            let mut dense = vec![0; highest + 1];
            numbered.for_each(|(category, number)| dense[*category as usize] = number);
            Numbers::Dense(dense)
        } else {
            Numbers::Sparse(
                numbered
                    .map(|(category, number)| (*category, number))
                    .collect(),
            )
        };
        let mut table = vec![0; count * bytes];
        for (at, (words, _)) in sets.iter().enumerate() {
            let row = &mut table[at / SETS_PER_BYTE * count..][..count];
            for category in members(words) {
                row[numbers.of(category) as usize] |= 1 << (at % SETS_PER_BYTE);
            }
        }
        Some(Self {
            feature,
            numbers,
            count,
            table,
            columns: sets.iter().map(|(_, column)| *column).collect(),
        })
    }

    /// The feature's place in the model.
    pub fn feature(&self) -> usize {
        self.feature
    }

    /// Writes the codes of a block's categories, given by their numbers, into the sets' columns of `codes`, a line for
    /// every 64 of them.
    pub fn write(&self, numbers: &[u32], codes: &mut [Line]) {
        let lines = numbers.len() / LINE_ROWS;
        let mut bits = [0_u8; BLOCK_ROWS];
        let groups = self.columns.chunks(SETS_PER_BYTE);
        for (columns, row) in groups.zip(self.table.chunks_exact(self.count)) {
            for (bits, number) in bits.iter_mut().zip(numbers) {
                *bits = row[*number as usize];
            }
            for (set, column) in columns.iter().enumerate() {
                let lines = &mut codes[column * lines..][..lines];
                for (line, bits) in lines.iter_mut().zip(bits.chunks_exact(LINE_ROWS)) {
                    for (code, bits) in line.0.iter_mut().zip(bits) {
                        *code = if bits >> set & 1 == 1 { 0 } else { 255 };
                    }
                }
            }
        }
    }

    /// Writes for one value, into the feature's first columns, a bit for each set: 0 for members, 1 for all others.
    pub fn write_one(&self, value: f64, codes: &mut [u8]) {
        let number = self.number(value) as usize;
        let rows = self.table.chunks_exact(self.count);
        for (code, row) in codes[self.first()..].iter_mut().zip(rows) {
            *code = !row[number];
        }
    }

    /// Where [`Self::write_one`] writes the bit that stands for a code column: the byte's column, and the bit.
    pub fn place(all: &[Self], column: u32) -> (u32, u8) {
        let first = |of: &Self| of.first() as u32;
        let of = all.partition_point(|of| first(of) <= column) - 1;
        let set = (column - first(&all[of])) as usize;
        let byte = first(&all[of]) + (set / SETS_PER_BYTE) as u32;
        (byte, 1 << (set % SETS_PER_BYTE))
    }

    /// The column of the first set; those of the others follow.
    fn first(&self) -> usize {
        self.columns[0]
    }

    /// The number of a value's category: cut towards zero; NaN, negative and huge values are no category.
    #[inline]
    pub fn number(&self, value: f64) -> u32 {
        if value > -1.0 && value < f64::from(1_u32 << 31) {
            self.numbers.of(value as u32)
        } else {
            0
        }
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::Dense(dense) => size_of_val(&dense[..]),
            Numbers::Sparse(sparse) => sparse.capacity() * size_of::<(u32, u32)>(),
        };
        numbers + self.table.len() + size_of_val(&self.columns[..])
    }
}

impl Numbers {
    #[inline]
    fn of(&self, category: u32) -> u32 {
        match self {
            Self::Dense(dense) => dense.get(category as usize).copied().unwrap_or(0),
            Self::Sparse(sparse) => sparse.get(&category).copied().unwrap_or(0),
        }
    }
}

/// The categories of a set; those from 2^31 up are never met.
fn members(words: &[u32]) -> impl Iterator<Item = u32> + '_ {
    let words = words.iter().enumerate().take(1 << 26);
    words.flat_map(|(at, word)| {
        let bits = (0..32).filter(move |bit| word >> bit & 1 == 1);
        bits.map(move |bit| at as u32 * 32 + bit)
    })
}
