//! Blending with AVX-512: 64 rows an instruction.
//!
//! **Idea.** `vpcmpub` compares 64 codes with a threshold and leaves a mask of 64 bits; where it is set, `vpaddb` puts
//! the right side's number and what lies before it in the place of the left side's. Two instructions decide a node for
//! 64 rows, and read its codes and what comes from outside the operation.
//!
//! **Leaves.** Up to 64 leaf numbers of f64 are held in registers, their low and their high halves apart. `vpermi2d`
//! picks among 32 halves for 16 rows at once, and they are joined by interleaving; more leaves are loaded row by row.
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
//! slices' lengths. What [`pick`] writes is a slice as long as there are bits.
//!
//! **Checked.** `equal` holds it against the plain scorer; with AddressSanitizer: `RUSTC_BOOTSTRAP=1
//! RUSTFLAGS=-Zsanitizer=address cargo test -p alcedo-udfs --lib --target x86_64-unknown-linux-gnu -- forest::equal`.
//!
//! Papers: see `program`.

use super::bins::{Found, Gridded, INTEGERS, LINE_ROWS, Line, OVERREAD, RUN_MAX};
use super::blend::{Block, StepSums};
use super::program::{ARENA_LINES, Op, Ops, SLOT_LINES, by_kind, by_lines, top};
use crate::score::Limits;
use crate::score::features::ZERO_MAX;
use std::arch::x86_64::*;
use std::ops::Range;

/// Leaves that fit into registers.
pub const REGISTER_LEAVES: usize = 64;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
}

/// Runs some of the operations on a block.
///
/// # Panics
/// When the processor does not have the instructions, a slice of the block is shorter than they say, or its lines are
/// none of `BLOCK_LINES`.
pub fn run(ops: &Ops, range: Range<usize>, block: &mut Block<'_>) {
    assert!(available());
    assert!(block.lines <= SLOT_LINES);
    assert!(block.codes.len() >= ops.columns() * block.lines);
    assert!(block.arena.len() >= ARENA_LINES);
    // SAFETY: the processor has the instructions.
    unsafe {
        by_lines!(block.lines, run_lines(&ops.all()[range], block));
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
    debug_assert!(leaves.len() <= REGISTER_LEAVES);
    // SAFETY: the processor has the instructions.
    unsafe {
        match leaves.len() <= REGISTER_LEAVES / 2 {
            true => add_few_of::<false>(found, leaves, sums),
            false => add_few_of::<true>(found, leaves, sums),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add_few_of<const MANY: bool>(found: &[Line], leaves: &[f64], sums: &mut [[f64; LINE_ROWS]]) {
    let part = |first: usize| {
        let left = leaves.len().saturating_sub(first).min(8);
        let mask = ((1_u32 << left) - 1) as u8;
        // SAFETY: only the `left` numbers from `first` are read, which the slice has.
        let eight = unsafe { _mm512_maskz_loadu_pd(mask, leaves.as_ptr().wrapping_add(first)) };
        _mm512_castpd_si512(eight)
    };
    // The low and the high halves of 16 numbers.
    let (evens, odds) = (
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0),
        _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1),
    );
    let halves = |at: usize, which| _mm512_permutex2var_epi32(part(at), which, part(at + 8));
    let low = [0, 16, 32, 48].map(|at| halves(at, evens));
    let high = [0, 16, 32, 48].map(|at| halves(at, odds));
    let second_half = _mm512_set1_epi32(REGISTER_LEAVES as i32 / 2);
    // Of 16 rows' bytes that all four lanes have, each lane's doublewords begin with the four it needs, when they are
    // shifted by the lane's number of bytes; `order` puts them there.
    let order = _mm512_broadcast_i32x4(_mm_set_epi8(
        15, 13, 11, 9, 14, 12, 10, 8, 7, 5, 3, 1, 6, 4, 2, 0,
    ));
    let shift = _mm512_set_epi32(24, 24, 24, 24, 16, 16, 16, 16, 8, 8, 8, 8, 0, 0, 0, 0);
    for (found, sums) in found.iter().zip(sums) {
        let mut ordered = Line([0; LINE_ROWS]);
        // SAFETY: lines are as long as a register and aligned as one.
        unsafe {
            let found = _mm512_load_si512(found.0.as_ptr().cast());
            let found = _mm512_shuffle_epi8(found, order);
            _mm512_store_si512(ordered.0.as_mut_ptr().cast(), found);
        }
        let sixteen = ordered.0.as_chunks::<16>().0.iter();
        for (found, sums) in sixteen.zip(sums.as_chunks_mut::<16>().0) {
            // SAFETY: 16 bytes and 16 numbers are there.
            unsafe {
                let bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(found.as_ptr().cast()));
                // More bits than the five that choose among 32 are not looked at.
                let leaf = _mm512_srlv_epi32(bytes, shift);
                let many = match MANY {
                    true => _mm512_test_epi32_mask(leaf, second_half),
                    false => 0,
                };
                let pick = |of: [__m512i; 4]| {
                    let first = _mm512_permutex2var_epi32(of[0], leaf, of[1]);
                    match MANY {
                        true => {
                            let second = _mm512_permutex2var_epi32(of[2], leaf, of[3]);
                            _mm512_mask_blend_epi32(many, first, second)
                        }
                        false => first,
                    }
                };
                let (low, high) = (pick(low), pick(high));
                let first = _mm512_castsi512_pd(_mm512_unpacklo_epi32(low, high));
                let second = _mm512_castsi512_pd(_mm512_unpackhi_epi32(low, high));
                let to = sums.as_mut_ptr();
                _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), first));
                let to = to.add(8);
                _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), second));
            }
        }
    }
}

