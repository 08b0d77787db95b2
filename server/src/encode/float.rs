//! float4 and float8: the shortest text that reads back the same, in PostgreSQL's notation.

use super::column::Values;
use alcedo_engine::Result;
use arrow::array::{ArrowPrimitiveType, PrimitiveArray};
use bytes::{BufMut, BytesMut};

/// A float with the limits of its notation.
pub(super) trait Float: ryu::Float + Copy + std::fmt::LowerExp {
    /// From this exponent on, scientific notation.
    const FIXED_EXPONENT_MAX: i32;
    /// Digits that every value of the type keeps.
    const DIGITS: i32;
    fn parts(self) -> (bool, bool, bool);
    fn put(self, out: &mut BytesMut);
}

macro_rules! floats {
    ($native:ty, $exponent:literal, $digits:literal) => {
        impl Float for $native {
            const FIXED_EXPONENT_MAX: i32 = $exponent;
            const DIGITS: i32 = $digits;
            #[inline]
            fn parts(self) -> (bool, bool, bool) {
                (self.is_nan(), self.is_infinite(), self.is_sign_negative())
            }
            #[inline]
            fn put(self, out: &mut BytesMut) {
                out.put_slice(&self.to_be_bytes());
            }
        }
    };
}

floats!(f32, 6, 6);
floats!(f64, 15, 15);

/// Floats; `digits` is `extra_float_digits` when that is below 1.
pub(super) struct Floats<T: ArrowPrimitiveType> {
    pub(super) array: PrimitiveArray<T>,
    pub(super) digits: Option<i32>,
}

impl<T> Values for Floats<T>
where
    T: ArrowPrimitiveType,
    T::Native: Float,
{
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        put_float(self.array.value(row), self.digits, out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.array.value(row).put(out);
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        self.text(row, out)?;
        let (nan, infinite, _) = self.array.value(row).parts();
        if nan || infinite {
            super::nested::quote(start, out);
        }
        Ok(())
    }
}

fn put_float<F: Float>(value: F, digits: Option<i32>, out: &mut BytesMut) {
    match value.parts() {
        (true, _, _) => return out.put_slice(b"NaN"),
        (_, true, true) => return out.put_slice(b"-Infinity"),
        (_, true, false) => return out.put_slice(b"Infinity"),
        _ => {}
    }
    match digits {
        None => {
            let mut buffer = ryu::Buffer::new();
            put_notation::<F>(buffer.format_finite(value), F::FIXED_EXPONENT_MAX, out);
        }
        Some(extra) => {
            let digits = (F::DIGITS + extra).max(1);
            let text = format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0));
            put_notation::<F>(&text, digits, out);
        }
    }
}

/// Rewrites a number such as `-1.25e-7` or `100.0` as C's `%g` would.
fn put_notation<F: Float>(text: &str, fixed_exponent_max: i32, out: &mut BytesMut) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    out.put_slice(sign.as_bytes());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // All digits without the point, leading and trailing zeros; at most 17 and a few zeros come from ryu.
    let mut digits = [0u8; 48];
    let mut count = 0;
    for byte in whole.bytes().chain(fraction.bytes()).take(digits.len()) {
        digits[count] = byte;
        count += 1;
    }
    let leading = digits[..count].iter().take_while(|d| **d == b'0').count();
    let trailing = digits[..count]
        .iter()
        .rev()
        .take_while(|d| **d == b'0')
        .count();
    if leading == count {
        return out.put_u8(b'0');
    }
    // Exponent of the first digit that counts.
    let exponent = exponent + whole.len() as i32 - 1 - leading as i32;
    let digits = &digits[leading..count - trailing];
    if exponent < -4 || exponent >= fixed_exponent_max {
        out.put_u8(digits[0]);
        if digits.len() > 1 {
            out.put_u8(b'.');
            out.put_slice(&digits[1..]);
        }
        out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let size = exponent.unsigned_abs();
        if size < 10 {
            out.put_u8(b'0');
        }
        out.put_slice(itoa::Buffer::new().format(size).as_bytes());
    } else if exponent < 0 {
        out.put_slice(b"0.");
        out.put_bytes(b'0', (-exponent - 1) as usize);
        out.put_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            out.put_slice(digits);
            out.put_bytes(b'0', whole - digits.len());
        } else {
            out.put_slice(&digits[..whole]);
            out.put_u8(b'.');
            out.put_slice(&digits[whole..]);
        }
    }
}
