//! Calls of one list of expressions that have something in common become one function: `predict` beside `predict_proba`
//! of a model, or a champion and a challenger over the same columns. A projection computes it once for each row, and the
//! calls are fields of its result.

use super::shared::{Expr, Plan, model_call, moved, needed, replaced, scan, scan_of};
use alcedo_udfs::predict::{Company, Predict, together};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::physical_plan::FileSource;
use datafusion::functions::core::get_field;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateInputMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use std::sync::Arc;

/// The rule; it stands behind those that take projections apart or put them together, and behind all that look for calls.
#[derive(Debug)]
pub(in crate::query) struct CallsTogether;

impl PhysicalOptimizerRule for CallsTogether {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(node).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "calls_together"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn node(node: Plan) -> Result<Transformed<Plan>> {
    let made = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let items = projection.projection_expr();
        of_items(items, || {
            Ok((Arc::clone(projection.input()), items.clone()))
        })?
    } else if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        below_aggregate(&node, aggregate)?
    } else if let Some((config, source)) = scan(&node)
        && let Some(items) = source.projection()
    {
        of_items(items, || {
            let columns = items.column_indices();
            let predicate = source.filter();
            let rows = scan_of(config, source, predicate, true, columns.clone())?;
            let place = |expr| replaced(expr, |e| moved(e, &columns));
            Ok((rows, items.clone().try_map_exprs(place)?))
        })?
    } else {
        None
    };
    Ok(made.map_or_else(|| Transformed::no(node), Transformed::yes))
}

/// Items of some rows, if calls among them have something in common; `rows` gives the rows and the items of their columns.
fn of_items(
    items: &ProjectionExprs,
    rows: impl FnOnce() -> Result<(Plan, ProjectionExprs)>,
) -> Result<Option<Plan>> {
    let calls = |items: &ProjectionExprs| Calls::of(items.iter().map(|item| &item.expr));
    if calls(items)?.is_none() {
        return Ok(None);
    }
    let (mut rows, mut items) = rows()?;
    while let Some(calls) = calls(&items)? {
        let nothing: Expr = Arc::new(Literal::new(ScalarValue::Null));
        let others = items.clone().try_map_exprs(|expr| {
            replaced(expr, |e| calls.place(e).map(|_| Arc::clone(&nothing)))
        })?;
        let kept = others.column_indices();
        rows = calls.beside(&kept, rows)?;
        let fields = calls.fields(kept.len(), &rows)?;
        items = items.try_map_exprs(|expr| {
            replaced(expr, |e| match calls.place(e) {
                Some(place) => Some(Arc::clone(&fields[place])),
                None => moved(e, &kept),
            })
        })?;
    }
    let items = items.iter().cloned();
    Ok(Some(Arc::new(ProjectionExec::try_new(items, rows)?)))
}

/// Aggregates whose arguments are calls with something in common.
fn below_aggregate(node: &Plan, aggregate: &AggregateExec) -> Result<Option<Plan>> {
    let mut functions = aggregate.aggr_expr().to_vec();
    let ordered = |function: &Arc<AggregateFunctionExpr>| !function.order_bys().is_empty();
    if aggregate.mode().input_mode() != AggregateInputMode::Raw
        || aggregate.filter_expr().iter().any(Option::is_some)
        || functions.iter().any(ordered)
    {
        return Ok(None);
    }
    let mut rows = Arc::clone(aggregate.input());
    let mut found = false;
    loop {
        let args: Vec<Expr> = functions.iter().flat_map(|f| f.expressions()).collect();
        let Some(calls) = Calls::of(args.iter())? else {
            break;
        };
        let width = rows.schema().fields().len();
        rows = calls.beside(&(0..width).collect::<Vec<_>>(), rows)?;
        let fields = calls.fields(width, &rows)?;
        for function in &mut functions {
            let args = function.expressions().into_iter();
            let args =
                args.map(|arg| replaced(arg, |e| calls.place(e).map(|at| Arc::clone(&fields[at]))));
            let args = args.collect::<Result<Vec<_>>>()?;
            let Some(made) = function.with_new_expressions(args, Vec::new()) else {
                return Ok(None);
            };
            *function = Arc::new(made);
        }
        found = true;
    }
    if !found {
        return Ok(None);
    }
    let plan = replace_children_if_necessary(Arc::clone(node), vec![rows])?;
    let plan = plan.downcast_ref::<AggregateExec>();
    Ok(plan.map(|plan| Arc::new(plan.with_new_aggr_exprs(functions)) as Plan))
}

/// Calls with something in common.
struct Calls {
    company: Company,
    members: Vec<Expr>,
    args: Vec<Expr>,
    options: Arc<ConfigOptions>,
}

impl Calls {
    /// The first there are, of columns and constants, that are computed for every row.
    fn of<'a>(exprs: impl Iterator<Item = &'a Expr>) -> Result<Option<Self>> {
        let plain = |arg: &Expr| arg.is::<Column>() || arg.is::<Literal>();
        let wanted =
            |e: &Expr| model_call(e).is_some_and(|(call, _)| call.args().iter().all(plain));
        let mut found: Vec<Expr> = Vec::new();
        for expr in exprs {
            for call in needed(expr, wanted)? {
                if !found.contains(&call) {
                    found.push(call);
                }
            }
        }
        let mut args: Vec<Expr> = Vec::new();
        let mut place = |arg: &Expr| {
            args.iter().position(|a| a == arg).unwrap_or_else(|| {
                args.push(Arc::clone(arg));
                args.len() - 1
            })
        };
        let mut placed: Vec<(Predict, Vec<usize>)> = Vec::new();
        let mut options = None;
        for (call, predict) in found.iter().filter_map(model_call) {
            placed.push((
                predict.clone(),
                call.args().iter().map(&mut place).collect(),
            ));
            options = Some(Arc::new(call.config_options().clone()));
        }
        let (Some(company), Some(options)) = (together(&placed), options) else {
            return Ok(None);
        };
        Ok(Some(Self {
            members: company
                .calls
                .iter()
                .map(|at| Arc::clone(&found[*at]))
                .collect(),
            company,
            args,
            options,
        }))
    }

    /// Which of the calls an expression is.
    fn place(&self, expr: &Expr) -> Option<usize> {
        self.members.iter().position(|member| member == expr)
    }

    /// Some columns of the rows, and behind them the function's result.
    fn beside(&self, columns: &[usize], rows: Plan) -> Result<Plan> {
        let schema = rows.schema();
        let function = Arc::clone(&self.company.function);
        let name = function.name().to_owned();
        let options = Arc::clone(&self.options);
        let made = ScalarFunctionExpr::try_new(function, self.args.clone(), &schema, options)?;
        let columns = ProjectionExprs::from_indices(columns, &schema);
        let items = columns.iter().cloned();
        let items = items.chain([ProjectionExpr::new(Arc::new(made), name)]);
        Ok(Arc::new(ProjectionExec::try_new(items, rows)?))
    }

    /// Each call as a field of the result, which is a column of the rows.
    fn fields(&self, column: usize, rows: &Plan) -> Result<Vec<Expr>> {
        let schema = rows.schema();
        let result: Expr = Arc::new(Column::new(self.company.function.name(), column));
        let field = |at: usize| -> Result<Expr> {
            let name: Expr = Arc::new(Literal::new(ScalarValue::from(at.to_string())));
            let args = vec![Arc::clone(&result), name];
            let options = Arc::clone(&self.options);
            let made = ScalarFunctionExpr::try_new(get_field(), args, &schema, options)?;
            Ok(Arc::new(made))
        };
        (0..self.members.len()).map(field).collect()
    }
}
