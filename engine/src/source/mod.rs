//! Streams as tables: a source reads a topic up to where it ends when the query runs, and takes rows that are inserted.
//!
//! `kafka` is the one connector; `dead_letters` keeps the records that do not decode.

pub mod dead_letters;
pub mod kafka;

use crate::catalog::store::Catalog;
use crate::catalog::{ObjectName, Snapshot, Source};
use crate::clock::Clock;
use crate::error::Result;
use dead_letters::DeadLetters;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What sources need of a statement.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Access {
    pub catalog: Arc<Catalog>,
    pub snapshot: Arc<Snapshot>,
    pub clock: Arc<dyn Clock>,
    pub dead_letters: Arc<DeadLetters>,
    pub cancel: CancellationToken,
    /// Tells the client something that it may want to know.
    pub notice: Arc<dyn Fn(String) + Send + Sync>,
    /// Tells the client something that it should know.
    pub warning: Arc<dyn Fn(String) + Send + Sync>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("catalog_version", &self.snapshot.version).finish_non_exhaustive()
    }
}

/// The table that reads a source.
pub async fn provider(access: Access, name: &ObjectName, source: &Source) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(kafka::KafkaTable::new(access, name.clone(), source.clone())))
}

/// Writes rows into a source's topic; `columns` names those of the batches. Returns when all replicas have all rows.
///
/// # Errors
/// 428C9 for the offset, 23502 for NULL where the source refuses it, 08006 when the broker does not take the rows; the
/// detail says how many it has.
pub async fn produce(
    access: Access,
    name: &ObjectName,
    source: &Source,
    columns: &[String],
    rows: SendableRecordBatchStream,
) -> Result<u64> {
    kafka::produce(access, name, source, columns, rows).await
}
