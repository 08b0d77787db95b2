//! `DELETE`: files that hold rows to go are written again without them.

use super::Output;
use super::change::{Rows, plan as plan_change, prepare as prepare_change, run as change, target};
use crate::catalog::ObjectName;
use crate::error::Result;
use crate::query::Context;
use alcedo_sql::statement::Delete;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::logical_expr::LogicalPlan;

fn rows(s: &Delete) -> Rows<'_> {
    Rows {
        table: &s.table,
        alias: s.alias.as_deref(),
        condition: s.selection.as_ref(),
        values: &[],
    }
}

/// Deletes the rows for which the condition is true.
pub(crate) async fn run(ctx: &Context, s: &Delete) -> Result<Output> {
    let (name, table) = target(ctx, &s.table, "delete from")?;
    let count = change(ctx, &name, &table, rows(s)).await?;
    Ok(Output::rows_tag("DELETE", count))
}

/// The query that finds the rows, and their table.
pub(super) async fn plan(ctx: &Context, s: &Delete) -> Result<(ObjectName, LogicalPlan)> {
    let (name, table) = target(ctx, &s.table, "delete from")?;
    let plan = plan_change(ctx, &table, rows(s)).await?;
    Ok((name, plan))
}

/// Types of the parameters.
pub(crate) async fn prepare(ctx: &Context, s: &Delete) -> Result<Vec<FieldRef>> {
    let (_, table) = target(ctx, &s.table, "delete from")?;
    prepare_change(ctx, &table, rows(s)).await
}
