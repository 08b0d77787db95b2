//! A source as a table, and the operator that reads it: a bounded scan whose end is taken when it executes.

use super::Access;
use super::bounds::Bounds;
use super::kafka::client::Cluster;
use super::kafka::layout::Layout;
use super::kafka::reader::{Reader, Tally};
use super::letters::Addressee;
use super::seek::Seek;
use crate::catalog::{MetadataColumn, ObjectName, Source};
use crate::error::datafusion::into_datafusion;
use crate::error::{Error, Result};
use crate::format::json::Numbers;
use crate::types::arrow_field;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as DataFusionResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
};
use futures::stream;
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches that wait for the query; more would only fill memory.
const BATCHES_MAX: usize = 2;
/// More readers of one scan than this gain nothing: the client's own threads take as much time as theirs.
const READERS_MAX: usize = 8;

/// A source in a statement.
#[derive(Debug)]
pub(super) struct SourceTable(Arc<Parts>);

/// What the scans of a source in a statement share.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) access: Access,
    pub(super) source: Source,
    pub(super) numbers: Numbers,
    pub(super) cluster: Cluster,
    pub(super) bounds: Bounds,
    pub(super) name: ObjectName,
    oid: u32,
    schema: SchemaRef,
}

impl SourceTable {
    pub(super) fn new(access: Access, name: &ObjectName, source: &Source) -> Result<Self> {
        let cluster = Cluster::of(&access.catalog, &access.snapshot, &source.properties)?;
        let numbers = Numbers::of(&source.timestamptz_mode).ok_or_else(|| {
            Error::internal(format!(
                "no such mode of timestamps: {}",
                source.timestamptz_mode
            ))
        })?;
        let oid = access.snapshot.relations.get(name).map_or(0, |r| r.oid);
        // A NOT NULL column is nullable to the planner, as with tables.
        let fields = source
            .columns
            .iter()
            .map(|c| arrow_field(&c.name, &c.ty, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let (source, name) = (source.clone(), name.clone());
        Ok(Self(Arc::new(Parts {
            access,
            source,
            numbers,
            cluster,
            bounds: Bounds::default(),
            name,
            oid,
            schema,
        })))
    }

    fn metadata(&self) -> &[MetadataColumn] {
        &self.0.source.metadata
    }
}

impl Parts {
    /// To whom records that do not decode go.
    pub(super) fn addressee(&self, topic_id: &str) -> Addressee {
        Addressee {
            oid: self.oid,
            schema: self.name.schema.clone(),
            name: self.name.name.clone(),
            topic: self.source.topic.clone(),
            topic_id: topic_id.to_owned(),
        }
    }
}

#[async_trait::async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let mut seek = Seek::default();
        Ok(filters
            .iter()
            .map(|filter| seek.narrow(self.metadata(), filter))
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let seek = Seek::of(self.metadata(), filters);
        let columns = projection
            .cloned()
            .unwrap_or_else(|| (0..self.0.schema.fields().len()).collect());
        let schema = Arc::new(self.0.schema.project(&columns)?);
        let readers = (state.config().target_partitions() / 2).clamp(1, READERS_MAX);
        Ok(Arc::new(SourceScan::new(
            Arc::clone(&self.0),
            schema,
            columns,
            seek,
            limit,
            readers,
        )))
    }
}

/// Reads a source.
#[derive(Debug, Clone)]
struct SourceScan {
    parts: Arc<Parts>,
    schema: SchemaRef,
    /// Places of the columns in the source's.
    columns: Vec<usize>,
    seek: Seek,
    limit: Option<usize>,
    tally: Arc<Tally>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl SourceScan {
    fn new(
        parts: Arc<Parts>,
        schema: SchemaRef,
        columns: Vec<usize>,
        seek: Seek,
        limit: Option<usize>,
        readers: usize,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(readers),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            parts,
            schema,
            columns,
            seek,
            limit,
            tally: Arc::new(Tally::new(readers)),
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for SourceScan {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self
            .schema
            .fields()
            .iter()
            .map(|c| c.name().as_str())
            .collect();
        write!(
            f,
            "SourceScan: {}, topic={}, columns=[{}]",
            self.parts.name,
            self.parts.source.topic,
            columns.join(", ")
        )?;
        if self.seek != Seek::default() {
            write!(f, ", seek=[{}]", self.seek)?;
        }
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for SourceScan {
    fn name(&self) -> &str {
        "SourceScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let tally = Arc::new(Tally::new(self.properties.partitioning.partition_count()));
        Ok(Arc::new(Self {
            tally,
            metrics: ExecutionPlanMetricsSet::new(),
            ..self.as_ref().clone()
        }))
    }

    fn supports_limit_pushdown(&self) -> bool {
        false
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Self {
            limit,
            ..self.clone()
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let (sender, receiver) = mpsc::channel(BATCHES_MAX);
        let (query, reading) = self.parts.access.dead_letters.leaving.pair();
        let reader = Reader {
            parts: Arc::clone(&self.parts),
            layout: Layout::new(
                &self.parts.source,
                &self.columns,
                Arc::clone(&self.schema),
                self.parts.numbers,
            ),
            seek: self.seek.clone(),
            limit: self.limit,
            batch_rows: task.session_config().batch_size(),
            place: partition,
            readers: self.properties.partitioning.partition_count(),
            tally: Arc::clone(&self.tally),
            records: MetricBuilder::new(&self.metrics).counter("records", partition),
            runtime: tokio::runtime::Handle::current(),
        };
        std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(move || reader.run(&sender, reading))
            .map_err(|e| into_datafusion(crate::error::from_io(&e)))?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = stream::unfold(Some((receiver, metrics, query)), |taking| async move {
            let (mut receiver, metrics, query) = taking?;
            match receiver.recv().await {
                Some(Message::Rows(batch)) => {
                    metrics.record_output(batch.num_rows());
                    Some((Ok(batch), Some((receiver, metrics, query))))
                }
                Some(Message::End) => None,
                Some(Message::Failed(error)) => Some((Err(into_datafusion(error)), None)),
                None => {
                    let error = Error::internal("the reader of a source ended before its time");
                    Some((Err(into_datafusion(error)), None))
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        )))
    }
}

/// What a reader sends.
#[derive(Debug)]
pub(super) enum Message {
    Rows(RecordBatch),
    Failed(Error),
    /// All is read; without it something went wrong.
    End,
}
