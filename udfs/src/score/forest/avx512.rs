//! Blending with AVX-512: 64 rows an instruction.
//!
//! **Idea.** `vpcmpub` compares 64 codes with a threshold and leaves a mask of 64 bits; where it is set, `vpaddb` puts
//! the right side's number and what lies before it in the place of the left side's. Two instructions decide a node for
//! 64 rows, and read its codes and what comes from outside the operation.
//!
//! **Leaves.** Up to 32 leaf numbers of f64 are held in four registers, and `vpermi2pd` picks for 8 rows at once;
//! more are loaded row by row.
//!
//! **Codes.** The cell of 8 values is three instructions; what lies below it and the few thresholds within are
//! gathered. Values, cells and comparisons are those of `bins`, step by step.
//!
//! **Vocabulary and layout.** Line, slot, arena, code column: see `bins` and `program`.
//!
//! **Limits.** Needs the byte and word instructions (BW) beside the foundation (F); both are asked for once per
//! process. Vectors of 512 bits may lower the clock of old processors; even there they are the faster way.
//!
//! **Safety.** Everything but memory access is safe code. What is read and written lies within slices: an operation's
//! columns are below [`Ops::columns`] and its slots are within the arena, which [`Ops::new`] checks; [`run`] checks the
//! slices' lengths.
//!
//! **Checked.** `equal` holds it against the plain scorer; with AddressSanitizer: `RUSTC_BOOTSTRAP=1
//! RUSTFLAGS=-Zsanitizer=address cargo test -p alcedo-udfs --lib --target x86_64-unknown-linux-gnu -- forest::equal`.
//!
//! Papers: see `program`.

use super::bins::{Found, Gridded, INTEGERS, LINE_ROWS, Line, OVERREAD, RUN_MAX};
use super::blend::Block;
use super::program::{ARENA_LINES, Op, Ops, SLOT_LINES, by_kind, top};
use crate::score::features::ZERO_MAX;
use std::arch::x86_64::*;
use std::ops::Range;

/// Leaves that fit into registers.
pub const REGISTER_LEAVES: usize = 32;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
}

/// Runs some of the operations on a block.
///
/// # Panics
/// When the processor does not have the instructions, or a slice of the block is shorter than they say.
pub fn run(ops: &Ops, range: Range<usize>, block: &mut Block<'_>) {
    assert!(available());
    assert!(block.lines == 1 || block.lines == SLOT_LINES);
    assert!(block.codes.len() >= ops.columns() * block.lines);
    assert!(block.arena.len() >= ARENA_LINES);
    // SAFETY: the processor has the instructions.
    unsafe {
        match block.lines {
            1 => run_lines::<1>(&ops.all()[range], block),
            _ => run_lines::<SLOT_LINES>(&ops.all()[range], block),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn run_lines<const LINES: usize>(ops: &[Op], block: &mut Block<'_>) {
    for op in ops {
        by_kind!(op, decide::<LINES>(op, block.codes, block.arena));
    }
}

/// One operation on all lines of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn decide<const KIND: u8, const LINES: usize>(op: &Op, codes: &[Line], arena: &mut [Line]) {
    let thresholds = op.thresholds.map(|byte| _mm512_set1_epi32(byte as i32));
    let adds = op.adds.map(|byte| _mm512_set1_epi32(byte as i32));
    let columns = op.columns.map(|column| column as usize * LINES);
    let inputs = op.inputs.map(|slot| usize::from(slot) * SLOT_LINES);
    let out = usize::from(op.out) * SLOT_LINES;
    debug_assert!(columns.iter().all(|at| at + LINES <= codes.len()));
    debug_assert!(
        inputs
            .iter()
            .chain([&out])
            .all(|at| at + LINES <= arena.len())
    );
    for line in 0..LINES {
        // SAFETY: a column has LINES lines within the codes; a slot has at least as many within the arena; the slices
        // are at least that long. Lines are aligned to 64 bytes.
        let load = |lines: &[Line], at| unsafe { _mm512_load_si512(lines.as_ptr().add(at).cast()) };
        let node = |at: usize, left, right| {
            let code = load(codes, columns[at] + line);
            let above = _mm512_cmpgt_epu8_mask(code, thresholds[at]);
            _mm512_mask_add_epi8(left, above, right, adds[at])
        };
        let input = |at: usize| match KIND % 2 {
            0 => load(arena, inputs[at] + line),
            _ => _mm512_setzero_si512(),
        };
        let top = top!(KIND / 2, node, input);
        // SAFETY: as above.
        unsafe { _mm512_store_si512(arena.as_mut_ptr().add(out + line).cast(), top) };
    }
}

/// Adds the numbers of at most [`REGISTER_LEAVES`] leaves to the sums of the rows whose leaves are found.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn add_few(found: &[Line], leaves: &[f64], sums: &mut [[f64; LINE_ROWS]]) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { add_few_of(found, leaves, sums) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add_few_of(found: &[Line], leaves: &[f64], sums: &mut [[f64; LINE_ROWS]]) {
    let part = |first: usize| {
        let left = leaves.len().saturating_sub(first).min(8);
        let mask = ((1_u32 << left) - 1) as u8;
        // SAFETY: only the `left` numbers from `first` are read, which the slice has.
        unsafe { _mm512_maskz_loadu_pd(mask, leaves.as_ptr().wrapping_add(first)) }
    };
    let (a, b, c, d) = (part(0), part(8), part(16), part(24));
    let sixteen = _mm512_set1_epi64(16);
    for (found, sums) in found.iter().zip(sums) {
        let found = found.0.as_chunks::<8>().0;
        for (found, sums) in found.iter().zip(sums.as_chunks_mut::<8>().0) {
            // SAFETY: both chunks are eight long.
            unsafe {
                let leaf = _mm512_cvtepu8_epi64(_mm_loadl_epi64(found.as_ptr().cast()));
                let low = _mm512_permutex2var_pd(a, leaf, b);
                let high = _mm512_permutex2var_pd(c, leaf, d);
                let number = _mm512_mask_blend_pd(_mm512_test_epi64_mask(leaf, sixteen), low, high);
                let sum = _mm512_add_pd(_mm512_loadu_pd(sums.as_ptr()), number);
                _mm512_storeu_pd(sums.as_mut_ptr(), sum);
            }
        }
    }
}

/// Adds bytes, each and `first` modulo 256, row by row.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn add_bytes(lines: &[Line], first: u8, sums: &mut [[u16; LINE_ROWS]]) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { add_bytes_of(lines, first, sums) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add_bytes_of(lines: &[Line], first: u8, sums: &mut [[u16; LINE_ROWS]]) {
    let first = _mm256_set1_epi8(first as i8);
    for (line, sums) in lines.iter().zip(sums) {
        let bytes = line.0.as_chunks::<32>().0.iter();
        for (bytes, sums) in bytes.zip(sums.as_chunks_mut::<32>().0) {
            // SAFETY: both chunks are 32 long.
            unsafe {
                let bytes = _mm256_add_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), first);
                let wide = _mm512_cvtepu8_epi16(bytes);
                let sum = _mm512_add_epi16(_mm512_loadu_si512(sums.as_ptr().cast()), wide);
                _mm512_storeu_si512(sums.as_mut_ptr().cast(), sum);
            }
        }
    }
}

