//! Parameters that are numbers, booleans, text, bytes, uuid or json.

use super::{Reading, exactly, invalid_binary, invalid_text, out_of_range};
use crate::encode::Format;
use crate::encode::text::{invalid_uuid, parse_uuid, put_uuid};
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use bytes::BytesMut;
use std::str::FromStr;

/// Bytes as text: UTF-8 without zero bytes, or 22021.
pub(super) fn text(value: &[u8]) -> Result<&str> {
    let wrong = |at: usize| {
        let shown: Vec<String> = value[at..]
            .iter()
            .take(4)
            .map(|b| format!("0x{b:02x}"))
            .collect();
        let text = format!(
            "invalid byte sequence for encoding \"UTF8\": {}",
            shown.join(" ")
        );
        Error::user(SqlState::CHARACTER_NOT_IN_REPERTOIRE, text)
    };
    let text = std::str::from_utf8(value).map_err(|e| wrong(e.valid_up_to()))?;
    match text.find('\0') {
        Some(at) => Err(wrong(at)),
        None => Ok(text),
    }
}

pub(super) fn boolean(value: &[u8], how: Reading<'_>) -> Result<bool> {
    if how.format == Format::Binary {
        return Ok(exactly::<1>(value)?[0] != 0);
    }
    let text = text(value)?;
    let word = text.trim().to_ascii_lowercase();
    let starts = |full: &str, least: usize| word.len() >= least && full.starts_with(&word);
    if word == "1" || starts("true", 1) || starts("yes", 1) || starts("on", 2) {
        return Ok(true);
    }
    if word == "0" || starts("false", 1) || starts("no", 1) || starts("off", 2) {
        return Ok(false);
    }
    Err(invalid_text("boolean", text))
}

/// Integers that can be read from 2, 4 and 8 bytes.
pub(super) trait Width: Sized + FromStr {
    fn from_bytes(value: &[u8]) -> Result<Self>;
}

macro_rules! widths {
    ($($native:ty),*) => {$(
        impl Width for $native {
            fn from_bytes(value: &[u8]) -> Result<Self> {
                Ok(Self::from_be_bytes(exactly(value)?))
            }
        }
    )*};
}

widths!(i16, i32, i64, u32);

pub(super) fn integer<T: Width>(value: &[u8], how: Reading<'_>, ty: &SqlType) -> Result<T> {
    if how.format == Format::Binary {
        return T::from_bytes(value);
    }
    let text = text(value)?;
    let digits = text.trim();
    if let Ok(value) = digits.parse() {
        return Ok(value);
    }
    let bare = digits.trim_start_matches(['+', '-']);
    if !bare.is_empty()
        && bare.bytes().all(|b| b.is_ascii_digit())
        && digits.len() - bare.len() <= 1
    {
        return Err(out_of_range(&ty.to_string(), text));
    }
    Err(invalid_text(&ty.to_string(), text))
}

pub(super) fn oid(value: &[u8], how: Reading<'_>) -> Result<u32> {
    integer(value, how, &SqlType::Oid)
}

pub(super) fn float4(value: &[u8], how: Reading<'_>) -> Result<f32> {
    if how.format == Format::Binary {
        return Ok(f32::from_be_bytes(exactly(value)?));
    }
    float(value, "real", |f: &f32| f.is_infinite(), |f| *f == 0.0)
}

pub(super) fn float8(value: &[u8], how: Reading<'_>) -> Result<f64> {
    if how.format == Format::Binary {
        return Ok(f64::from_be_bytes(exactly(value)?));
    }
    float(
        value,
        "double precision",
        |f: &f64| f.is_infinite(),
        |f| *f == 0.0,
    )
}

fn float<F: FromStr>(
    value: &[u8],
    ty: &str,
    infinite: impl Fn(&F) -> bool,
    zero: impl Fn(&F) -> bool,
) -> Result<F> {
    let text = text(value)?;
    let digits = text.trim();
    let Ok(float) = digits.parse::<F>() else {
        return Err(invalid_text(ty, text));
    };
    let lower = digits.to_ascii_lowercase();
    let overflow = infinite(&float) && !lower.contains("inf");
    let mantissa = lower.split('e').next().unwrap_or_default();
    let underflow = zero(&float) && mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if overflow || underflow {
        return Err(Error::user(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("\"{text}\" is out of range for type {ty}"),
        ));
    }
    Ok(float)
}

