//! The rows of the schema `ml`: models, their versions, trainings and what each round of a training measured.

use super::columns::{Cell, Row, row};
use crate::catalog::Model;
use crate::error::{Error, Result};
use crate::query::Context;

/// The rows of a table.
pub(super) fn rows(ctx: &Context, table: &str) -> Result<Vec<Row>> {
    Ok(match table {
        "models" => models(ctx),
        "model_versions" => versions(ctx)?,
        "training_runs" => runs(ctx),
        "training_iterations" => iterations(ctx),
        _ => Vec::new(),
    })
}

fn models(ctx: &Context) -> Vec<Row> {
    ctx.snapshot
        .models
        .iter()
        .map(|(name, model)| {
            row![
                "model_schema" => name.schema.as_str(),
                "model_name" => name.name.as_str(),
                "model_type" => model.model_type.as_str(),
                "task" => model.task.as_str(),
                "label" => model.label.as_deref(),
                "default_version" => model.default_version,
                "created_at" => model.created_at_us,
                "owner" => model.owner.as_str(),
                "options" => model.options.as_str(),
                "query" => model.query.as_deref(),
            ]
        })
        .collect()
}

fn versions(ctx: &Context) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, model) in &ctx.snapshot.models {
        for (number, version) in &model.versions {
            let metrics = serde_json::to_string(&version.metrics)
                .map_err(|e| Error::internal(format!("metrics are not JSON: {e}")))?;
            rows.push(row![
                "model_schema" => name.schema.as_str(),
                "model_name" => name.name.as_str(),
                "version" => *number,
                "is_default" => *number == model.default_version,
                "aliases" => aliases(model, *number),
                "status" => "ready",
                "trained_at" => version.trained_at_us,
                "training_seconds" => version.training_seconds,
                "train_rows" => version.train_rows,
                "eval_rows" => version.eval_rows,
                "metrics" => metrics,
                "features" => version.features.clone(),
                "artifact_bytes" => version.artifact_bytes,
                "memory_bytes" => ctx.services.models.memory_bytes(version),
                "source" => version.source.as_str(),
                "sha256" => version.sha256.as_str(),
            ]);
        }
    }
    Ok(rows)
}

fn aliases(model: &Model, version: u64) -> Vec<String> {
    model
        .aliases
        .iter()
        .filter(|(_, v)| **v == version)
        .map(|(alias, _)| alias.clone())
        .collect()
}

fn runs(ctx: &Context) -> Vec<Row> {
    let runs = ctx.services.trainings.all().into_iter();
    runs.map(|run| {
        row![
            "run_id" => run.run_id,
            "model_schema" => run.model.schema,
            "model_name" => run.model.name,
            "version" => run.version,
            "status" => run.status.name(),
            "started_at" => run.started_at_us,
            "ended_at" => run.ended_at_us,
            "rows" => run.rows,
            "error" => run.error,
        ]
    })
    .collect()
}

fn iterations(ctx: &Context) -> Vec<Row> {
    let mut rows = Vec::new();
    for run in ctx.services.trainings.all() {
        for iteration in &run.iterations {
            for (dataset, values) in [("train", &iteration.train), ("eval", &iteration.eval)] {
                for (metric, value) in run.metrics.iter().zip(values) {
                    rows.push(row![
                        "run_id" => run.run_id.as_str(),
                        "model_name" => run.model.name.as_str(),
                        "version" => run.version,
                        "iteration" => iteration.iteration,
                        "dataset" => dataset,
                        "metric" => metric.as_str(),
                        "value" => value.map_or(Cell::Null, Cell::Float),
                        "elapsed_ms" => iteration.elapsed_ms,
                    ]);
                }
            }
        }
    }
    rows
}
