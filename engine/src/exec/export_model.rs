//! `EXPORT MODEL`: a version as the file that the original library loads.

use super::Output;
use crate::error::{Error, Kind, Result};
use crate::model::{export, version_of};
use crate::query::Context;
use crate::query::error::from_store;
use alcedo_sql::SqlState;
use alcedo_sql::statement::ExportModel;
use object_store::{ObjectStoreExt, PutPayload};

/// Writes a version to a file, or into a folder when the URL ends with a slash.
pub(crate) async fn run(ctx: &Context, s: &ExportModel) -> Result<Output> {
    let (name, model) = ctx.model(&s.name)?;
    let version = s.version.unwrap_or(model.default_version);
    let entry = version_of(&ctx.snapshot, &name, version)?;
    let (manifest, artifact) = ctx.services.models.files(entry).await?;
    if let Some(format) = &s.format
        && *format != manifest.kind
    {
        return Err(Error::unsupported(format!(
            "model \"{name}\" is of kind {}: exporting it as {format} is not supported",
            manifest.kind
        )));
    }
    let text = manifest.kind == "lightgbm";
    let url = if s.url.ends_with('/') {
        let suffix = if text { "txt" } else { "onnx" };
        format!("{}{}-v{version}.{suffix}", s.url, file_name(&name.name))
    } else {
        s.url.clone()
    };
    let (store, _, path) = ctx.services.stores.locate(&url)?;
    let payload = if text {
        let artifact = std::str::from_utf8(&artifact).map_err(|_| {
            Error::new(
                Kind::Data,
                SqlState::DATA_CORRUPTED,
                "a stored model is damaged: its text is not UTF-8",
            )
        })?;
        PutPayload::from(export::lightgbm_text(&manifest, artifact).into_bytes())
    } else {
        PutPayload::from_bytes(artifact)
    };
    let writing = store.put(&path, payload);
    ctx.or_canceled(writing)
        .await?
        .map_err(|e| from_store(&e))?;
    Ok(Output::done("EXPORT MODEL"))
}

/// A name without what means something in a path.
fn file_name(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}
