//! `SELECT predict(m, …) … WHERE predict(m, …) > bound`: the score that decides a row is the one that it is shown with.
//!
//! A comparison computes few exact scores and keeps none, so that rows that pass are scored once more above it. Here one
//! function gives the exact score of every row that passes, and NULL to the others; a filter keeps what is not NULL. The
//! scan below still skips row groups by the comparison, and no longer looks at rows. Other conditions stay below.
//!
//! That is done where every row that passes is shown, where nothing between drops more of them, and where the scan did
//! not spare itself large values of rows that fail.

use super::super::short_circuit::{can_fail, is_lazy};
use alcedo_udfs::predict::{Compared, Predict};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::physical_plan::{
    FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{
    Column, DynamicFilterPhysicalExpr, IsNotNullExpr, Literal,
};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction, split_conjunction};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateInputMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use std::collections::HashSet;
use std::sync::Arc;

/// The rule; it stands behind those that move filters and projections into scans, and before that which skips row
/// groups.
#[derive(Debug)]
pub(in crate::query) struct SharedScores;

impl PhysicalOptimizerRule for SharedScores {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(node).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "shared_scores"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

pub(super) type Plan = Arc<dyn ExecutionPlan>;
pub(super) type Expr = Arc<dyn PhysicalExpr>;

fn node(node: Plan) -> Result<Transformed<Plan>> {
    let made = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        above(projection.projection_expr(), projection.input())?
    } else if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        below_aggregate(&node, aggregate)?
    } else if let Some((config, source)) = scan(&node)
        && let Some(items) = source.projection()
    {
        above_scan(items, config, source, Ok)?
    } else {
        None
    };
    Ok(made.map_or_else(|| Transformed::no(node), Transformed::yes))
}

/// Aggregates with a call among their arguments: it becomes an item of its own below them.
fn below_aggregate(node: &Plan, aggregate: &AggregateExec) -> Result<Option<Plan>> {
    let functions = aggregate.aggr_expr();
    let ordered = |function: &Arc<AggregateFunctionExpr>| !function.order_bys().is_empty();
    if aggregate.mode().input_mode() != AggregateInputMode::Raw
        || aggregate.filter_expr().iter().any(Option::is_some)
        || functions.iter().any(ordered)
    {
        return Ok(None);
    }
    let mut calls = Vec::new();
    for arg in functions.iter().flat_map(|f| f.expressions()) {
        calls.extend(needed(&arg, |e| model_call(e).is_some())?);
    }
    let schema = aggregate.input().schema();
    let width = schema.fields().len();
    let columns = ProjectionExprs::from_indices(&(0..width).collect::<Vec<_>>(), &schema);
    for call in calls {
        let name = call.to_string();
        let item = ProjectionExpr::new(Arc::clone(&call), &name);
        let items = ProjectionExprs::new(columns.iter().cloned().chain([item]));
        let Some(input) = above(&items, aggregate.input())? else {
            continue;
        };
        let score: Expr = Arc::new(Column::new(&name, width));
        let is_call = |e: &Expr| (e == &call).then(|| Arc::clone(&score));
        let mut made = Vec::with_capacity(functions.len());
        for function in functions {
            let args = function.expressions().into_iter();
            let args = args.map(|arg| replaced(arg, is_call));
            let args = args.collect::<Result<Vec<_>>>()?;
            let Some(function) = function.with_new_expressions(args, Vec::new()) else {
                return Ok(None);
            };
            made.push(Arc::new(function));
        }
        let plan = replace_children_if_necessary(Arc::clone(node), vec![input])?;
        let plan = plan.downcast_ref::<AggregateExec>();
        return Ok(plan.map(|plan| Arc::new(plan.with_new_aggr_exprs(made)) as Plan));
    }
    Ok(None)
}

/// Items of the rows of a plan.
fn above(items: &ProjectionExprs, input: &Plan) -> Result<Option<Plan>> {
    if let Some(filter) = input.downcast_ref::<FilterExec>() {
        return above_filter(items, filter);
    }
    let spread = input.downcast_ref::<RepartitionExec>();
    let spread = spread.filter(|s| matches!(s.partitioning(), Partitioning::RoundRobinBatch(_)));
    let Some((config, source)) = scan(spread.map_or(input, RepartitionExec::input)) else {
        return Ok(None);
    };
    match source.projection() {
        Some(columns) if columns.iter().all(|column| column.expr.is::<Column>()) => {
            above_scan(&columns.try_merge(items)?, config, source, |scan| {
                if spread.is_none() {
                    return Ok(scan);
                }
                replace_children_if_necessary(Arc::clone(input), vec![scan])
            })
        }
        _ => Ok(None),
    }
}

