//! Changing rows of a managed table by copy-on-write: the files that hold rows to change are written again without
//! these rows, and new rows go into files of their own.
//!
//! The condition is planned as the filter of a query over the table, so everything that works in WHERE works here, and
//! it is asked once for each row: the query says which row of which file it is, and for UPDATE what becomes of it.
//! It is never handed to DataFusion's own delete and update, which see only simple filters.

use super::assign::{Rules, assigned};
use super::insert::{Tries, still_there};
use crate::catalog::{Column, ObjectName, RelationKind, Table};
use crate::error::datafusion::{from_arrow, from_datafusion};
use crate::error::{Error, Result};
use crate::lake::managed::{self, Change, Version};
use crate::lake::scan::{DataFile, FILE_COLUMN, ManagedScan, ROW_COLUMN};
use crate::lake::stored::file_schema;
use crate::lake::writer::TableWriter;
use crate::query::{Context, TARGET};
use alcedo_sql::ast::{self, Expr, SelectItem, SetExpr};
use alcedo_sql::statement::Name;
use alcedo_sql::{SqlState, quote_ident};
use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{FieldRef, Int64Type};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use futures::StreamExt;
use std::collections::HashMap;
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
        RelationKind::Source(_) => (
            "source",
            "A topic's records do not change: filter them in a view.",
        ),
        RelationKind::External(_) => (
            "external table",
            "External tables are only read: CREATE TABLE AS makes a copy to change.",
        ),
    };
    let text = format!("cannot {verb} {what} \"{}\"", name.name);
    Err(Error::user(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).hint(hint))
}

/// Changes the rows; gives their number. Nothing has changed after an error.
pub(super) async fn run(
    ctx: &Context,
    name: &ObjectName,
    table: &Table,
    rows: Rows<'_>,
) -> Result<u64> {
    let access = ctx.lake();
    let _alone = ctx.or_canceled(managed::writer(&access, table)).await?;
    let mut tries = Tries::default();
    loop {
        still_there(ctx, name, table)?;
        let version = managed::newest(&access, table).await?;
        match attempt(ctx, name, table, rows, &version).await {
            Err(error) => tries.again(ctx, error).await?,
            done => return done,
        }
        // EXPLAIN ANALYZE shows the try that counts.
        if let Some(mut ran) = ctx.ran.as_ref().and_then(|ran| ran.lock().ok()) {
            ran.clear();
        }
    }
}

/// Types of the parameters.
pub(super) async fn prepare(ctx: &Context, table: &Table, rows: Rows<'_>) -> Result<Vec<FieldRef>> {
    let over = over(ctx, table, Vec::new());
    Ok(over.prepare_query(&query(table, rows)?).await?.parameters)
}

async fn attempt(
    ctx: &Context,
    name: &ObjectName,
    table: &Table,
    rows: Rows<'_>,
    version: &Version,
) -> Result<u64> {
    let access = ctx.lake();
    let files = version.files();
    let known = files.iter().map(|f| f.rows).sum::<Option<u64>>();
    if let (None, [], Some(count)) = (rows.condition, rows.values, known) {
        // All of it goes: no row needs to be looked at.
        if count > 0 || !files.is_empty() {
            version
                .commit(&access, &names(&files), &[], Change::Delete)
                .await?;
        }
        return Ok(count);
    }
    let mut writer = TableWriter::new(access.clone(), &table.path, file_schema(&table.columns));
    let mut hits = Hits::default();
    let written = async {
        find(
            ctx,
            name,
            table,
            rows,
            files.clone(),
            &mut hits,
            &mut writer,
        )
        .await?;
        let touched: Vec<DataFile> = files
            .into_iter()
            .filter(|f| hits.0.contains_key(&f.name))
            .collect();
        let partly = touched
            .iter()
            .filter(|f| f.rows.is_none_or(|n| hits.of(&f.name) < n));
        keep(ctx, table, partly.cloned().collect(), &hits, &mut writer).await?;
        ctx.cancel.check().map(|()| touched)
    }
    .await;
    let touched = match written {
        Ok(touched) => touched,
        Err(error) => {
            writer.discard().await;
            return Err(error);
        }
    };
    let added = writer.finish().await?;
    let count = hits.0.values().map(|(count, _)| count).sum();
    if count > 0 {
        let what = if rows.values.is_empty() {
            Change::Delete
        } else {
            Change::Update
        };
        if let Err(error) = version
            .commit(&access, &names(&touched), &added, what)
            .await
        {
            managed::undo(&access, table, &added).await;
            return Err(error);
        }
    }
    Ok(count)
}

fn names(files: &[DataFile]) -> Vec<String> {
    files.iter().map(|f| f.name.clone()).collect()
}

/// The rows for which the condition holds: by file, their number and one bit for each row of the file.
#[derive(Debug, Default)]
struct Hits(HashMap<String, (u64, Vec<u64>)>);

