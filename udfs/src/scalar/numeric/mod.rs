//! Operators and functions of numbers whose results PostgreSQL gives another scale, rounding or error than Arrow.

pub mod arithmetic;
pub mod floats;
pub mod round;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The functions of this folder that have a name in SQL.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = round::all();
    all.extend(floats::all());
    all.push(Arc::new(arithmetic::Arithmetic::truncated().into()));
    all
}
