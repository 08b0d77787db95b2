//! What psql and drivers write around names and operators in catalog queries, and planners do not read:
//! `OPERATOR(pg_catalog.~)`, `COLLATE pg_catalog.default`, `pg_catalog.` before functions.

use crate::cursor::fold;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::ast::{BinaryOperator, Expr, ObjectName};

/// Takes the decoration off one expression.
pub(super) fn strip(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(parts) = op {
                *op = operator(parts)?;
            }
        }
        Expr::Collate {
            expr: inner,
            collation,
        } => {
            let name = collation
                .0
                .last()
                .and_then(|p| p.as_ident())
                .map(fold)
                .unwrap_or_default();
            check_collation(&name)?;
            let inner = std::mem::replace(inner.as_mut(), Expr::value(sqlparser::ast::Value::Null));
            *expr = inner;
        }
        Expr::Function(function) => unqualify(&mut function.name),
        _ => {}
    }
    Ok(())
}

/// Takes `pg_catalog.` off a name.
fn unqualify(name: &mut ObjectName) {
    let in_catalog = name.0.len() == 2
        && name.0[0]
            .as_ident()
            .is_some_and(|schema| fold(schema) == "pg_catalog");
    if in_catalog {
        name.0.remove(0);
    }
}

/// Text is compared by bytes: collations that say so, or say nothing, are fine.
pub(crate) fn check_collation(name: &str) -> Result<()> {
    match name {
        "default" | "C" | "c" | "POSIX" | "posix" | "ucs_basic" => Ok(()),
        _ => {
            let text = format!("collation \"{name}\" is not supported");
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("Text is compared by bytes, as under \"C\"."))
        }
    }
}

/// The operator that `OPERATOR(schema.symbol)` names.
fn operator(parts: &[String]) -> Result<BinaryOperator> {
    use BinaryOperator as B;
    let symbol = parts.last().map_or("", String::as_str);
    Ok(match symbol {
        "=" => B::Eq,
        "<>" | "!=" => B::NotEq,
        "<" => B::Lt,
        "<=" => B::LtEq,
        ">" => B::Gt,
        ">=" => B::GtEq,
        "+" => B::Plus,
        "-" => B::Minus,
        "*" => B::Multiply,
        "/" => B::Divide,
        "%" => B::Modulo,
        "||" => B::StringConcat,
        "~" => B::PGRegexMatch,
        "~*" => B::PGRegexIMatch,
        "!~" => B::PGRegexNotMatch,
        "!~*" => B::PGRegexNotIMatch,
        "~~" => B::PGLikeMatch,
        "~~*" => B::PGILikeMatch,
        "!~~" => B::PGNotLikeMatch,
        "!~~*" => B::PGNotILikeMatch,
        "@>" => B::AtArrow,
        "<@" => B::ArrowAt,
        "->" => B::Arrow,
        "->>" => B::LongArrow,
        _ => {
            let text = format!("operator does not exist: {}", parts.join("."));
            return Err(SqlError::new(SqlState::UNDEFINED_FUNCTION, text));
        }
    })
}
