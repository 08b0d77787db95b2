//! Exact decimal arithmetic as PostgreSQL's numeric does it, over unscaled integers of 128 bits.
//!
//! A value is `unscaled / 10^scale`. Arrow fixes the scale of a column where PostgreSQL gives every value its own:
//! quotients of columns have [`QUOTIENT_SCALE`] places at least, quotients of constants PostgreSQL's own number.
//! Source of the rules: `select_div_scale` and `round_var` in PostgreSQL's `numeric.c`.

mod wide;

pub use wide::{divided, ratio, root};

use crate::error::sql_error;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, i256};
use datafusion_common::Result;

/// Places of a quotient of columns: PostgreSQL's for results from 1 to 9999.
pub const QUOTIENT_SCALE: i8 = 16;

/// Digits that a decimal of 128 bits holds.
pub const PRECISION: u8 = DECIMAL128_MAX_PRECISION;

/// `10^n`; `None` beyond 128 bits.
pub fn power_of_ten(n: u32) -> Option<i128> {
    10_i128.checked_pow(n)
}

/// 22003, with PostgreSQL's text.
pub fn overflow() -> datafusion_common::DataFusionError {
    sql_error("22003", "value overflows numeric format")
}

/// 22012.
pub fn zero_divisor() -> datafusion_common::DataFusionError {
    sql_error("22012", "division by zero")
}

/// The precision and scale that hold every value of a type: of an integer, or of a decimal.
pub fn decimal_of(ty: &DataType) -> Option<(u8, i8)> {
    Some(match ty {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 | DataType::UInt64 => (20, 0),
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            (*p, *s)
        }
        _ => return None,
    })
}

/// A value at another scale, half away from zero; `None` when it leaves 128 bits.
pub fn rescaled(unscaled: i128, from: i8, to: i8) -> Option<i128> {
    let shift = i32::from(to) - i32::from(from);
    let factor = power_of_ten(shift.unsigned_abs());
    if shift >= 0 {
        return unscaled.checked_mul(factor?);
    }
    // What is divided by more than it can be is nothing.
    factor.map_or(Some(0), |divisor| Some(rounded(unscaled, divisor)))
}

/// A quotient, half away from zero; the divisor is not zero.
pub fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let half = divisor.unsigned_abs() - divisor.unsigned_abs() / 2;
    if rest.unsigned_abs() < half {
        return quotient;
    }
    if (dividend < 0) == (divisor < 0) {
        quotient + 1
    } else {
        quotient - 1
    }
}

/// The scale that PostgreSQL gives the quotient of two values: sixteen significant digits at least.
pub fn division_scale(dividend: (i128, i8), divisor: (i128, i8)) -> i8 {
    let (weight_1, digit_1) = first_digit(dividend);
    let (weight_2, digit_2) = first_digit(divisor);
    let weight = weight_1 - weight_2 - i32::from(digit_1 <= digit_2);
    let scale = 16 - weight * 4;
    let scale = scale.max(dividend.1.into()).max(divisor.1.into()).max(0);
    // Room for the digits before the point.
    let room = 37 - 4 * (weight + 1).max(0);
    i8::try_from(scale.min(room).max(0)).unwrap_or(QUOTIENT_SCALE)
}

/// Weight and value of the first digit to the base of 10 000.
fn first_digit((unscaled, scale): (i128, i8)) -> (i32, u128) {
    let size = unscaled.unsigned_abs();
    let Some(log) = size.checked_ilog10() else {
        return (0, 0);
    };
    let exponent = i32::try_from(log).unwrap_or(0) - i32::from(scale);
    let weight = exponent.div_euclid(4);
    let places = i32::from(scale) + 4 * weight;
    let power = 10_u128
        .checked_pow(places.unsigned_abs())
        .unwrap_or(u128::MAX);
    let digit = if places >= 0 {
        size / power
    } else {
        size.saturating_mul(power)
    };
    (weight, digit)
}

/// A wide value as one of 128 bits with at most [`PRECISION`] digits.
///
/// # Errors
/// 22003 when it does not fit.
pub fn narrowed(value: i256) -> Result<i128> {
    value.to_i128().map_or_else(|| Err(overflow()), checked)
}

/// A value that has at most [`PRECISION`] digits.
///
/// # Errors
/// 22003 when it has more.
pub fn checked(value: i128) -> Result<i128> {
    const LIMIT: u128 = 10_u128.pow(PRECISION as u32);
    if value.unsigned_abs() < LIMIT {
        Ok(value)
    } else {
        Err(overflow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_goes_away_from_zero() {
        assert_eq!(rescaled(25, 1, 0), Some(3));
        assert_eq!(rescaled(-25, 1, 0), Some(-3));
        assert_eq!(rescaled(24, 1, 0), Some(2));
        assert_eq!(rescaled(2, 0, 3), Some(2000));
        assert_eq!(rescaled(7, 60, 0), Some(0));
        assert_eq!(rounded(1, 3), 0);
        assert_eq!(rounded(2, -3), -1);
    }

    #[test]
    fn quotients_have_postgres_scales() {
        for (dividend, divisor, scale) in [
            ((70, 1), (2, 0), 16),
            ((10, 1), (3, 0), 20),
            ((2, 0), (30, 1), 20),
            ((10, 0), (4, 0), 16),
            ((22_345, 0), (1, 0), 12),
            ((12_345, 0), (1, 0), 16),
            ((0, 0), (7, 0), 20),
        ] {
            assert_eq!(
                division_scale(dividend, divisor),
                scale,
                "{dividend:?} / {divisor:?}"
            );
        }
    }
}
