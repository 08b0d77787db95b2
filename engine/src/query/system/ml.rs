//! The tables of the schema `ml`: models, their versions, trainings and what each round of a training measured.

use crate::catalog::{Model, ObjectName};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::error::from_datafusion;
use crate::types::arrow_field;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use std::sync::Arc;

/// The tables of this schema.
pub(super) const NAMES: &[&str] = &["models", "model_versions", "training_runs", "training_iterations"];

/// A table of this schema as it is now.
pub(super) async fn table(ctx: &Context, name: &str) -> Option<Result<Arc<dyn TableProvider>>> {
    let batch = match name {
        "models" => models(ctx),
        "model_versions" => versions(ctx),
        "training_runs" => runs(ctx),
        "training_iterations" => iterations(ctx),
        _ => return None,
    };
    Some(batch.and_then(|batch| {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(from_datafusion)?;
        Ok(Arc::new(table) as Arc<dyn TableProvider>)
    }))
}

/// A column that grows row by row.
enum Cells {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
}

/// A value of a row.
enum Cell {
    Text(Option<String>),
    Texts(Vec<String>),
    Int(Option<i64>),
    Float(Option<f64>),
    Bool(bool),
    Time(Option<i64>),
}

/// Rows under their columns.
struct Table {
    fields: Vec<FieldRef>,
    cells: Vec<Cells>,
}

impl Table {
    fn new(columns: &[(&str, SqlType)]) -> Self {
        let fields: Vec<FieldRef> = columns.iter().map(|(name, ty)| arrow_field(name, ty, true)).collect();
        let cells = columns.iter().map(|(_, ty)| match ty {
            SqlType::Array(_) => Cells::Texts(ListBuilder::new(StringBuilder::new())),
            SqlType::Int8 => Cells::Int(Int64Builder::new()),
            SqlType::Float8 => Cells::Float(Float64Builder::new()),
            SqlType::Bool => Cells::Bool(BooleanBuilder::new()),
            SqlType::Timestamptz => {
                Cells::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            _ => Cells::Text(StringBuilder::new()),
        });
        Self { cells: cells.collect(), fields }
    }

    fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.cells.len());
        for (cells, cell) in self.cells.iter_mut().zip(row) {
            match (cells, cell) {
                (Cells::Text(c), Cell::Text(v)) => c.append_option(v),
                (Cells::Int(c), Cell::Int(v)) => c.append_option(v),
                (Cells::Float(c), Cell::Float(v)) => c.append_option(v),
                (Cells::Bool(c), Cell::Bool(v)) => c.append_value(v),
                (Cells::Time(c), Cell::Time(v)) => c.append_option(v),
                (Cells::Texts(c), Cell::Texts(values)) => {
                    values.iter().for_each(|v| c.values().append_value(v));
                    c.append(true);
                }
                // A value of another kind leaves a column short, which `finish` reports.
                _ => {}
            }
        }
    }

    fn finish(self) -> Result<RecordBatch> {
        let arrays: Vec<ArrayRef> = self
            .cells
            .into_iter()
            .map(|cells| match cells {
                Cells::Text(mut c) => Arc::new(c.finish()) as ArrayRef,
                Cells::Texts(mut c) => Arc::new(c.finish()),
                Cells::Int(mut c) => Arc::new(c.finish()),
                Cells::Float(mut c) => Arc::new(c.finish()),
                Cells::Bool(mut c) => Arc::new(c.finish()),
                Cells::Time(mut c) => Arc::new(c.finish()),
            })
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), arrays)
            .map_err(|e| Error::internal(format!("rows of a table of ml do not fit: {e}")))
    }
}

fn text(value: impl Into<String>) -> Cell {
    Cell::Text(Some(value.into()))
}

fn int(value: u64) -> Cell {
    Cell::Int(i64::try_from(value).ok())
}

fn named(name: &ObjectName) -> [Cell; 2] {
    [text(&name.schema), text(&name.name)]
}

fn models(ctx: &Context) -> Result<RecordBatch> {
    let mut table = Table::new(&[
        ("model_schema", SqlType::Text),
        ("model_name", SqlType::Text),
        ("model_type", SqlType::Text),
        ("task", SqlType::Text),
        ("label", SqlType::Text),
        ("default_version", SqlType::Int8),
        ("created_at", SqlType::Timestamptz),
        ("owner", SqlType::Text),
        ("options", SqlType::Text),
        ("query", SqlType::Text),
    ]);
    for (name, model) in &ctx.snapshot.models {
        let [schema, own] = named(name);
        table.push(vec![
            schema,
            own,
            text(&model.model_type),
            text(&model.task),
            Cell::Text(model.label.clone()),
            int(model.default_version),
            Cell::Time(Some(model.created_at_us)),
            text(&model.owner),
            text(&model.options),
            Cell::Text(model.query.clone()),
        ]);
    }
    table.finish()
}

