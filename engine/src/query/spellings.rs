//! Calls and operators of SQL text under the names that the planner has for them. Output columns have their names
//! already.
//!
//! | written | planned as |
//! |---|---|
//! | `mod(a, b)` | `a % b` |
//! | `~a` | `a # -1` |
//! | `t AT TIME ZONE z` | `timezone(z, t)` |
//! | `extract(f from t)` | `extract('f', t)` |
//! | `age(t)` | `age(current_date, t)` |
//! | `to_date(t, f)`, `to_timestamp(t, f)` | `to_date_by(t, f)`, `to_timestamp_by(t, f)` |
//! | `make_interval(days => 10)` | `make_interval(0, 0, 0, 10)` |
//! | `x = ANY (ARRAY[a, b])` | `x IN (a, b)` |
//! | `(a, b) IN (SELECT …)` | `EXISTS (SELECT …)` |
//! | `array_remove(a, x)` | `array_remove_all(a, x)` |
//! | `array_length(a, n)` | the same, NULL instead of zero, an integer |
//! | `(a, b) IS NULL` | `a IS NULL AND b IS NULL` |
//! | `encode(b, 'escape')`, `decode(t, 'escape')` | `encode_escape(b)`, `decode_escape(t)` |
//! | `encode(b, 'base64')`, `decode(t, 'base64')` | the same with `'base64pad'` |
//! | `gen_random_uuid()` | `uuid()::uuid` |
//! | `convert_to(t, 'UTF8')` | `t::bytea` |

use super::names::normal;
use alcedo_sql::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Query, Select, SetExpr, TableAlias,
    TableAliasColumnDef, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites a query.
pub(super) fn assign(query: &mut Query) {
    // It never breaks off.
    let _ = VisitMut::visit(query, &mut Speller);
}

struct Speller;

impl VisitorMut for Speller {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for filter in [&mut select.selection, &mut select.having] {
            filter.as_mut().map(rows_in);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let spelled = match expr {
            Expr::UnaryOp {
                op: UnaryOperator::BitwiseNot,
                expr: operand,
            } => Some(Expr::BinaryOp {
                left: Box::new(taken(operand)),
                op: BinaryOperator::PGBitwiseXor,
                right: Box::new(Expr::Nested(Box::new(integer("-1")))),
            }),
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => Some(call("timezone", vec![taken(time_zone), taken(timestamp)])),
            Expr::Extract { field, expr, .. } => {
                let field = field.to_string().trim_matches('\'').to_lowercase();
                let field = Expr::value(Value::SingleQuotedString(field));
                Some(call("extract", vec![field, taken(expr)]))
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => listed(left, right, false),
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => listed(left, right, true),
            Expr::IsNull(row) => row_test(row, false),
            Expr::IsNotNull(row) => row_test(row, true),
            Expr::Function(function) => called(function),
            _ => None,
        };
        if let Some(spelled) = spelled {
            *expr = spelled;
        }
        ControlFlow::Continue(())
    }
}

fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

fn integer(digits: &str) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::Number(digits.to_owned(), false))),
        data_type: DataType::Integer(None),
        array: false,
        format: None,
    }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(super::call::call(name, args))
}

/// A row is NULL when all its fields are, and NOT NULL when none is.
fn row_test(row: &mut Expr, not: bool) -> Option<Expr> {
    let Expr::Tuple(fields) = row else {
        return None;
    };
    let tests = fields.drain(..).map(|field| {
        let field = Box::new(field);
        match not {
            true => Expr::IsNotNull(field),
            false => Expr::IsNull(field),
        }
    });
    let all = tests.reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    all.map(|all| Expr::Nested(Box::new(all)))
}

/// `x = ANY (ARRAY[a, b])` as `x IN (a, b)`, which knows NULL among the elements.
fn listed(value: &mut Expr, array: &mut Expr, negated: bool) -> Option<Expr> {
    match array {
        Expr::Nested(inner) => return listed(value, inner, negated),
        Expr::Array(_) => {}
        _ => return None,
    }
    let Expr::Array(array) = array else {
        return None;
    };
    let nested = |e: &Expr| {
        let cast_array =
            matches!(e, Expr::Cast { data_type, .. } if matches!(data_type, DataType::Array(_)));
        cast_array || matches!(e, Expr::Array(_))
    };
    if array.elem.is_empty() || array.elem.iter().any(nested) {
        return None;
    }
    Some(Expr::Nested(Box::new(Expr::InList {
        expr: Box::new(taken(value)),
        list: std::mem::take(&mut array.elem),
        negated,
    })))
}

/// Rows among the conditions that are all to hold.
fn rows_in(condition: &mut Expr) {
    match condition {
        Expr::Nested(inner) => rows_in(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            rows_in(left);
            rows_in(right);
        }
        Expr::InSubquery {
            expr: row,
            subquery,
            negated: false,
        } => {
            if let Some(exists) = row_in(row, subquery) {
                *condition = exists;
            }
        }
        _ => {}
    }
}

