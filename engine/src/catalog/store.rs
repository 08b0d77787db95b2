//! The versions of the catalog as files: each written once, with a conditional put.
//!
//! # Format
//!
//! `catalog/<version, 20 digits>.json` under the data directory, one line each:
//!
//! 1. `alcedo catalog 1 <SHA-256 of line 2, hexadecimal> <nonce of the writer>`
//! 2. the [`Snapshot`] as JSON
//!
//! The newest version is the catalog. A change reads it, makes version + 1 and puts it where nothing may be yet
//! (`PutMode::Create`): whoever is second starts again from the new state. A put that an unreliable network sent
//! twice finds its own file; the nonce tells. About [`KEPT`] versions stay; on a shared directory no young version
//! goes, so that a slow writer never finds the place of a version that has been there and gone.
//!
//! Folders of dropped tables and models stand in the snapshot with the time of the drop, and are deleted
//! [`GRACE_US`] later.

use super::durable::DataDir;
use super::{ObjectName, RelationKind, Snapshot, secret};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result, from_store};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

const FOLDER: &str = "catalog";
const MAGIC: &str = "alcedo catalog 1";
/// Versions that stay.
const KEPT: u64 = 20;
/// Old versions are looked for whenever so many were written.
const PRUNE_EVERY: u64 = 8;
/// Age below which a version of a shared directory stays.
const YOUNG_SECONDS: i64 = 600;
/// Lost races after which a change gives up.
const TRIES_MAX: usize = 50;
/// How long the files of a dropped table stay for statements that still read them.
const GRACE_US: i64 = 10 * 60 * 1_000_000;
/// How often dropped folders are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// The catalog of a data directory.
#[derive(Debug)]
pub struct Catalog {
    data: DataDir,
    clock: Arc<dyn Clock>,
    secret_key: Option<String>,
    current: RwLock<Arc<Snapshot>>,
    /// One change at a time in this process.
    writer: tokio::sync::Mutex<()>,
}

impl Catalog {
    /// Reads the newest version.
    ///
    /// # Errors
    /// XX001 when it is damaged.
    pub async fn open(
        data: DataDir,
        clock: Arc<dyn Clock>,
        secret_key: Option<String>,
    ) -> Result<Arc<Self>> {
        let snapshot = newer(&data, 0).await?.unwrap_or_else(Snapshot::empty);
        let current = RwLock::new(Arc::new(snapshot));
        let catalog = Arc::new(Self {
            data,
            clock,
            secret_key,
            current,
            writer: tokio::sync::Mutex::new(()),
        });
        let held = Arc::downgrade(&catalog);
        tokio::spawn(async move {
            while let Some(catalog) = held.upgrade() {
                catalog.remove_dropped().await;
                drop(catalog);
                tokio::time::sleep(SWEEP).await;
            }
        });
        Ok(catalog)
    }

