//! Functions and operators of dates, times and intervals.

pub mod age;
mod extract;
mod format;
pub mod interval;
mod make;
mod read;
mod to_char;
mod zone;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The functions of this folder that have a name in SQL.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = age::all();
    all.extend(extract::all());
    all.extend(interval::all());
    all.extend(make::all());
    all.extend(read::all());
    all.extend(to_char::all());
    all.extend(zone::all());
    all
}
