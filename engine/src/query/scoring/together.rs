//! Calls of one projection or aggregation that have something in common become one function: `predict` beside
//! `predict_proba` of a model, or a champion and a challenger over the same columns. A projection below computes it once,
//! and the calls are fields of its result.

use super::as_call;
use alcedo_udfs::predict::{Predict, together as function_of};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator};
use datafusion::optimizer::OptimizerConfig;
use std::sync::Arc;

/// The plan with calls that have something in common as one.
pub(super) fn together(
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let takes_part = match &plan {
        LogicalPlan::Projection(_) => true,
        // The parts of a grouping set have names of their own.
        LogicalPlan::Aggregate(aggregate) => {
            let grouped = &aggregate.group_expr;
            !grouped.iter().any(|e| matches!(e, Expr::GroupingSet(_)))
        }
        _ => false,
    };
    if !takes_part {
        return Ok(Transformed::no(plan));
    }
    let mut calls = Vec::new();
    plan.apply_expressions(|expr| {
        always(expr, &mut calls)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let Some((function, calls)) = common(calls) else {
        return Ok(Transformed::no(plan));
    };
    let name = config.alias_generator().next("__scores");
    let input = plan.inputs()[0];
    let columns = input.schema().columns().into_iter().map(Expr::Column);
    let below = LogicalPlanBuilder::from(input.clone())
        .project(columns.chain([function.alias(&name)]))?
        .build()?;
    let scores = Expr::Column(Column::new_unqualified(name));
    let names = NamePreserver::new(&plan);
    let exprs = plan.expressions().into_iter().map(|expr| {
        let name = names.save(&expr);
        let done = expr.transform_down(|expr| match &expr {
            Expr::ScalarFunction(call) if calls.contains(&expr) => {
                let field = get_field(scores.clone(), call.name());
                Ok(Transformed::new(field, true, TreeNodeRecursion::Jump))
            }
            _ => Ok(Transformed::no(expr)),
        })?;
        Ok(name.restore(done.data))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    plan.with_new_exprs(exprs, vec![below])
        .map(Transformed::yes)
}

/// The function of the first call and all others that share something with it, and which calls these are; of columns
/// and constants, so that nothing is computed that was not.
fn common(calls: Vec<Expr>) -> Option<(Expr, Vec<Expr>)> {
    let mut left = calls;
    while left.len() > 1 {
        let first = left.remove(0);
        let mut args: Vec<Expr> = Vec::new();
        let mut made = None;
        let mut members = vec![first];
        for other in &left {
            let mut tried = members.clone();
            tried.push(other.clone());
            args.clear();
            if let Some(function) =
                function_of(tried.iter().filter_map(|e| placed(e, &mut args)).collect())
            {
                made = Some(Expr::ScalarFunction(ScalarFunction {
                    func: Arc::new(function),
                    args: args.clone(),
                }));
                members = tried;
            }
        }
        if let Some(made) = made {
            return Some((made, members));
        }
    }
    None
}

/// A call with the places of its arguments among all.
fn placed(call: &Expr, args: &mut Vec<Expr>) -> Option<(Predict, Vec<usize>)> {
    let Expr::ScalarFunction(function) = call else {
        return None;
    };
    let place = |arg: &Expr| {
        args.iter().position(|a| a == arg).unwrap_or_else(|| {
            args.push(arg.clone());
            args.len() - 1
        })
    };
    let places = function.args.iter().map(place).collect();
    Some((Predict::of(&function.func)?.clone(), places))
}

/// Different calls of columns and constants that an expression computes for every row.
fn always(expr: &Expr, calls: &mut Vec<Expr>) -> Result<()> {
    expr.apply(|e| {
        if let (Some(_), Expr::ScalarFunction(function)) = (as_call(e), e) {
            let plain = |arg: &Expr| matches!(arg, Expr::Column(_) | Expr::Literal(..));
            if function.args.iter().all(plain) && !calls.contains(e) {
                calls.push(e.clone());
            }
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(match e {
            Expr::Case(_) => TreeNodeRecursion::Jump,
            Expr::BinaryExpr(b) if matches!(b.op, Operator::And | Operator::Or) => {
                TreeNodeRecursion::Jump
            }
            Expr::ScalarFunction(function) if function.func.short_circuits() => {
                TreeNodeRecursion::Jump
            }
            Expr::AggregateFunction(function) if function.params.filter.is_some() => {
                TreeNodeRecursion::Jump
            }
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(())
}
