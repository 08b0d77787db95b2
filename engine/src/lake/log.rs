//! The Delta log of a managed table: versions are files that are written once, with a conditional put.
//!
//! A put that an unreliable network sent twice finds its own file in the way. Each commit carries a nonce, so before a
//! conflict is reported the file is read back: what has our bytes is our commit.

use super::Access;
use super::stores::DATA_URL;
use crate::error::{Error, Result};
use bytes::Bytes;
use deltalake_core::DeltaResult;
use deltalake_core::kernel::Version;
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::logstore::{
    CommitOrBytes, LogStore, LogStoreConfig, LogStoreRef, StorageConfig, default_logstore,
};
use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use std::sync::Arc;
use url::Url;
use uuid::Uuid;

/// The log of the table in a folder of the data directory.
pub fn log_store(access: &Access, folder: &str) -> Result<LogStoreRef> {
    let location = Url::parse(&format!("{DATA_URL}{folder}/"))
        .map_err(|e| Error::internal(format!("no URL of folder {folder}: {e}")))?;
    let root = Arc::clone(&access.catalog.data().store);
    let prefixed = Arc::new(PrefixStore::new(Arc::clone(&root), Path::from(folder)));
    Ok(Arc::new(Log(default_logstore(
        prefixed,
        root,
        &location,
        &StorageConfig::default(),
    ))))
}

/// Delta's own log store, which takes its own file for another's.
struct Log(LogStoreRef);

#[async_trait::async_trait]
impl LogStore for Log {
    /// Delta hands bytes, not staged files, to stores of this name.
    fn name(&self) -> String {
        self.0.name()
    }

    async fn read_commit_entry(&self, version: Version) -> DeltaResult<Option<Bytes>> {
        self.0.read_commit_entry(version).await
    }

    async fn write_commit_entry(
        &self,
        version: Version,
        commit: CommitOrBytes,
        operation: Uuid,
    ) -> std::result::Result<(), TransactionError> {
        let written = self
            .0
            .write_commit_entry(version, commit.clone(), operation)
            .await;
        if let (Err(TransactionError::VersionAlreadyExists(_)), CommitOrBytes::LogBytes(ours)) =
            (&written, &commit)
            && let Ok(Some(found)) = self.0.read_commit_entry(version).await
            && found == *ours
        {
            return Ok(());
        }
        written
    }

    async fn abort_commit_entry(
        &self,
        version: Version,
        commit: CommitOrBytes,
        operation: Uuid,
    ) -> std::result::Result<(), TransactionError> {
        self.0.abort_commit_entry(version, commit, operation).await
    }

    async fn get_latest_version(&self, start: Version) -> DeltaResult<Version> {
        self.0.get_latest_version(start).await
    }

    fn object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.0.object_store(operation)
    }

    fn root_object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.0.root_object_store(operation)
    }

    fn config(&self) -> &LogStoreConfig {
        self.0.config()
    }
}
