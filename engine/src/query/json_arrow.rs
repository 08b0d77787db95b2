//! `json -> key` and `json #> path` as JSON text, as PostgreSQL shows it; further operators take it from there.

use alcedo_sql::ast::BinaryOperator;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};

/// Plans the operators `->` and `#>`.
#[derive(Debug)]
pub(super) struct JsonArrow;

impl ExprPlanner for JsonArrow {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        _: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if !matches!(expr.op, BinaryOperator::Arrow | BinaryOperator::HashArrow) {
            return Ok(PlannerResult::Original(expr));
        }
        let function = datafusion_functions_json::udfs::json_get_json_udf();
        let call = ScalarFunction::new_udf(function, vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(Expr::ScalarFunction(call)))
    }
}
