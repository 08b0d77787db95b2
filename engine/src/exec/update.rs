//! `UPDATE`: files that hold rows to change are written again with the new rows.

use super::Output;
use super::change::{Rows, plan as plan_change, prepare as prepare_change, run as change, target};
use super::insert::no_column;
use super::insert_values::value;
use crate::catalog::{ObjectName, Table};
use crate::error::{Error, Result};
use crate::query::Context;
use alcedo_sql::ast::Expr;
use alcedo_sql::statement::Update;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::logical_expr::LogicalPlan;

/// What an UPDATE works on.
struct Resolved {
    /// Knows the types of parameters.
    ctx: Context,
    name: ObjectName,
    table: Table,
    values: Vec<(usize, Expr)>,
}

fn resolved(ctx: &Context, s: &Update) -> Result<Resolved> {
    let (name, table) = target(ctx, &s.table, "update")?;
    let mut types = ctx.parameter_types.clone();
    let values = values(s, &name, &table, &mut types)?;
    let ctx = Context {
        parameter_types: types,
        ..ctx.clone()
    };
    Ok(Resolved {
        ctx,
        name,
        table,
        values,
    })
}

/// Changes the rows for which the condition is true.
pub(crate) async fn run(ctx: &Context, s: &Update) -> Result<Output> {
    let r = resolved(ctx, s)?;
    let count = change(&r.ctx, &r.name, &r.table, rows(s, &r.values)).await?;
    Ok(Output::rows_tag("UPDATE", count))
}

/// The query that finds the rows, and their table.
pub(super) async fn plan(ctx: &Context, s: &Update) -> Result<(ObjectName, LogicalPlan)> {
    let r = resolved(ctx, s)?;
    let plan = plan_change(&r.ctx, &r.table, rows(s, &r.values)).await?;
    Ok((r.name, plan))
}

/// Types of the parameters.
pub(crate) async fn prepare(ctx: &Context, s: &Update) -> Result<Vec<FieldRef>> {
    let r = resolved(ctx, s)?;
    prepare_change(&r.ctx, &r.table, rows(s, &r.values)).await
}

fn rows<'a>(s: &'a Update, values: &'a [(usize, Expr)]) -> Rows<'a> {
    Rows {
        table: &s.table,
        alias: s.alias.as_deref(),
        condition: s.selection.as_ref(),
        values,
    }
}

/// New values by column; DEFAULT and texts without a type take the column's.
fn values(
    s: &Update,
    name: &ObjectName,
    table: &Table,
    types: &mut Vec<Option<FieldRef>>,
) -> Result<Vec<(usize, Expr)>> {
    let mut found = Vec::with_capacity(s.assignments.len());
    for (column, expr) in &s.assignments {
        let Some(at) = table.columns.iter().position(|c| c.name == *column) else {
            return Err(no_column(name, &table.columns, column));
        };
        let mut expr = match expr {
            Some(expr) => expr.clone(),
            None => {
                alcedo_sql::parse_expression(table.columns[at].default.as_deref().unwrap_or("NULL"))
                    .map_err(|e| Error::from(e).placeless())?
            }
        };
        value(&mut expr, &table.columns[at], types)?;
        found.push((at, expr));
    }
    Ok(found)
}