/// Items of the rows that pass a filter.
fn above_filter(items: &ProjectionExprs, filter: &FilterExec) -> Result<Option<Plan>> {
    if filter.fetch().is_some() {
        return Ok(None);
    }
    let schema = filter.input().schema();
    let items = match filter.projection() {
        Some(columns) => ProjectionExprs::from_indices(columns, &schema).try_merge(items)?,
        None => items.clone(),
    };
    let conjuncts = split_conjunction(filter.predicate());
    let Some(shared) = Shared::of(&items, &conjuncts, &schema)? else {
        return Ok(None);
    };
    let mut others: Vec<Expr> = conjuncts.into_iter().cloned().collect();
    others.remove(shared.place);
    let mut rows = Arc::clone(filter.input());
    if !others.is_empty() {
        let made = FilterExecBuilder::new(conjunction(others), rows);
        rows = Arc::new(made.with_batch_size(filter.batch_size()).build()?);
    }
    shared.plan(&items, rows).map(Some)
}

/// Items of the rows of a scan, of the columns of its table; `between` puts on a scan what is below the items.
fn above_scan(
    items: &ProjectionExprs,
    config: &FileScanConfig,
    source: &ParquetSource,
    between: impl FnOnce(Plan) -> Result<Plan>,
) -> Result<Option<Plan>> {
    let Some(predicate) = source.filter() else {
        return Ok(None);
    };
    let table = source.table_schema();
    let schema = table.table_schema();
    // A scan that ends early counts the rows that pass.
    if config.limit.is_some() || !table.virtual_columns().is_empty() {
        return Ok(None);
    }
    let conjuncts = split_conjunction(&predicate);
    let Some(shared) = Shared::of(items, &conjuncts, schema)? else {
        return Ok(None);
    };
    let options = source.table_parquet_options();
    if !options.global.pushdown_filters || !shared.pays(items, &predicate, schema) {
        return Ok(None);
    }
    let mut conjuncts: Vec<Expr> = conjuncts.into_iter().cloned().collect();
    conjuncts[shared.place] = shared.function(shared.compared.of_row_groups(), schema)?;
    let columns = items.column_indices();
    let of_rows = conjuncts.len() > 1;
    let predicate = Some(conjunction(conjuncts));
    let rows = scan_of(config, source, predicate, of_rows, columns.clone())?;
    let place = |expr: Expr| replaced(expr, |e| moved(e, &columns));
    let shared = Shared {
        call: place(shared.call)?,
        ..shared
    };
    let items = items.clone().try_map_exprs(place)?;
    let rows = between(rows)?;
    shared.plan(&items, rows).map(Some)
}

/// A scan of the same files that gives these columns of the table, of the rows that pass a predicate; only by whole row
/// groups if it is not one `of_rows`.
pub(super) fn scan_of(
    config: &FileScanConfig,
    source: &ParquetSource,
    predicate: Option<Expr>,
    of_rows: bool,
    columns: Vec<usize>,
) -> Result<Plan> {
    let options = source.table_parquet_options();
    let mut made = ParquetSource::new(source.table_schema().clone())
        .with_table_parquet_options(options.clone());
    if let Some(readers) = source.parquet_file_reader_factory() {
        made = made.with_parquet_file_reader_factory(Arc::clone(readers));
    }
    if let Some(hint) = options.global.metadata_size_hint {
        made = made.with_metadata_size_hint(hint);
    }
    if !of_rows {
        made = made.with_pushdown_filters(false);
    }
    if let Some(predicate) = predicate {
        made = made.with_predicate(predicate);
    }
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(made))
        .with_projection_indices(Some(columns))?
        .build();
    Ok(DataSourceExec::from_data_source(config))
}

/// The scan of Parquet files that an operator is.
pub(super) fn scan(node: &Plan) -> Option<(&FileScanConfig, &ParquetSource)> {
    node.downcast_ref::<DataSourceExec>()?
        .downcast_to_file_source()
}

/// A call whose output items need of every row that passes a comparison with it.
struct Shared<'a> {
    call: Expr,
    compared: &'a Compared,
    /// The comparison among conjuncts.
    place: usize,
}