/// The codes of 64 values.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn codes(values: &[f64; LINE_ROWS], bins: Gridded<'_>) -> Found {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { codes_of(values, bins) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn codes_of(values: &[f64; LINE_ROWS], bins: Gridded<'_>) -> Found {
    let (grid, below, thresholds) = (bins.grid(), bins.below(), bins.thresholds());
    debug_assert!(below.len() == grid.last as usize + 1 + OVERREAD && bins.run() <= RUN_MAX);
    let mut found = Found {
        line: Line([0; LINE_ROWS]),
        nan: 0,
        zero: 0,
    };
    let (low, scale) = (_mm512_set1_pd(grid.low), _mm512_set1_pd(grid.scale));
    let (zero, last) = (_mm512_setzero_pd(), _mm512_set1_pd(grid.last));
    let integers = _mm512_set1_pd(INTEGERS);
    let (cell_bits, count_bits) = (_mm512_set1_epi64(0xffff_ffff), _mm512_set1_epi64(0xffff));
    let (one, tiny) = (_mm512_set1_epi64(1), _mm512_set1_pd(ZERO_MAX));
    let parts = values.as_chunks::<8>().0.iter();
    for (part, (values, codes)) in parts.zip(found.line.0.as_chunks_mut::<8>().0).enumerate() {
        // SAFETY: eight numbers are there.
        let value = unsafe { _mm512_loadu_pd(values.as_ptr()) };
        // The same steps as the grid's own; a maximum with NaN is its second operand, so NaN falls into cell 0.
        let place = _mm512_mul_pd(_mm512_sub_pd(value, low), scale);
        let place = _mm512_min_pd(_mm512_max_pd(place, zero), last);
        let cell = _mm512_castpd_si512(_mm512_add_pd(place, integers));
        let cell = _mm512_and_si512(cell, cell_bits);
        // SAFETY: cells are within 0 and `last`, behind which there are 3 entries of 2 bytes to read over.
        let from = unsafe { _mm512_i64gather_epi64::<2>(cell, below.as_ptr().cast()) };
        let from = _mm512_and_si512(from, count_bits);
        let mut count = from;
        for step in 0..bins.run() as i64 {
            let at = _mm512_add_epi64(from, _mm512_set1_epi64(step));
            // SAFETY: behind the threshold that an entry names there are RUN_MAX, of which `run` are read.
            let threshold = unsafe { _mm512_i64gather_pd::<8>(at, thresholds.as_ptr()) };
            let less = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(threshold, value);
            count = _mm512_mask_add_epi64(count, less, count, one);
        }
        // SAFETY: eight bytes are there.
        unsafe { _mm_storel_epi64(codes.as_mut_ptr().cast(), _mm512_cvtepi64_epi8(count)) };
        let nan = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(value, value);
        let small = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(_mm512_abs_pd(value), tiny);
        found.nan |= u64::from(nan) << (8 * part);
        found.zero |= u64::from(small) << (8 * part);
    }
    found
}
