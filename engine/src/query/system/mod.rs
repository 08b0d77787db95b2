//! What the engine says about itself in SQL: `pg_catalog`, `information_schema`, `ml` and `streams`, the
//! functions that go with them, and the spellings of clients that ask.
//!
//! | to add | where |
//! |---|---|
//! | rows of a table | a line in `pg_catalog.rs`, `information_schema.rs`, `ml.rs` or `streams.rs`, a function that makes the rows |
//! | a table | the line of its columns in `columns.txt`; without rows of ours it is empty |
//! | a function | a line in the table of its subject in `functions/` |
//!
//! `objects` lists what exists with oids, `types` the built-in types, `rewrite` what clients send and the
//! planner does not read.

mod columns;
mod functions;
mod information_schema;
mod ml;
mod objects;
mod pg_catalog;
mod rewrite;
mod settings;
mod streams;
mod types;

pub(crate) use functions::{NAMES as FUNCTIONS, find as function};
pub(crate) use rewrite::rewrite;

use super::Context;
use crate::error::Result;
use datafusion::catalog::TableProvider;
use std::sync::Arc;

/// The schemas of the system: nobody creates in them.
pub const SCHEMAS: &[&str] = &["pg_catalog", "information_schema", "ml", "streams"];

/// The name of a type without its length or precision.
pub(crate) fn type_name(ty: &alcedo_sql::types::SqlType) -> String {
    types::format(ty.oids().0, None)
}

/// A table of the system; `None` when the schema has no such table.
pub(crate) fn table(
    ctx: &Context,
    schema: &str,
    name: &str,
) -> Option<Result<Arc<dyn TableProvider>>> {
    if schema == "streams" && streams::NAMES.contains(&name) {
        return streams::table(ctx, name);
    }
    let columns = columns::of(schema, name)?;
    let rows = match schema {
        "pg_catalog" => pg_catalog::rows(ctx, name),
        "ml" => ml::rows(ctx, name),
        "streams" => streams::rows(ctx, name),
        _ => information_schema::rows(ctx, name),
    };
    Some(rows.and_then(|rows| columns::provider(columns, &rows)))
}
