//! Aggregate functions that PostgreSQL computes exactly where DataFusion does not, and those that DataFusion lacks.
//!
//! What they leave to DataFusion (averages of double precision, sums of intervals …) goes to its functions of the
//! same names, which [`all`] is given.

mod deviation;
mod exact;
mod ordered;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;
use datafusion_expr::type_coercion::functions::fields_with_udf;
use std::sync::Arc;

/// The aggregate functions; `other` finds DataFusion's.
pub fn all(other: impl Fn(&str) -> Option<Arc<AggregateUDF>>) -> Vec<Arc<AggregateUDF>> {
    let mut all = ordered::all();
    for name in exact::NAMES {
        all.extend(other(name).map(|other| exact::function(name, other)));
    }
    for name in deviation::NAMES {
        all.extend(other(name).map(|other| deviation::function(name, other)));
    }
    all
}

/// The types that another function takes its arguments as.
fn coerced(other: &AggregateUDF, types: &[DataType]) -> Result<Vec<DataType>> {
    let fields: Vec<FieldRef> = types
        .iter()
        .map(|t| Arc::new(Field::new("x", t.clone(), true)))
        .collect();
    let coerced = fields_with_udf(&fields, other)?;
    Ok(coerced.iter().map(|f| f.data_type().clone()).collect())
}
