//! Correlated scalar subqueries that DataFusion does not take apart: those whose condition is more than
//! equalities, as `(SELECT count(*) FROM t b WHERE b.x < a.x)`.
//!
//! The outer rows are numbered and joined, on the subquery's condition, with what the subquery reads; the
//! aggregate is then computed for each number:
//!
//! ```text
//! Projection: o.*, f(aggregates) AS value
//!   Aggregate: group by number, o.*; aggregates FILTER (WHERE found)
//!     Left Join: condition
//!       o.*, row_number() AS number
//!       i.*, true AS found
//! ```

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchemaRef, JoinType, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Projection, Subquery,
    lit,
};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Starts names that no query can write.
const MARK: char = '\u{2}';

/// The rule.
#[derive(Debug, Default)]
pub(super) struct CorrelatedSubqueries;

impl AnalyzerRule for CorrelatedSubqueries {
    fn name(&self) -> &str {
        "correlated_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Projection(projection) => project(projection),
            LogicalPlan::Filter(filter) => {
                let columns = columns(filter.input.schema());
                let mut input = Arc::unwrap_or_clone(filter.input.clone());
                let (predicate, changed) = replace(filter.predicate.clone(), &mut input)?;
                if !changed {
                    return Ok(Transformed::no(LogicalPlan::Filter(filter)));
                }
                LogicalPlanBuilder::from(input)
                    .filter(predicate)?
                    .project(columns)?
                    .build()
                    .map(Transformed::yes)
            }
            other => Ok(Transformed::no(other)),
        })
        .data()
    }
}

fn project(projection: Projection) -> Result<Transformed<LogicalPlan>> {
    let mut input = Arc::unwrap_or_clone(projection.input.clone());
    let names = NamePreserver::new_for_projection();
    let mut any = false;
    let mut exprs = Vec::with_capacity(projection.expr.len());
    for expr in &projection.expr {
        let saved = names.save(expr);
        let (expr, changed) = replace(expr.clone(), &mut input)?;
        any |= changed;
        exprs.push(saved.restore(expr));
    }
    if !any {
        return Ok(Transformed::no(LogicalPlan::Projection(projection)));
    }
    Ok(Transformed::yes(LogicalPlan::Projection(
        Projection::try_new(exprs, Arc::new(input))?,
    )))
}

/// Puts columns in the place of subqueries, and what gives these columns under the plan.
fn replace(expr: Expr, input: &mut LogicalPlan) -> Result<(Expr, bool)> {
    let done = expr.transform_down(|expr| {
        let Expr::ScalarSubquery(subquery) = &expr else {
            return Ok(Transformed::no(expr));
        };
        Ok(match join(input, subquery)? {
            Some((plan, column)) => {
                *input = plan;
                Transformed::yes(column)
            }
            None => Transformed::no(expr),
        })
    })?;
    Ok((done.data, done.transformed))
}

fn columns(schema: &DFSchemaRef) -> Vec<Expr> {
    schema.columns().into_iter().map(Expr::Column).collect()
}

/// A subquery taken apart.
struct Parts<'a> {
    /// The value over the aggregate's columns.
    value: Expr,
    aggregate: &'a Aggregate,
    condition: Vec<Expr>,
    /// What is aggregated, without the condition.
    inner: &'a LogicalPlan,
}

impl<'a> Parts<'a> {
    /// None when the subquery is of another form, or when DataFusion takes it apart itself.
    fn of(subquery: &'a Subquery) -> Result<Option<Self>> {
        let mut plan = subquery.subquery.as_ref();
        let mut value = Expr::Column(plan.schema().columns()[0].clone());
        let aggregate = loop {
            match plan {
                LogicalPlan::Projection(p) => {
                    value = mapped(value, &p.schema, |at| p.expr[at].clone().unalias())?;
                    plan = &p.input;
                }
                LogicalPlan::SubqueryAlias(a) => {
                    let below = a.input.schema().columns();
                    value = mapped(value, &a.schema, |at| Expr::Column(below[at].clone()))?;
                    plan = &a.input;
                }
                LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                    break aggregate;
                }
                _ => return Ok(None),
            }
        };
        let mut condition = Vec::new();
        let mut inner = aggregate.input.as_ref();
        while let LogicalPlan::Filter(filter) = inner {
            condition.extend(split_conjunction(&filter.predicate).into_iter().cloned());
            inner = &filter.input;
        }
        let hard = condition
            .iter()
            .any(|c| c.contains_outer() && !is_equality(c))
            || aggregate.aggr_expr.iter().any(Expr::contains_outer);
        if !hard || inner.exists(|plan| Ok(plan.contains_outer_reference()))? {
            return Ok(None);
        }
        Ok(Some(Self {
            value,
            aggregate,
            condition,
            inner,
        }))
    }
}

