//! What a plan needs of a model: finding a version by name, loading it, sharing it between statements.
//!
//! `name` reads `schema.m@alias`, `manifest` is the form of a version on disk, `metrics` what an
//! evaluation computes, `runs` remembers trainings across restarts. A version's files never change, so a
//! loaded version never goes stale.

pub mod export;
pub mod manifest;
pub mod metrics;
pub mod name;
pub mod runs;

pub use crate::error::datafusion::from_score;
pub use name::find;

use crate::catalog::store::Catalog;
use crate::catalog::{ModelVersion, ObjectName, Snapshot};
use crate::error::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_udfs::predict::{ModelSpec, PinnedModel};
use manifest::Manifest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Memory that loaded versions may hold before the least used ones are let go; running statements keep theirs.
const CACHE_BYTES_MAX: usize = 1 << 30;
/// Versions kept at most.
const CACHE_VERSIONS_MAX: usize = 256;

/// Loaded model versions, shared by all statements.
#[derive(Debug)]
pub struct Registry {
    catalog: Arc<Catalog>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// By the version's folder, which is never reused, and the name it is shown under.
    entries: HashMap<(String, ObjectName), Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    model: Arc<PinnedModel>,
    used: u64,
}

impl Registry {
    /// An empty registry over the catalog's data directory.
    pub fn new(catalog: Arc<Catalog>) -> Arc<Self> {
        Arc::new(Self {
            catalog,
            cache: Mutex::default(),
        })
    }

    /// The version of a model, loaded once and checked against its digest.
    ///
    /// # Errors
    /// 42704 when there is no such version, XX001 when its files are damaged.
    pub async fn load(
        &self,
        snapshot: &Snapshot,
        name: &ObjectName,
        version: u64,
    ) -> Result<Arc<PinnedModel>> {
        let entry = version_of(snapshot, name, version)?;
        let key = (entry.path.clone(), name.clone());
        if let Some(model) = self.cached(&key) {
            return Ok(model);
        }
        let (manifest, text) = manifest::read(self.catalog.data(), entry).await?;
        let shown = name.to_string();
        let loading = tokio::task::spawn_blocking(move || pin(&manifest, &text, shown, version));
        let model = loading
            .await
            .map_err(|e| Error::internal(format!("loading a model failed: {e}")))??;
        let model = Arc::new(model);
        self.keep(key, &model);
        Ok(model)
    }

    /// The manifest of a version, read from its folder.
    pub async fn manifest(&self, entry: &ModelVersion) -> Result<Manifest> {
        Ok(manifest::read(self.catalog.data(), entry).await?.0)
    }

    /// The manifest and the artifact of a version.
    pub async fn files(&self, entry: &ModelVersion) -> Result<(Manifest, bytes::Bytes)> {
        manifest::read(self.catalog.data(), entry).await
    }

    /// Bytes of memory a version holds, when it is loaded.
    pub fn memory_bytes(&self, entry: &ModelVersion) -> Option<usize> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cache
            .entries
            .iter()
            .find(|((path, _), _)| *path == entry.path);
        found.map(|(_, e)| e.model.memory_bytes())
    }

    fn cached(&self, key: &(String, ObjectName)) -> Option<Arc<PinnedModel>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.clock += 1;
        let now = cache.clock;
        let entry = cache.entries.get_mut(key)?;
        entry.used = now;
        Some(Arc::clone(&entry.model))
    }

    fn keep(&self, key: (String, ObjectName), model: &Arc<PinnedModel>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.clock += 1;
        let used = cache.clock;
        cache.entries.insert(
            key,
            Entry {
                model: Arc::clone(model),
                used,
            },
        );
        loop {
            let bytes: usize = cache.entries.values().map(|e| e.model.memory_bytes()).sum();
            let full = bytes > CACHE_BYTES_MAX || cache.entries.len() > CACHE_VERSIONS_MAX;
            if !full || cache.entries.len() <= 1 {
                return;
            }
            let oldest = cache
                .entries
                .iter()
                .min_by_key(|(_, e)| e.used)
                .map(|(k, _)| k.clone());
            if let Some(oldest) = oldest {
                cache.entries.remove(&oldest);
            }
        }
    }
}

/// A version's entry in the catalog; 42704 when there is none.
pub fn version_of<'a>(
    snapshot: &'a Snapshot,
    name: &ObjectName,
    version: u64,
) -> Result<&'a ModelVersion> {
    let model = snapshot.models.get(name).ok_or_else(|| {
        Error::user(
            SqlState::UNDEFINED_OBJECT,
            format!("model \"{name}\" does not exist"),
        )
    })?;
    model
        .versions
        .get(&version)
        .ok_or_else(|| name::no_version(name, model, version))
}

/// Binds an artifact to what the manifest says of it.
pub fn pin(
    manifest: &Manifest,
    artifact: &[u8],
    name: String,
    version: u64,
) -> Result<PinnedModel> {
    let (_, scorer) = alcedo_udfs::score::load(artifact).map_err(from_score)?;
    let spec = ModelSpec {
        name,
        version,
        features: Some(manifest.scored_features()?),
        labels: manifest.labels()?,
    };
    PinnedModel::new(scorer, spec).map_err(from_score)
}
