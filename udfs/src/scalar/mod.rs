//! SQL functions of one row that DataFusion lacks and Postgres users expect: one file each, this is the list.

pub mod checked;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The functions of this folder.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    checked::all()
}
