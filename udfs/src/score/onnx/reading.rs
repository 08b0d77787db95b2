//! From a feature's value to what a node compares: rounding, then the steps of scalers and imputers before the trees.
//!
//! Each step keeps the order of numbers (a scale must be positive), and rounding does, so all of them together do: the
//! values that end up at most t are again those up to some number. Without steps it is computed directly, with steps
//! it is found by halving, which ends because there are finitely many numbers; each try applies the steps as ONNX
//! Runtime does, in the precision it does. An imputer decides where NaN goes.

use super::ensemble::Question;
use super::split::{Comparison, Precision, side};
use crate::score::forest::tree::Split;

/// A step of an input column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Add(f64),
    Subtract(f64),
    Multiply(f64),
    Divide(f64),
    /// NaN becomes a number.
    Impute(f64),
    /// To the step's precision.
    Cast,
}

/// How a value is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Of the input itself.
    pub precision: Precision,
    /// With the precision they are computed in.
    pub steps: Vec<(Step, Precision)>,
}

impl Reading {
    /// Rounded only.
    pub fn plain(precision: Precision) -> Self {
        Self {
            precision,
            steps: Vec::new(),
        }
    }

    /// Rounded to `float` from here on.
    pub fn as_float(&mut self) {
        if self.steps.is_empty() {
            self.precision = Precision::Single;
        } else {
            self.steps.push((Step::Cast, Precision::Single));
        }
    }

    /// What is compared.
    fn value(&self, value: f64) -> f64 {
        let round = |v: f64, precision| match precision {
            Precision::Single => f64::from(v as f32),
            Precision::Double => v,
        };
        let mut x = round(value, self.precision);
        for (step, precision) in &self.steps {
            // One operation in f64 and rounding is that operation in f32: f64 has more than twice its bits.
            x = match step {
                Step::Add(c) => round(x + c, *precision),
                Step::Subtract(c) => round(x - c, *precision),
                Step::Multiply(c) => round(x * c, *precision),
                Step::Divide(c) => round(x / c, *precision),
                Step::Impute(c) if x.is_nan() => *c,
                Step::Impute(_) => x,
                Step::Cast => round(x, *precision),
            };
        }
        x
    }

    /// The largest value that is at most `t` when it is compared; `t` must not be NaN.
    fn at_most(&self, t: f64) -> Option<f64> {
        if self.steps.is_empty() {
            return Some(self.precision.at_most(t));
        }
        self.last(|v| v <= t)
    }

    /// The largest value that is below `t` when it is compared.
    fn below(&self, t: f64) -> Option<f64> {
        if self.steps.is_empty() {
            return self.precision.below(t);
        }
        self.last(|v| v < t)
    }

    /// The values that are equal to `t` when they are compared, as what they are above of and at most.
    pub fn equal(&self, t: f64) -> Option<(f64, f64)> {
        if self.steps.is_empty() {
            return self.precision.equal(t);
        }
        let (low, high) = (self.below(t)?, self.at_most(t)?);
        (low < high).then_some((low, high))
    }

