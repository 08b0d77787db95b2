//! The catalog of a data directory: the newest snapshot in memory, changes by compare-and-swap, secrets.
//!
//! A change reads the newest version, makes the next one and puts it where nothing may be yet (see `version`):
//! whoever is second starts again from the new state.
//!
//! Folders of dropped tables and models stand in the snapshot with the time of the drop, and are deleted
//! [`GRACE_US`] later.

use super::durable::DataDir;
use super::{ObjectName, RelationKind, Snapshot, secret, version};
use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Old versions are looked for whenever so many were written.
const PRUNE_EVERY: u64 = 8;
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
        let snapshot = version::newer(&data, 0)
            .await?
            .unwrap_or_else(Snapshot::empty);
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
        Ok(
            match Box::pin(version::newer(&self.data, known.version)).await? {
                Some(next) => self.publish(next),
                None => known,
            },
        )
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
            if version::put(&self.data, &next).await? {
                let written = next.version;
                self.publish(next);
                if written % PRUNE_EVERY == 0 {
                    version::prune(&self.data, written).await;
                }
                return Ok(value);
            }
            if let Some(newest) = version::newer(&self.data, known.version).await? {
                self.publish(newest);
            }
        }
        let text = "could not change the catalog: other processes were faster each time";
        Err(
            Error::new(Kind::Conflict, SqlState::SERIALIZATION_FAILURE, text)
                .hint("Run the statement again."),
        )
    }

    fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if snapshot.version > current.version {
            *current = Arc::clone(&snapshot);
        }
        Arc::clone(&current)
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

/// Where records of a source that did not decode are kept, relative to the data directory.
pub fn dead_letters_folder(oid: u32) -> String {
    format!("dead_letters/{oid}")
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

impl Snapshot {
    /// Takes a relation out; the files of a managed table and the dead letters of a source go later.
    pub fn remove_relation(&mut self, name: &ObjectName, now_us: i64) {
        let Some(removed) = self.relations.remove(name) else {
            return;
        };
        match removed.kind {
            RelationKind::Table(table) => self.dropped.insert(table.path, now_us),
            RelationKind::Source(_) => self
                .dropped
                .insert(dead_letters_folder(removed.oid), now_us),
            RelationKind::View(_) | RelationKind::External(_) => None,
        };
    }

    /// Takes a model out; the files of its versions go later.
    pub fn remove_model(&mut self, name: &ObjectName, now_us: i64) {
        if let Some(model) = self.models.remove(name) {
            self.dropped
                .extend(model.versions.into_values().map(|v| (v.path, now_us)));
        }
    }
}
