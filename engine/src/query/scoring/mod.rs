//! Plans that see into models. A call of `predict` is a function of the model's features; here it becomes one of fewer
//! columns, of fewer nodes, or of a comparison alone. Every function says in its name what was done to it, so EXPLAIN
//! shows it; the rows are the same, bit for bit.
//!
//! - **Known features.** Where `WHERE country = 'US' AND age > 17` holds, nodes that always go to one side are left out
//!   of the trees (`facts` finds what holds, `ranges` says it in the model's numbers).
//! - **Used features.** Columns that no node asks of are no arguments any more, so scans do not read them.
//! - **Comparisons.** `predict_proba(m, …) > 0.9` in a filter scores until the side is certain.
//! - **Top k.** `ORDER BY predict(m, …) DESC LIMIT k` scores until it is certain that a row is not among the best
//!   (`top_k`, an operator).
//! - **Row groups.** Scans leave out what cannot pass such a comparison (`row_groups`, `statistics`).
//! - **Shared scores.** Rows that pass such a comparison are shown with the score that they passed by (`shared`).
//! - **Calls together.** `predict` beside `predict_proba`, or models over the same columns, are one function of all their
//!   columns (`together`).
//!
//! Equal calls of a node are computed once by DataFusion's own rule for common expressions, and `short_circuit` puts
//! calls behind cheaper conditions.

mod facts;
mod ranges;
mod row_groups;
mod shared;
mod statistics;
mod together;
mod top_k;

pub(super) use row_groups::SkippedRowGroups;
pub(super) use shared::SharedScores;
pub(super) use together::CallsTogether;
pub(super) use top_k::TopKScores;

use alcedo_udfs::predict::{Predict, Side};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, ScalarUDF};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use facts::Fact;
use std::sync::Arc;

/// The rule; it stands before filters are pushed down, while they are still where their columns have names.
#[derive(Debug)]
pub(super) struct Scoring;

/// The rule that it stands before.
const BEFORE: &str = "push_down_filter";

impl Scoring {
    /// The optimizer's rules with this one among them.
    pub fn among(
        mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
    ) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let at = rules.iter().position(|rule| rule.name() == BEFORE);
        rules.insert(at.unwrap_or(rules.len()), Arc::new(Self));
        rules
    }
}

impl OptimizerRule for Scoring {
    fn name(&self) -> &str {
        "scoring"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>, DataFusionError> {
        if !calls_model(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let facts = facts::before(&plan);
        let filters = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::TableScan(_));
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            // Its parts have names of their own, which other parts of the plan use.
            if matches!(expr, Expr::GroupingSet(_)) {
                return Ok(Transformed::no(expr));
            }
            let name = names.save(&expr);
            let done = expr.transform_up(|expr| call(expr, &facts))?;
            let done = if filters {
                let calls = calls(&done.data)?;
                let once = |call: &Expr| calls.iter().filter(|c| *c == call).count() == 1;
                done.transform_data(|expr| expr.transform_up(|expr| comparison(expr, once)))?
            } else {
                done
            };
            Ok(done.update_data(|expr| name.restore(expr)))
        })
    }
}

/// The call of a model that an expression is.
fn as_call(expr: &Expr) -> Option<&Predict> {
    match expr {
        Expr::ScalarFunction(function) => Predict::of(&function.func),
        _ => None,
    }
}

fn calls_model(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found = expr.exists(|e| Ok(as_call(e).is_some()))?;
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

/// The calls of models in an expression.
fn calls(expr: &Expr) -> Result<Vec<Expr>> {
    let mut calls = Vec::new();
    expr.apply(|e| {
        calls.extend(as_call(e).map(|_| e.clone()));
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(calls)
}

/// A call with what is known of its features put into the model, and without the columns that do not matter.
fn call(expr: Expr, facts: &[Fact]) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(function) = &expr else {
        return Ok(Transformed::no(expr));
    };
    let Some(predict) = Predict::of(&function.func) else {
        return Ok(Transformed::no(expr));
    };
    let mut made = predict.clone();
    let mut changed = false;
    if !predict.is_restricted()
        && let Some((known, shown)) = ranges::known(predict, &function.args, facts)
        && let Some(restricted) = predict.restricted(&known, &shown)
    {
        made = restricted;
        changed = true;
    }
    let mut args = function.args.clone();
    // What an argument does beside its value, it has to do: an error, a random number.
    let removable = |arg: &Expr| matches!(arg, Expr::Column(_) | Expr::Literal(..));
    if let Some((narrowed, kept)) = made.narrowed(|arg| removable(&function.args[arg])) {
        args = kept.iter().map(|arg| function.args[*arg].clone()).collect();
        made = narrowed;
        changed = true;
    }
    if !changed {
        return Ok(Transformed::no(expr));
    }
    let func = Arc::new(ScalarUDF::new_from_impl(made));
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
        func,
        args,
    })))
}

/// A comparison of a call with a constant as one function; not of a call that is needed again.
fn comparison(expr: Expr, once: impl Fn(&Expr) -> bool) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else {
        return Ok(Transformed::no(expr));
    };
    let side = |op: Operator| match op {
        Operator::Gt => Some(Side::Above),
        Operator::GtEq => Some(Side::AtLeast),
        Operator::Lt => Some(Side::Below),
        Operator::LtEq => Some(Side::AtMost),
        _ => None,
    };
    let (call, bound, op) = match (left.as_ref(), right.as_ref()) {
        (call, Expr::Literal(ScalarValue::Float64(Some(bound)), _)) => (call, *bound, Some(*op)),
        (Expr::Literal(ScalarValue::Float64(Some(bound)), _), call) => (call, *bound, op.swap()),
        _ => return Ok(Transformed::no(expr)),
    };
    let (Expr::ScalarFunction(function), Some(side), true) = (call, op.and_then(side), once(call))
    else {
        return Ok(Transformed::no(expr));
    };
    let Some(made) = Predict::of(&function.func).and_then(|call| call.compared(side, bound)) else {
        return Ok(Transformed::no(expr));
    };
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction {
        func: Arc::new(made),
        args: function.args.clone(),
    })))
}
