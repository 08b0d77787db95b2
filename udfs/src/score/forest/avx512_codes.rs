//! Codes with AVX-512: 64 values by tables in registers.
//!
//! **Idea.** See `places`: a value's place has 16 bits, and all that is asked of it is looked up in tables of 256 bytes.
//! Four `vpermb` look up 64 values, each in a quarter of the table, where the mask of their index's two high bits says.
//!
//! **Layout.** Places are found 8 at a time, one in each quadword; shifted by 16 bits each, four registers of them are
//! joined into one of 32 words, and the bytes of two such into one of high and one of low bytes. That leaves the rows
//! out of order, which one more `vpermb` mends at the end.
//!
//! **Sifting.** `vpcompressb` puts the codes of the rows that a mask names side by side.
//!
//! **Limits.** Needs the byte permutations (VBMI) beside F and BW, and VBMI2 to sift; all are asked for once per
//! process.
//!
//! **Safety.** Everything but memory access is safe code. Loads and stores go through references to whole registers, but
//! for what is sifted, whose length is checked.
//!
//! **Checked.** As `avx512`.

use super::bins::{Codes, INTEGERS, LINE_ROWS, Line};
use super::places::{Places, Table};
use crate::score::features::ZERO_MAX;
use std::arch::x86_64::*;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    super::avx512::available() && std::arch::is_x86_feature_detected!("avx512vbmi")
}

