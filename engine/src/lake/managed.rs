//! Managed tables: a Delta table per folder, read through one of its versions and changed by commits.
//!
//! The state of a table (its version and files) is kept between statements. On a local data directory this process is
//! the only writer, so it is always the newest; on a shared one it is brought up to date first.

use super::log::log_store;
use super::scan::{DataFile, ManagedScan};
use super::stored::stored_schema;
use super::stores::Stores;
use super::writer::remove;
use super::{Access, from_delta};
use crate::catalog::{Column, Table};
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use datafusion::catalog::TableProvider;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, MetadataExt, StructType, contains_timestampntz};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Lost races after which added rows give up.
const APPEND_RETRIES: usize = 50;

/// What is kept of a table between statements.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    state: Option<Arc<DeltaTableState>>,
    writer: Arc<tokio::sync::Mutex<()>>,
}

/// One version of a table.
#[derive(Debug, Clone)]
pub struct Version {
    state: Arc<DeltaTableState>,
    log: LogStoreRef,
    folder: String,
}

/// A right to change a table: one statement of this process at a time.
pub type Writer = tokio::sync::OwnedMutexGuard<()>;

/// The versions that a statement has begun to read: it sees no others.
#[derive(Debug, Clone, Default)]
pub struct Pins(Arc<Mutex<HashMap<String, Version>>>);

/// The columns of a table as Delta's schema.
fn delta_schema(columns: &[Column]) -> Result<StructType> {
    let schema = stored_schema(columns).as_ref().try_into_kernel();
    schema.map_err(|e| {
        Error::unsupported(format!("a column has a type that tables cannot keep: {e}"))
    })
}

/// Makes an empty table in a folder, or one with files. What a failure leaves behind is removed with [`discard`].
pub async fn create(
    access: &Access,
    folder: &str,
    columns: &[Column],
    files: &[DataFile],
) -> Result<()> {
    let adds = files.iter().map(|f| Action::Add(add(access, f)));
    CreateBuilder::new()
        .with_log_store(log_store(access, folder)?)
        .with_columns(delta_schema(columns)?.fields().cloned())
        .with_actions(adds)
        .await
        .map_err(from_delta)?;
    Ok(())
}

/// Removes the folder of a table that the catalog never named.
pub async fn discard(access: &Access, folder: &str) {
    let store = &access.catalog.data().store;
    let files = store
        .list(Some(&Path::from(folder)))
        .map_ok(|m| m.location)
        .boxed();
    let gone = store
        .delete_stream(files)
        .try_for_each(|_| std::future::ready(Ok(())));
    if let Err(error) = gone.await {
        tracing::warn!(%error, %folder, "files of a table that was not made stay");
    }
}

/// The newest version of a table, for those who change it; what they read of the table from here is this version.
pub async fn newest(access: &Access, table: &Table) -> Result<Version> {
    let version = load(access, table).await?;
    let mut pins = access.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
    pins.insert(table.path.clone(), version.clone());
    Ok(version)
}

async fn load(access: &Access, table: &Table) -> Result<Version> {
    let log = log_store(access, &table.path)?;
    let known = shared(access, &table.path).state;
    let state = match known {
        Some(state) if access.catalog.data().local.is_some() => state,
        Some(state) => {
            let mut state = (*state).clone();
            state.update(log.as_ref(), None).await.map_err(from_delta)?;
            keep(&access.stores, &table.path, state)
        }
        None => {
            let state = DeltaTableState::try_new(log.as_ref(), None)
                .await
                .map_err(from_delta)?;
            keep(&access.stores, &table.path, state)
        }
    };
    Ok(Version {
        state,
        log,
        folder: table.path.clone(),
    })
}

/// The version that a statement reads: the newest when it first asks.
async fn pinned(access: &Access, table: &Table) -> Result<Version> {
    let pins = || access.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
    let found = pins().get(&table.path).cloned();
    if let Some(version) = found {
        return Ok(version);
    }
    let version = load(access, table).await?;
    Ok(pins().entry(table.path.clone()).or_insert(version).clone())
}

fn shared(access: &Access, folder: &str) -> Shared {
    let mut tables = access
        .stores
        .tables
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    tables.entry(folder.to_owned()).or_default().clone()
}

/// Keeps a state unless a newer one is there, and gives the newest.
fn keep(stores: &Stores, folder: &str, state: DeltaTableState) -> Arc<DeltaTableState> {
    let mut tables = stores.tables.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = tables.entry(folder.to_owned()).or_default();
    match &entry.state {
        Some(known) if known.version() >= state.version() => Arc::clone(known),
        _ => {
            let state = Arc::new(state);
            entry.state = Some(Arc::clone(&state));
            state
        }
    }
}

/// Forgets a state that is no longer the newest: the next statement reads the log.
fn forget(stores: &Stores, folder: &str) {
    let mut tables = stores.tables.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(entry) = tables.get_mut(folder) {
        entry.state = None;
    }
}

/// Removes the files of a commit that failed, unless the log names them after all.
pub async fn undo(access: &Access, table: &Table, files: &[DataFile]) {
    forget(&access.stores, &table.path);
    // A log that cannot be read may name them: then they stay.
    if let Ok(now) = load(access, table).await {
        let named: HashSet<String> = now.files().into_iter().map(|f| f.name).collect();
        let unnamed: Vec<DataFile> = files
            .iter()
            .filter(|f| !named.contains(&f.name))
            .cloned()
            .collect();
        remove(access, &unnamed).await;
    }
}

