//! Literals whose type the other side of a comparison tells, as PostgreSQL reads them: `polroles = '{0}'`.

use alcedo_sql::ast::{self, BinaryOperator, SelectItem, SetExpr};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};

/// Reads array literals that are compared with arrays.
#[derive(Debug)]
pub(super) struct ArrayLiterals;

impl ExprPlanner for ArrayLiterals {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as B;
        if matches!(
            expr.op,
            B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq
        ) {
            read(&mut expr.right, &expr.left, schema);
            read(&mut expr.left, &expr.right, schema);
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// Makes an array of a text that looks like one beside an array.
fn read(literal: &mut Expr, other: &Expr, schema: &DFSchema) {
    let Expr::Literal(ScalarValue::Utf8(Some(text)), _) = literal else {
        return;
    };
    if !text.trim_start().starts_with('{') {
        return;
    }
    let Ok(ty @ DataType::List(_)) = other.get_type(schema) else {
        return;
    };
    if let Some(values) = elements(text) {
        let list = ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8));
        *literal = cast(Expr::Literal(list, None), ty);
    }
}

/// The elements of a literal of one dimension, as text.
fn elements(text: &str) -> Option<Vec<ScalarValue>> {
    let query = alcedo_sql::parse_query(&format!(
        "SELECT {}::text[]",
        alcedo_sql::quote_literal(text)
    ))
    .ok()?;
    let SetExpr::Select(select) = *query.body else {
        return None;
    };
    let Some(SelectItem::UnnamedExpr(ast::Expr::Cast { expr, .. })) =
        select.projection.into_iter().next()
    else {
        return None;
    };
    let ast::Expr::Array(array) = *expr else {
        return None;
    };
    let element = |e: ast::Expr| match e {
        ast::Expr::Value(v) => match v.value {
            ast::Value::SingleQuotedString(text) => Some(ScalarValue::Utf8(Some(text))),
            ast::Value::Null => Some(ScalarValue::Utf8(None)),
            _ => None,
        },
        _ => None,
    };
    array.elem.into_iter().map(element).collect()
}
