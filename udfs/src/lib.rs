//! Computes on Arrow arrays: SQL functions and model scorers. Pure and synchronous, no I/O, no global state.
//!
//! [`all`] lists the SQL functions, [`score`] holds the scorers, [`predict`] makes SQL functions of them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aggregate;
pub mod error;
pub mod number;
pub mod predict;
pub mod scalar;
pub mod score;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// Every SQL function of this crate, to be registered beside DataFusion's own.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    scalar::all()
}
