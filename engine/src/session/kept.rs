//! Operators of a prepared statement that can run again as they are: a plan without tables, parameters or functions
//! of the moment, such as the `SELECT 1` that pools send.
//!
//! The optimiser folds `now()` and its like into constants, so only plans whose functions are all immutable are
//! kept, and only for the settings they were made under.

use crate::error::Result;
use crate::query::Context;
use crate::query::error::from_datafusion;
use alcedo_sql::vars::Vars;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use std::sync::Arc;

/// What operators depend on beside the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    time_zone: String,
    batch_size: Option<usize>,
    target_partitions: Option<usize>,
}

impl Settings {
    pub(super) fn of(vars: &Vars) -> Self {
        Self {
            time_zone: vars.time_zone(),
            batch_size: vars.batch_size(),
            target_partitions: vars.target_partitions(),
        }
    }
}

/// Operators with the surroundings they run in.
#[derive(Debug)]
pub(super) struct Kept {
    operators: Arc<dyn ExecutionPlan>,
    task: Arc<TaskContext>,
    settings: Settings,
}

impl Kept {
    /// Chooses operators for a plan that may be kept.
    pub(super) async fn make(
        ctx: &Context,
        settings: Settings,
        plan: &LogicalPlan,
    ) -> Result<Self> {
        let state = ctx.state()?;
        let operators = ctx.physical_plan(&state, plan).await?;
        Ok(Self {
            operators,
            task: state.task_ctx(),
            settings,
        })
    }

    /// Whether the settings are still those it was made under.
    pub(super) fn fits(&self, settings: &Settings) -> bool {
        self.settings == *settings
    }

    /// Runs the operators, as new.
    pub(super) fn run(&self, ctx: &Context) -> Result<SendableRecordBatchStream> {
        let fresh = reset_plan_states(Arc::clone(&self.operators)).map_err(from_datafusion)?;
        ctx.run_task(Arc::clone(&self.task), fresh)
    }
}

/// Whether a plan gives the same rows whenever it runs, by operators that carry nothing over from run to run.
pub(super) fn may_keep(plan: &LogicalPlan) -> bool {
    let mut immutable = true;
    let visited = plan.apply_with_subqueries(|node| {
        let simple = matches!(
            node,
            LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::Limit(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::EmptyRelation(_)
                | LogicalPlan::Values(_)
        );
        immutable = immutable && simple;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                immutable = immutable && immutable_expression(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(if immutable {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    visited.is_ok() && immutable
}

fn immutable_expression(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
        Expr::Placeholder(_) | Expr::ScalarVariable(..) | Expr::ScalarSubquery(_) => false,
        _ => true,
    }
}
