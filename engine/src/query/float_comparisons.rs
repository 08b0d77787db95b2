//! Comparisons of double precision or real with numeric are comparisons of double precision, as in PostgreSQL.
//! DataFusion's own would round the floats to 15 digits behind the point, and fail for large ones. This comes before
//! its coercion of types.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

/// The rule.
#[derive(Debug)]
pub(super) struct FloatComparisons;

impl AnalyzerRule for FloatComparisons {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let done = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                // Its parts have names of their own.
                if matches!(expr, Expr::GroupingSet(_)) {
                    return Ok(Transformed::no(expr));
                }
                let name = names.save(&expr);
                let done = expr.transform_up(|expr| Ok(compared(expr, &schema)))?;
                Ok(done.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(done.data)
    }

    fn name(&self) -> &str {
        "float_comparisons"
    }
}

fn compared(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if op.supports_propagation() && mixed(&[&left, &right], schema) =>
        {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr {
                left: Box::new(double(*left, schema)),
                op,
                right: Box::new(double(*right, schema)),
            }))
        }
        Expr::Between(Between {
            expr,
            negated,
            low,
            high,
        }) if mixed(&[&expr, &low, &high], schema) => Transformed::yes(Expr::Between(Between {
            expr: Box::new(double(*expr, schema)),
            negated,
            low: Box::new(double(*low, schema)),
            high: Box::new(double(*high, schema)),
        })),
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) if mixed(
            &list.iter().chain([expr.as_ref()]).collect::<Vec<_>>(),
            schema,
        ) =>
        {
            Transformed::yes(Expr::InList(InList {
                expr: Box::new(double(*expr, schema)),
                list: list.into_iter().map(|item| double(item, schema)).collect(),
                negated,
            }))
        }
        expr => Transformed::no(expr),
    }
}

/// Whether there are floats and numerics among them, and nothing but numbers.
fn mixed(sides: &[&Expr], schema: &DFSchema) -> bool {
    let types = sides.iter().map(|side| side.get_type(schema));
    let Ok(types) = types.collect::<Result<Vec<DataType>>>() else {
        return false;
    };
    let numbers = |ty: &DataType| ty.is_numeric() || ty.is_null();
    types.iter().any(DataType::is_floating)
        && types.iter().any(DataType::is_decimal)
        && types.iter().all(numbers)
}

fn double(expr: Expr, schema: &DFSchema) -> Expr {
    match expr.get_type(schema) {
        Ok(DataType::Float64) => expr,
        _ => cast(expr, DataType::Float64),
    }
}
