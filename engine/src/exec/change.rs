//! Changing rows of a managed table by copy-on-write: the files that hold rows to change are read, and written again
//! without these rows or with others in their place.
//!
//! The condition is planned as the filter of a query over the table, so everything that works in WHERE works here.
//! It is never handed to DataFusion's own delete and update, which see only simple filters.

use super::assign::{Rules, project};
use super::insert::{TRIES_MAX, still_there, write};
use crate::catalog::{Column, ObjectName, RelationKind, Table};
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Kind, Result};
use crate::lake::managed::{self, Change, Version};
use crate::lake::scan::{DataFile, FILE_COLUMN, ManagedScan};
use crate::lake::writer::remove;
use crate::query::{Context, TARGET};
use alcedo_sql::ast::{self, Expr, SelectItem, SetExpr};
use alcedo_sql::statement::Name;
use alcedo_sql::{SqlState, quote_ident};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use std::sync::Arc;

/// Rows to change, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub table: &'a Name,
    pub alias: Option<&'a str>,
    pub condition: Option<&'a Expr>,
    /// Table column and new value; none at all deletes the rows.
    pub values: &'a [(usize, Expr)],
}

/// The managed table that a statement changes.
pub(super) fn target(ctx: &Context, table: &Name, verb: &str) -> Result<(ObjectName, Table)> {
    let (name, relation) = ctx.relation(table)?;
    let (what, hint) = match relation.kind {
        RelationKind::Table(table) => return Ok((name, table)),
        RelationKind::View(_) => ("view", "Change the table that the view reads."),
        RelationKind::Source(_) => ("source", "A topic's records do not change: filter them in a view."),
        RelationKind::External(_) => ("external table", "External tables are only read: CREATE TABLE AS makes a copy to change."),
    };
    let text = format!("cannot {verb} {what} \"{}\"", name.name);
    Err(Error::user(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).hint(hint))
}

/// Changes the rows; gives their number. Nothing has changed after an error.
pub(super) async fn run(ctx: &Context, name: &ObjectName, table: &Table, rows: Rows<'_>) -> Result<u64> {
    let access = ctx.lake();
    let _alone = managed::writer(&access, table).await;
    for _ in 0..TRIES_MAX {
        still_there(ctx, name, table)?;
        let version = managed::version(&access, table).await?;
        match attempt(ctx, name, table, rows, &version).await {
            // Only on a shared data directory: another process has changed the table.
            Err(error) if error.fields().kind == Kind::Conflict && error.state() == SqlState::SERIALIZATION_FAILURE => {}
            done => return done,
        }
    }
    Err(Error::new(
        Kind::Conflict,
        SqlState::SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update",
    )
    .hint("Run the statement again."))
}

async fn attempt(ctx: &Context, name: &ObjectName, table: &Table, rows: Rows<'_>, version: &Version) -> Result<u64> {
    let access = ctx.lake();
    let touched = touched(ctx, table, rows, version.files()).await?;
    if touched.is_empty() {
        return Ok(0);
    }
    let removed: Vec<String> = touched.iter().map(|f| f.name.clone()).collect();
    let before: u64 = touched.iter().filter_map(|f| f.rows).sum();
    let rules = Rules::of(ctx, &name.name, &table.columns, &table.checks).await?;
    let over = over(ctx, table, touched, false);
    let mut added = Vec::new();
    let outcome = async {
        if let Some(condition) = rows.condition {
            // Rows that stay as they are: those for which the condition is false or unknown.
            let rest = over.plan_query(&query(rows, Some(rest_of(condition.clone())), None)?).await?;
            if !rows.values.is_empty() && volatile(&rest)? {
                return Err(Error::unsupported("UPDATE with a volatile function in WHERE is not supported")
                    .hint("Choose the rows first, as with CREATE TABLE … AS SELECT, and name them in WHERE."));
            }
            added.extend(write_plan(&over, table, &rules, rest).await?);
        }
        let kept: u64 = added.iter().filter_map(|f| f.rows).sum();
        let changed = before.saturating_sub(kept);
        if changed == 0 {
            return Ok(0);
        }
        if !rows.values.is_empty() {
            let hits = over.plan_query(&query(rows, rows.condition.cloned(), Some(&table.columns))?).await?;
            let sources: Vec<Option<usize>> = (0..table.columns.len()).map(Some).collect();
            let hits = project(&over, hits, &table.columns, &sources).await?;
            added.extend(write_plan(&over, table, &rules, hits).await?);
        }
        let what = if rows.values.is_empty() { Change::Delete } else { Change::Update };
        ctx.cancel.check()?;
        version.commit(&access, &removed, &added, what).await?;
        Ok(changed)
    }
    .await;
    if !matches!(outcome, Ok(changed) if changed > 0) {
        remove(&access, &added).await;
    }
    outcome
}

