//! Names of output columns as PostgreSQL gives them: the function's, the cast column's, `?column?`.
//!
//! An unnamed item gets an alias where that is safe: no wildcard beside it, no other column of that
//! name. What stays without one is named for the client by [`output_names`].

use crate::cursor::fold;
use sqlparser::ast::{
    AccessExpr, DataType, Expr, Function, Ident, Query, Select, SelectItem, SetExpr,
};

/// The name of one item of a select list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputName {
    /// One column.
    Name(String),
    /// `*` or `t.*`: as many columns as it stands for, under their own names.
    Wildcard,
}

/// Names that PostgreSQL gives the columns of a query: those of its first SELECT.
/// `None` when the query has none (VALUES: `column1`, `column2` …).
pub fn output_names(query: &Query) -> Option<Vec<OutputName>> {
    let select = first_select(&query.body)?;
    let names = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) => OutputName::Name(name_or_default(expr)),
        SelectItem::ExprWithAlias { expr: _, alias } => OutputName::Name(fold(alias)),
        _ => OutputName::Wildcard,
    });
    Some(names.collect())
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

/// Gives aliases to the unnamed items of a query's own select lists.
pub(super) fn give(query: &mut Query) {
    give_body(&mut query.body);
}

fn give_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => give_select(select),
        // Names come from the left side; nested queries are visited on their own.
        SetExpr::SetOperation { left, .. } => give_body(left),
        _ => {}
    }
}

fn give_select(select: &mut Select) {
    let plain = select.projection.iter().all(|i| {
        matches!(
            i,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    });
    if !plain {
        return;
    }
    let mut taken: Vec<String> = select.projection.iter().filter_map(own_name).collect();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else {
            continue;
        };
        if is_column(expr) || matches!(expr, Expr::Wildcard(_)) {
            continue;
        }
        let name = name_or_default(expr);
        if taken.contains(&name) {
            continue;
        }
        taken.push(name.clone());
        let expr = std::mem::replace(expr, Expr::value(sqlparser::ast::Value::Null));
        *item = SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('"', name),
        };
    }
}

fn own_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(expr) if is_column(expr) => name(expr),
        _ => None,
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn name_or_default(expr: &Expr) -> String {
    name(expr).unwrap_or_else(|| "?column?".to_owned())
}

/// The name that an expression lends its column, if it has one.
fn name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(fold(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(fold),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => Some(fold(ident)),
                _ => None,
            });
            field.or_else(|| name(root))
        }
        Expr::Function(function) => function_name(function),
        Expr::Cast {
            expr, data_type, ..
        } => name(expr).or_else(|| Some(type_name(data_type))),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => name(inner),
        Expr::Case { else_result, .. } => {
            let column = else_result.as_ref().filter(|e| is_column(e) || is_call(e));
            column
                .and_then(|e| name(e))
                .or_else(|| Some("case".to_owned()))
        }
        Expr::Exists { .. } => Some("exists".to_owned()),
        Expr::Array(_) => Some("array".to_owned()),
        Expr::Extract { .. } => Some("extract".to_owned()),
        Expr::Substring { .. } => Some("substring".to_owned()),
        Expr::Position { .. } => Some("position".to_owned()),
        Expr::Overlay { .. } => Some("overlay".to_owned()),
        Expr::Ceil { .. } => Some("ceil".to_owned()),
        Expr::Floor { .. } => Some("floor".to_owned()),
        Expr::Trim { trim_where, .. } => Some(match trim_where {
            Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim".to_owned(),
            Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim".to_owned(),
            _ => "btrim".to_owned(),
        }),
        Expr::AtTimeZone { .. } => Some("timezone".to_owned()),
        Expr::Interval(_) => Some("interval".to_owned()),
        Expr::TypedString(typed) => Some(type_name(&typed.data_type)),
        Expr::Tuple(_) => Some("row".to_owned()),
        Expr::Subquery(query) => match output_names(query)?.into_iter().next()? {
            OutputName::Name(name) => Some(name).filter(|n| n != "?column?"),
            OutputName::Wildcard => None,
        },
        Expr::Value(value) => match value.value {
            sqlparser::ast::Value::Boolean(_) => Some("bool".to_owned()),
            _ => None,
        },
        _ => None,
    }
}

fn is_call(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(_))
}

fn function_name(function: &Function) -> Option<String> {
    function
        .name
        .0
        .last()
        .and_then(|part| part.as_ident())
        .map(fold)
}

fn type_name(ty: &DataType) -> String {
    crate::types::SqlType::from_ast(ty)
        .map_or_else(|_| ty.to_string().to_lowercase(), |t| t.typname())
}
