//! Joins that can be stopped. A join may multiply its inputs for minutes between two of its input batches, and holds a
//! thread of the runtime meanwhile: so it gives way to other tasks after some batches of its output; and its filter,
//! which it evaluates all the time, lets another thread take over the other tasks (cancel requests and timers among
//! them) and fails once the statement is cancelled.

use super::error::into_datafusion;
use super::{Cancel, Context, short_circuit};
use crate::error::Result;
use crate::query::error::from_datafusion;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec,
    NestedLoopJoinExecBuilder, PiecewiseMergeJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How long a thread evaluates a filter before others take over its other tasks.
const TURN: Duration = Duration::from_millis(20);
/// A longer pause between two evaluations means that the thread has done something else.
const PAUSE: Duration = Duration::from_millis(2);
/// How long a thread lets others take over.
const NAP: Duration = Duration::from_micros(200);

thread_local! {
    /// Since when and until when this thread has evaluated filters without a pause.
    static BUSY: Cell<Option<(Instant, Instant)>> = const { Cell::new(None) };
}

impl Context {
    /// The plan with joins that this statement's end stops.
    pub(super) fn stoppable(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| self.stoppable_join(node))
            .map(|done| done.data)
            .map_err(from_datafusion)
    }

    fn stoppable_join(
        &self,
        node: Arc<dyn ExecutionPlan>,
    ) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
        let join: Arc<dyn ExecutionPlan> =
            if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
                let filter = self.guarded(join.filter())?;
                let made = NestedLoopJoinExecBuilder::from(join).with_filter(filter);
                Arc::new(made.build()?)
            } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
                let filter = self.guarded(join.filter())?;
                let made = HashJoinExecBuilder::from(join).with_filter(filter);
                Arc::new(made.build()?)
            } else if node.is::<CrossJoinExec>()
                || node.is::<SortMergeJoinExec>()
                || node.is::<PiecewiseMergeJoinExec>()
            {
                node
            } else {
                return Ok(Transformed::no(node));
            };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join))))
    }

    fn guarded(&self, filter: Option<&JoinFilter>) -> DataFusionResult<Option<JoinFilter>> {
        let Some(filter) = filter else {
            return Ok(None);
        };
        let guard = Guard {
            inner: short_circuit::condition(filter.expression(), filter.schema())?,
            cancel: self.cancel.clone(),
        };
        let columns = filter.column_indices().to_vec();
        let schema = Arc::clone(filter.schema());
        Ok(Some(JoinFilter::new(Arc::new(guard), columns, schema)))
    }
}

/// Lets another thread take over this thread's other tasks when it has been busy for long; says since when it is busy.
fn give_way() -> Instant {
    let now = Instant::now();
    let since = match BUSY.get() {
        Some((since, until)) if now.duration_since(until) < PAUSE => since,
        _ => now,
    };
    let threads = || Handle::try_current().map(|h| h.runtime_flavor());
    if now.duration_since(since) < TURN || !matches!(threads(), Ok(RuntimeFlavor::MultiThread)) {
        return since;
    }
    tokio::task::block_in_place(|| std::thread::sleep(NAP));
    Instant::now()
}

/// An expression that fails once its statement is cancelled.
#[derive(Debug)]
struct Guard {
    inner: Arc<dyn PhysicalExpr>,
    cancel: Cancel,
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Guard {}

impl Hash for Guard {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Guard {
    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        self.cancel.check().map_err(into_datafusion)?;
        let since = give_way();
        let value = self.inner.evaluate(batch);
        BUSY.set(Some((since, Instant::now())));
        value
    }

    fn return_field(&self, input_schema: &Schema) -> DataFusionResult<FieldRef> {
        self.inner.return_field(input_schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().ok_or_else(|| {
            DataFusionError::Internal("a guarded expression has one child".to_owned())
        })?;
        let cancel = self.cancel.clone();
        Ok(Arc::new(Self { inner, cancel }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
