//! `ORDER BY predict(m, …) DESC LIMIT k`: an operator below the sort lets only those rows pass that may be among the k
//! best of all rows so far, and ends scoring for the others as soon as that is certain. The sort above it finds the
//! same rows as without it.

use alcedo_udfs::predict::{Predict, Threshold, TopK};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;
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
    apply_expression_roots,
};
use futures::StreamExt;
use std::fmt;
use std::sync::Arc;

/// Most rows asked for; with more of them a bound comes late and says little.
const COUNT_MAX: usize = 10_000;

/// The rule; it stands before those that move filters of sorts into scans, where they would score rows once more.
#[derive(Debug)]
pub(in crate::query) struct TopKScores;

impl PhysicalOptimizerRule for TopKScores {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(below_sort).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "top_k_scores"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn below_sort(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    // A sort of each partition by itself would have as many thresholds.
    let sort = node
        .downcast_ref::<SortExec>()
        .filter(|sort| !sort.preserve_partitioning());
    let Some((sort, count)) = sort.and_then(|sort| Some((sort, sort.fetch()?))) else {
        return Ok(Transformed::no(node));
    };
    if count > COUNT_MAX {
        return Ok(Transformed::no(node));
    }
    let first = sort.expr().first();
    match place(sort.input(), &first.expr, first.options.descending, count)? {
        Some(input) => {
            let plan = replace_children_if_necessary(Arc::clone(&node), vec![input])?;
            Ok(Transformed::yes(plan))
        }
        None => Ok(Transformed::no(node)),
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
        // Arguments are evaluated here and once more above.
        let predict = Predict::of(call.fun()).filter(|_| !is_volatile(expr));
        let Some(top_k) = predict.and_then(|call| TopK::of(call, greatest, count)) else {
            return Ok(None);
        };
        return Ok(Some(Arc::new(TopKScoresExec {
            top_k: Arc::new(top_k),
            args: call.args().to_vec(),
            threshold: Arc::default(),
            input: Arc::clone(plan),
            metrics: ExecutionPlanMetricsSet::new(),
        })));
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
struct TopKScoresExec {
    top_k: Arc<TopK>,
    args: Vec<Arc<dyn PhysicalExpr>>,
    /// Of all partitions.
    threshold: Arc<Threshold>,
    input: Arc<dyn ExecutionPlan>,
    metrics: ExecutionPlanMetricsSet,
}

impl TopKScoresExec {
    fn select(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let args: Result<Vec<_>> = self.args.iter().map(|arg| arg.evaluate(batch)).collect();
        let passing = self
            .top_k
            .select(&args?, batch.num_rows(), &self.threshold)?;
        Ok(filter_record_batch(batch, &passing)?)
    }
}

impl DisplayAs for TopKScoresExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopKScoresExec: {}", self.top_k)
    }
}

impl ExecutionPlan for TopKScoresExec {
    fn name(&self) -> &str {
        "TopKScoresExec"
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
        apply_expression_roots(&self.args, visit)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| {
            DataFusionError::Internal("the top scores are chosen of one input".to_owned())
        })?;
        Ok(Arc::new(Self {
            input,
            ..self.as_ref().clone()
        }))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            threshold: Arc::default(),
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
