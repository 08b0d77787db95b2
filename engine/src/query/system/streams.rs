//! The tables of the schema `streams`: sources with where they begin, and what became of records on their way.

use super::columns::{Row, row};
use crate::catalog::{OnError, RelationKind};
use crate::error::{Error, Result};
use crate::query::Context;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use std::sync::Arc;

/// The rows of a table that is made of the catalog.
pub(super) fn rows(ctx: &Context, table: &str) -> Result<Vec<Row>> {
    match table {
        "sources" => sources(ctx),
        _ => Ok(Vec::new()),
    }
}

fn sources(ctx: &Context) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, relation) in &ctx.snapshot.relations {
        let RelationKind::Source(source) = &relation.kind else {
            continue;
        };
        let start = serde_json::to_string(&source.start)
            .map_err(|e| Error::internal(format!("offsets are not JSON: {e}")))?;
        rows.push(row![
            "source_schema" => name.schema.as_str(),
            "source_name" => name.name.as_str(),
            "connector" => "kafka",
            "topic" => source.topic.as_str(),
            "start_offsets" => start,
            "on_error" => match source.on_error {
                OnError::DeadLetter => "dead_letter",
                OnError::Fail => "fail",
            },
            "created_at" => relation.created_at_us,
            "owner" => relation.owner.as_str(),
        ]);
    }
    Ok(rows)
}

/// The tables of this schema that have their columns from elsewhere.
pub(super) const NAMES: &[&str] = &["dead_letters"];

/// One of these.
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