    /// The newest version that this process knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest version there is: looks for those of other processes where there may be some.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>> {
        let known = self.snapshot();
        if self.data.local.is_some() {
            return Ok(known);
        }
        Ok(match newer(&self.data, known.version).await? {
            Some(next) => self.publish(next),
            None => known,
        })
    }

    /// Changes the catalog: `change` gets a copy of the newest version, and again when somebody else was faster.
    /// When this returns, the change is durable.
    ///
    /// # Errors
    /// What `change` says, or 40001 after too many lost races.
    pub async fn update<T>(
        &self,
        change: impl Fn(&mut Snapshot) -> Result<T> + Send + Sync,
    ) -> Result<T> {
        let _alone = self.writer.lock().await;
        for _ in 0..TRIES_MAX {
            let known = self.refresh().await?;
            let mut next = (*known).clone();
            let value = change(&mut next)?;
            if next == *known {
                return Ok(value);
            }
            next.version = known.version + 1;
            self.data.check_open()?;
            if self.put(&next).await? {
                let version = next.version;
                self.publish(next);
                if version % PRUNE_EVERY == 0 {
                    self.prune(version).await;
                }
                return Ok(value);
            }
            if self.data.local.is_some() {
                let text = format!(
                    "catalog version {} was written by another process",
                    next.version
                );
                return Err(
                    Error::new(Kind::Conflict, SqlState::SERIALIZATION_FAILURE, text)
                        .hint("A local data directory belongs to one process: restart this one."),
                );
            }
        }
        let text = "could not change the catalog: other processes were faster each time";
        Err(
            Error::new(Kind::Conflict, SqlState::SERIALIZATION_FAILURE, text)
                .hint("Run the statement again."),
        )
    }

    /// Writes a version; `false` when there is one already that is not ours.
    async fn put(&self, snapshot: &Snapshot) -> Result<bool> {
        let json = serde_json::to_string(snapshot)
            .map_err(|e| Error::internal(format!("the catalog cannot be written: {e}")))?;
        let nonce = uuid::Uuid::new_v4().to_string();
        let text = format!("{MAGIC} {} {nonce}\n{json}\n", digest(json.as_bytes()));
        let options = PutOptions::from(PutMode::Create);
        let put = self
            .data
            .store
            .put_opts(&file(snapshot.version), PutPayload::from(text), options)
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                let found = read(&self.data, snapshot.version).await?;
                Ok(found.is_some_and(|(_, theirs)| theirs == nonce))
            }
            Err(error) => Err(from_store(&error)),
        }
    }

    fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if snapshot.version > current.version {
            *current = Arc::clone(&snapshot);
        }
        Arc::clone(&current)
    }

    /// Removes old versions. What fails only takes space.
    async fn prune(&self, newest: u64) {
        let old = newest.saturating_sub(KEPT);
        let files: Vec<_> = match self
            .data
            .store
            .list(Some(&Path::from(FOLDER)))
            .try_collect()
            .await
        {
            Ok(files) => files,
            Err(error) => {
                tracing::debug!(%error, "old catalog versions stay");
                return;
            }
        };
        let latest = files.iter().map(|f: &ObjectMeta| f.last_modified).max();
        let gone = |f: &ObjectMeta| {
            let age = latest.map_or(0, |latest| (latest - f.last_modified).num_seconds());
            let young = self.data.local.is_none() && age < YOUNG_SECONDS;
            version_of(&f.location).is_some_and(|v| v <= old) && !young
        };
        for found in files.iter().filter(|f| gone(f)) {
            if let Err(error) = self.data.store.delete(&found.location).await {
                tracing::debug!(%error, path = %found.location, "an old catalog version stays");
            }
        }
    }

    /// Deletes folders dropped long ago.
    async fn remove_dropped(&self) {
        let before = self.clock.now_us() - GRACE_US;
        let snapshot = self.snapshot();
        let old: Vec<&String> = snapshot
            .dropped
            .iter()
            .filter(|(_, at)| **at < before)
            .map(|(p, _)| p)
            .collect();
        if old.is_empty() || self.data.check_open().is_err() {
            return;
        }
        for path in &old {
            let files = self
                .data
                .store
                .list(Some(&Path::from(path.as_str())))
                .map_ok(|m| m.location)
                .boxed();
            let deleted = self.data.store.delete_stream(files);
            if let Err(error) = deleted.try_for_each(|_| std::future::ready(Ok(()))).await {
                tracing::warn!(%error, %path, "files of a dropped table could not be removed");
                return;
            }
            self.data.remove_folder(path);
        }
        let forget = self.update(|s| {
            s.dropped.retain(|path, _| !old.contains(&path));
            Ok(())
        });
        if let Err(error) = forget.await {
            tracing::warn!(%error, "the catalog still names removed tables");
        }
    }

    /// Where everything is stored.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// Microseconds since 1970 UTC.
    pub fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    /// Seals the values of a secret.
    pub fn seal(&self, values: &BTreeMap<String, String>) -> Result<String> {
        let json = serde_json::to_vec(values)
            .map_err(|_| Error::internal("a secret cannot be written"))?;
        secret::seal(&self.data, self.secret_key.as_deref(), &json)
    }

    /// The values of a secret; a generic one has the single key `value`.
    ///
    /// # Errors
    /// 42704 when there is no such secret.
    pub fn secret_values(
        &self,
        snapshot: &Snapshot,
        name: &str,
    ) -> Result<BTreeMap<String, String>> {
        let secret = snapshot
            .secrets
            .get(name)
            .ok_or_else(|| no_secret(snapshot, name))?;
        let json = secret::unseal(&self.data, self.secret_key.as_deref(), &secret.sealed)?;
        serde_json::from_slice(&json)
            .map_err(|_| Error::internal("the values of a secret cannot be read"))
    }
}

