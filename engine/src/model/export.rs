//! A stored model as the original library's text: real feature names and the texts of categories put back.
//!
//! Inside, features are `Column_0 … Column_n` and the manifest holds their names, because a name with a blank or a
//! JSON character would end the library's process. Those characters become `_` here.

use super::manifest::{InputKind, Manifest};
use std::fmt::Write;

/// The text that Python's `lightgbm.Booster(model_file=…)` loads.
pub fn lightgbm_text(manifest: &Manifest, artifact: &str) -> String {
    let names = names(manifest);
    let mut out = String::with_capacity(artifact.len() + 4096);
    let mut importances = false;
    for line in artifact.lines() {
        if line.starts_with("pandas_categorical:") {
            continue;
        }
        if line == "feature_importances:" {
            importances = true;
        } else if line.is_empty() || line == "parameters:" {
            importances = false;
        }
        let renamed = match (line.strip_prefix("feature_names="), line.split_once('=')) {
            (Some(_), _) => Some(format!("feature_names={}", names.join(" "))),
            (None, Some((key, value))) if importances => {
                let index = key
                    .strip_prefix("Column_")
                    .and_then(|i| i.parse::<usize>().ok());
                index
                    .and_then(|i| names.get(i))
                    .map(|name| format!("{name}={value}"))
            }
            _ => None,
        };
        out.push_str(renamed.as_deref().unwrap_or(line));
        out.push('\n');
    }
    // Writing to a String does not fail.
    let _ = writeln!(out, "\npandas_categorical:{}", categories(manifest));
    out
}

/// Names without characters that the library refuses, made unique.
fn names(manifest: &Manifest) -> Vec<String> {
    let mut taken: Vec<String> = Vec::with_capacity(manifest.features.len());
    for input in &manifest.features {
        let plain: String = input
            .name
            .chars()
            .map(|c| {
                if c.is_whitespace() || "\",:[]{}=".contains(c) {
                    '_'
                } else {
                    c
                }
            })
            .collect();
        let mut name = plain.clone();
        let mut number = 2;
        while taken.contains(&name) {
            name = format!("{plain}_{number}");
            number += 1;
        }
        taken.push(name);
    }
    taken
}

/// Texts of the categorical features in their order; categories that were numbers stay numbers.
fn categories(manifest: &Manifest) -> serde_json::Value {
    let lists = manifest
        .features
        .iter()
        .filter_map(|input| match &input.kind {
            InputKind::Text(texts) => {
                let numeric = matches!(
                    input.sql_type.as_str(),
                    "smallint" | "integer" | "bigint" | "real" | "double precision"
                );
                let value = |text: &String| match text.parse::<serde_json::Number>() {
                    Ok(number) if numeric => serde_json::Value::Number(number),
                    _ => serde_json::Value::String(text.clone()),
                };
                Some(serde_json::Value::Array(texts.iter().map(value).collect()))
            }
            InputKind::Numeric | InputKind::Code => None,
        });
    let lists: Vec<_> = lists.collect();
    if lists.is_empty() {
        serde_json::Value::Null
    } else {
        serde_json::Value::Array(lists)
    }
}
