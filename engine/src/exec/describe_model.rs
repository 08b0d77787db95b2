//! `DESCRIBE MODEL m`: what the default version takes, gives and was made of, one property a line.

use super::Output;
use crate::error::Result;
use crate::model::manifest::InputKind;
use crate::model::version_of;
use crate::query::Context;
use alcedo_sql::statement::Name;

/// Categories shown of a feature.
const CATEGORIES_SHOWN: usize = 5;

/// Describes a model.
#[allow(clippy::too_many_lines)] // one line per property
pub(crate) async fn run(ctx: &Context, name: &Name) -> Result<Output> {
    let (name, model) = ctx.model(name)?;
    let entry = version_of(&ctx.snapshot, &name, model.default_version)?;
    let manifest = ctx.services.models.manifest(entry).await?;
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut add = |property: &str, value: String| lines.push((property.to_owned(), value));
    add("model", name.to_string());
    add("type", model.model_type.clone());
    add("task", model.task.clone());
    if let Some(label) = &manifest.label {
        add(
            "label",
            format!(
                "{label} {}",
                manifest.label_type.clone().unwrap_or_default()
            )
            .trim()
            .to_owned(),
        );
    }
    if let Some(classes) = &manifest.classes {
        add("classes", classes.join(", "));
    }
    for feature in &manifest.features {
        let kind = match &feature.kind {
            InputKind::Numeric => "numeric".to_owned(),
            InputKind::Code => "category by its code".to_owned(),
            InputKind::Text(texts) => {
                let shown: Vec<&str> = texts
                    .iter()
                    .take(CATEGORIES_SHOWN)
                    .map(String::as_str)
                    .collect();
                let more = if texts.len() > CATEGORIES_SHOWN {
                    ", …"
                } else {
                    ""
                };
                format!("category of {}: {}{more}", texts.len(), shown.join(", "))
            }
        };
        add(
            &format!("feature {}", feature.name),
            format!("{}, {kind}", feature.sql_type),
        );
    }
    add("default version", model.default_version.to_string());
    let versions: Vec<String> = model.versions.keys().map(u64::to_string).collect();
    add("versions", versions.join(", "));
    for (alias, version) in &model.aliases {
        add(&format!("alias {alias}"), format!("version {version}"));
    }
    add("source", entry.source.clone());
    if manifest.train_rows > 0 {
        add(
            "rows",
            format!(
                "{} to train, {} held out",
                manifest.train_rows, manifest.eval_rows
            ),
        );
        add("training seconds", format!("{:.3}", entry.training_seconds));
    }
    for (metric, value) in &manifest.metrics {
        add(&format!("metric {metric}"), value.to_string());
    }
    for (parameter, value) in &manifest.parameters {
        add(&format!("parameter {parameter}"), value.clone());
    }
    if !model.options.is_empty() {
        add("options", model.options.clone());
    }
    if let Some(query) = &model.query {
        add("query", query.clone());
    }
    let (properties, values) = lines.into_iter().map(|(p, v)| (Some(p), Some(v))).unzip();
    Output::texts(
        vec![("property", properties), ("value", values)],
        "DESCRIBE",
    )
}
