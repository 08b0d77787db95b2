//! `EXCEPT ALL` and `INTERSECT ALL`, which count equal rows: the n-th of them on the left meets the n-th on the right.
//!
//! DataFusion plans both as a join of the sides on all columns, without the DISTINCT of the plain forms; that join
//! keeps or drops all equal rows at once.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Column of a row's number among its equals.
const NTH: &str = "\u{1}nth";
const NTH_RIGHT: &str = "\u{1}nth of the right";

/// Numbers the rows of both sides.
#[derive(Debug)]
pub(super) struct Multisets;

impl AnalyzerRule for Multisets {
    fn name(&self) -> &str {
        "multisets"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) if is_multiset(&join) => {
                Ok(Transformed::yes(numbered_join(join)?))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|t| t.data)
    }
}

/// Whether a join is one of the two operations.
fn is_multiset(join: &Join) -> bool {
    let columns = join.left.schema().fields().len();
    matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == columns
        && join.right.schema().fields().len() == columns
        && !matches!(*join.left, LogicalPlan::Distinct(_))
        && join.left.schema().fields().iter().all(|f| f.name() != NTH)
}

fn numbered_join(mut join: Join) -> Result<LogicalPlan> {
    let columns = columns(&join.left);
    let number = |name: &str| Expr::Column(Column::new_unqualified(name));
    join.left = Arc::new(numbered(&join.left, NTH)?);
    join.right = Arc::new(numbered(&join.right, NTH_RIGHT)?);
    join.on.push((number(NTH), number(NTH_RIGHT)));
    let joined = LogicalPlan::Join(join).recompute_schema()?;
    LogicalPlanBuilder::from(joined).project(columns)?.build()
}

/// A plan with the number of each row among its equals.
fn numbered(plan: &LogicalPlan, name: &str) -> Result<LogicalPlan> {
    let mut columns = columns(plan);
    let number = row_number().partition_by(columns.clone()).build()?;
    let computed = number.schema_name().to_string();
    let plan = LogicalPlanBuilder::from(plan.clone()).window(vec![number])?;
    columns.push(Expr::Column(Column::new_unqualified(computed)).alias(name));
    plan.project(columns)?.build()
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().iter().map(Expr::from).collect()
}
