//! Blending with AVX2: 32 rows an instruction.
//!
//! **Idea.** AVX2 compares signed bytes only, but `code <= threshold` is `min(code, threshold) == code` for unsigned
//! ones, and `vpblendvb` picks by the sign of each byte of the result; beside a leaf on the left `vpandn` does. A node
//! costs three or four instructions for 32 rows.
//!
//! **Leaves** are loaded row by row: gathering is no faster.
//!
//! **Sifting.** Rows that stay are moved together by `pshufb`, eight codes at a time; `pext` would do the same, but takes
//! long on processors that have it in microcode.
//!
//! **Vocabulary and layout.** Line, slot, arena, code column: see `bins` and `program`.
//!
//! **Safety.** As in `avx512`: everything but memory access is safe code, [`Ops::new`] checks that columns and lines are
//! within what they are run on, and [`run`] checks the slices' lengths, as [`sift`] does for what is sifted.
//!
//! **Checked.** `equal` holds it against the plain scorer; with AddressSanitizer: `RUSTC_BOOTSTRAP=1
//! RUSTFLAGS=-Zsanitizer=address cargo test -p alcedo-udfs --lib --target x86_64-unknown-linux-gnu -- forest::equal`.
//!
//! Papers: see `program`.

use super::bins::{LINE_ROWS, Line};
use super::blend::{Block, StepSums};
use super::program::{ARENA_LINES, Op, Ops, SLOT_LINES, by_kind, by_lines, top};
use std::arch::x86_64::*;
use std::ops::Range;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
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

#[target_feature(enable = "avx2")]
fn run_lines<const LINES: usize>(ops: &[Op], block: &mut Block<'_>) {
    for op in ops {
        by_kind!(op, decide::<LINES>(op, block.codes, block.arena));
    }
}

/// One operation on all lines of a block.
#[inline]
#[target_feature(enable = "avx2")]
fn decide<const KIND: u8, const LINES: usize>(op: &Op, codes: &[Line], arena: &mut [Line]) {
    let thresholds = op.thresholds.map(|byte| _mm256_set1_epi32(byte as i32));
    let adds = op.adds.map(|byte| _mm256_set1_epi32(byte as i32));
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
    for half in 0..LINES * 2 {
        // SAFETY: a column has LINES lines within the codes; a slot has at least as many within the arena; the slices
        // are at least that long. Half a line is aligned to 32 bytes.
        let load = |lines: &[Line], at| unsafe {
            let half = lines.as_ptr().add(at).cast::<__m256i>().add(half);
            _mm256_load_si256(half)
        };
        let node = |at: usize, left, right| {
            let code = load(codes, columns[at]);
            let below = _mm256_cmpeq_epi8(_mm256_min_epu8(code, thresholds[at]), code);
            _mm256_blendv_epi8(_mm256_add_epi8(right, adds[at]), left, below)
        };
        let input = |at: usize| match KIND % 2 {
            0 => load(arena, inputs[at]),
            _ => _mm256_setzero_si256(),
        };
        let top = top!(KIND / 2, node, input);
        // SAFETY: as above.
        unsafe {
            let out = arena.as_mut_ptr().add(out).cast::<__m256i>().add(half);
            _mm256_store_si256(out, top);
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

#[target_feature(enable = "avx2")]
fn add_bytes_of(lines: &[Line], first: u8, steps: &mut [StepSums]) {
    let (first, one) = (_mm256_set1_epi8(first as i8), _mm256_set1_epi8(1));
    for (line, steps) in lines.iter().zip(steps) {
        let sums = steps.low.0.as_chunks_mut::<32>().0.iter_mut();
        let sums = sums.zip(steps.high.0.as_chunks_mut::<32>().0);
        for (bytes, (low, high)) in line.0.as_chunks::<32>().0.iter().zip(sums) {
            // SAFETY: all chunks are 32 long.
            unsafe {
                let bytes = _mm256_add_epi8(_mm256_loadu_si256(bytes.as_ptr().cast()), first);
                let sum = _mm256_add_epi8(_mm256_loadu_si256(low.as_ptr().cast()), bytes);
                // All ones, which is -1, where nothing is carried.
                let kept = _mm256_cmpeq_epi8(_mm256_max_epu8(sum, bytes), sum);
                let carried = _mm256_loadu_si256(high.as_ptr().cast());
                let carried = _mm256_add_epi8(_mm256_add_epi8(carried, one), kept);
                _mm256_storeu_si256(low.as_mut_ptr().cast(), sum);
                _mm256_storeu_si256(high.as_mut_ptr().cast(), carried);
            }
        }
    }
}

/// Takes the codes of the rows whose bits are set, of each column: from a line of a block to another block's rows from one
/// on. Each block comes with how many lines its columns have.
///
/// # Panics
/// When the processor does not have the instructions, or there is no such line or no room for the rows.
pub fn sift(from: (&[Line], usize, usize), bits: u64, to: (&mut [Line], usize, usize)) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { sift_of(from, bits, to) }
}

#[target_feature(enable = "avx2")]
fn sift_of(
    (from, from_lines, line): (&[Line], usize, usize),
    bits: u64,
    (to, to_lines, at): (&mut [Line], usize, usize),
) {
    let (count, room) = (bits.count_ones() as usize, to_lines * LINE_ROWS);
    assert!(line < from_lines && count <= room && at <= room - count);
    // For each eight rows those that stay, and how many stay before them.
    let (mut orders, mut before) = ([[0_u8; 8]; LINE_ROWS / 8], [0; LINE_ROWS / 8]);
    let mut left = bits;
    for number in 0..count {
        let row = left.trailing_zeros() as usize;
        orders[row / 8][number - before[row / 8]] = row as u8 % 8;
        before[row / 8 + 1..].fill(number + 1);
        left &= left - 1;
    }
    let mut found = [0_u8; LINE_ROWS];
    let columns = from.chunks_exact(from_lines);
    for (from, to) in columns.zip(to.chunks_exact_mut(to_lines)) {
        let eights = from[line].0.as_chunks::<8>().0.iter();
        for (eight, (order, before)) in eights.zip(orders.iter().zip(before)) {
            let found = &mut found[before..before + 8];
            // SAFETY: all three are eight bytes; what stays is written first, and the next eight over the rest.
            unsafe {
                let eight = _mm_loadl_epi64(eight.as_ptr().cast());
                let order = _mm_loadl_epi64(order.as_ptr().cast());
                let kept = _mm_shuffle_epi8(eight, order);
                _mm_storel_epi64(found.as_mut_ptr().cast(), kept);
            }
        }
        // SAFETY: only the `count` bytes from `at` are written, which the column has.
        unsafe {
            let to = to.as_mut_ptr().cast::<u8>().add(at);
            to.copy_from_nonoverlapping(found.as_ptr(), count);
        }
    }
}