    /// The largest value for which something holds that holds up to some number.
    fn last(&self, holds: impl Fn(f64) -> bool) -> Option<f64> {
        let holds_at = |key| holds(self.value(number(key, self.precision)));
        let (mut low, mut high) = (
            key(f64::NEG_INFINITY, self.precision),
            key(f64::INFINITY, self.precision),
        );
        if !holds_at(low) {
            return None;
        }
        if holds_at(high) {
            return Some(f64::INFINITY);
        }
        while low + 1 < high {
            let middle = i64::midpoint(low, high);
            if holds_at(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(self.precision.at_most(number(low, self.precision)))
    }

    /// Whether a question holds for NaN, given what its node says.
    pub fn nan_holds(&self, question: &Question, of_node: bool) -> bool {
        let x = self.value(f64::NAN);
        match question {
            _ if x.is_nan() => of_node,
            Question::In(set) => set.contains(&x),
            Question::Compare(Comparison::AtMost, t) => x <= *t,
            Question::Compare(Comparison::Below, t) => x < *t,
            Question::Compare(Comparison::AtLeast, t) => x >= *t,
            Question::Compare(Comparison::Above, t) => x > *t,
        }
    }

    /// A numeric split, and whether its left side is where the comparison holds. `None` when nothing is below `t`.
    pub fn split(&self, comparison: Comparison, t: f64, nan_holds: bool) -> Option<(Split, bool)> {
        let threshold = match comparison {
            Comparison::AtMost | Comparison::Above => self.at_most(t)?,
            Comparison::Below | Comparison::AtLeast => self.below(t)?,
        };
        let left_holds = matches!(comparison, Comparison::AtMost | Comparison::Below);
        Some((side(threshold, nan_holds == left_holds), left_holds))
    }
}

/// Numbers of a precision in their order: the bits of positive ones ascend, those of negative ones descend.
fn key(number: f64, precision: Precision) -> i64 {
    match precision {
        Precision::Single => {
            let bits = (number as f32).to_bits() as i32;
            i64::from(bits ^ (bits >> 31 & i32::MAX))
        }
        Precision::Double => {
            let bits = number.to_bits() as i64;
            bits ^ (bits >> 63 & i64::MAX)
        }
    }
}

/// The number of a key.
fn number(key: i64, precision: Precision) -> f64 {
    match precision {
        Precision::Single => {
            let key = key as i32;
            f64::from(f32::from_bits((key ^ (key >> 31 & i32::MAX)) as u32))
        }
        Precision::Double => f64::from_bits((key ^ (key >> 63 & i64::MAX)) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for precision in [Precision::Single, Precision::Double] {
            let numbers = [f64::NEG_INFINITY, -2.5, -1.0, -0.0, 0.0, 1.0, f64::INFINITY];
            let keys = numbers.map(|n| key(n, precision));
            assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
            assert_eq!(keys.map(|k| number(k, precision)), numbers);
        }
    }

    /// Modes and the side of NaN, against the comparison itself.
    #[test]
    fn truth_table() {
        type Holds = fn(f64, f64) -> bool;
        let cases: [(Comparison, Holds); 4] = [
            (Comparison::AtMost, |v, t| v <= t),
            (Comparison::Below, |v, t| v < t),
            (Comparison::AtLeast, |v, t| v >= t),
            (Comparison::Above, |v, t| v > t),
        ];
        let reading = Reading::plain(Precision::Single);
        for (comparison, holds) in cases {
            for nan_holds in [false, true] {
                for v in [-1.0, 0.5, 1.0, 1.5, f64::NAN] {
                    let (split, left_holds) = reading.split(comparison, 1.0, nan_holds).unwrap();
                    let want = holds(v, 1.0) || nan_holds && v.is_nan();
                    let got = split.goes_left(v, &[]) == left_holds;
                    assert_eq!(got, want, "{comparison:?} {v} {nan_holds}");
                }
            }
        }
    }

    /// Values around a threshold that was moved through steps are on the side that computing them tells.
    #[test]
    fn steps_move_into_the_threshold() {
        for precision in [Precision::Single, Precision::Double] {
            for scale in [0.3, 1.0, 7e5, 1e-8] {
                let steps = [
                    Step::Subtract(0.1_f32.into()),
                    Step::Multiply(scale),
                    Step::Divide(3.0),
                    Step::Add(1e3),
                ];
                let reading = Reading {
                    precision,
                    steps: steps.map(|s| (s, precision)).to_vec(),
                };
                for t in [-5.5, 0.0, 0.1, 999.75, 1e3, 1e3 + 0.125, 1e9] {
                    let (most, below) = (reading.at_most(t).unwrap(), reading.below(t).unwrap());
                    assert!(reading.value(most) <= t && reading.value(most.next_up()) > t);
                    assert!(reading.value(below) < t && reading.value(below.next_up()) >= t);
                }
            }
        }
    }
}
