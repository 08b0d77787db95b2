//! The tables of the schema `streams`: what became of records on their way.

use crate::error::Result;
use crate::query::Context;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use std::sync::Arc;

/// The tables of this schema.
pub(super) const NAMES: &[&str] = &["dead_letters"];

/// A table of this schema.
pub(super) fn table(ctx: &Context, name: &str) -> Option<Result<Arc<dyn TableProvider>>> {
    match name {
        "dead_letters" => Some(ctx.services.dead_letters.table()),
        _ => None,
    }
}

/// The columns of a table.
pub(super) fn schema(ctx: &Context, name: &str) -> Option<SchemaRef> {
    Some(table(ctx, name)?.ok()?.schema())
}
