//! What is written directly where a column's value goes: `DEFAULT`, texts without a type, and parameters take the
//! column's type, as PostgreSQL's unknown literals do.

use crate::catalog::Column;
use crate::error::{Error, Result};
use crate::types::arrow_field;
use alcedo_sql::SqlState;
use alcedo_sql::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SelectItem, SetExpr,
    UnaryOperator, Value,
};
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::FieldRef;

/// Whether a type takes any text as it is.
pub(super) fn is_text(ty: &SqlType) -> bool {
    matches!(
        ty,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Name
    )
}

/// Gives the direct values of a query the types of the columns they go to.
///
/// # Errors
/// 42601 when a row has more values than there are columns.
pub(super) fn adapt(
    query: &mut Query,
    targets: &[&Column],
    types: &mut Vec<Option<FieldRef>>,
) -> Result<()> {
    adapt_body(&mut query.body, targets, types)
}

fn adapt_body(
    body: &mut SetExpr,
    targets: &[&Column],
    types: &mut Vec<Option<FieldRef>>,
) -> Result<()> {
    match body {
        SetExpr::Values(values) => {
            for row in &mut values.rows {
                if row.content.len() > targets.len() {
                    return Err(too_many());
                }
                for (expr, column) in row.content.iter_mut().zip(targets) {
                    value(expr, column, types)?;
                }
            }
            Ok(())
        }
        SetExpr::Select(select) => {
            let direct = select.projection.iter().take_while(|item| {
                matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            });
            let direct = direct.count();
            for (item, column) in select.projection.iter_mut().take(direct).zip(targets) {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    literal(expr, column, types)?;
                }
            }
            Ok(())
        }
        SetExpr::Query(query) => adapt(query, targets, types),
        SetExpr::SetOperation { left, right, .. } => {
            adapt_body(left, targets, types)?;
            adapt_body(right, targets, types)
        }
        _ => Ok(()),
    }
}

pub(super) fn too_many() -> Error {
    Error::user(
        SqlState::SYNTAX_ERROR,
        "INSERT has more expressions than target columns",
    )
}

/// One value of VALUES or SET.
pub(super) fn value(
    expr: &mut Expr,
    column: &Column,
    types: &mut Vec<Option<FieldRef>>,
) -> Result<()> {
    if let Expr::Identifier(name) = expr
        && name.quote_style.is_none()
        && name.value.eq_ignore_ascii_case("default")
    {
        *expr = alcedo_sql::parse_expression(column.default.as_deref().unwrap_or("NULL"))
            .map_err(|e| Error::from(e).placeless())?;
    }
    literal(expr, column, types)
}

fn literal(expr: &mut Expr, column: &Column, types: &mut Vec<Option<FieldRef>>) -> Result<()> {
    match expr {
        Expr::Nested(inner) => literal(inner, column, types),
        Expr::Value(found) => match &found.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                let text = text.clone();
                typed_text(expr, &text, &column.ty)
            }
            Value::DollarQuotedString(quoted) => {
                let text = quoted.value.clone();
                typed_text(expr, &text, &column.ty)
            }
            // Types that only we have are not written in SQL; a NULL fits them as it is.
            Value::Null if is_composite(&column.ty) => Ok(()),
            Value::Null => typed(expr, &column.ty),
            Value::Number(digits, _) => {
                let text = digits.clone();
                number(expr, &text, &column.ty)
            }
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
                if let Some(number) = number.filter(|n| *n > 0 && *n <= usize::from(u16::MAX)) {
                    types.resize(types.len().max(number), None);
                    types[number - 1].get_or_insert_with(|| arrow_field("", &column.ty, true));
                }
                Ok(())
            }
            _ => Ok(()),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: inner,
        } => {
            let digits = match inner.as_ref() {
                Expr::Value(found) => match &found.value {
                    Value::Number(digits, _) => Some(format!("-{digits}")),
                    _ => None,
                },
                _ => None,
            };
            digits.map_or(Ok(()), |text| number(expr, &text, &column.ty))
        }
        Expr::Tuple(_) => row(expr, column),
        Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("row") => {
            row(expr, column)
        }
        _ => Ok(()),
    }
}