/// The files that hold rows to change.
async fn touched(ctx: &Context, table: &Table, rows: Rows<'_>, files: Vec<DataFile>) -> Result<Vec<DataFile>> {
    // A single file is read once either way.
    if files.len() < 2 || rows.condition.is_none() {
        return Ok(files);
    }
    let found = over(ctx, table, files.clone(), true);
    let mut query = query(rows, rows.condition.cloned(), None)?;
    let column = quote_ident(FILE_COLUMN);
    if let SetExpr::Select(select) = query.body.as_mut() {
        let mut item = alcedo_sql::parse_query(&format!("SELECT DISTINCT {column} AS f"))?;
        if let SetExpr::Select(other) = item.body.as_mut() {
            select.projection = std::mem::take(&mut other.projection);
            select.distinct = other.distinct.take();
        }
    }
    let plan = found.plan_query(&query).await?;
    let mut names = std::collections::HashSet::new();
    for batch in found.collect(plan).await? {
        names.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(files.into_iter().filter(|f| names.contains(&f.name)).collect())
}

/// The statement with some files of the table in the target's place.
fn over(ctx: &Context, table: &Table, files: Vec<DataFile>, with_file: bool) -> Context {
    let scan = ManagedScan::new(table.columns.clone(), files, with_file);
    Context { target: Some(Arc::new(scan)), ..ctx.clone() }
}

/// `SELECT * | new values FROM target AS alias WHERE condition`
fn query(rows: Rows<'_>, condition: Option<Expr>, columns: Option<&[Column]>) -> Result<ast::Query> {
    let alias = quote_ident(rows.alias.unwrap_or(&rows.table.name));
    let mut query = alcedo_sql::parse_query(&format!("SELECT * FROM {} AS {alias}", quote_ident(TARGET)))?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.selection = condition;
        if let Some(columns) = columns {
            let item = |(i, column): (usize, &Column)| match rows.values.iter().find(|(at, _)| *at == i) {
                Some((_, value)) => Ok(SelectItem::UnnamedExpr(value.clone())),
                None => {
                    let text = format!("{alias}.{}", quote_ident(&column.name));
                    alcedo_sql::parse_expression(&text).map(SelectItem::UnnamedExpr)
                }
            };
            select.projection = columns.iter().enumerate().map(item).collect::<alcedo_sql::Result<_>>()?;
        }
    }
    Ok(*query)
}

fn rest_of(condition: Expr) -> Expr {
    Expr::IsNotTrue(Box::new(Expr::Nested(Box::new(condition))))
}

async fn write_plan(ctx: &Context, table: &Table, rules: &Rules, plan: LogicalPlan) -> Result<Vec<DataFile>> {
    let rows = ctx.stream(plan).await?;
    write(ctx, &table.path, &table.columns, rules, rows).await
}

/// Whether a plan has functions that give another value each time.
fn volatile(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|e| {
            found = found || e.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })
    })
    .map_err(from_datafusion)?;
    Ok(found)
}

/// Types of the parameters of a change: those that are a column's new value have its type.
pub(super) async fn prepare(ctx: &Context, table: &Table, rows: Rows<'_>) -> Result<Vec<FieldRef>> {
    let over = over(ctx, table, Vec::new(), false);
    let columns = (!rows.values.is_empty()).then_some(table.columns.as_slice());
    Ok(over.prepare_query(&query(rows, rows.condition.cloned(), columns)?).await?.parameters)
}