fn versions(ctx: &Context) -> Result<RecordBatch> {
    let mut table = Table::new(&[
        ("model_schema", SqlType::Text),
        ("model_name", SqlType::Text),
        ("version", SqlType::Int8),
        ("is_default", SqlType::Bool),
        ("aliases", SqlType::Array(Box::new(SqlType::Text))),
        ("status", SqlType::Text),
        ("trained_at", SqlType::Timestamptz),
        ("training_seconds", SqlType::Float8),
        ("train_rows", SqlType::Int8),
        ("eval_rows", SqlType::Int8),
        ("metrics", SqlType::Jsonb),
        ("features", SqlType::Array(Box::new(SqlType::Text))),
        ("artifact_bytes", SqlType::Int8),
        ("memory_bytes", SqlType::Int8),
        ("source", SqlType::Text),
        ("sha256", SqlType::Text),
    ]);
    for (name, model) in &ctx.snapshot.models {
        for (number, version) in &model.versions {
            let [schema, own] = named(name);
            let metrics = serde_json::to_string(&version.metrics)
                .map_err(|e| Error::internal(format!("metrics are not JSON: {e}")))?;
            let memory = ctx.services.models.memory_bytes(version);
            table.push(vec![
                schema,
                own,
                int(*number),
                Cell::Bool(*number == model.default_version),
                Cell::Texts(aliases(model, *number)),
                text("ready"),
                Cell::Time(Some(version.trained_at_us)),
                Cell::Float(Some(version.training_seconds)),
                int(version.train_rows),
                int(version.eval_rows),
                text(metrics),
                Cell::Texts(version.features.clone()),
                int(version.artifact_bytes),
                Cell::Int(memory.and_then(|b| i64::try_from(b).ok())),
                text(&version.source),
                text(&version.sha256),
            ]);
        }
    }
    table.finish()
}

fn aliases(model: &Model, version: u64) -> Vec<String> {
    model.aliases.iter().filter(|(_, v)| **v == version).map(|(alias, _)| alias.clone()).collect()
}

fn runs(ctx: &Context) -> Result<RecordBatch> {
    let mut table = Table::new(&[
        ("run_id", SqlType::Text),
        ("model_schema", SqlType::Text),
        ("model_name", SqlType::Text),
        ("version", SqlType::Int8),
        ("status", SqlType::Text),
        ("started_at", SqlType::Timestamptz),
        ("ended_at", SqlType::Timestamptz),
        ("rows", SqlType::Int8),
        ("error", SqlType::Text),
    ]);
    for run in ctx.services.trainings.all() {
        let [schema, own] = named(&run.model);
        table.push(vec![
            text(&run.run_id),
            schema,
            own,
            Cell::Int(run.version.and_then(|v| i64::try_from(v).ok())),
            text(run.status.name()),
            Cell::Time(Some(run.started_at_us)),
            Cell::Time(run.ended_at_us),
            Cell::Int(run.rows.and_then(|r| i64::try_from(r).ok())),
            Cell::Text(run.error.clone()),
        ]);
    }
    table.finish()
}

fn iterations(ctx: &Context) -> Result<RecordBatch> {
    let mut table = Table::new(&[
        ("run_id", SqlType::Text),
        ("model_name", SqlType::Text),
        ("version", SqlType::Int8),
        ("iteration", SqlType::Int8),
        ("dataset", SqlType::Text),
        ("metric", SqlType::Text),
        ("value", SqlType::Float8),
        ("elapsed_ms", SqlType::Int8),
    ]);
    for run in ctx.services.trainings.all() {
        for iteration in &run.iterations {
            for (dataset, values) in [("train", &iteration.train), ("eval", &iteration.eval)] {
                for (metric, value) in run.metrics.iter().zip(values) {
                    table.push(vec![
                        text(&run.run_id),
                        text(&run.model.name),
                        Cell::Int(run.version.and_then(|v| i64::try_from(v).ok())),
                        Cell::Int(Some(i64::from(iteration.iteration))),
                        text(dataset),
                        text(metric),
                        Cell::Float(*value),
                        int(iteration.elapsed_ms),
                    ]);
                }
            }
        }
    }
    table.finish()
}
