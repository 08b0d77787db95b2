//! Comparisons of dates with constant moments stay comparisons of dates: `day < date '2024-01-01' + interval '1 month'`
//! compares timestamps in PostgreSQL, which no statistics of files and no partition would answer.

use alcedo_udfs::scalar::moment::MICROS_PER_DAY;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, Cast};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// The comparison of the dates themselves, when the constant side is a midnight.
pub(super) fn compared(
    comparison: &BinaryExpr,
    schema: &datafusion::common::DFSchema,
) -> Option<Expr> {
    if !comparison.op.supports_propagation() && comparison.op != Operator::NotEq {
        return None;
    }
    let (left, right) = match date(&comparison.left, schema) {
        Some(date) => (date, midnight(&comparison.right)?),
        None => {
            let date = date(&comparison.right, schema)?;
            (midnight(&comparison.left)?, date)
        }
    };
    let op = comparison.op;
    let (left, right) = (Box::new(left), Box::new(right));
    Some(Expr::BinaryExpr(BinaryExpr { left, op, right }))
}

/// As [`compared`], for BETWEEN.
pub(super) fn between(written: &Between, schema: &datafusion::common::DFSchema) -> Option<Expr> {
    Some(Expr::Between(Between {
        expr: Box::new(date(&written.expr, schema)?),
        negated: written.negated,
        low: Box::new(midnight(&written.low)?),
        high: Box::new(midnight(&written.high)?),
    }))
}

/// The date that a timestamp is made of.
fn date(expr: &Expr, schema: &datafusion::common::DFSchema) -> Option<Expr> {
    let Expr::Cast(Cast { expr, field }) = expr else {
        return None;
    };
    let plain = matches!(field.data_type(), DataType::Timestamp(_, None));
    let varies = expr.any_column_refs();
    let date = plain && varies && expr.get_type(schema).ok()? == DataType::Date32;
    date.then(|| expr.as_ref().clone())
}

/// The date of a constant moment that is a midnight.
fn midnight(expr: &Expr) -> Option<Expr> {
    let ty = DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, None);
    let moment = constant(expr)?.cast_to(&ty).ok()?;
    let ScalarValue::TimestampMicrosecond(Some(micros), _) = moment else {
        return None;
    };
    let day = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok()?;
    let literal = Expr::Literal(ScalarValue::Date32(Some(day)), None);
    (micros.rem_euclid(MICROS_PER_DAY) == 0).then_some(literal)
}

/// The value of a constant that is written with casts, signs, sums and differences.
pub(super) fn constant(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(written) => constant(&written.expr)?
            .cast_to(written.field.data_type())
            .ok(),
        Expr::Negative(inner) => constant(inner)?.arithmetic_negate().ok(),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (left, right) = (constant(left)?, constant(right)?);
            match op {
                Operator::Plus => left.add(right).ok(),
                Operator::Minus => left.sub(right).ok(),
                _ => None,
            }
        }
        _ => None,
    }
}
