//! Numbers of JSON, and strings that are numbers, into SQL's: exactly, or not at all.

use super::lexer::{Kind, Raw};
use super::text::{unescaped, utf8};
use crate::format::Fault;
use std::borrow::Cow;

/// The text of a number, or of a string that should be one.
#[inline]
fn digits<'a>(bytes: &'a [u8], raw: Raw, wanted: &str) -> Result<Cow<'a, [u8]>, Fault> {
    match raw.kind {
        Kind::Number => Ok(Cow::Borrowed(raw.of(bytes))),
        Kind::Text => Ok(Cow::Borrowed(raw.of(bytes).trim_ascii())),
        Kind::Escaped => Ok(Cow::Owned(
            unescaped(bytes, raw)?.trim().as_bytes().to_vec(),
        )),
        _ => Err(not(wanted, bytes, raw)),
    }
}

/// What is said of a value that is something else.
#[cold]
pub(super) fn not(wanted: &str, bytes: &[u8], raw: Raw) -> Fault {
    const SHOWN_MAX: usize = 64;
    let text = String::from_utf8_lossy(raw.json(bytes));
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown} is not {wanted}").into()
}

#[cold]
fn outside(ty: &str, bytes: &[u8], raw: Raw) -> Fault {
    not(&format!("in the range of {ty}"), bytes, raw)
}

/// A whole number between two limits.
#[inline]
pub(super) fn integer(
    bytes: &[u8],
    raw: Raw,
    ty: &str,
    least: i64,
    most: i64,
) -> Result<i64, Fault> {
    let text = digits(bytes, raw, "an integer")?;
    let value = match short(&text) {
        Some(value) => value,
        None => {
            let number = Decimal::parse(&text).ok_or_else(|| not("an integer", bytes, raw))?;
            let (value, exact) = number.scaled(0).ok_or_else(|| outside(ty, bytes, raw))?;
            if !exact {
                return Err(not("an integer", bytes, raw));
            }
            i64::try_from(value).map_err(|_| outside(ty, bytes, raw))?
        }
    };
    if value < least || value > most {
        return Err(outside(ty, bytes, raw));
    }
    Ok(value)
}

/// Up to 18 digits and nothing else but a sign: no overflow to look for.
#[inline]
fn short(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// A float8; its text is read once, to the nearest value.
#[inline]
pub(super) fn float8(bytes: &[u8], raw: Raw) -> Result<f64, Fault> {
    let text = digits(bytes, raw, "a number")?;
    let value: Option<f64> = utf8(&text)?.parse().ok();
    match value {
        Some(value) if value.is_finite() || !text.iter().any(u8::is_ascii_digit) => Ok(value),
        Some(_) => Err(outside("double precision", bytes, raw)),
        None => Err(not("a number", bytes, raw)),
    }
}

/// A float4, to the nearest value.
pub(super) fn float4(bytes: &[u8], raw: Raw) -> Result<f32, Fault> {
    let text = digits(bytes, raw, "a number")?;
    let value: Option<f32> = utf8(&text)?.parse().ok();
    match value {
        Some(value) if value.is_finite() || !text.iter().any(u8::is_ascii_digit) => Ok(value),
        Some(_) => Err(outside("real", bytes, raw)),
        None => Err(not("a number", bytes, raw)),
    }
}

/// A numeric as a multiple of 10^-scale. `rounds` is for declared scales: PostgreSQL rounds to them.
pub(super) fn numeric(
    bytes: &[u8],
    raw: Raw,
    precision: u8,
    scale: i8,
    rounds: bool,
) -> Result<i128, Fault> {
    let text = digits(bytes, raw, "a number")?;
    let number = Decimal::parse(&text).ok_or_else(|| not("a number", bytes, raw))?;
    let limit = 10i128
        .checked_pow(u32::from(precision))
        .unwrap_or(i128::MAX);
    let fits = number
        .scaled(i32::from(scale))
        .filter(|(value, _)| value.abs() < limit);
    let (value, exact) =
        fits.ok_or_else(|| outside(&format!("numeric({precision},{scale})"), bytes, raw))?;
    if !exact && !rounds {
        let wanted = format!(
            "a number with up to {scale} digits after the point (declare numeric(p,s) for more)"
        );
        return Err(not(&wanted, bytes, raw));
    }
    Ok(value)
}

/// A number in decimal: digits × 10^exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    negative: bool,
    digits: u128,
    exponent: i32,
    /// Digits that did not fit were not all zero.
    more: bool,
}

impl Decimal {
    /// Reads digits with sign, point and exponent, as in JSON but also `+1`, `.5` and `5.`
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut number = Self {
            negative: false,
            digits: 0,
            exponent: 0,
            more: false,
        };
        let mut rest = text;
        if let Some((sign @ (b'-' | b'+'), after)) = rest.split_first() {
            number.negative = *sign == b'-';
            rest = after;
        }
        let (mut seen, mut point) = (false, false);
        while let Some((b, after)) = rest.split_first() {
            match b {
                b'0'..=b'9' => number.push(b - b'0', point),
                b'.' if !point => point = true,
                b'e' | b'E' if seen => {
                    let shift: i32 = std::str::from_utf8(after).ok()?.parse().ok()?;
                    number.exponent = number.exponent.checked_add(shift)?;
                    return Some(number);
                }
                _ => return None,
            }
            seen |= b.is_ascii_digit();
            rest = after;
        }
        seen.then_some(number)
    }

    fn push(&mut self, digit: u8, point: bool) {
        let longer = self
            .digits
            .checked_mul(10)
            .and_then(|d| d.checked_add(u128::from(digit)));
        match longer {
            Some(digits) if !self.more => {
                self.digits = digits;
                self.exponent -= i32::from(point);
            }
            _ => {
                self.more |= digit != 0;
                self.exponent += i32::from(!point);
            }
        }
    }

    /// The number × 10^scale, rounded half away from zero, and whether that is exact; `None` when it does not fit.
    pub(super) fn scaled(self, scale: i32) -> Option<(i128, bool)> {
        if self.digits == 0 {
            return Some((0, !self.more));
        }
        let shift = self.exponent.checked_add(scale)?;
        let power = 10u128.checked_pow(shift.unsigned_abs());
        let (value, exact) = match (shift >= 0, power) {
            (true, Some(power)) => (self.digits.checked_mul(power)?, !self.more),
            (true, None) => return None,
            (false, Some(power)) => {
                let (whole, part) = (self.digits / power, self.digits % power);
                (
                    whole + u128::from(part >= power - part),
                    part == 0 && !self.more,
                )
            }
            (false, None) => (0, false),
        };
        let value = i128::try_from(value).ok()?;
        Some((if self.negative { -value } else { value }, exact))
    }
}