/// 42704
pub fn no_secret(snapshot: &Snapshot, name: &str) -> Error {
    let error = Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("secret \"{name}\" does not exist"),
    );
    match closest(name, snapshot.secrets.keys().map(String::as_str)) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error,
    }
}

fn file(version: u64) -> Path {
    Path::from(format!("{FOLDER}/{version:020}.json"))
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn version_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The newest version above one.
async fn newer(data: &DataDir, known: u64) -> Result<Option<Snapshot>> {
    loop {
        let files = data
            .store
            .list_with_offset(Some(&Path::from(FOLDER)), &file(known));
        let versions = files.try_filter_map(|f| std::future::ready(Ok(version_of(&f.location))));
        let newest = versions
            .try_fold(known, |a, b| std::future::ready(Ok(a.max(b))))
            .await;
        let newest = newest.map_err(|e| from_store(&e))?;
        if newest == known {
            return Ok(None);
        }
        if let Some((snapshot, _)) = read(data, newest).await? {
            return Ok(Some(snapshot));
        }
        // Many were written and this one removed since the list was made.
    }
}

/// A version and its writer's nonce; `None` when it is not there.
async fn read(data: &DataDir, version: u64) -> Result<Option<(Snapshot, String)>> {
    let damaged = |what: &str| {
        Error::new(
            Kind::Data,
            SqlState::DATA_CORRUPTED,
            format!("catalog version {version} is damaged: {what}"),
        )
        .hint(format!(
            "Restore {} in the data directory, or remove it to go back one version.",
            file(version)
        ))
    };
    let bytes = match data.store.get(&file(version)).await {
        Ok(found) => found.bytes().await.map_err(|e| from_store(&e))?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(from_store(&error)),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
    let (head, json) = text
        .split_once('\n')
        .ok_or_else(|| damaged("it is cut short"))?;
    let json = json
        .strip_suffix('\n')
        .ok_or_else(|| damaged("it is cut short"))?;
    let words = head
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.trim_start().split_once(' '));
    let Some((checksum, nonce)) = words else {
        if head.starts_with("alcedo catalog ") {
            return Err(Error::unsupported(
                "the catalog was written by a newer version of Alcedo",
            ));
        }
        return Err(damaged("it has no header"));
    };
    if digest(json.as_bytes()) != checksum {
        return Err(damaged("its checksum is wrong"));
    }
    let snapshot: Snapshot = serde_json::from_str(json).map_err(|e| damaged(&e.to_string()))?;
    if snapshot.version != version {
        return Err(damaged("it is a copy of another version"));
    }
    Ok(Some((snapshot, nonce.to_owned())))
}

impl Snapshot {
    /// Takes a relation out; the files of a managed table go later.
    pub fn remove_relation(&mut self, name: &ObjectName, now_us: i64) {
        if let Some(RelationKind::Table(table)) = self.relations.remove(name).map(|r| r.kind) {
            self.dropped.insert(table.path, now_us);
        }
    }

    /// Takes a model out; the files of its versions go later.
    pub fn remove_model(&mut self, name: &ObjectName, now_us: i64) {
        if let Some(model) = self.models.remove(name) {
            self.dropped
                .extend(model.versions.into_values().map(|v| (v.path, now_us)));
        }
    }
}
