//! Operators whose result has another type or another error in PostgreSQL than in DataFusion, planned when the types
//! of their sides are known.
//!
//! | operator | becomes |
//! |---|---|
//! | `numeric / numeric` | a quotient with PostgreSQL's scale |
//! | `numeric * numeric` of long scales | a product that keeps digits before the point |
//! | `double precision / x` | a division that refuses zero |
//! | `interval * n`, `interval / n` | functions; n is double precision |
//! | `interval < interval` and its like | a comparison of their lengths |
//! | `timestamp - timestamp` | an interval of days and hours |
//! | `date + interval` | a timestamp |
//! | `array && array` | `array_has_any` |

use super::days::constant;
use alcedo_sql::ast::BinaryOperator;
use alcedo_udfs::number::{decimal_of, division_scale};
use alcedo_udfs::scalar::moment::{age, interval};
use alcedo_udfs::scalar::numeric::arithmetic::Arithmetic;
use alcedo_udfs::scalar::numeric::floats;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, binary_expr, cast};
use std::sync::Arc;

/// Plans the operators of this file.
#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let types = (expr.left.get_type(schema), expr.right.get_type(schema));
        let (Ok(left), Ok(right)) = types else {
            return Ok(PlannerResult::Original(expr));
        };
        let planned = numeric(&expr, &left, &right)
            .or_else(|| moments(&expr, &left, &right))
            .or_else(|| intervals(&expr, &left, &right))
            .or_else(|| arrays(&expr, &left, &right));
        Ok(match planned {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        })
    }
}

fn call(function: Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, args))
}

fn numeric(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Option<Expr> {
    let sides = || vec![expr.left.clone(), expr.right.clone()];
    match expr.op {
        BinaryOperator::Divide => {
            if left.is_floating() || right.is_floating() {
                return float_division(expr, left, right);
            }
            let scale = value(&expr.left)
                .zip(value(&expr.right))
                .map(|(l, r)| division_scale(l, r));
            let quotient = Arithmetic::quotient(left, right, scale)?;
            Some(call(Arc::new(quotient.into()), sides()))
        }
        BinaryOperator::Multiply => {
            let product = Arithmetic::product(left, right)?;
            Some(call(Arc::new(product.into()), sides()))
        }
        _ => None,
    }
}

fn float_division(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Option<Expr> {
    let single = *left == DataType::Float32 && *right == DataType::Float32;
    let numbers = left.is_numeric() && right.is_numeric();
    // A constant that is not zero needs no look.
    let harmless = match &expr.right {
        Expr::Literal(value, _) => {
            !value.is_null() && ScalarValue::new_zero(right).is_ok_and(|zero| *value != zero)
        }
        _ => false,
    };
    (numbers && !harmless).then(|| {
        let double = |side: &Expr| cast(side.clone(), DataType::Float64);
        let sides = vec![double(&expr.left), double(&expr.right)];
        let quotient = call(floats::division(), sides);
        // Of two reals it is the same whether rounded once or twice.
        if single {
            cast(quotient, DataType::Float32)
        } else {
            quotient
        }
    })
}

/// The value of a constant number, unscaled, and its scale.
fn value(expr: &Expr) -> Option<(i128, i8)> {
    let value = constant(expr)?;
    let (_, scale) = decimal_of(&value.data_type())?;
    match value.cast_to(&DataType::Decimal128(38, scale)).ok()? {
        ScalarValue::Decimal128(Some(unscaled), _, scale) => Some((unscaled, scale)),
        _ => None,
    }
}

fn moments(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Option<Expr> {
    let zone = |ty: &DataType| match ty {
        DataType::Timestamp(_, zone) => Some(zone.is_some()),
        DataType::Date32 => Some(false),
        _ => None,
    };
    let at = |zoned: bool| DataType::Timestamp(TimeUnit::Microsecond, zoned.then(|| "UTC".into()));
    let interval = |ty: &DataType| matches!(ty, DataType::Interval(_));
    match expr.op {
        BinaryOperator::Minus if zone(left).is_some() && zone(right).is_some() => {
            if *left == DataType::Date32 && *right == DataType::Date32 {
                return None;
            }
            let ty = at(zone(left)? || zone(right)?);
            let side = |side: &Expr, from: &DataType| match *from == ty {
                true => side.clone(),
                false => cast(side.clone(), ty.clone()),
            };
            let sides = vec![side(&expr.left, left), side(&expr.right, right)];
            Some(call(age::difference(), sides))
        }
        BinaryOperator::Plus | BinaryOperator::Minus
            if *left == DataType::Date32 && interval(right) =>
        {
            let op = match expr.op {
                BinaryOperator::Plus => datafusion::logical_expr::Operator::Plus,
                _ => datafusion::logical_expr::Operator::Minus,
            };
            let left = cast(expr.left.clone(), at(false));
            Some(binary_expr(left, op, expr.right.clone()))
        }
        BinaryOperator::Plus if interval(left) && *right == DataType::Date32 => {
            let right = cast(expr.right.clone(), at(false));
            let op = datafusion::logical_expr::Operator::Plus;
            Some(binary_expr(right, op, expr.left.clone()))
        }
        _ => None,
    }
}

fn intervals(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Option<Expr> {
    use BinaryOperator as B;
    use datafusion::logical_expr::Operator;
    let interval = |ty: &DataType| *ty == interval::INTERVAL;
    // A parameter without a type counts the interval.
    let number = |ty: &DataType| ty.is_numeric() || ty.is_null();
    let double = |side: &Expr| cast(side.clone(), DataType::Float64);
    let compared = |op| {
        let key = |side: &Expr| call(interval::key(), vec![side.clone()]);
        binary_expr(key(&expr.left), op, key(&expr.right))
    };
    match (&expr.op, interval(left), interval(right)) {
        (B::Multiply, true, _) if number(right) => {
            let sides = vec![expr.left.clone(), double(&expr.right)];
            Some(call(interval::product(), sides))
        }
        (B::Multiply, _, true) if number(left) => {
            let sides = vec![expr.right.clone(), double(&expr.left)];
            Some(call(interval::product(), sides))
        }
        (B::Divide, true, _) if number(right) => {
            let sides = vec![expr.left.clone(), double(&expr.right)];
            Some(call(interval::quotient(), sides))
        }
        (B::Eq, true, true) => Some(compared(Operator::Eq)),
        (B::NotEq, true, true) => Some(compared(Operator::NotEq)),
        (B::Lt, true, true) => Some(compared(Operator::Lt)),
        (B::LtEq, true, true) => Some(compared(Operator::LtEq)),
        (B::Gt, true, true) => Some(compared(Operator::Gt)),
        (B::GtEq, true, true) => Some(compared(Operator::GtEq)),
        _ => None,
    }
}

fn arrays(expr: &RawBinaryExpr, left: &DataType, right: &DataType) -> Option<Expr> {
    let list = |ty: &DataType| matches!(ty, DataType::List(_) | DataType::LargeList(_));
    let overlap = expr.op == BinaryOperator::PGOverlap && list(left) && list(right);
    overlap.then(|| {
        let function = datafusion::functions_nested::array_has::array_has_any_udf();
        call(function, vec![expr.left.clone(), expr.right.clone()])
    })
}
