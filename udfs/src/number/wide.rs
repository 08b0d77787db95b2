//! Division and roots with 256 bits in between, for what 128 do not hold.

use super::{narrowed, overflow, power_of_ten, rounded, zero_divisor};
use arrow::datatypes::i256;
use datafusion_common::Result;

/// The quotient of two values at a scale, half away from zero.
///
/// # Errors
/// 22012 for a divisor of zero, 22003 for a quotient of too many digits.
#[inline]
pub fn divided(dividend: (i128, i8), divisor: (i128, i8), scale: i8) -> Result<i128> {
    if divisor.0 == 0 {
        return Err(zero_divisor());
    }
    let shift = i32::from(scale) - i32::from(dividend.1) + i32::from(divisor.1);
    let factor = power_of_ten(shift.unsigned_abs());
    // Nearly always 128 bits are enough.
    if let Some(factor) = factor
        && shift >= 0
        && let Some(shifted) = dividend.0.checked_mul(factor)
    {
        return super::checked(rounded(shifted, divisor.0));
    }
    let factor = wide_power(shift.unsigned_abs()).ok_or_else(overflow)?;
    let (mut dividend, mut divisor) = (i256::from_i128(dividend.0), i256::from_i128(divisor.0));
    if shift >= 0 {
        dividend = dividend.checked_mul(factor).ok_or_else(overflow)?;
    } else {
        divisor = divisor.checked_mul(factor).ok_or_else(overflow)?;
    }
    narrowed(wide_rounded(dividend, divisor)?)
}

fn wide_power(n: u32) -> Option<i256> {
    i256::from_i128(10).checked_pow(n)
}

fn wide_rounded(dividend: i256, divisor: i256) -> Result<i256> {
    let quotient = dividend.checked_div(divisor).ok_or_else(overflow)?;
    let rest = dividend.wrapping_sub(quotient.wrapping_mul(divisor));
    let doubled = rest.wrapping_abs().wrapping_add(rest.wrapping_abs());
    if doubled < divisor.wrapping_abs() {
        return Ok(quotient);
    }
    let one = i256::from_i128(1);
    Ok(if dividend.is_negative() == divisor.is_negative() {
        quotient.wrapping_add(one)
    } else {
        quotient.wrapping_sub(one)
    })
}

/// `dividend / divisor` at a scale, half away from zero.
///
/// # Errors
/// 22012 and 22003 as [`divided`].
pub fn ratio(dividend: i256, divisor: i256, scale: i8) -> Result<i128> {
    if divisor == i256::ZERO {
        return Err(zero_divisor());
    }
    let shifted = wide_power(scale.max(0).unsigned_abs().into())
        .and_then(|factor| dividend.checked_mul(factor))
        .ok_or_else(overflow)?;
    narrowed(wide_rounded(shifted, divisor)?)
}

/// `sqrt(dividend / divisor)` at a scale, rounded; Newton's method on integers.
///
/// # Errors
/// 22012 and 22003 as [`divided`].
pub fn root(dividend: i256, divisor: i256, scale: i8) -> Result<i128> {
    if divisor == i256::ZERO {
        return Err(zero_divisor());
    }
    // One place more than asked for, to round by.
    let places = 2 * (u32::from(scale.unsigned_abs()) + 1);
    let square = wide_power(places)
        .and_then(|factor| dividend.checked_mul(factor))
        .and_then(|shifted| shifted.checked_div(divisor))
        .ok_or_else(overflow)?;
    let root = narrowed(integer_root(square))?;
    Ok(rounded(root, 10))
}

/// The greatest integer whose square is not greater.
fn integer_root(square: i256) -> i256 {
    let (zero, one) = (i256::ZERO, i256::from_i128(1));
    if square <= zero {
        return zero;
    }
    let bits = 256 - square.leading_zeros();
    let Ok(half) = u8::try_from(bits.div_ceil(2)) else {
        return zero;
    };
    let mut guess = one << half;
    loop {
        let Some(quotient) = square.checked_div(guess) else {
            return guess;
        };
        let next = guess.wrapping_add(quotient) >> 1;
        if next >= guess {
            return guess;
        }
        guess = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_in_128_and_256_bits() {
        assert_eq!(
            divided((70, 1), (2, 0), 16).unwrap(),
            35_000_000_000_000_000
        );
        assert_eq!(
            divided((2, 0), (3, 0), 20).unwrap(),
            66_666_666_666_666_666_667
        );
        let large = 10_i128.pow(30);
        assert_eq!(
            divided((large, 0), (3 * large, 0), 16).unwrap(),
            3_333_333_333_333_333
        );
        assert!(divided((large, 0), (1, 0), 16).is_err());
        assert!(divided((1, 0), (0, 0), 16).is_err());
    }

    #[test]
    fn takes_roots() {
        let of = |n: i128, d: i128, s| root(i256::from_i128(n), i256::from_i128(d), s).unwrap();
        assert_eq!(of(5, 4, 16), 11_180_339_887_498_948);
        assert_eq!(of(5, 3, 16), 12_909_944_487_358_056);
        assert_eq!(of(0, 3, 16), 0);
        assert_eq!(of(16, 1, 0), 4);
    }
}
