//! The question of a node, asked of an `f64`.
//!
//! In ONNX a feature is a `float`: a value is rounded to the nearest one before it is compared. Rounding never
//! changes the order of two numbers, so the values that end up at most t are those up to some `f64`, and there
//! is a largest one. [`Precision::at_most`] computes it, hence no scorer for `f32` is needed: it lies where
//! rounding goes from the last `f32` not above t to the one after it, half way between the two, and that point
//! itself belongs to the one whose last bit is 0 (ties to even).
//!
//! `v < t` asks for the number before t; `v >= t` and `v > t` are the two negated, which swaps the branches.
//! Nothing compares with NaN; a node says beside its mode where NaN goes. `reading` puts this together with what
//! happens to a value before it is compared.

use crate::score::forest::tree::Split;

/// What values are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `float`.
    Single,
    /// `double`.
    Double,
}

/// From here on a positive value is an infinite `f32`: half a step above the largest one.
const SINGLE_OVERFLOW: f64 = 340_282_356_779_733_661_637_539_395_458_142_568_448.0;

impl Precision {
    /// The largest value that is at most `t` when it is compared; `t` must not be NaN.
    pub fn at_most(self, t: f64) -> f64 {
        if self == Self::Double {
            return t;
        }
        let mut last = t as f32;
        if f64::from(last) > t {
            last = last.next_down();
        }
        if last == f32::INFINITY {
            return f64::INFINITY;
        }
        if last == f32::NEG_INFINITY {
            return -SINGLE_OVERFLOW;
        }
        let border = if last == f32::MAX {
            SINGLE_OVERFLOW
        } else {
            // Two neighbours have 24 bits each: their sum and its half are exact.
            f64::midpoint(f64::from(last), f64::from(last.next_up()))
        };
        if border as f32 <= last {
            border
        } else {
            border.next_down()
        }
    }

    /// The largest value that is below `t` when it is compared; nothing is when `t` is the least number.
    pub fn below(self, t: f64) -> Option<f64> {
        let before = match self {
            Self::Double => t.next_down(),
            Self::Single => {
                let near = t as f32;
                let last = if f64::from(near) >= t {
                    near.next_down()
                } else {
                    near
                };
                f64::from(last)
            }
        };
        (t > f64::NEG_INFINITY).then(|| self.at_most(before))
    }

    /// The values that are equal to `t` when they are compared, as what they are above of and at most;
    /// `None` when there are none.
    pub fn equal(self, t: f64) -> Option<(f64, f64)> {
        let representable = self == Self::Double || f64::from(t as f32) == t;
        let low = self.below(t).filter(|_| representable)?;
        Some((low, self.at_most(t)))
    }
}

/// How a node compares a value with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    AtMost,
    Below,
    AtLeast,
    Above,
}

/// Up to a threshold left, above right, NaN as told.
pub fn side(threshold: f64, nan_left: bool) -> Split {
    if nan_left {
        Split::NotAbove(threshold)
    } else {
        Split::AtMost(threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of pseudo-random numbers (xorshift).
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    /// Thresholds of every kind, and values around them as well as far away.
    fn pairs(mut check: impl FnMut(f64, f32)) {
        let mut random = Random(7);
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            -f32::from_bits(1),
            0.1,
            16_777_216.0,
        ];
        let mut thresholds: Vec<f32> = special.to_vec();
        while thresholds.len() < 3000 {
            let t = f32::from_bits(random.next() as u32);
            if t.is_finite() {
                thresholds.push(t);
            }
        }
        for t in thresholds {
            let mut values = vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
            for near in [t, t.next_up(), t.next_down()] {
                let half = f64::midpoint(f64::from(t), f64::from(near));
                for v in [f64::from(near), half] {
                    values.extend([v, v.next_up(), v.next_down()]);
                }
            }
            for border in [SINGLE_OVERFLOW, -SINGLE_OVERFLOW] {
                values.extend([border, border.next_up(), border.next_down()]);
            }
            for _ in 0..20 {
                let wide = f64::from_bits(random.next());
                let scale = 1.0 + (random.next() % 1000) as f64 * 1e-10;
                values.extend([wide, f64::from(t) * scale, f64::from(t) / scale]);
            }
            values.retain(|v| !v.is_nan());
            values.into_iter().for_each(|v| check(v, t));
        }
    }

    #[test]
    fn rounding_moves_into_the_threshold() {
        pairs(|v, t| {
            let (single, wide) = (Precision::Single, f64::from(t));
            assert_eq!(v as f32 <= t, v <= single.at_most(wide), "{v:e} <= {t:e}");
            let below = single.below(wide).is_some_and(|b| v <= b);
            assert_eq!((v as f32) < t, below, "{v:e} < {t:e}");
            let equal = single.equal(wide).is_some_and(|(a, b)| v > a && v <= b);
            assert_eq!(v as f32 == t, equal, "{v:e} = {t:e}");
            let double = Precision::Double;
            assert_eq!(v < wide, double.below(wide).is_some_and(|b| v <= b));
        });
    }

    /// Values that were rounded may be compared with a `double`.
    #[test]
    fn thresholds_between_two_floats() {
        let mut random = Random(11);
        for _ in 0..200_000 {
            let t = f64::from_bits(random.next());
            let v = t * (1.0 + (random.next() % 1000) as f64 * 1e-10);
            if t.is_nan() || v.is_nan() {
                continue;
            }
            let rounded = f64::from(v as f32);
            assert_eq!(
                rounded <= t,
                v <= Precision::Single.at_most(t),
                "{v:e} <= {t:e}"
            );
            let below = Precision::Single.below(t).is_some_and(|b| v <= b);
            assert_eq!(rounded < t, below, "{v:e} < {t:e}");
            let equal = Precision::Single
                .equal(t)
                .is_some_and(|(a, b)| v > a && v <= b);
            assert_eq!(rounded == t, equal, "{v:e} = {t:e}");
        }
    }

    #[test]
    fn infinite_thresholds() {
        for precision in [Precision::Single, Precision::Double] {
            assert_eq!(precision.at_most(f64::INFINITY), f64::INFINITY);
            assert_eq!(precision.below(f64::NEG_INFINITY), None);
            assert!(precision.at_most(f64::NEG_INFINITY) >= f64::NEG_INFINITY);
            assert!(precision.below(f64::INFINITY).unwrap() < f64::INFINITY);
        }
    }
}