impl Hits {
    fn add(&mut self, file: &str, row: i64) {
        let row = usize::try_from(row).unwrap_or(0);
        if !self.0.contains_key(file) {
            self.0.insert(file.to_owned(), (0, Vec::new()));
        }
        let Some((count, bits)) = self.0.get_mut(file) else {
            return;
        };
        if bits.len() <= row / 64 {
            bits.resize(row / 64 + 1, 0);
        }
        let bit = 1 << (row % 64);
        *count += u64::from(bits[row / 64] & bit == 0);
        bits[row / 64] |= bit;
    }

    fn of(&self, file: &str) -> u64 {
        self.0.get(file).map_or(0, |(count, _)| *count)
    }

    fn has(&self, file: &str, row: i64) -> bool {
        let row = usize::try_from(row).unwrap_or(0);
        let word = self.0.get(file).and_then(|(_, bits)| bits.get(row / 64));
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }
}

/// The last two columns of a located scan: file and row.
fn place(batch: &RecordBatch) -> impl Iterator<Item = (&str, i64)> {
    let width = batch.num_columns();
    let files = batch.column(width - 2).as_string::<i32>();
    let rows = batch.column(width - 1).as_primitive::<Int64Type>();
    (0..batch.num_rows()).map(|i| (files.value(i), rows.value(i)))
}

/// The query that finds the rows to change, with what becomes of them.
pub(super) async fn plan(ctx: &Context, table: &Table, rows: Rows<'_>) -> Result<LogicalPlan> {
    let version = managed::newest(&ctx.lake(), table).await?;
    plan_over(&over(ctx, table, version.files()), table, rows).await
}

async fn plan_over(over: &Context, table: &Table, rows: Rows<'_>) -> Result<LogicalPlan> {
    let plan = over.plan_query(&query(table, rows)?).await?;
    if rows.values.is_empty() {
        return Ok(plan);
    }
    let sources: Vec<Option<usize>> = (0..table.columns.len()).map(Some).collect();
    let mut values = assigned(over, &plan, &table.columns, &sources).await?;
    let place = plan.schema().columns();
    values.extend(place.into_iter().skip(table.columns.len()).map(Into::into));
    LogicalPlanBuilder::from(plan)
        .project(values)
        .and_then(|b| b.build())
        .map_err(from_datafusion)
}

/// Notes the rows to change, and writes what becomes of them.
async fn find(
    ctx: &Context,
    name: &ObjectName,
    table: &Table,
    rows: Rows<'_>,
    files: Vec<DataFile>,
    hits: &mut Hits,
    writer: &mut TableWriter,
) -> Result<()> {
    let rules = Rules::of(ctx, &name.name, &table.columns, &table.checks).await?;
    let update = !rows.values.is_empty();
    let plan = plan_over(&over(ctx, table, files), table, rows).await?;
    let mut found = ctx.stream(plan).await?;
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    while let Some(batch) = found.next().await {
        let batch = batch.map_err(from_datafusion)?;
        place(&batch).for_each(|(file, row)| hits.add(file, row));
        if update {
            writer
                .write(&rules.apply(&batch.project(&columns).map_err(from_arrow)?)?)
                .await?;
        }
    }
    Ok(())
}

/// Writes the rows of files that stay as they are.
async fn keep(
    ctx: &Context,
    table: &Table,
    files: Vec<DataFile>,
    hits: &Hits,
    writer: &mut TableWriter,
) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let over = over(ctx, table, files);
    let all = alcedo_sql::parse_query(&format!("SELECT * FROM {}", quote_ident(TARGET)))?;
    let mut rows = over.stream(over.plan_query(&all).await?).await?;
    let columns: Vec<usize> = (0..table.columns.len()).collect();
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(from_datafusion)?;
        let stay: BooleanArray = place(&batch)
            .map(|(file, row)| Some(!hits.has(file, row)))
            .collect();
        let batch = batch
            .project(&columns)
            .and_then(|b| filter_record_batch(&b, &stay))
            .map_err(from_arrow)?;
        writer.write(&batch).await?;
    }
    Ok(())
}

/// The statement with some files of the table in the target's place.
fn over(ctx: &Context, table: &Table, files: Vec<DataFile>) -> Context {
    let scan = ManagedScan::new(&table.columns, files, true);
    Context {
        target: Some(Arc::new(scan)),
        ..ctx.clone()
    }
}

/// `SELECT [new values,] file, row FROM target AS alias WHERE condition`
fn query(table: &Table, rows: Rows<'_>) -> Result<ast::Query> {
    let alias = quote_ident(rows.alias.unwrap_or(&rows.table.name));
    let item = |column: &str| format!("{alias}.{}", quote_ident(column));
    let mut items: Vec<String> = match rows.values {
        [] => Vec::new(),
        _ => table
            .columns
            .iter()
            .map(|c: &Column| item(&c.name))
            .collect(),
    };
    items.extend([item(FILE_COLUMN), item(ROW_COLUMN)]);
    let text = format!(
        "SELECT {} FROM {} AS {alias}",
        items.join(", "),
        quote_ident(TARGET)
    );
    let mut query = alcedo_sql::parse_query(&text)?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.selection = rows.condition.cloned();
        for (at, value) in rows.values {
            select.projection[*at] = SelectItem::UnnamedExpr(value.clone());
        }
    }
    Ok(*query)
}
