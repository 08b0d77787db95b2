//! Sources: topics of a broker as tables. A query reads what there is when it begins, and ends there.
//!
//! `scan` is the table and its operator, `seek` the places in the topic that a query's conditions name, `bounds` the
//! end that all scans of a statement share, `dead_letters` the records that did not decode (`letters` their rows,
//! `letter_table` their table, `leaving` those that are not kept yet). `kafka` speaks to the
//! broker; the values of records belong to `crate::format`.

mod bounds;
pub mod dead_letters;
pub mod kafka;
mod leaving;
mod letter_table;
mod letters;
mod scan;
mod seek;

use crate::catalog::store::Catalog;
use crate::catalog::{ObjectName, Snapshot, Source};
use crate::error::Result;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use dead_letters::DeadLetters;
use kafka::client::Cluster;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What sources need of a statement.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Access {
    pub catalog: Arc<Catalog>,
    pub snapshot: Arc<Snapshot>,
    pub dead_letters: Arc<DeadLetters>,
    pub cancel: CancellationToken,
    /// Sends a NOTICE.
    pub notice: Arc<dyn Fn(String) + Send + Sync>,
    /// Sends a WARNING.
    pub warn: Arc<dyn Fn(String) + Send + Sync>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access(catalog version {})", self.snapshot.version)
    }
}

/// The table that reads a source.
///
/// # Errors
/// 42704 when a secret of its properties is not there.
pub async fn provider(
    access: Access,
    name: &ObjectName,
    source: &Source,
) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(scan::SourceTable::new(access, name, source)?))
}

/// Writes rows to the topic of a source; `columns` names the source's columns that `rows` has, in their order. Gives
/// the number of rows when all replicas have them.
///
/// # Errors
/// 428C9 when an offset is given; after a failure the detail says how many rows are in the topic.
pub async fn produce(
    access: Access,
    name: &ObjectName,
    source: &Source,
    columns: &[String],
    rows: SendableRecordBatchStream,
) -> Result<u64> {
    let cluster = Cluster::of(&access.catalog, &access.snapshot, &source.properties)?;
    kafka::producer::produce(&cluster, name, source, columns, rows, &access.cancel).await
}