/// `inner = outer`, which DataFusion turns into a join.
fn is_equality(condition: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = condition
    else {
        return false;
    };
    let sides = |outer: &Expr, inner: &Expr| {
        !outer.any_column_refs() && !inner.contains_outer() && inner.any_column_refs()
    };
    sides(left, right) || sides(right, left)
}

/// An expression over the columns of one schema, over others.
fn mapped(expr: Expr, schema: &DFSchemaRef, to: impl Fn(usize) -> Expr) -> Result<Expr> {
    expr.transform_up(|expr| match &expr {
        Expr::Column(column) => Ok(Transformed::yes(to(schema.index_of_column(column)?))),
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column.clone()))),
        _ => Ok(Transformed::no(expr)),
    })
    .data()
}

fn marked(what: &str, number: usize) -> String {
    format!("{MARK}{what}{number}")
}

fn named(name: String) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The outer plan with the subquery's value as one more column.
fn join(outer: &LogicalPlan, subquery: &Subquery) -> Result<Option<(LogicalPlan, Expr)>> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(None);
    }
    let known = |expr: &Expr| match expr {
        Expr::OuterReferenceColumn(_, column) => outer.schema().has_column(column),
        _ => true,
    };
    let Some(parts) = Parts::of(subquery)? else {
        return Ok(None);
    };
    if !subquery.outer_ref_columns.iter().all(known) {
        return Ok(None);
    }
    let number = outer.schema().fields().len();
    let found = marked("found", number);
    let row = row_number();
    let row_name = row.schema_name().to_string();
    let kept = columns(outer.schema());

    let numbered = LogicalPlanBuilder::from(outer.clone())
        .window(vec![row])?
        .project(
            kept.iter()
                .cloned()
                .chain([named(row_name).alias(marked("row", number))]),
        )?;
    let inner_name = |at: usize| named(marked("column", at));
    let inner_columns = columns(parts.inner.schema()).into_iter().enumerate();
    let inner = LogicalPlanBuilder::from(parts.inner.clone())
        .project(
            inner_columns
                .map(|(at, c)| c.alias(marked("column", at)))
                .chain([lit(true).alias(&found)]),
        )?
        .build()?;
    let schema = parts.inner.schema();
    let condition = parts
        .condition
        .into_iter()
        .map(|c| mapped(c, schema, inner_name));
    let joined = numbered.join_on(
        inner,
        JoinType::Left,
        condition.collect::<Result<Vec<_>>>()?,
    )?;

    let group = columns(joined.schema())
        .into_iter()
        .take(kept.len() + 1)
        .collect::<Vec<_>>();
    let aggregates = parts
        .aggregate
        .aggr_expr
        .iter()
        .enumerate()
        .map(|(at, aggregate)| {
            let aggregate = mapped(aggregate.clone().unalias(), schema, inner_name)?;
            Ok(only_found(aggregate, &found).alias(marked("aggregate", at)))
        });
    let value = mapped(parts.value, &parts.aggregate.schema, |at| {
        named(marked("aggregate", at))
    })?;
    let name = marked("value", number);
    let plan = joined
        .aggregate(group, aggregates.collect::<Result<Vec<_>>>()?)?
        .project(kept.into_iter().chain([value.alias(&name)]))?
        .build()?;
    Ok(Some((plan, named(name))))
}

/// An aggregate that does not see the row which stands for no row.
fn only_found(aggregate: Expr, found: &str) -> Expr {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate else {
        return aggregate;
    };
    let found = named(found.to_owned());
    let filter = match params.filter {
        Some(filter) => filter.and(found),
        None => found,
    };
    let params = AggregateFunctionParams {
        filter: Some(Box::new(filter)),
        ..params
    };
    Expr::AggregateFunction(AggregateFunction { func, params })
}
