//! Managed tables: a Delta table per folder, read through one of its versions and changed by commits.
//!
//! The state of a table (its version and files) is kept between statements. On a local data directory this process is
//! the only writer, so it is always the newest; on a shared one it is brought up to date first.

use super::scan::{DataFile, ManagedScan};
use super::stored::stored_schema;
use super::stores::DATA_URL;
use super::{Access, from_delta};
use crate::catalog::{Column, Table};
use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use datafusion::catalog::TableProvider;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, StructType};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::DeltaTableError;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use url::Url;

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

fn log_store(access: &Access, folder: &str) -> Result<LogStoreRef> {
    let root = Arc::clone(&access.catalog.data().store);
    let location = Url::parse(&format!("{DATA_URL}{folder}/"))
        .map_err(|e| Error::internal(format!("no URL of folder {folder}: {e}")))?;
    let prefixed = Arc::new(PrefixStore::new(Arc::clone(&root), Path::from(folder)));
    Ok(default_logstore(prefixed, root, &location, &StorageConfig::default()))
}

/// Makes an empty table in a folder, or one with files.
pub async fn create(access: &Access, folder: &str, columns: &[Column], files: &[DataFile]) -> Result<()> {
    let schema: StructType = stored_schema(columns)
        .as_ref()
        .try_into_kernel()
        .map_err(|e| Error::unsupported(format!("a column has a type that tables cannot keep: {e}")))?;
    let adds = files.iter().map(|f| Action::Add(add(access, f)));
    CreateBuilder::new()
        .with_log_store(log_store(access, folder)?)
        .with_columns(schema.fields().cloned())
        .with_actions(adds)
        .await
        .map_err(from_delta)?;
    Ok(())
}

/// The newest version of a table.
pub async fn version(access: &Access, table: &Table) -> Result<Version> {
    let log = log_store(access, &table.path)?;
    let known = shared(access, &table.path).state;
    let state = match known {
        Some(state) if access.catalog.data().local.is_some() => state,
        Some(state) => {
            let mut state = (*state).clone();
            state.update(log.as_ref(), None).await.map_err(from_delta)?;
            keep(access, &table.path, state)
        }
        None => {
            let state = DeltaTableState::try_new(log.as_ref(), None).await.map_err(from_delta)?;
            keep(access, &table.path, state)
        }
    };
    Ok(Version { state, log, folder: table.path.clone() })
}

fn shared(access: &Access, folder: &str) -> Shared {
    let mut tables = access.stores.tables.lock().unwrap_or_else(PoisonError::into_inner);
    tables.entry(folder.to_owned()).or_default().clone()
}

/// Keeps a state unless a newer one is there, and gives the newest.
fn keep(access: &Access, folder: &str, state: DeltaTableState) -> Arc<DeltaTableState> {
    let mut tables = access.stores.tables.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Waits until no other statement of this process changes the table.
pub async fn writer(access: &Access, table: &Table) -> Writer {
    shared(access, &table.path).writer.lock_owned().await
}

/// The table as queries read it.
pub async fn provider(access: &Access, table: &Table) -> Result<Arc<dyn TableProvider>> {
    let files = version(access, table).await?.files();
    Ok(Arc::new(ManagedScan::new(table.columns.clone(), files, false)))
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
    pub async fn commit(&self, access: &Access, removed: &[String], added: &[DataFile], what: Change) -> Result<()> {
        let mut actions: Vec<Action> = added.iter().map(|f| Action::Add(add(access, f))).collect();
        let gone: HashSet<&str> = removed.iter().map(String::as_str).collect();
        let views = self.state.log_data();
        for view in views.iter().filter(|v| gone.contains(v.path().as_ref())) {
            actions.push(Action::Remove(view.remove_action(true)));
        }
        let operation = match what {
            Change::Insert => DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None },
            Change::Update => DeltaOperation::Update { predicate: None },
            Change::Delete => DeltaOperation::Delete { predicate: None },
        };
        let retries = if what == Change::Insert { 15 } else { 0 };
        let done = CommitBuilder::from(CommitProperties::default().with_max_retries(retries))
            .with_actions(actions)
            .build(Some(&*self.state), Arc::clone(&self.log), operation)
            .await
            .map_err(lost_race)?;
        keep(access, &self.folder, done.snapshot());
        Ok(())
    }

    /// Adds a column to the files' schema; one that is there already from a change that ended half way stays.
    pub async fn add_column(&self, access: &Access, columns: &[Column]) -> Result<Self> {
        let schema: StructType = stored_schema(columns)
            .as_ref()
            .try_into_kernel()
            .map_err(|e| Error::unsupported(format!("a column has a type that tables cannot keep: {e}")))?;
        let known = self.state.schema();
        let fields: Vec<_> = schema.fields().filter(|f| known.field(f.name()).is_none()).cloned().collect();
        if fields.is_empty() {
            return Ok(self.clone());
        }
        let metadata = self
            .state
            .metadata()
            .clone();
        let all: Vec<_> = known.fields().cloned().chain(fields.iter().cloned()).collect();
        let schema = StructType::try_new(all).map_err(|e| Error::internal(e.to_string()))?;
        let metadata = deltalake_core::kernel::MetadataExt::with_schema(metadata, &schema).map_err(from_delta)?;
        let done = CommitBuilder::default()
            .with_actions(vec![Action::Metadata(metadata)])
            .build(Some(&*self.state), Arc::clone(&self.log), DeltaOperation::AddColumn { fields })
            .await
            .map_err(lost_race)?;
        let state = keep(access, &self.folder, done.snapshot());
        Ok(Self { state, ..self.clone() })
    }
}

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change { Insert, Update, Delete }

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