impl<'a> Shared<'a> {
    /// The first that there is, where no conjunct behind the comparison has to see fewer rows for it.
    fn of(
        items: &ProjectionExprs,
        conjuncts: &[&'a Expr],
        schema: &Schema,
    ) -> Result<Option<Self>> {
        for (place, conjunct) in conjuncts.iter().enumerate() {
            let Some((function, compared)) = comparison(conjunct) else {
                continue;
            };
            let is_call = |e: &Expr| {
                let call = model_call(e).filter(|(_, predict)| *predict == compared.call());
                call.is_some_and(|(call, _)| call.args() == function.args()) && !is_volatile(e)
            };
            let mut found = None;
            for item in items.iter() {
                found = found.or(needed(&item.expr, is_call)?.pop());
            }
            let Some(call) = found else {
                continue;
            };
            let mut last = true;
            for behind in &conjuncts[place + 1..] {
                last &= !can_fail(behind, schema)?
                    && !behind.exists(|e| Ok(e.is::<DynamicFilterPhysicalExpr>()))?;
            }
            if last {
                return Ok(Some(Self {
                    call,
                    compared,
                    place,
                }));
            }
        }
        Ok(None)
    }

    /// Whether a scan may read all columns of rows that fail: those that no condition needs are few, their values small.
    fn pays(&self, items: &ProjectionExprs, predicate: &Expr, schema: &Schema) -> bool {
        let decided = columns(predicate);
        let mut spared = items.column_indices();
        spared.retain(|column| !decided.contains(column));
        let is_small = |column: &usize| {
            let data_type = schema.field(*column).data_type();
            data_type.is_primitive() || *data_type == DataType::Boolean
        };
        spared.len() <= columns(&self.call).len() && spared.iter().all(is_small)
    }

    fn call(&self) -> Result<&ScalarFunctionExpr> {
        as_call(&self.call).ok_or_else(|| internal_datafusion_err!("a call became something else"))
    }

    /// A function of the call's arguments.
    fn function(&self, function: ScalarUDF, schema: &Schema) -> Result<Expr> {
        let call = self.call()?;
        let options = Arc::new(call.config_options().clone());
        let args = call.args().to_vec();
        let made = ScalarFunctionExpr::try_new(Arc::new(function), args, schema, options)?;
        Ok(Arc::new(made))
    }

    /// Items of the rows that pass.
    fn plan(&self, items: &ProjectionExprs, rows: Plan) -> Result<Plan> {
        let schema = rows.schema();
        let nothing: Expr = Arc::new(Literal::new(ScalarValue::Null));
        let others = items.clone().try_map_exprs(|expr| {
            replaced(expr, |e| (e == &self.call).then(|| Arc::clone(&nothing)))
        })?;
        let kept = others.column_indices();
        let call = self.call()?;
        let name = call.name();
        let score: Expr = Arc::new(Column::new(name, kept.len()));
        let scored = self.function(self.compared.scored(), &schema)?;
        let below = ProjectionExprs::from_indices(&kept, &schema);
        let below = below.iter().cloned();
        let below = below.chain([ProjectionExpr::new(scored, name)]);
        let rows = Arc::new(ProjectionExec::try_new(below, rows)?);
        let passes = Arc::new(IsNotNullExpr::new(Arc::clone(&score)));
        let batch_size = call.config_options().execution.batch_size.get();
        let passing = FilterExecBuilder::new(passes, rows).with_batch_size(batch_size);
        let items = items.clone().try_map_exprs(|expr| {
            replaced(expr, |e| {
                if e == &self.call {
                    Some(Arc::clone(&score))
                } else {
                    moved(e, &kept)
                }
            })
        })?;
        let items = items.iter().cloned();
        let made = ProjectionExec::try_new(items, Arc::new(passing.build()?))?;
        Ok(Arc::new(made))
    }
}

/// The call of a function that an expression is.
fn as_call(expr: &Expr) -> Option<&ScalarFunctionExpr> {
    expr.downcast_ref()
}

/// The call of a model that an expression is.
pub(super) fn model_call(expr: &Expr) -> Option<(&ScalarFunctionExpr, &Predict)> {
    let call = as_call(expr)?;
    Some((call, Predict::of(call.fun())?))
}

/// The parts of an expression that are `wanted` and evaluated for every row.
pub(super) fn needed(expr: &Expr, wanted: impl Fn(&Expr) -> bool) -> Result<Vec<Expr>> {
    let mut found = Vec::new();
    expr.apply(|e| {
        if wanted(e) {
            found.push(Arc::clone(e));
        }
        Ok(if is_lazy(e) {
            TreeNodeRecursion::Jump
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

/// The comparison of a score, row by row, that an expression is.
fn comparison(expr: &Expr) -> Option<(&ScalarFunctionExpr, &Compared)> {
    let call = as_call(expr)?;
    let compared = Compared::of(call.fun()).filter(|compared| compared.is_of_rows())?;
    Some((call, compared))
}

/// The columns that an expression reads.
fn columns(expr: &Expr) -> HashSet<usize> {
    collect_columns(expr).iter().map(Column::index).collect()
}

/// A column among those that are `kept`, at its place there.
pub(super) fn moved(expr: &Expr, kept: &[usize]) -> Option<Expr> {
    let column = expr.downcast_ref::<Column>()?;
    let place = kept.binary_search(&column.index()).ok()?;
    Some(Arc::new(Column::new(column.name(), place)))
}

/// An expression with other parts, where there are such.
pub(super) fn replaced(expr: Expr, other: impl Fn(&Expr) -> Option<Expr>) -> Result<Expr> {
    let done = expr.transform_down(|e| {
        Ok(match other(&e) {
            Some(other) => Transformed::new(other, true, TreeNodeRecursion::Jump),
            None => Transformed::no(e),
        })
    })?;
    Ok(done.data)
}