/// The unscaled value at a scale, rounded half away from zero.
pub(super) fn numeric(value: &[u8], how: Reading<'_>, precision: u8, scale: i8) -> Result<i128> {
    let owned;
    let text = match how.format {
        Format::Text => text(value)?.trim(),
        Format::Binary => {
            owned = binary_numeric(value)?;
            owned.as_str()
        }
    };
    let lower = text.to_ascii_lowercase();
    let lower = lower.trim_start_matches(['+', '-']);
    if matches!(lower, "nan" | "inf" | "infinity") {
        return Err(
            Error::unsupported(format!("numeric values cannot be {text}"))
                .hint("Use double precision."),
        );
    }
    let (negative, digits, exponent) =
        parse_decimal(text).ok_or_else(|| invalid_text("numeric", text))?;
    let overflow = || {
        Error::user(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "numeric field overflow",
        )
        .detail(format!(
            "A field with precision {precision}, scale {scale} cannot hold this value."
        ))
    };
    let shift = exponent + i64::from(scale);
    let mut unscaled: i128 = 0;
    // Digits at or beyond `keep` are cut off; the first of them rounds.
    let keep = digits.len() as i64 + shift.min(0);
    for (i, digit) in digits.iter().enumerate() {
        if i as i64 >= keep {
            if i as i64 == keep && *digit >= b'5' {
                unscaled = unscaled.checked_add(1).ok_or_else(overflow)?;
            }
            break;
        }
        let next = unscaled
            .checked_mul(10)
            .and_then(|v| v.checked_add(i128::from(digit - b'0')));
        unscaled = next.ok_or_else(overflow)?;
    }
    if unscaled != 0 && shift > 0 {
        let power = u32::try_from(shift)
            .ok()
            .and_then(|p| 10i128.checked_pow(p));
        unscaled = power
            .and_then(|p| unscaled.checked_mul(p))
            .ok_or_else(overflow)?;
    }
    if unscaled >= 10i128.pow(u32::from(precision.min(38))) {
        return Err(overflow());
    }
    Ok(if negative { -unscaled } else { unscaled })
}

/// Sign, digits without leading zeros, and the power of ten of the last digit.
fn parse_decimal(text: &str) -> Option<(bool, Vec<u8>, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    digits.drain(..zeros);
    Some((
        negative,
        digits,
        i64::from(exponent) - fraction.len() as i64,
    ))
}

/// The binary form of numeric as text: groups of four digits with a weight.
fn binary_numeric(value: &[u8]) -> Result<String> {
    if value.len() < 8 || !value.len().is_multiple_of(2) {
        return Err(invalid_binary());
    }
    let mut words = value
        .chunks_exact(2)
        .map(|w| u16::from_be_bytes([w[0], w[1]]));
    let mut next = || words.next().unwrap_or_default();
    let (count, weight, sign, _scale) = (next(), next() as i16, next(), next());
    match sign {
        0xc000 => return Ok("NaN".to_owned()),
        0xd000 => return Ok("Infinity".to_owned()),
        0xf000 => return Ok("-Infinity".to_owned()),
        0 | 0x4000 => {}
        _ => return Err(invalid_binary()),
    }
    let groups: Vec<u16> = words.collect();
    if groups.len() != usize::from(count) || groups.iter().any(|g| *g > 9999) {
        return Err(invalid_binary());
    }
    let digits: String = groups.iter().map(|g| format!("{g:04}")).collect();
    let exponent = 4 * (i32::from(weight) + 1) - digits.len() as i32;
    let minus = if sign == 0x4000 { "-" } else { "" };
    Ok(format!("{minus}0{digits}e{exponent}"))
}

/// json, checked.
pub(super) fn json(value: &[u8]) -> Result<&str> {
    let text = text(value)?;
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(text),
        Err(e) => Err(Error::user(
            SqlState::INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type json",
        )
        .detail(format!("{e}."))),
    }
}

pub(super) fn jsonb<'v>(value: &'v [u8], how: Reading<'_>) -> Result<&'v str> {
    if how.format == Format::Text {
        return json(value);
    }
    match value.split_first() {
        Some((1, rest)) => json(rest),
        Some((version, _)) => Err(Error::internal(format!(
            "unsupported jsonb version number {version}"
        ))),
        None => Err(invalid_binary()),
    }
}

/// uuid in its canonical text.
pub(super) fn uuid(value: &[u8], how: Reading<'_>) -> Result<String> {
    let bytes = match how.format {
        Format::Binary => exactly::<16>(value)?,
        Format::Text => {
            let text = text(value)?;
            parse_uuid(text).ok_or_else(|| invalid_uuid(text))?
        }
    };
    let mut out = BytesMut::with_capacity(36);
    put_uuid(&bytes, &mut out);
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// bytea: hex behind `\x`, or octal escapes.
pub(super) fn bytea(value: &[u8], how: Reading<'_>) -> Result<Vec<u8>> {
    if how.format == Format::Binary {
        return Ok(value.to_vec());
    }
    let text = text(value)?;
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = hex
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16).map(|d| d as u8))
            .collect::<Option<_>>()
            .ok_or_else(|| invalid_hex("invalid hexadecimal digit"))?;
        if !digits.len().is_multiple_of(2) {
            return Err(invalid_hex(
                "invalid hexadecimal data: odd number of digits",
            ));
        }
        return Ok(digits.chunks_exact(2).map(|d| d[0] << 4 | d[1]).collect());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
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
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            (b'\\', _) => return Err(invalid_text("bytea", text)),
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    Ok(bytes)
}

fn invalid_hex(text: &str) -> Error {
    Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
}
