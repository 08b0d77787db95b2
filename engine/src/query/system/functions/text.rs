//! Text put together: `format`, `quote_ident`.

use super::{Args, Def, lax, strict};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::system::columns::Cell;
use alcedo_sql::{SqlState, quote_ident, quote_literal};
use datafusion::common::ScalarValue;

pub(super) const FUNCTIONS: &[Def] = &[
    lax("format", (1, 100), "text", format),
    strict("quote_ident", (1, 1), "text", |_, args| {
        Ok(args.text(0).map(quote_ident).into())
    }),
];

/// `%s`, `%I`, `%L` and `%%`, with `%n$s` for a place.
fn format(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(pattern) = args.text(0) else {
        return Ok(Cell::Null);
    };
    let mut out = String::with_capacity(pattern.len());
    let mut next = 1;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut digits = String::new();
        while let Some(d) = chars.next_if(char::is_ascii_digit) {
            digits.push(d);
        }
        if !digits.is_empty() && chars.next_if_eq(&'$').is_some() {
            next = digits.parse().unwrap_or(usize::MAX);
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(kind @ ('s' | 'I' | 'L')) => {
                let value = args.values.get(next).ok_or_else(|| {
                    Error::user(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "too few arguments for format()",
                    )
                })?;
                next += 1;
                out.push_str(&written(kind, value)?);
            }
            other => {
                let text = match other {
                    Some(c) => format!("unrecognized format() type specifier \"{c}\""),
                    None => "unterminated format() type specifier".to_owned(),
                };
                return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                    .hint("For a single \"%\" use \"%%\"."));
            }
        }
    }
    Ok(out.into())
}

fn written(kind: char, value: &ScalarValue) -> Result<String> {
    let text = if value.is_null() {
        None
    } else {
        Some(value.to_string())
    };
    Ok(match (kind, text) {
        ('s', text) => text.unwrap_or_default(),
        ('L', None) => "NULL".to_owned(),
        ('L', Some(text)) => quote_literal(&text),
        (_, Some(text)) => quote_ident(&text),
        (_, None) => {
            let text = "null values cannot be formatted as an SQL identifier";
            return Err(Error::user(SqlState::NULL_VALUE_NOT_ALLOWED, text));
        }
    })
}