/// Writes the codes of a block's values into the columns of their feature, a line for every 64 values; `nulls` has a bit
/// for each value that is missing whatever it is. The thresholds end with infinity.
///
/// # Panics
/// When the processor does not have the instructions, or `codes` has no such column.
pub fn write(
    places: &Places,
    thresholds: &[f64],
    columns: &[Codes],
    values: &[f64],
    nulls: &[u64],
    codes: &mut [Line],
) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { write_of(places, thresholds, columns, values, nulls, codes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn write_of(
    places: &Places,
    thresholds: &[f64],
    columns: &[Codes],
    values: &[f64],
    nulls: &[u64],
    codes: &mut [Line],
) {
    let lines = values.len() / LINE_ROWS;
    let zeros = columns.iter().any(|of| of.missing.is_zero());
    for (at, (values, nulls)) in values
        .as_chunks::<LINE_ROWS>()
        .0
        .iter()
        .zip(nulls)
        .enumerate()
    {
        let parts = values.as_chunks::<8>().0;
        let (mut count, mut unsure, numbers) = count(parts, places);
        if unsure != 0 {
            let mut counts = Line([0; LINE_ROWS]);
            store(&mut counts, count);
            while unsure != 0 {
                let row = unsure.trailing_zeros() as usize;
                // The thresholds in the same place are the next ones.
                while thresholds[usize::from(counts.0[row])] < values[row] {
                    counts.0[row] += 1;
                }
                unsure &= unsure - 1;
            }
            count = line(&counts);
        }
        let missing = match numbers {
            true => *nulls,
            false => nulls | mask(parts, |v| _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(v, v)),
        };
        let mut zero = 0;
        if zeros {
            let tiny = _mm512_set1_pd(ZERO_MAX);
            zero = mask(parts, |v| {
                _mm512_cmp_pd_mask::<_CMP_LE_OQ>(_mm512_abs_pd(v), tiny)
            });
        }
        for of in columns {
            let missing = match of.missing.is_zero() {
                true => missing | zero,
                false => missing,
            };
            let side = _mm512_set1_epi8(of.side as i8);
            let marked = _mm512_mask_mov_epi8(count, missing, side);
            store(&mut codes[of.column * lines + at], marked);
        }
    }
}

/// A bit for each value that passes a test, eight of which have the bits of a byte.
#[inline]
#[target_feature(enable = "avx512f")]
fn mask(parts: &[[f64; 8]], test: impl Fn(__m512d) -> u8) -> u64 {
    let bits = parts.iter().enumerate();
    bits.fold(0, |bits, (at, part)| {
        bits | u64::from(test(load(part))) << (8 * at)
    })
}

/// Whether this processor gathers rows by [`sift`].
pub fn sifts() -> bool {
    available() && std::arch::is_x86_feature_detected!("avx512vbmi2")
}

/// Takes the codes of the rows whose bits are set, of each column: from a line of a block to another block's rows from one
/// on. Each block comes with how many lines its columns have.
///
/// # Panics
/// When the processor does not have the instructions, or there is no such line or no room for the rows.
pub fn sift(from: (&[Line], usize, usize), bits: u64, to: (&mut [Line], usize, usize)) {
    assert!(sifts());
    // SAFETY: the processor has the instructions.
    unsafe { sift_of(from, bits, to) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2")]
fn sift_of(
    (from, from_lines, line_of): (&[Line], usize, usize),
    bits: u64,
    (to, to_lines, at): (&mut [Line], usize, usize),
) {
    let (count, room) = (bits.count_ones() as usize, to_lines * LINE_ROWS);
    assert!(line_of < from_lines && count <= room && at <= room - count);
    let room = u64::MAX.checked_shr(64 - count as u32).unwrap_or(0);
    let columns = from.chunks_exact(from_lines);
    for (from, to) in columns.zip(to.chunks_exact_mut(to_lines)) {
        let codes = _mm512_maskz_compress_epi8(bits, line(&from[line_of]));
        // SAFETY: only the `count` bytes from `at` are written, which the column has.
        unsafe {
            let to = to.as_mut_ptr().cast::<i8>().add(at);
            _mm512_mask_storeu_epi8(to, room, codes);
        }
    }
}

/// The bytes of the joined registers in the order of rows.
static ORDER: Line = {
    let mut order = [0; LINE_ROWS];
    let mut row = 0;
    while row < LINE_ROWS {
        order[row] = (row % 8 * 8 + row / 8 % 4 * 2 + row / 32) as u8;
        row += 1;
    }
    Line(order)
};

/// How many thresholds are below each of 64 values, a bit for each value that may be above more of them, and whether
/// none is NaN for sure.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn count(parts: &[[f64; 8]], places: &Places) -> (__m512i, u64, bool) {
    let grid = places.grid();
    let (low, scale) = (_mm512_set1_pd(grid.low), _mm512_set1_pd(grid.scale));
    let (zero, last) = (_mm512_setzero_pd(), _mm512_set1_pd(grid.last));
    let integers = _mm512_set1_pd(INTEGERS);
    let mut any = zero;
    let mut place = |at: usize| {
        let value = load(&parts[at]);
        any = _mm512_add_pd(any, value);
        // The same steps as the grid's own; a maximum with NaN is its second operand, so NaN has place 0.
        let place = _mm512_mul_pd(_mm512_sub_pd(value, low), scale);
        let place = _mm512_min_pd(_mm512_max_pd(place, zero), last);
        _mm512_castpd_si512(_mm512_add_pd(place, integers))
    };
    // The highest word of the first is that of INTEGERS, which is taken off again.
    let high = _mm512_castpd_si512(integers);
    let mut joined = |at: usize| {
        let first = _mm512_xor_si512(place(at), high);
        let second = _mm512_slli_epi64::<16>(place(at + 1));
        let third = _mm512_slli_epi64::<32>(place(at + 2));
        let fourth = _mm512_slli_epi64::<48>(place(at + 3));
        let two = _mm512_or_si512(first, second);
        _mm512_ternarylogic_epi64::<OR3>(two, third, fourth)
    };
    let (a, b) = (joined(0), joined(4));
    let bytes = _mm512_set1_epi16(0xff);
    let low = _mm512_ternarylogic_epi64::<CHOICE>(bytes, a, _mm512_slli_epi16::<8>(b));
    let high = _mm512_ternarylogic_epi64::<CHOICE>(bytes, _mm512_srli_epi16::<8>(a), b);
    let (seventh, sixth) = (
        _mm512_movepi8_mask(high),
        _mm512_movepi8_mask(_mm512_add_epi8(high, high)),
    );
    let masks = [sixth & !seventh, seventh & !sixth, seventh & sixth];
    let one = _mm512_set1_epi8(1);
    let mut count = look_up(places.below(), high, masks);
    let mut unsure = 0;
    for within in places.within() {
        let threshold = look_up(within, high, masks);
        let less = _mm512_cmplt_epu8_mask(threshold, low);
        unsure |= _mm512_cmpeq_epi8_mask(threshold, low);
        count = _mm512_mask_add_epi8(count, less, count, one);
    }
    let order = line(&ORDER);
    let count = _mm512_permutexvar_epi8(order, count);
    let unsure = _mm512_permutexvar_epi8(order, _mm512_movm_epi8(unsure));
    // Their sum is NaN if one of them is.
    let numbers = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(any, any) == 0;
    (count, _mm512_movepi8_mask(unsure), numbers)
}

/// Any of the three.
const OR3: i32 = 0xfe;

/// The second where the first has ones, else the third.
const CHOICE: i32 = 0xca;

/// The bytes of a table at 64 indexes; `masks` are those of its second, third and fourth quarter.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn look_up(table: &Table, index: __m512i, masks: [u64; 3]) -> __m512i {
    let mut found = _mm512_permutexvar_epi8(index, line(&table[0]));
    for (mask, quarter) in masks.into_iter().zip(&table[1..]) {
        found = _mm512_mask_permutexvar_epi8(found, mask, index, line(quarter));
    }
    found
}

#[inline]
#[target_feature(enable = "avx512f")]
fn line(line: &Line) -> __m512i {
    // SAFETY: a line is as long as a register and aligned as one.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(line: &mut Line, bytes: __m512i) {
    // SAFETY: as above.
    unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), bytes) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[f64; 8]) -> __m512d {
    // SAFETY: eight numbers are there.
    unsafe { _mm512_loadu_pd(values.as_ptr()) }
}