/// Whether a type has fields of its own.
fn is_composite(ty: &SqlType) -> bool {
    match ty {
        SqlType::Struct(_) | SqlType::Map(..) => true,
        SqlType::Array(element) => is_composite(element),
        _ => false,
    }
}

/// The fields of a row, with the names that the column has for them.
fn row(expr: &mut Expr, column: &Column) -> Result<()> {
    let SqlType::Struct(fields) = &column.ty else {
        return Ok(());
    };
    let values: Vec<Expr> = match expr {
        Expr::Tuple(values) => std::mem::take(values),
        Expr::Function(call) => call_values(call),
        _ => return Ok(()),
    };
    if values.len() != fields.len() {
        let text = format!(
            "column \"{}\" has {} fields, but the row has {}",
            column.name,
            fields.len(),
            values.len()
        );
        return Err(Error::user(SqlState::DATATYPE_MISMATCH, text));
    }
    let mut named =
        alcedo_sql::parse_expression("named_struct()").map_err(|e| Error::from(e).placeless())?;
    if let Expr::Function(call) = &mut named
        && let FunctionArguments::List(list) = &mut call.args
    {
        for (value, field) in values.into_iter().zip(fields) {
            let name = Value::SingleQuotedString(field.0.clone()).with_empty_span();
            for part in [Expr::Value(name), value] {
                list.args
                    .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(part)));
            }
        }
    }
    *expr = named;
    Ok(())
}

/// The arguments of `row(…)`; they are taken.
fn call_values(call: &mut Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &mut call.args else {
        return Vec::new();
    };
    let args = std::mem::take(&mut list.args).into_iter();
    args.filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
    .collect()
}

/// A number for a column of numbers is read in the column's type, so that none loses digits on the way.
fn number(expr: &mut Expr, text: &str, ty: &SqlType) -> Result<()> {
    match ty {
        SqlType::Float4 | SqlType::Float8 | SqlType::Numeric(_) => {
            let literal = Value::SingleQuotedString(text.to_owned());
            *expr = Expr::Value(literal.with_empty_span());
            typed(expr, ty)
        }
        _ => Ok(()),
    }
}

/// A text of unknown type.
fn typed_text(expr: &mut Expr, text: &str, ty: &SqlType) -> Result<()> {
    if *ty == SqlType::Bytea {
        let bytes = bytes(text)?;
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect();
        *expr = Expr::Value(Value::HexStringLiteral(hex).with_empty_span());
        return Ok(());
    }
    typed(expr, ty)
}

/// The bytes that a text stands for, in either of PostgreSQL's forms.
fn bytes(text: &str) -> Result<Vec<u8>> {
    let invalid = || {
        Error::user(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type bytea",
        )
    };
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = digits
            .bytes()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        let value = |b: u8| {
            char::from(b)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
                .ok_or_else(invalid)
        };
        if digits.len() % 2 == 1 {
            return Err(invalid());
        }
        return digits
            .chunks_exact(2)
            .map(|pair| Ok(value(pair[0])? << 4 | value(pair[1])?))
            .collect();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                out.push(b'\\');
                rest = after;
            }
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            (b'\\', _) => return Err(invalid()),
            (byte, _) => out.push(*byte),
        }
    }
    Ok(out)
}

/// Wraps an expression in a cast. Texts stay, so that rules see them as they are.
fn typed(expr: &mut Expr, ty: &SqlType) -> Result<()> {
    match ty {
        SqlType::Struct(_) | SqlType::Map(..) => Ok(()),
        ty if is_text(ty) => Ok(()),
        SqlType::Array(_) | SqlType::Interval | SqlType::Timestamp | SqlType::Timestamptz => {
            // PostgreSQL's text form is read where it meets its type.
            *expr = alcedo_sql::parse_expression(&format!("CAST({expr} AS {ty})"))?;
            Ok(())
        }
        ty => {
            let mut cast = alcedo_sql::parse_expression(&format!("CAST(NULL AS {ty})"))?;
            if let Expr::Cast { expr: inner, .. } = &mut cast {
                std::mem::swap(inner.as_mut(), expr);
            }
            *expr = cast;
            Ok(())
        }
    }
}