/// `(a, b) IN (SELECT …)` as `EXISTS (SELECT 1 FROM (SELECT …) q(x, y) WHERE x = a AND y = b)`: the same where a
/// condition is asked for, but false where the other is unknown.
fn row_in(row: &mut Expr, subquery: &mut Box<Query>) -> Option<Expr> {
    let Expr::Tuple(fields) = row else {
        return None;
    };
    let mut exists = alcedo_sql::parse_query("SELECT 1 FROM (SELECT 1) q").ok()?;
    let SetExpr::Select(select) = exists.body.as_mut() else {
        return None;
    };
    let name = |at: usize| Ident::with_quote('"', format!("\u{1}{at}"));
    let equal = fields
        .drain(..)
        .enumerate()
        .map(|(at, field)| Expr::BinaryOp {
            left: Box::new(Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', "\u{1}q"),
                name(at),
            ])),
            op: BinaryOperator::Eq,
            right: Box::new(field),
        });
    let conditions: Vec<Expr> = equal.collect();
    let columns = (0..conditions.len()).map(|at| TableAliasColumnDef {
        name: name(at),
        data_type: None,
    });
    let alias = TableAlias {
        explicit: true,
        name: Ident::with_quote('"', "\u{1}q"),
        columns: columns.collect(),
        at: None,
    };
    let TableFactor::Derived {
        subquery: inner,
        alias: named,
        ..
    } = &mut select.from.first_mut()?.relation
    else {
        return None;
    };
    std::mem::swap(inner, subquery);
    *named = Some(alias);
    select.selection = conditions.into_iter().reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    });
    Some(Expr::Exists {
        subquery: exists,
        negated: false,
    })
}

/// Parameters of `make_interval`.
const INTERVAL_PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

fn called(function: &mut Function) -> Option<Expr> {
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let name = name.as_ident().map(normal)?;
    let FunctionArguments::List(list) = &mut function.args else {
        return None;
    };
    if name == "make_interval" {
        return interval(list);
    }
    let mut args = Vec::with_capacity(2);
    for arg in &mut list.args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if args.len() < 2 => args.push(expr),
            _ => return None,
        }
    }
    match (name.as_str(), args.as_mut_slice()) {
        ("mod", [left, right]) => Some(Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(taken(left)))),
            op: BinaryOperator::Modulo,
            right: Box::new(Expr::Nested(Box::new(taken(right)))),
        }))),
        ("array_remove", [array, element]) => {
            Some(call("array_remove_all", vec![taken(array), taken(element)]))
        }
        ("array_length", [array, dimension]) => Some(length(taken(array), taken(dimension))),
        ("age", [moment]) => Some(call(
            "age",
            vec![call("current_date", Vec::new()), taken(moment)],
        )),
        ("gen_random_uuid", []) => Some(Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(call("uuid", Vec::new())),
            data_type: DataType::Uuid,
            array: false,
            format: None,
        }),
        ("to_date", [text, format]) => Some(call("to_date_by", vec![taken(text), taken(format)])),
        ("to_timestamp", [text, format]) => {
            Some(call("to_timestamp_by", vec![taken(text), taken(format)]))
        }
        ("encode" | "decode", [value, Expr::Value(form)]) => {
            let form = form.value.clone().into_string().unwrap_or_default();
            match form.to_ascii_lowercase().as_str() {
                "escape" => Some(call(&format!("{name}_escape"), vec![taken(value)])),
                // Whole groups of four, as everybody else writes them.
                "base64" => {
                    let padded = Expr::value(Value::SingleQuotedString("base64pad".to_owned()));
                    Some(call(&name, vec![taken(value), padded]))
                }
                _ => None,
            }
        }
        ("convert_to", [text, Expr::Value(encoding)]) => {
            let name = encoding.value.clone().into_string().unwrap_or_default();
            let utf8 = matches!(
                name.to_ascii_lowercase().as_str(),
                "utf8" | "utf-8" | "unicode"
            );
            utf8.then(|| Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(Expr::Nested(Box::new(taken(text)))),
                data_type: DataType::Bytea,
                array: false,
                format: None,
            })
        }
        _ => None,
    }
}

/// The length of an array, NULL instead of zero.
fn length(array: Expr, dimension: Expr) -> Expr {
    let length = call("array_length", vec![array, dimension]);
    let none = Expr::value(Value::Number("0".to_owned(), false));
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(call("nullif", vec![length, none])),
        data_type: DataType::Integer(None),
        array: false,
        format: None,
    }
}

/// Named parts of an interval in their places.
fn interval(list: &mut FunctionArgumentList) -> Option<Expr> {
    let mut parts: [Option<Expr>; 7] = Default::default();
    let mut last = 0;
    for (at, arg) in list.args.iter_mut().enumerate() {
        let (place, value) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (at, value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                let name = normal(name);
                (INTERVAL_PARTS.iter().position(|p| *p == name)?, value)
            }
            _ => return None,
        };
        *parts.get_mut(place)? = Some(value.clone());
        last = last.max(place + 1);
    }
    let parts = parts.into_iter().take(last);
    Some(call(
        "make_interval",
        parts.map(|p| p.unwrap_or_else(|| integer("0"))).collect(),
    ))
}
