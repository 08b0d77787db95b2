//! Which rows are held out. The same rows, options and seed give the same split.

use super::options::{Method, TrainOptions};
use crate::error::{Error, Result};
use alcedo_sql::SqlState;

/// `auto` holds nothing out below this many rows …
const AUTO_NONE_BELOW: usize = 500;
/// … and a fifth up to this many, then [`AUTO_ROWS`].
const AUTO_FRACTION_UP_TO: usize = 50_000;
const AUTO_ROWS: usize = 10_000;

/// One flag per row: TRUE is held out. `order` holds the values of the split column, where there is one.
///
/// # Errors
/// 22000 when no row is left to train on, or none to evaluate.
pub fn held_out(options: &TrainOptions, rows: usize, order: &[f64]) -> Result<Vec<bool>> {
    let count = match options.method {
        Method::None => 0,
        Method::Auto if rows < AUTO_NONE_BELOW => 0,
        Method::Auto if rows <= AUTO_FRACTION_UP_TO => rows / 5,
        Method::Auto => AUTO_ROWS,
        Method::Random | Method::Sequential => {
            (rows as f64 * options.eval_fraction).round() as usize
        }
        Method::Custom => return custom(order),
    };
    if count == 0 && matches!(options.method, Method::Auto | Method::None) {
        return Ok(vec![false; rows]);
    }
    if count == 0 || count >= rows {
        return Err(too_small());
    }
    let mut ranked: Vec<(u64, u32)> = match options.method {
        // Later rows come last; of equal values, and of missing ones, the order of the rows decides.
        Method::Sequential => (0..rows as u32)
            .map(|row| (ascending(order[row as usize]), row))
            .collect(),
        _ => (0..rows as u32)
            .map(|row| (hash(options.seed.unwrap_or(0) as u64, u64::from(row)), row))
            .collect(),
    };
    let first = rows - count;
    ranked.select_nth_unstable(first);
    let mut held = vec![false; rows];
    for (_, row) in &ranked[first..] {
        held[*row as usize] = true;
    }
    Ok(held)
}

/// TRUE and NULL hold a row out.
fn custom(flags: &[f64]) -> Result<Vec<bool>> {
    let held: Vec<bool> = flags
        .iter()
        .map(|flag| flag.is_nan() || *flag != 0.0)
        .collect();
    let count = held.iter().filter(|h| **h).count();
    if count == 0 || count == held.len() {
        Err(too_small())
    } else {
        Ok(held)
    }
}

fn too_small() -> Error {
    Error::user(
        SqlState::DATA_EXCEPTION,
        "the split leaves no rows to train on or none to evaluate",
    )
    .hint("Use data_split_method = 'none', another fraction, or more rows.")
}

/// A number whose order is that of the floats; NaN comes first.
fn ascending(value: f64) -> u64 {
    if value.is_nan() {
        return 0;
    }
    let bits = value.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    }
}

/// SplitMix64 of seed and row.
fn hash(seed: u64, row: u64) -> u64 {
    let mut x = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(row.wrapping_mul(0xd1b5_4a32_d192_ed03));
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
