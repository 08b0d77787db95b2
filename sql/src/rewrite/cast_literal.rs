//! Literals that are cast at once and that the planner reads otherwise than PostgreSQL: bytea in its text forms, and
//! numbers that become floating point, which are rounded once, from their digits.

use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::ast::{DataType, Expr, UnaryOperator, Value};

/// Reads a literal as the type that it is cast to.
pub(super) fn read(expr: &mut Expr) -> Result<()> {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type: DataType::Bytea,
            ..
        } => {
            if let Expr::Value(value) = inner.as_mut() {
                bytea(&mut value.value)?;
            }
        }
        Expr::TypedString(typed) if typed.data_type == DataType::Bytea => {
            bytea(&mut typed.value.value)?;
        }
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } if is_float(data_type) => {
            if let Some(digits) = digits(inner) {
                **inner = Expr::value(Value::SingleQuotedString(digits));
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_float(ty: &DataType) -> bool {
    use DataType as T;
    matches!(
        ty,
        T::Float(_) | T::Float4 | T::Float8 | T::Real | T::Double(_) | T::DoublePrecision
    )
}

/// The text of a number with a point or an exponent, perhaps with a sign and in parentheses.
fn digits(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if text.contains(['.', 'e', 'E']) => Some(text.clone()),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match digits(expr)? {
            text if text.starts_with('-') => None,
            text => Some(format!("-{text}")),
        },
        Expr::Nested(inner) => digits(inner),
        _ => None,
    }
}

fn bytea(value: &mut Value) -> Result<()> {
    let Value::SingleQuotedString(text) = value else {
        return Ok(());
    };
    let hex = match text.strip_prefix("\\x") {
        Some(digits) => from_hex(digits)?,
        None => from_escapes(text).ok_or_else(|| {
            let text = "invalid input syntax for type bytea";
            SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, text)
        })?,
    };
    *value = Value::HexStringLiteral(hex);
    Ok(())
}

/// Digits without the blanks that may stand between bytes.
fn from_hex(digits: &str) -> Result<String> {
    let invalid = |text: String| SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text);
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(invalid(format!("invalid hexadecimal digit: \"{wrong}\"")));
    }
    if !digits.len().is_multiple_of(2) {
        return Err(invalid(
            "invalid hexadecimal data: odd number of digits".to_owned(),
        ));
    }
    Ok(digits)
}

/// `\\` and `\ooo` among bytes that stand for themselves.
fn from_escapes(text: &str) -> Option<String> {
    let mut hex = String::with_capacity(2 * text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, after) = match (first, tail) {
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after),
            (b'\\', _) => return None,
            _ => (first, tail),
        };
        hex.push_str(&format!("{byte:02x}"));
        rest = after;
    }
    Some(hex)
}

#[cfg(test)]
mod tests {
    use super::{from_escapes, from_hex};

    #[test]
    fn bytes_have_two_forms() {
        assert_eq!(from_hex("00 fF").as_deref(), Ok("00fF"));
        assert!(from_hex("0").is_err() && from_hex("0g").is_err());
        assert_eq!(from_escapes("a\\\\\\000ä").as_deref(), Some("615c00c3a4"));
        assert_eq!(from_escapes("\\9"), None);
    }
}
