//! What a plan knows of a feature before any row is read, from `WHERE country = 'US' AND age BETWEEN 18 AND 25`.

use super::features::ZERO_MAX;

/// The values that a feature can have in the rows that matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The least value; above [`Self::high`] when there is none.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
    /// Whether it may be missing.
    pub missing: bool,
}

impl Known {
    /// Nothing is known.
    pub const ANYTHING: Self = Self {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
        missing: true,
    };

    /// No row matters.
    pub const NOTHING: Self = Self {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
        missing: false,
    };

    /// One value, or a missing one.
    pub fn value(value: f64) -> Self {
        if value.is_nan() {
            return Self {
                missing: true,
                ..Self::NOTHING
            };
        }
        Self {
            low: value,
            high: value,
            missing: false,
        }
        .settled()
    }

    /// Values up to `high`, none missing.
    pub fn up_to(high: f64) -> Self {
        Self {
            high,
            missing: false,
            ..Self::ANYTHING
        }
        .settled()
    }

    /// Values from `low` on, none missing.
    pub fn from(low: f64) -> Self {
        Self {
            low,
            missing: false,
            ..Self::ANYTHING
        }
        .settled()
    }

    /// What is next to nothing is read as 0.
    fn settled(self) -> Self {
        Self {
            low: if self.low.abs() <= ZERO_MAX {
                self.low.min(0.0)
            } else {
                self.low
            },
            high: if self.high.abs() <= ZERO_MAX {
                self.high.max(0.0)
            } else {
                self.high
            },
            ..self
        }
    }

    /// What holds when both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
            missing: self.missing && other.missing,
        }
    }

    /// What holds when one of both does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            missing: self.missing || other.missing,
        }
    }

    /// Whether there are values.
    pub fn has_values(self) -> bool {
        self.low <= self.high
    }
}
