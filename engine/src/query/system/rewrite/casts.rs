//! Casts to the types that are oids with a name: `regclass`, `regtype`, `regnamespace`, `regrole`, `regproc`.
//!
//! Their values are oids here. Where one is shown, becomes text or is put together with text, it is the name.

use super::{last, take};
use crate::query::call::call;
use alcedo_sql::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem,
    SetExpr,
};

/// Types with the functions that read and show them.
const TYPES: &[(&str, &str, &str)] = &[
    ("regclass", "regclassin", "regclassout"),
    ("regtype", "regtypein", "regtypeout"),
    ("regnamespace", "regnamespacein", "regnamespaceout"),
    ("regrole", "regrolein", "regroleout"),
];

/// Rewrites one expression whose parts are rewritten.
pub(super) fn cast(expr: &mut Expr) {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } => {
            if let Some(read) = reader(data_type) {
                *expr = Expr::Function(call(read, vec![take(inner)]));
            } else if is_text(data_type) {
                shown(inner);
            }
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } => {
            shown(left);
            shown(right);
        }
        Expr::Function(function) if last(&function.name).as_deref() == Some("format") => {
            if let FunctionArguments::List(list) = &mut function.args {
                for arg in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = arg {
                        shown(value);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Shows names in the columns of the result.
pub(super) fn show(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(value)
                | SelectItem::ExprWithAlias { expr: value, .. } = item
                {
                    shown(value);
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            show(left);
            show(right);
        }
        SetExpr::Query(query) => show(&mut query.body),
        _ => {}
    }
}

/// The function that reads values of a type; columns of type regproc hold names.
fn reader(ty: &DataType) -> Option<&'static str> {
    let name = match ty {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, _) => last(name)?,
        _ => return None,
    };
    if name == "regproc" || name == "regprocedure" {
        return Some("regprocin");
    }
    TYPES
        .iter()
        .find(|(ty, ..)| *ty == name)
        .map(|(_, read, _)| *read)
}

fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_) => true,
        DataType::Custom(name, _) => {
            matches!(last(name).as_deref(), Some("text" | "varchar" | "name"))
        }
        _ => false,
    }
}

/// An oid of such a type as its name.
fn shown(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    let name = last(&function.name).unwrap_or_default();
    if let Some((_, _, show)) = TYPES.iter().find(|(_, read, _)| *read == name) {
        *expr = Expr::Function(call(show, vec![take(expr)]));
    }
}
