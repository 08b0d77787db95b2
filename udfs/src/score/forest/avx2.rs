//! Blending with AVX2: 32 rows an instruction.
//!
//! **Idea.** AVX2 compares signed bytes only, but `code <= threshold` is `min(code, threshold) == code` for unsigned
//! ones, and `vpblendvb` picks by the sign of each byte of the result. A node costs three instructions for 32 rows.
//!
//! **Leaves** are loaded row by row: gathering is no faster.
//!
//! **Vocabulary and layout.** Line, slot, arena, code column: see `bins` and `program`.
//!
//! **Safety.** As in `avx512`: everything but memory access is safe code, [`Ops::new`] checks that columns and lines are
//! within what they are run on, and [`run`] checks the slices' lengths.
//!
//! **Checked.** `equal` holds it against the plain scorer; with AddressSanitizer: `RUSTC_BOOTSTRAP=1
//! RUSTFLAGS=-Zsanitizer=address cargo test -p alcedo-udfs --lib --target x86_64-unknown-linux-gnu -- forest::equal`.
//!
//! Papers: see `program`.

use super::bins::{LINE_ROWS, Line};
use super::blend::Block;
use super::program::{ARENA_LINES, CONSTANTS, Op, Ops, SLOT_LINES};
use std::arch::x86_64::*;
use std::ops::Range;

/// Whether this processor has the instructions.
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
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
            _ => run_lines::<4>(&ops.all()[range], block),
        }
    }
}

#[target_feature(enable = "avx2")]
fn run_lines<const LINES: usize>(ops: &[Op], block: &mut Block<'_>) {
    for op in ops {
        blend::<LINES>(op, block.codes, block.arena);
    }
}

/// One operation on all lines of a block.
#[inline]
#[target_feature(enable = "avx2")]
fn blend<const LINES: usize>(op: &Op, codes: &[Line], arena: &mut [Line]) {
    let threshold = _mm256_set1_epi32(op.threshold as i32);
    let stride = |place: u16| usize::from(usize::from(place) >= CONSTANTS);
    let (left, left_stride) = (usize::from(op.left), stride(op.left));
    let (right, right_stride) = (usize::from(op.right), stride(op.right));
    let (column, out) = (op.column as usize * LINES, usize::from(op.out));
    debug_assert!(column + LINES <= codes.len() && out + LINES <= arena.len());
    debug_assert!(left + left_stride * (LINES - 1) < arena.len());
    debug_assert!(right + right_stride * (LINES - 1) < arena.len());
    for line in 0..LINES {
        for half in 0..2 {
            // SAFETY: the column has LINES lines within the codes; constants and slots, which have 4 lines, lie within
            // the arena; the slices are at least that long. Half a line is aligned to 32 bytes.
            unsafe {
                let code = codes
                    .as_ptr()
                    .add(column + line)
                    .cast::<__m256i>()
                    .add(half);
                let left = arena
                    .as_ptr()
                    .add(left + line * left_stride)
                    .cast::<__m256i>()
                    .add(half);
                let right = arena
                    .as_ptr()
                    .add(right + line * right_stride)
                    .cast::<__m256i>()
                    .add(half);
                let code = _mm256_load_si256(code);
                let below = _mm256_cmpeq_epi8(_mm256_min_epu8(code, threshold), code);
                let blended =
                    _mm256_blendv_epi8(_mm256_load_si256(right), _mm256_load_si256(left), below);
                let out = arena
                    .as_mut_ptr()
                    .add(out + line)
                    .cast::<__m256i>()
                    .add(half);
                _mm256_store_si256(out, blended);
            }
        }
    }
}

/// Adds 64 bytes, row by row.
///
/// # Panics
/// When the processor does not have the instructions.
pub fn add_bytes(line: &Line, sums: &mut [u16; LINE_ROWS]) {
    assert!(available());
    // SAFETY: the processor has the instructions.
    unsafe { add_bytes_of(line, sums) }
}

#[target_feature(enable = "avx2")]
fn add_bytes_of(line: &Line, sums: &mut [u16; LINE_ROWS]) {
    let bytes = line.0.as_chunks::<16>().0.iter();
    for (bytes, sums) in bytes.zip(sums.as_chunks_mut::<16>().0) {
        // SAFETY: both chunks are 16 long.
        unsafe {
            let wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(bytes.as_ptr().cast()));
            let sum = _mm256_add_epi16(_mm256_loadu_si256(sums.as_ptr().cast()), wide);
            _mm256_storeu_si256(sums.as_mut_ptr().cast(), sum);
        }
    }
}
