//! One row with AVX-512: 64 nodes or 16 walks an instruction.
//!
//! **Striking.** The row's codes lie in one to four registers; `vpermb` or `vpermi2b` picks for 64 nodes each the code
//! that it asks, and `vpcmpub` compares them with their thresholds and leaves a mask of 64 bits. Slot by slot a masked
//! `vpandd` strikes off the leaves of all trees whose node sends the row right, and `vplzcntd` counts those before the
//! first that remains. Memory is read from front to back, and no load waits for another.
//!
//! **Walking.** A register holds where 16 walks stand, and a gather reads their steps; their codes are picked as above,
//! or gathered when there are too many. [`TEAMS`] such registers hide each other's waiting. `vpcompressd` notes which
//! walks have arrived and where, and `vpexpandd` puts the next ones in their places.
//!
//! **Vocabulary and layout.** Piece, slot, lane, group: see `strike`; step, root: see `single`.
//!
//! **Limits.** Needs the byte permutations (VBMI) and the counting of zeros (CD) beside F and BW; all are asked for
//! once per process. Gathers are slow on processors that guard them against being spied on.
//!
//! **Safety.** Everything but memory access is safe code. Loads and stores go through references to whole registers.
//! Gathers read steps and codes that are there: `Walks::new` checks where roots and steps lead and which columns they
//! ask, and [`walk`] that there are so many codes.
//!
//! **Checked.** As `avx512`.
//!
//! Papers: see `strike` and `single`.

use super::bins::{LINE_ROWS, Line, OVERREAD};
use super::single::{NODE, NOWHERE, Walks};
use super::strike::{COLUMNS, NARROW, Piece, Strikes, WIDE};
use std::arch::x86_64::*;

/// Registers of codes.
const REGISTERS: usize = COLUMNS / LINE_ROWS;

/// Walks side by side in a register.
const WALKERS: usize = 16;

/// Registers of walks.
const TEAMS: usize = 3;
const _: () = assert!((TEAMS + 1) * WALKERS <= NOWHERE);

/// Whether this processor has the instructions.
pub fn available() -> bool {
    super::avx512::available()
        && std::arch::is_x86_feature_detected!("avx512cd")
        && std::arch::is_x86_feature_detected!("avx512vbmi")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// A row's codes.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    all: &'a [u8],
    /// Those of the first columns.
    lines: [Line; REGISTERS],
}

impl<'a> Codes<'a> {
    /// The codes of all columns, and [`OVERREAD`] more.
    pub fn new(all: &'a [u8]) -> Self {
        let mut lines = [Line([0; LINE_ROWS]); REGISTERS];
        for (line, codes) in lines.iter_mut().zip(all.chunks(LINE_ROWS)) {
            line.0[..codes.len()].copy_from_slice(codes);
        }
        Self { all, lines }
    }

    /// Number of columns.
    fn columns(&self) -> usize {
        self.all.len() - OVERREAD
    }

    /// Registers of codes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn registers(&self) -> [__m512i; REGISTERS] {
        std::array::from_fn(|at| load(&self.lines[at]))
    }
}

/// Calls `$run::<USED>` with the number of registers that hold all codes, 0 when they do not.
macro_rules! by_registers {
    ($codes:ident, $run:ident($($argument:expr),*)) => {
        match $codes.columns().div_ceil(LINE_ROWS) {
            0 | 1 => $run::<1>($($argument),*),
            2 => $run::<2>($($argument),*),
            3 => $run::<3>($($argument),*),
            4 => $run::<4>($($argument),*),
            _ => $run::<0>($($argument),*),
        }
    };
}

