//! Running plans: optimised, executed, and stopped when the statement is cancelled.

use super::error::{from_datafusion, into_datafusion};
use super::{Context, short_circuit};
use crate::error::Result;
use datafusion::common::DFSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr, execute_stream};
use futures::stream::StreamExt;
use std::future::Future;
use std::sync::Arc;

impl Context {
    /// Optimises a plan and chooses operators.
    pub async fn physical_plan(
        &self,
        state: &SessionState,
        plan: &LogicalPlan,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let making = state.create_physical_plan(plan);
        let made = self.or_canceled(making).await?.map_err(from_datafusion)?;
        self.stoppable(short_circuit::plan(made)?)
    }

    /// Runs a plan; the stream ends with an error when the statement is cancelled.
    pub async fn stream(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        let state = self.state()?;
        let physical = self.physical_plan(&state, &plan).await?;
        if let Some(mut ran) = self.ran.as_ref().and_then(|ran| ran.lock().ok()) {
            ran.push(Arc::clone(&physical));
        }
        self.run(&state, physical)
    }

    /// Runs chosen operators.
    pub fn run(
        &self,
        state: &SessionState,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<SendableRecordBatchStream> {
        self.run_task(state.task_ctx(), plan)
    }

    /// Runs chosen operators in the surroundings they were made for.
    pub fn run_task(
        &self,
        task: Arc<TaskContext>,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = execute_stream(plan, task).map_err(from_datafusion)?;
        Ok(self.cancelable(rows))
    }

    /// An expression ready to evaluate on batches of a schema.
    pub fn physical(&self, expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        self.state()?
            .create_physical_expr(expr.clone(), schema)
            .and_then(|made| short_circuit::condition(&made, schema.as_arrow()))
            .map_err(from_datafusion)
    }

    /// Waits for work, or for the statement's end.
    pub async fn or_canceled<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.token.cancelled() => Err(self.cancel.error()),
            done = work => Ok(done),
        }
    }

    fn cancelable(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = rows.schema();
        let cancel = self.cancel.clone();
        let stream = futures::stream::unfold(Some((rows, cancel)), |state| async move {
            let (mut rows, cancel) = state?;
            let next = tokio::select! {
                biased;
                () = cancel.token.cancelled() => Some(Err(into_datafusion(cancel.error()))),
                next = rows.next() => next,
            };
            match next {
                Some(Ok(batch)) => Some((Ok(batch), Some((rows, cancel)))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, stream))
    }
}
