//! `ORDER BY predict(m, …) DESC LIMIT k`: an operator below the sort lets only those rows pass that may be among the k
//! best of all rows so far, and ends scoring for the others as soon as that is certain. The sort above it finds the
//! same rows as without it.

use alcedo_udfs::predict::{Best, Leaders, Predict};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::StreamExt;
use std::fmt;
use std::sync::Arc;

/// Most rows asked for; with more of them a bound comes late and says little.
const COUNT_MAX: usize = 10_000;

/// The rule; it stands before those that move filters of sorts into scans, where they would score rows once more.
#[derive(Debug)]
pub(in crate::query) struct BestScores;

impl PhysicalOptimizerRule for BestScores {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(below_sort).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "best_scores"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn below_sort(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some((sort, count)) = node
        .downcast_ref::<SortExec>()
        .and_then(|s| Some((s, s.fetch()?)))
    else {
        return Ok(Transformed::no(node));
    };
    let first = sort.expr().first();
    let greatest = first.options.descending;
    match place(sort.input(), &first.expr, greatest, count)? {
        Some(input) if count <= COUNT_MAX => Ok(Transformed::yes(replace_children_if_necessary(
            Arc::clone(&node),
            vec![input],
        )?)),
        _ => Ok(Transformed::no(node)),
    }
}

/// A plan with the operator in the place where the expression is a call with columns.
fn place(
    plan: &Arc<dyn ExecutionPlan>,
    expr: &Arc<dyn PhysicalExpr>,
    greatest: bool,
    count: usize,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() {
        let best = Predict::of(call.fun()).and_then(|call| Best::of(call, greatest, count));
        let below = |best| BestScoresExec {
            best: Arc::new(best),
            args: call.args().to_vec(),
            leaders: Arc::default(),
            input: Arc::clone(plan),
            metrics: ExecutionPlanMetricsSet::new(),
        };
        return Ok(best.map(|best| Arc::new(below(best)) as _));
    }
    let (Some(column), Some(projection)) = (
        expr.downcast_ref::<Column>(),
        plan.downcast_ref::<ProjectionExec>(),
    ) else {
        return Ok(None);
    };
    let item = &projection.expr()[column.index()].expr;
    let Some(input) = place(projection.input(), item, greatest, count)? else {
        return Ok(None);
    };
    replace_children_if_necessary(Arc::clone(plan), vec![input]).map(Some)
}

/// The operator.
#[derive(Debug, Clone)]
struct BestScoresExec {
    best: Arc<Best>,
    args: Vec<Arc<dyn PhysicalExpr>>,
    /// Of all partitions.
    leaders: Arc<Leaders>,
    input: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
}

impl BestScoresExec {
    fn select(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let args: Result<Vec<_>> = self.args.iter().map(|arg| arg.evaluate(batch)).collect();
        let passing = self.best.select(&args?, batch.num_rows(), &self.leaders)?;
        Ok(filter_record_batch(batch, &passing)?)
    }
}

impl DisplayAs for BestScoresExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BestScoresExec: {}", self.best)
    }
}

impl ExecutionPlan for BestScoresExec {
    fn name(&self) -> &str {
        "BestScoresExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for arg in &self.args {
            if visit(arg)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| {
            DataFusionError::Internal("the best scores are chosen of one input".to_owned())
        })?;
        Ok(Arc::new(Self {
            input,
            ..self.as_ref().clone()
        }))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            leaders: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
            ..self.as_ref().clone()
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, task)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let this = self.clone();
        let schema = input.schema();
        let passing = input.map(move |batch| {
            let batch = batch?;
            let timer = metrics.elapsed_compute().timer();
            let passing = this.select(&batch)?;
            timer.done();
            Ok(passing.record_output(&metrics))
        });
        let passing = passing.filter(|batch| {
            let some = !matches!(batch, Ok(batch) if batch.num_rows() == 0);
            std::future::ready(some)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, passing)))
    }
}
