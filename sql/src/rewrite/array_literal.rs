//! Array literals in PostgreSQL's text form, `'{1,2,NULL}'::int[]`, as array constructors.

use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, DataType, Expr, Value, ValueWithSpan,
};
use std::iter::Peekable;
use std::str::Chars;

/// Expands a literal that is cast to an array type, that ANY and ALL compare with, or that is a path into JSON.
pub(super) fn expand(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type: DataType::Array(element),
            ..
        } => {
            let element = match element {
                ArrayElemTypeDef::SquareBracket(element, _) => Some(element.as_ref().clone()),
                _ => None,
            };
            replace(inner, element.as_ref())
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => replace(right, None),
        // A path into JSON.
        Expr::BinaryOp {
            op: BinaryOperator::HashArrow | BinaryOperator::HashLongArrow,
            right,
            ..
        } => replace(right, None),
        _ => Ok(()),
    }
}

fn replace(expr: &mut Expr, element: Option<&DataType>) -> Result<()> {
    if let Expr::Nested(inner) = expr {
        return replace(inner, element);
    }
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text),
        span,
    }) = expr
    else {
        return Ok(());
    };
    let malformed = || {
        let error = format!("malformed array literal: \"{text}\"");
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, error)
    };
    let mut chars = text.chars().peekable();
    let mut array = array(&mut chars, *span).ok_or_else(malformed)?;
    skip_blanks(&mut chars);
    if chars.next().is_some() {
        return Err(malformed());
    }
    // Elements of json or bytea type stay text: the cast of the whole array reads them.
    let boolean = matches!(element, Some(DataType::Bool | DataType::Boolean));
    if boolean {
        spell_booleans(&mut array);
    }
    *expr = array;
    Ok(())
}

/// `{a, "b c", NULL, {…}}`
fn array(chars: &mut Peekable<Chars<'_>>, span: sqlparser::tokenizer::Span) -> Option<Expr> {
    skip_blanks(chars);
    if chars.next()? != '{' {
        return None;
    }
    let mut elem = Vec::new();
    skip_blanks(chars);
    if chars.peek() == Some(&'}') {
        chars.next();
        return Some(Expr::Array(Array { elem, named: true }));
    }
    loop {
        skip_blanks(chars);
        let value = match chars.peek()? {
            '{' => array(chars, span)?,
            '"' => text_value(quoted(chars)?, span),
            _ => {
                let word = unquoted(chars)?;
                if word.eq_ignore_ascii_case("null") {
                    Expr::Value(Value::Null.with_span(span))
                } else {
                    text_value(word, span)
                }
            }
        };
        elem.push(value);
        skip_blanks(chars);
        match chars.next()? {
            ',' => {}
            '}' => return Some(Expr::Array(Array { elem, named: true })),
            _ => return None,
        }
    }
}

fn text_value(text: String, span: sqlparser::tokenizer::Span) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).with_span(span))
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.peek().is_some_and(|c| c.is_whitespace()) {
        chars.next();
    }
}

fn quoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    chars.next();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

fn unquoted(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut text = String::new();
    while let Some(c) = chars.peek().copied() {
        match c {
            ',' | '}' => break,
            '{' | '"' => return None,
            '\\' => {
                chars.next();
                text.push(chars.next()?);
            }
            _ => {
                chars.next();
                text.push(c);
            }
        }
    }
    let text = text.trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `t` and `f` as PostgreSQL prints booleans.
fn spell_booleans(array: &mut Expr) {
    let Expr::Array(array) = array else { return };
    for element in &mut array.elem {
        match element {
            Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(text),
                ..
            }) => {
                if let Some(value) = crate::options::parse_bool(text) {
                    *text = value.to_string();
                }
            }
            nested => spell_booleans(nested),
        }
    }
}