/// Waits until no other statement of this process changes the table.
pub async fn writer(access: &Access, table: &Table) -> Writer {
    shared(access, &table.path).writer.lock_owned().await
}

/// The table as queries read it.
pub async fn provider(access: &Access, table: &Table) -> Result<Arc<dyn TableProvider>> {
    let files = pinned(access, table).await?.files();
    Ok(Arc::new(ManagedScan::new(&table.columns, files, false)))
}

impl Version {
    /// The files of this version.
    pub fn files(&self) -> Vec<DataFile> {
        let views = self.state.log_data();
        views
            .iter()
            .map(|view| {
                let name = view.path().into_owned();
                DataFile {
                    path: format!("{}/{name}", self.folder),
                    name,
                    size: u64::try_from(view.size()).unwrap_or(0),
                    rows: view.num_records().map(|n| n as u64),
                }
            })
            .collect()
    }

    /// Puts files into the place of others; nothing is visible before this returns, and everything after.
    ///
    /// # Errors
    /// 40001 when another process changed the same files first.
    pub async fn commit(
        &self,
        access: &Access,
        removed: &[String],
        added: &[DataFile],
        what: Change,
    ) -> Result<()> {
        let mut actions: Vec<Action> = added.iter().map(|f| Action::Add(add(access, f))).collect();
        let gone: HashSet<&str> = removed.iter().map(String::as_str).collect();
        let views = self.state.log_data();
        for view in views.iter().filter(|v| gone.contains(v.path().as_ref())) {
            actions.push(Action::Remove(view.remove_action(true)));
        }
        let operation = match what {
            Change::Insert => DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: None,
                predicate: None,
            },
            Change::Update => DeltaOperation::Update { predicate: None },
            Change::Delete => DeltaOperation::Delete { predicate: None },
        };
        // Rows that are only added go on top of whatever others did meanwhile.
        let retries = if what == Change::Insert {
            APPEND_RETRIES
        } else {
            0
        };
        self.put(access, actions, operation, retries).await
    }

    /// Gives the files' schema the columns of the catalog and one more; says whether files may have values under the
    /// new one's name, from a change that ended half way.
    pub async fn add_column(&self, access: &Access, columns: &[Column]) -> Result<bool> {
        let schema = delta_schema(columns)?;
        let Some(added) = schema.fields().last() else {
            return Ok(false);
        };
        let there = self.state.schema().field(added.name()).is_some();
        let metadata = self
            .state
            .metadata()
            .clone()
            .with_schema(&schema)
            .map_err(|e| from_delta(e.into()))?;
        let mut actions = vec![Action::Metadata(metadata)];
        let protocol = self.state.protocol();
        if contains_timestampntz(schema.fields()) && protocol.min_reader_version() < 3 {
            let features = serde_json::json!({
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["timestampNtz"],
                "writerFeatures": ["timestampNtz"],
            });
            let protocol =
                serde_json::from_value(features).map_err(|e| Error::internal(e.to_string()))?;
            actions.push(Action::Protocol(protocol));
        }
        let operation = DeltaOperation::AddColumn {
            fields: vec![added.clone()],
        };
        self.put(access, actions, operation, 0).await?;
        Ok(there)
    }

    /// Commits. A task of its own does it: what has begun is ended, even when the statement is cancelled.
    async fn put(
        &self,
        access: &Access,
        actions: Vec<Action>,
        operation: DeltaOperation,
        retries: usize,
    ) -> Result<()> {
        let (version, stores) = (self.clone(), Arc::clone(&access.stores));
        let commit = async move {
            let nonce = serde_json::Value::String(uuid::Uuid::new_v4().to_string());
            let properties = CommitProperties::default()
                .with_max_retries(retries)
                .with_metadata([("nonce".to_owned(), nonce)]);
            let prepared = CommitBuilder::from(properties)
                .with_actions(actions)
                .build(Some(&*version.state), Arc::clone(&version.log), operation)
                .into_prepared_commit_future();
            let committed = async { prepared.await?.await }.await.map_err(lost_race)?;
            // It is durable. What comes after, checkpoints and removal of old log files, may fail.
            match committed.await {
                Ok(done) => {
                    keep(&stores, &version.folder, done.snapshot());
                }
                Err(error) => {
                    tracing::warn!(%error, folder = %version.folder, "upkeep of a table's log failed");
                    forget(&stores, &version.folder);
                }
            }
            Ok(())
        };
        let done = tokio::spawn(commit).await;
        done.map_err(|e| Error::internal(format!("a commit broke off: {e}")))?
    }
}

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Insert,
    Update,
    Delete,
}

fn lost_race(error: DeltaTableError) -> Error {
    let conflict = match &error {
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
                | TransactionError::MaxCommitAttempts(_)
        ),
        DeltaTableError::VersionAlreadyExists(_) => true,
        _ => false,
    };
    if conflict {
        return Error::new(
            Kind::Conflict,
            SqlState::SERIALIZATION_FAILURE,
            "could not serialize access due to concurrent update",
        )
        .hint("Run the statement again.");
    }
    from_delta(error)
}

fn add(access: &Access, file: &DataFile) -> Add {
    let stats = file.rows.map(|rows| format!("{{\"numRecords\":{rows}}}"));
    Add {
        path: file.name.clone(),
        partition_values: HashMap::new(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        modification_time: access.catalog.now_us() / 1000,
        data_change: true,
        stats,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
