//! `streams.dead_letters` as a table: files of all sources, one after the other, each record once.

use super::dead_letters::DeadLetters;
use super::letters;
use crate::error::Result;
use crate::error::datafusion::{from_arrow, into_datafusion};
use datafusion::arrow::array::{AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{Int32Type, Int64Type, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;
use object_store::path::Path;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// The table.
#[derive(Debug)]
pub(super) struct LetterTable {
    letters: Arc<DeadLetters>,
    schema: SchemaRef,
}

impl LetterTable {
    pub(super) fn new(letters: Arc<DeadLetters>) -> Self {
        Self {
            letters,
            schema: letters::schema(),
        }
    }
}

#[async_trait::async_trait]
impl TableProvider for LetterTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let all: Arc<dyn PartitionStream> = Arc::new(All {
            letters: Arc::clone(&self.letters),
            schema: Arc::clone(&self.schema),
        });
        let schema = Arc::clone(&self.schema);
        Ok(Arc::new(StreamingTableExec::try_new(
            schema,
            vec![all],
            projection,
            [],
            false,
            limit,
        )?))
    }
}

#[derive(Debug)]
struct All {
    letters: Arc<DeadLetters>,
    schema: SchemaRef,
}

impl PartitionStream for All {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _task: Arc<TaskContext>) -> SendableRecordBatchStream {
        let reading = Reading {
            letters: Arc::clone(&self.letters),
            sources: None,
            source: None,
        };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            let next = reading.next().await.map_err(into_datafusion)?;
            Ok(next.map(|batch| (batch, reading)))
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

/// How far reading is.
struct Reading {
    letters: Arc<DeadLetters>,
    /// Those that are still to be read; not known at first.
    sources: Option<VecDeque<u32>>,
    source: Option<OfSource>,
}

/// How far reading of one source is.
struct OfSource {
    oid: u32,
    files: VecDeque<Path>,
    read: HashSet<Path>,
    batches: VecDeque<RecordBatch>,
    /// Records that were given: topic id, partition, offset.
    given: HashSet<(String, i32, i64)>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.sources.is_none() {
            self.letters.leaving.over().await;
        }
        loop {
            let Some(source) = &mut self.source else {
                let sources = self
                    .sources
                    .get_or_insert_with(|| self.letters.sources().into());
                let Some(oid) = sources.pop_front() else {
                    return Ok(None);
                };
                let mut source = OfSource {
                    oid,
                    files: VecDeque::new(),
                    read: HashSet::new(),
                    batches: VecDeque::new(),
                    given: HashSet::new(),
                };
                source.list(&self.letters).await?;
                self.source = Some(source);
                continue;
            };
            if let Some(batch) = source.batches.pop_front() {
                let batch = source.new_rows(&batch)?;
                if batch.num_rows() > 0 {
                    return Ok(Some(batch));
                }
            } else if let Some(path) = source.files.pop_front() {
                match self.letters.read(&path).await? {
                    Some(batches) => source.batches.extend(batches),
                    // What it had is in a younger file now.
                    None => source.list(&self.letters).await?,
                }
                source.read.insert(path);
            } else {
                self.source = None;
            }
        }
    }
}

impl OfSource {
    /// Finds the files that are not read yet.
    async fn list(&mut self, letters: &DeadLetters) -> Result<()> {
        let files = letters
            .files(self.oid)
            .await?
            .into_iter()
            .map(|f| f.location);
        self.files = files.filter(|f| !self.read.contains(f)).collect();
        Ok(())
    }

    /// The rows that were not given yet, with the table's columns.
    fn new_rows(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let partitions = batch.column(letters::PARTITION).as_primitive::<Int32Type>();
        let offsets = batch.column(letters::OFFSET).as_primitive::<Int64Type>();
        let ids = batch.column(letters::TOPIC_ID).as_string::<i32>();
        let new = (0..batch.num_rows()).map(|row| {
            self.given.insert((
                ids.value(row).to_owned(),
                partitions.value(row),
                offsets.value(row),
            ))
        });
        let new: BooleanArray = new.map(Some).collect();
        let columns: Vec<usize> = (0..letters::TOPIC_ID).collect();
        let shown = batch.project(&columns).map_err(from_arrow)?;
        filter_record_batch(&shown, &new).map_err(from_arrow)
    }
}
