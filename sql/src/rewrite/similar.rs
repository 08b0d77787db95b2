//! `SIMILAR TO` a literal pattern as a match with a regular expression: SQL's `%` and `_` among the operators that both
//! have.

use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

/// Rewrites a SIMILAR TO.
///
/// # Errors
/// 0A000 for a pattern that is no literal, or an escape of its own.
pub(super) fn to_regex(expr: &mut Expr) -> Result<()> {
    let Expr::SimilarTo {
        negated,
        expr: value,
        pattern,
        escape_char,
    } = expr
    else {
        return Ok(());
    };
    let written = match pattern.as_ref() {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) if escape_char.is_none() => text,
        _ => {
            let text = "SIMILAR TO takes a literal pattern without ESCAPE";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("Use a regular expression: value ~ pattern."));
        }
    };
    let regex = Expr::value(Value::SingleQuotedString(regex(written)));
    let op = if *negated {
        BinaryOperator::PGRegexNotMatch
    } else {
        BinaryOperator::PGRegexMatch
    };
    let left = std::mem::replace(value.as_mut(), Expr::value(Value::Null));
    *expr = Expr::BinaryOp {
        left: Box::new(Expr::Nested(Box::new(left))),
        op,
        right: Box::new(regex),
    };
    Ok(())
}

/// The regular expression of a pattern, which is for the whole text.
fn regex(pattern: &str) -> String {
    let mut out = String::from("^(?:");
    let mut chars = pattern.chars();
    let mut listed = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push('\\');
                out.extend(chars.next());
            }
            '[' => {
                listed = true;
                out.push(c);
            }
            ']' => {
                listed = false;
                out.push(c);
            }
            _ if listed => out.push(c),
            '%' => out.push_str("(?s:.*)"),
            '_' => out.push_str("(?s:.)"),
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out.push_str(")$");
    out
}

#[cfg(test)]
mod tests {
    use super::regex;

    #[test]
    fn wildcards_are_those_of_sql() {
        assert_eq!(regex("a%"), "^(?:a(?s:.*))$");
        assert_eq!(regex("(a|b)_[^.%]\\%."), "^(?:(a|b)(?s:.)[^.%]\\%\\.)$");
    }
}