/// Adds bytes, each and `first` modulo 256, row by row.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn add_bytes(lines: &[Line], first: u8, steps: &mut [StepSums]) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { add_bytes_of(lines, first, steps) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add_bytes_of(lines: &[Line], first: u8, steps: &mut [StepSums]) {
    let (first, one) = (_mm512_set1_epi8(first as i8), _mm512_set1_epi8(1));
    for (line, steps) in lines.iter().zip(steps) {
        // SAFETY: lines are as long as a register and aligned as one.
        unsafe {
            let (low, high) = (steps.low.0.as_mut_ptr(), steps.high.0.as_mut_ptr());
            let bytes = _mm512_add_epi8(_mm512_load_si512(line.0.as_ptr().cast()), first);
            let sum = _mm512_add_epi8(_mm512_load_si512(low.cast()), bytes);
            let carry = _mm512_cmplt_epu8_mask(sum, bytes);
            let carried = _mm512_load_si512(high.cast());
            let carried = _mm512_mask_add_epi8(carried, carry, carried, one);
            _mm512_store_si512(low.cast(), sum);
            _mm512_store_si512(high.cast(), carried);
        }
    }
}

/// Adds the widths of steps to the scores of their rows.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn add_steps(steps: &StepSums, width: f64, scores: &mut [f64; LINE_ROWS]) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { add_steps_of(steps, width, scores) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn add_steps_of(steps: &StepSums, width: f64, scores: &mut [f64; LINE_ROWS]) {
    let width = _mm512_set1_pd(width);
    let low = steps.low.0.as_chunks::<8>().0.iter();
    let both = low.zip(steps.high.0.as_chunks::<8>().0);
    for ((low, high), scores) in both.zip(scores.as_chunks_mut::<8>().0) {
        // SAFETY: all have eight.
        unsafe {
            let low = _mm_loadl_epi64(low.as_ptr().cast());
            let high = _mm_loadl_epi64(high.as_ptr().cast());
            let steps = _mm256_cvtepu16_epi32(_mm_unpacklo_epi8(low, high));
            let sum = _mm512_mul_pd(_mm512_cvtepi32_pd(steps), width);
            let sum = _mm512_add_pd(_mm512_loadu_pd(scores.as_ptr()), sum);
            _mm512_storeu_pd(scores.as_mut_ptr(), sum);
        }
    }
}

/// Writes on which side of the limits the rows of a line are, given their steps and what their scores have at least and
/// at most beside these; a bit for each of which it is not certain, whose steps stay.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn sides(steps: &mut [f64; LINE_ROWS], bounds: (f64, f64), limits: Limits) -> u64 {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { sides_of(steps, bounds, limits) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn sides_of(steps: &mut [f64; LINE_ROWS], bounds: (f64, f64), limits: Limits) -> u64 {
    let (least, most) = (_mm512_set1_pd(bounds.0), _mm512_set1_pd(bounds.1));
    let (low, high) = (_mm512_set1_pd(limits.low), _mm512_set1_pd(limits.high));
    let sides = [f64::NEG_INFINITY, f64::INFINITY].map(|side| _mm512_set1_pd(side));
    let mut uncertain = 0;
    for (part, steps) in steps.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        // SAFETY: eight numbers are there.
        let eight = unsafe { _mm512_loadu_pd(steps.as_ptr()) };
        let below = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(_mm512_add_pd(eight, most), low);
        let above = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(_mm512_add_pd(eight, least), high) & !below;
        let eight = _mm512_mask_mov_pd(eight, below, sides[0]);
        let eight = _mm512_mask_mov_pd(eight, above, sides[1]);
        // SAFETY: as above.
        unsafe { _mm512_storeu_pd(steps.as_mut_ptr(), eight) };
        uncertain |= u64::from(!(below | above)) << (8 * part);
    }
    uncertain
}

/// Copies the places and steps of a line's rows whose bits are set, side by side.
///
/// # Panics
/// When the processor does not have the instructions, or there is no room.
pub fn pick(bits: u64, from: (&[u32; LINE_ROWS], &[f64; LINE_ROWS]), to: (&mut [u32], &mut [f64])) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { pick_of(bits, from, to) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn pick_of(bits: u64, from: (&[u32; LINE_ROWS], &[f64; LINE_ROWS]), to: (&mut [u32], &mut [f64])) {
    let count = bits.count_ones() as usize;
    let (to_words, to_numbers) = (&mut to.0[..count], &mut to.1[..count]);
    let first = |count: u32| (1_u32 << count) - 1;
    let mut at = 0;
    for (part, words) in from.0.as_chunks::<16>().0.iter().enumerate() {
        let bits = (bits >> (16 * part)) as u16;
        // SAFETY: sixteen words are there; as many are written behind those before as there are bits, `count` in all.
        unsafe {
            let words = _mm512_loadu_si512(words.as_ptr().cast());
            let words = _mm512_maskz_compress_epi32(bits, words);
            let to = to_words.as_mut_ptr().add(at).cast();
            _mm512_mask_storeu_epi32(to, first(bits.count_ones()) as u16, words);
        }
        at += bits.count_ones() as usize;
    }
    let mut at = 0;
    for (part, numbers) in from.1.as_chunks::<8>().0.iter().enumerate() {
        let bits = (bits >> (8 * part)) as u8;
        // SAFETY: eight numbers are there; else as above.
        unsafe {
            let numbers = _mm512_loadu_pd(numbers.as_ptr());
            let numbers = _mm512_maskz_compress_pd(bits, numbers);
            let to = to_numbers.as_mut_ptr().add(at);
            _mm512_mask_storeu_pd(to, first(bits.count_ones()) as u8, numbers);
        }
        at += bits.count_ones() as usize;
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
