//! Types of whole numbers in SQL text as PostgreSQL has them: `1` is an integer, `3000000000` a bigint, and what
//! does not fit that is numeric. DataFusion has bigint for all of them.
//!
//! Only where the type of a result depends on it: ordinals, limits and most arguments stay as they are.

use super::names::normal;
use alcedo_sql::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Query, SelectItem, SetExpr, UnaryOperator, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Functions whose result has the type of their arguments.
const GENERIC: &[&str] = &[
    "abs",
    "any_value",
    "array_agg",
    "avg",
    "coalesce",
    "first_value",
    "greatest",
    "lag",
    "last_value",
    "lead",
    "least",
    "max",
    "min",
    "mod",
    "nullif",
    "nth_value",
    "pg_typeof",
    "sum",
    "array_append",
    "array_prepend",
    "array_fill",
    "gcd",
    "lcm",
    "length",
    "power",
    "round",
    "trunc",
    "sign",
    "sqrt",
    "ln",
    "log",
    "exp",
    "ceil",
    "ceiling",
    "floor",
    "div",
];

/// Gives the numbers of a query their types.
pub(super) fn assign(query: &mut Query) {
    // It never breaks off.
    let _ = VisitMut::visit(query, &mut Typer);
}

struct Typer;

impl VisitorMut for Typer {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        body(&mut query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } if arithmetic(op) => {
                number(left);
                number(right);
            }
            Expr::Case {
                conditions,
                else_result,
                ..
            } => {
                conditions
                    .iter_mut()
                    .for_each(|when| number(&mut when.result));
                if let Some(result) = else_result {
                    number(result);
                }
            }
            Expr::Array(array) => array.elem.iter_mut().for_each(number),
            Expr::Nested(inner) => number(inner),
            Expr::UnaryOp { op, expr }
                if !matches!(op, UnaryOperator::Minus | UnaryOperator::Plus) =>
            {
                number(expr)
            }
            Expr::Function(function) => {
                let name = function
                    .name
                    .0
                    .last()
                    .and_then(|p| p.as_ident())
                    .map(normal)
                    .unwrap_or_default();
                if let (true, FunctionArguments::List(list)) =
                    (GENERIC.contains(&name.as_str()), &mut function.args)
                {
                    let places = if PLACES.contains(&name.as_str()) {
                        1
                    } else {
                        usize::MAX
                    };
                    list.args.iter_mut().take(places).for_each(argument);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Functions whose further arguments are counts, which the planner wants to see.
const PLACES: &[&str] = &["lag", "lead", "nth_value", "round", "trunc"];

fn argument(arg: &mut FunctionArg) {
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
        number(expr);
    }
}

fn arithmetic(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(
        op,
        B::Plus
            | B::Minus
            | B::Multiply
            | B::Divide
            | B::Modulo
            | B::BitwiseAnd
            | B::BitwiseOr
            | B::PGBitwiseXor
            | B::BitwiseXor
            | B::PGBitwiseShiftLeft
            | B::PGBitwiseShiftRight
            | B::PGExp
    )
}

fn body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    number(expr);
                }
            }
        }
        SetExpr::Values(values) => values
            .rows
            .iter_mut()
            .flat_map(|row| row.content.iter_mut())
            .for_each(number),
        SetExpr::SetOperation { left, right, .. } => {
            self::body(left);
            self::body(right);
        }
        _ => {}
    }
}

/// A number, perhaps with a sign, with its type.
fn number(expr: &mut Expr) {
    let (digits, negative) = match &*expr {
        Expr::Value(value) => (&value.value, false),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(value) => (&value.value, true),
            _ => return,
        },
        _ => return,
    };
    let Value::Number(digits, false) = digits else {
        return;
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return;
    }
    let ty = match digits.parse::<i128>() {
        Ok(n) if n <= i128::from(i32::MAX) || (negative && n == 1 << 31) => DataType::Integer(None),
        Ok(n) if n <= i128::from(i64::MAX) => return,
        _ => {
            let places = u64::try_from(digits.len()).unwrap_or(u64::MAX);
            DataType::Numeric(ExactNumberInfo::PrecisionAndScale(places, 0))
        }
    };
    let value = std::mem::replace(expr, Expr::value(Value::Null));
    *expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(value),
        data_type: ty,
        array: false,
        format: None,
    };
}
