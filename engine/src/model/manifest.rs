//! A model version on disk: the folder `models/<uuid>` with the artifact and `manifest.json`.
//!
//! The manifest tells what the artifact does not: the inputs by name with their kinds and categories, the
//! label's type and classes, how it was made. It holds the artifact's SHA-256, and the catalog holds the
//! manifest's, so a damaged file is found before it answers. Files are written before the catalog names
//! them, and never again.

use crate::catalog::ModelVersion;
use crate::catalog::durable::DataDir;
use crate::error::{Error, Kind, Result};
use crate::types::arrow_type;
use alcedo_sql::SqlState;
use alcedo_udfs::score::features::{Dictionary, Feature, FeatureKind};
use bytes::Bytes;
use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::compute::cast;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The form of manifests that this program writes and reads.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// Everything about a version beside its artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Manifest {
    pub format: u32,
    /// The artifact's kind: `lightgbm` or `onnx`.
    pub kind: String,
    /// `regression`, `binary` or `multiclass`.
    pub task: String,
    pub label: Option<String>,
    /// The label's SQL type; predictions of classes have it.
    pub label_type: Option<String>,
    /// Class labels in class order, as text.
    pub classes: Option<Vec<String>>,
    pub features: Vec<Input>,
    /// The OPTIONS list as given.
    pub options: String,
    /// The parameters the library trained with.
    pub parameters: BTreeMap<String, String>,
    pub query: Option<String>,
    pub train_rows: u64,
    pub eval_rows: u64,
    /// Figures of the held-out split.
    pub metrics: BTreeMap<String, f64>,
    /// Split gain and number of splits per feature, in the order of `features`.
    pub importance: Vec<(f64, f64)>,
    /// SHA-256 of the artifact, hexadecimal.
    pub sha256: String,
}

/// An input of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Input {
    pub name: String,
    /// The training column's SQL type.
    pub sql_type: String,
    pub kind: InputKind,
}

/// How an input becomes a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// A quantity.
    Numeric,
    /// The integer code of a category.
    Code,
    /// A category by its text; the n-th text has code n.
    Text(Vec<String>),
}

impl Manifest {
    /// The artifact's name within the version's folder.
    fn artifact(&self) -> &'static str {
        if self.kind == "onnx" {
            "model.onnx"
        } else {
            "model.txt"
        }
    }

    /// The inputs as a scorer takes them.
    pub fn scored_features(&self) -> Result<Vec<Feature>> {
        let feature = |input: &Input| {
            let kind = match &input.kind {
                InputKind::Numeric => FeatureKind::Numeric,
                InputKind::Code => FeatureKind::Code,
                InputKind::Text(texts) => {
                    let dictionary = Dictionary::new(texts.clone()).map_err(super::from_score)?;
                    FeatureKind::Text(Arc::new(dictionary))
                }
            };
            Ok(Feature {
                name: input.name.clone(),
                kind,
            })
        };
        self.features.iter().map(feature).collect()
    }

    /// Class labels in class order, of the label column's own type.
    pub fn labels(&self) -> Result<Option<ArrayRef>> {
        let (Some(classes), Some(ty)) = (&self.classes, &self.label_type) else {
            return Ok(None);
        };
        let ty = alcedo_sql::parse_type(ty)?;
        let texts: ArrayRef = Arc::new(StringArray::from(classes.clone()));
        let labels = cast(&texts, &arrow_type(&ty))
            .map_err(|e| damaged(&format!("its class labels are not of type {ty}: {e}")))?;
        if labels.null_count() > 0 {
            return Err(damaged(&format!("a class label is not of type {ty}")));
        }
        Ok(Some(labels))
    }
}

/// Where a version was written.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Written {
    pub path: String,
    /// SHA-256 of the manifest, hexadecimal.
    pub sha256: String,
    pub artifact_bytes: u64,
}

/// Writes a version's files under a fresh folder; fills the manifest's format and digest.
pub async fn write(data: &DataDir, manifest: &mut Manifest, artifact: Bytes) -> Result<Written> {
    let path = format!("models/{}", uuid::Uuid::new_v4());
    let artifact_bytes = artifact.len() as u64;
    manifest.format = FORMAT;
    manifest.sha256 = digest(&artifact);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|e| Error::internal(format!("a manifest cannot be written: {e}")))?;
    let sha256 = digest(&text);
    put(data, &path, manifest.artifact(), artifact).await?;
    put(data, &path, MANIFEST, text.into()).await?;
    Ok(Written {
        path,
        sha256,
        artifact_bytes,
    })
}

/// Reads a version's files and checks both digests.
pub async fn read(data: &DataDir, entry: &ModelVersion) -> Result<(Manifest, Bytes)> {
    let text = get(data, &entry.path, MANIFEST).await?;
    if digest(&text) != entry.sha256 {
        return Err(damaged("its manifest does not have the recorded checksum"));
    }
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|e| damaged(&format!("its manifest does not parse: {e}")))?;
    if manifest.format != FORMAT {
        return Err(Error::unsupported(format!(
            "model files of format {} are from a newer version of Alcedo",
            manifest.format
        )));
    }
    let artifact = get(data, &entry.path, manifest.artifact()).await?;
    if digest(&artifact) != manifest.sha256 {
        return Err(damaged("its artifact does not have the recorded checksum"));
    }
    Ok((manifest, artifact))
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn damaged(what: &str) -> Error {
    Error::new(
        Kind::Data,
        SqlState::DATA_CORRUPTED,
        format!("a stored model is damaged: {what}"),
    )
    .hint("Train or register the model again.")
}

async fn put(data: &DataDir, folder: &str, file: &str, bytes: Bytes) -> Result<()> {
    let path = Path::from(format!("{folder}/{file}"));
    data.store
        .put(&path, PutPayload::from_bytes(bytes))
        .await
        .map_err(from_store)
        .map(|_| ())
}

async fn get(data: &DataDir, folder: &str, file: &str) -> Result<Bytes> {
    let path = Path::from(format!("{folder}/{file}"));
    let found = data.store.get(&path).await.map_err(from_store)?;
    found.bytes().await.map_err(from_store)
}

/// An object store's error as ours.
pub fn from_store(error: object_store::Error) -> Error {
    match &error {
        object_store::Error::NotFound { path, .. } => {
            Error::user(SqlState::UNDEFINED_FILE, format!("no file at \"{path}\""))
        }
        other => {
            let full = std::iter::successors(Some(other as &dyn std::error::Error), |e| e.source())
                .filter_map(|e| e.downcast_ref::<std::io::Error>())
                .any(|e| e.kind() == std::io::ErrorKind::StorageFull);
            if full {
                return Error::new(
                    Kind::Unavailable,
                    SqlState::DISK_FULL,
                    "no space left on device",
                );
            }
            Error::new(
                Kind::Unavailable,
                SqlState::IO_ERROR,
                format!("a model's files cannot be reached: {other}"),
            )
        }
    }
}
