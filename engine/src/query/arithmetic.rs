//! Integer arithmetic and casts as PostgreSQL does them: `+`, `-` and `*` that leave the type's range are 22003,
//! where DataFusion's own operators wrap around; for casts see [`casts`](super::casts).

use super::{casts, days};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// Replaces integer operators and casts by checked functions once types are coerced.
#[derive(Debug)]
pub struct CheckedArithmetic {
    add: Arc<ScalarUDF>,
    sub: Arc<ScalarUDF>,
    mul: Arc<ScalarUDF>,
}

impl CheckedArithmetic {
    /// Takes the three checked functions; `None` when one of them is not in `functions`.
    pub fn new(functions: &[Arc<ScalarUDF>]) -> Option<Self> {
        let find = |name: &str| functions.iter().find(|f| f.name() == name).cloned();
        Some(Self {
            add: find("checked_add")?,
            sub: find("checked_sub")?,
            mul: find("checked_mul")?,
        })
    }

    fn function(&self, op: Operator) -> Option<&Arc<ScalarUDF>> {
        match op {
            Operator::Plus => Some(&self.add),
            Operator::Minus => Some(&self.sub),
            Operator::Multiply => Some(&self.mul),
            _ => None,
        }
    }
}

impl CheckedArithmetic {
    /// One expression whose operands are done.
    fn checked(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let call = |function: &Arc<ScalarUDF>, left, right| {
            Expr::ScalarFunction(ScalarFunction::new_udf(
                Arc::clone(function),
                vec![left, right],
            ))
        };
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let types = (left.get_type(schema), right.get_type(schema));
                match (self.function(op), types) {
                    (Some(function), (Ok(l), Ok(r))) if l == r && integer(&l) => {
                        Transformed::yes(call(function, *left, *right))
                    }
                    _ => {
                        let written = BinaryExpr { left, op, right };
                        match days::compared(&written, schema) {
                            Some(planned) => Transformed::yes(planned),
                            None => Transformed::no(Expr::BinaryExpr(written)),
                        }
                    }
                }
            }
            Expr::Between(written) => match days::between(&written, schema) {
                Some(planned) => Transformed::yes(planned),
                None => Transformed::no(Expr::Between(written)),
            },
            Expr::Negative(value) => match value.get_type(schema) {
                Ok(ty) if integer(&ty) && !matches!(*value, Expr::Literal(..)) => {
                    let zero = ScalarValue::new_zero(&ty)?;
                    Transformed::yes(call(&self.sub, Expr::Literal(zero, None), *value))
                }
                _ => Transformed::no(Expr::Negative(value)),
            },
            Expr::Cast(written) => match casts::planned(&written, schema) {
                Some(planned) => Transformed::yes(planned),
                None => Transformed::no(Expr::Cast(written)),
            },
            other => Transformed::no(other),
        })
    }
}

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            if matches!(plan, LogicalPlan::TableScan(_) | LogicalPlan::Values(_))
                && plan.inputs().is_empty()
                && !matches!(plan, LogicalPlan::Values(_))
            {
                return Ok(Transformed::no(plan));
            }
            let mut schema = merge_schema(&plan.inputs());
            if plan.inputs().is_empty() {
                schema.merge(plan.schema());
            }
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let saved = names.save(&expr);
                let changed = expr.transform_up(|expr| self.checked(expr, &schema))?;
                Ok(changed.update_data(|expr| saved.restore(expr)))
            })
        })
        .map(|t| t.data)
        .and_then(LogicalPlan::recompute_schema)
    }
}

fn integer(ty: &DataType) -> bool {
    matches!(ty, DataType::Int16 | DataType::Int32 | DataType::Int64)
}
