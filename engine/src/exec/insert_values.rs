//! What is written directly where a column's value goes: `DEFAULT`, texts without a type, and parameters take the
//! column's type, as PostgreSQL's unknown literals do.

use crate::catalog::Column;
use crate::error::{Error, Result};
use crate::types::arrow_field;
use alcedo_sql::SqlState;
use alcedo_sql::ast::{Expr, Query, SelectItem, SetExpr, Value};
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::FieldRef;

/// Whether a type takes any text as it is.
pub(super) fn is_text(ty: &SqlType) -> bool {
    matches!(ty, SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Name)
}

/// Gives the direct values of a query the types of the columns they go to.
///
/// # Errors
/// 42601 when a row has more values than there are columns.
pub(super) fn adapt(query: &mut Query, targets: &[&Column], types: &mut Vec<Option<FieldRef>>) -> Result<()> {
    adapt_body(&mut query.body, targets, types)
}

fn adapt_body(body: &mut SetExpr, targets: &[&Column], types: &mut Vec<Option<FieldRef>>) -> Result<()> {
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
                matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
            });
            let direct = direct.count();
            for (item, column) in select.projection.iter_mut().take(direct).zip(targets) {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
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
    Error::user(SqlState::SYNTAX_ERROR, "INSERT has more expressions than target columns")
}

/// One value of VALUES or SET.
pub(super) fn value(expr: &mut Expr, column: &Column, types: &mut Vec<Option<FieldRef>>) -> Result<()> {
    if let Expr::Identifier(name) = expr {
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default") {
            *expr = alcedo_sql::parse_expression(column.default.as_deref().unwrap_or("NULL"))
                .map_err(|e| Error::from(e).placeless())?;
            return typed(expr, &column.ty);
        }
    }
    literal(expr, column, types)
}

fn literal(expr: &mut Expr, column: &Column, types: &mut Vec<Option<FieldRef>>) -> Result<()> {
    let Expr::Value(found) = expr else { return Ok(()) };
    match &found.value {
        Value::SingleQuotedString(_) | Value::Null => typed(expr, &column.ty),
        Value::Placeholder(name) => {
            if let Some(number) = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0) {
                if number <= usize::from(u16::MAX) {
                    types.resize(types.len().max(number), None);
                    types[number - 1].get_or_insert_with(|| arrow_field("", &column.ty, true));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Wraps an expression in a cast. Texts stay, so that rules see them as they are.
fn typed(expr: &mut Expr, ty: &SqlType) -> Result<()> {
    match ty {
        SqlType::Struct(_) | SqlType::Map(..) => Ok(()),
        ty if is_text(ty) => Ok(()),
        SqlType::Array(_) => {
            // The text form of arrays is read where it meets its type.
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