/// Writes the leaves of all trees that are struck: those of the narrow ones, then those of the wide ones.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn strike(
    narrow: &Strikes<NARROW>,
    wide: &Strikes<WIDE>,
    codes: &Codes<'_>,
    leaves: &mut [u16],
) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { by_registers!(codes, strike_of(narrow, wide, codes, leaves)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512vbmi")]
fn strike_of<const USED: usize>(
    narrow: &Strikes<NARROW>,
    wide: &Strikes<WIDE>,
    codes: &Codes<'_>,
    leaves: &mut [u16],
) {
    let codes = codes.registers();
    let (first, rest) = leaves.split_at_mut(narrow.trees());
    let lanes = Strikes::<NARROW>::LANES;
    for (group, leaves) in narrow.groups().zip(first.chunks_mut(lanes)) {
        let mut left = _mm512_set1_epi8(-1);
        for piece in group {
            let right = decide::<USED, NARROW>(&codes, piece);
            for (slot, stay) in piece.stay.iter().enumerate() {
                let right = (right >> (slot * lanes)) as __mmask16;
                left = _mm512_mask_and_epi32(left, right, left, load(stay));
            }
        }
        let mut found = [0_u16; Strikes::<NARROW>::LANES];
        let leaf = _mm512_cvtepi32_epi16(_mm512_lzcnt_epi32(left));
        // SAFETY: sixteen numbers fit there.
        unsafe { _mm256_storeu_si256(found.as_mut_ptr().cast(), leaf) };
        leaves.copy_from_slice(&found[..leaves.len()]);
    }
    let lanes = Strikes::<WIDE>::LANES;
    for (group, leaves) in wide.groups().zip(rest.chunks_mut(lanes)) {
        let mut left = _mm512_set1_epi8(-1);
        for piece in group {
            let right = decide::<USED, WIDE>(&codes, piece);
            for (slot, stay) in piece.stay.iter().enumerate() {
                let right = (right >> (slot * lanes)) as __mmask8;
                left = _mm512_mask_and_epi64(left, right, left, load(stay));
            }
        }
        let mut found = [0_u16; Strikes::<WIDE>::LANES];
        let leaf = _mm512_cvtepi64_epi16(_mm512_lzcnt_epi64(left));
        // SAFETY: eight numbers fit there.
        unsafe { _mm_storeu_si128(found.as_mut_ptr().cast(), leaf) };
        leaves.copy_from_slice(&found[..leaves.len()]);
    }
}

/// Writes the leaves of all walks but the first `from` for the row with these codes; `arrived` is reused space.
///
/// # Panics
/// When the processor does not have the instructions, or there are too few codes.
pub fn walk(
    walks: &Walks,
    from: usize,
    codes: &Codes<'_>,
    arrived: &mut Vec<u32>,
    leaves: &mut [u16],
) {
    assert!(available());
    assert!(codes.columns() >= walks.columns());
    // SAFETY: the processor has the instructions, and the codes are as many as asked for.
    unsafe {
        by_registers!(
            codes,
            walk_of(walks, &walks.roots()[from..], codes, arrived)
        )
    };
    let (numbers, found) = arrived.split_at(arrived.len() / 2);
    let leaves = &mut leaves[from..];
    let count = leaves.len() - NOWHERE;
    for (number, leaf) in numbers.iter().zip(found).take(count) {
        leaves[*number as usize] = *leaf as u16;
    }
}

/// Writes the numbers of the walks that begin at these roots in the order they arrive, then their leaves.
///
/// # Safety
/// There must be codes for all columns of the walks.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,popcnt")]
unsafe fn walk_of<const USED: usize>(
    walks: &Walks,
    roots: &[u32],
    codes: &Codes<'_>,
    arrived: &mut Vec<u32>,
) {
    let registers = codes.registers();
    let count = roots.len() - NOWHERE;
    let width = count + WALKERS;
    arrived.clear();
    arrived.resize(2 * width, 0);
    let (numbers, leaves) = arrived.split_at_mut(width);
    let (low, byte) = (_mm512_set1_epi32(0xffff), _mm512_set1_epi32(0xff));
    let (node, one) = (_mm512_set1_epi32(i32::from(NODE)), _mm512_set1_epi32(1));
    let counted = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let sixteen = |from: &[u32]| {
        let from: &[u32; WALKERS] = from.first_chunk().expect("slices are that long");
        // SAFETY: sixteen numbers are there.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    };
    let mut at: [__m512i; TEAMS] = std::array::from_fn(|team| sixteen(&roots[team * WALKERS..]));
    let mut number: [__m512i; TEAMS] = std::array::from_fn(|team| {
        _mm512_add_epi32(counted, _mm512_set1_epi32((team * WALKERS) as i32))
    });
    let (mut done, mut next) = (0, TEAMS * WALKERS);
    let steps: *const i32 = walks.steps().as_ptr().cast();
    while done < count {
        for (at, number) in at.iter_mut().zip(&mut number) {
            // SAFETY: roots are steps, and so is what steps lead to; the numbers of steps fit 31 bits and steps are
            // 8 bytes each, of which both gathers read a half.
            let (asks, leads) = unsafe {
                (
                    _mm512_i32gather_epi32::<8>(*at, steps),
                    _mm512_i32gather_epi32::<8>(*at, steps.add(1)),
                )
            };
            let code = match USED {
                0 => {
                    let column = _mm512_and_si512(asks, low);
                    // SAFETY: columns are below the number of codes, of which there are 3 more to read over.
                    unsafe { _mm512_i32gather_epi32::<1>(column, codes.all.as_ptr().cast()) }
                }
                // Of the four codes that four bytes pick, the lowest byte's alone is looked at.
                _ => pick::<USED>(&registers, asks),
            };
            // Whoever has arrived makes way. The leaf's step, which was read, leads 0 steps further from the new root.
            let leaf = _mm512_srli_epi32::<16>(leads);
            let here = _mm512_cmpneq_epi32_mask(leaf, node);
            let new = (
                sixteen(&roots[next..]),
                _mm512_add_epi32(counted, _mm512_set1_epi32(next as i32)),
            );
            for (place, value) in [(&mut *numbers, *number), (&mut *leaves, leaf)] {
                let place: &mut [u32; WALKERS] =
                    place[done..].first_chunk_mut().expect("there is room");
                // SAFETY: there is room for sixteen numbers.
                unsafe {
                    _mm512_storeu_si512(
                        place.as_mut_ptr().cast(),
                        _mm512_maskz_compress_epi32(here, value),
                    )
                };
            }
            *at = _mm512_mask_expand_epi32(*at, here, new.0);
            *number = _mm512_mask_expand_epi32(*number, here, new.1);
            done += here.count_ones() as usize;
            next += here.count_ones() as usize;
            let bits = _mm512_and_si512(_mm512_srli_epi32::<16>(asks), byte);
            let right = _mm512_cmpge_epu32_mask(
                _mm512_and_si512(code, bits),
                _mm512_srli_epi32::<24>(asks),
            );
            let far = _mm512_mask_and_epi32(one, right, leads, low);
            *at = _mm512_add_epi32(*at, far);
        }
    }
}

/// A bit for each node of a piece that sends the row right.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn decide<const USED: usize, const SLOTS: usize>(
    codes: &[__m512i; REGISTERS],
    piece: &Piece<SLOTS>,
) -> __mmask64 {
    let code = pick::<USED>(codes, load(&piece.columns));
    _mm512_cmpgt_epu8_mask(code, load(&piece.thresholds))
}

/// The codes of 64 columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn pick<const USED: usize>(codes: &[__m512i; REGISTERS], columns: __m512i) -> __m512i {
    let low = match USED {
        1 => return _mm512_permutexvar_epi8(columns, codes[0]),
        _ => _mm512_permutex2var_epi8(codes[0], columns, codes[1]),
    };
    let high = match USED {
        2 => return low,
        3 => _mm512_permutexvar_epi8(columns, codes[2]),
        _ => _mm512_permutex2var_epi8(codes[2], columns, codes[3]),
    };
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(columns), low, high)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned to as many.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}
