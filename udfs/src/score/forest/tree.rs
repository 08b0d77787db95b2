//! One decision tree and its decision rule: the meaning of a split, obvious rather than fast.
//!
//! A walk starts at node 0 and at every node goes left or right until it meets a leaf. How a node
//! decides depends on its kind (`≈ 0` is a magnitude of at most [`ZERO_MAX`]; `d` is the default side):
//!
//! | split       | missing type | NaN            | ≈ 0           | other value      |
//! |-------------|--------------|----------------|---------------|------------------|
//! | numeric     | none         | as if it was 0 | `v <= t` left | `v <= t` left    |
//! | numeric     | zero         | d              | d             | `v <= t` left    |
//! | numeric     | NaN          | d              | `v <= t` left | `v <= t` left    |
//! | categorical | any          | right          | in set: left  | ⌊v⌋ in set: left |
//!
//! ⌊v⌋ cuts towards zero, so -0.5 is category 0; negative codes and codes of 2^31 and more go right.
//! With missing types none and NaN the side of NaN is known when the model is loaded (for none it is the
//! side of 0), hence two forms are enough for them: [`Split::AtMost`] sends NaN right and
//! [`Split::NotAbove`] sends it left.
//!
//! A leaf is a number, or in a linear tree `constant + Σ coefficient · feature`, added in the file's order;
//! when one of its features is NaN, the leaf's plain number counts.
//!
//! Layout: children are `i32`, nodes as they are and leaf n as `!n`. Invariants, which the parser checks:
//! every index is in range, every node and leaf hangs in the tree once, thresholds are not NaN.

use crate::score::features::ZERO_MAX;

/// What a numeric split takes for a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing: NaN counts as 0.
    None,
    /// 0 and NaN.
    Zero,
    /// NaN.
    NaN,
}

/// The question a node asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Left when `value <= threshold`; NaN goes right.
    AtMost(f64),
    /// Right when `value > threshold`; NaN goes left.
    NotAbove(f64),
    /// 0 and NaN go to the default side, others left when `value <= threshold`.
    ZeroMissing {
        /// The largest value that goes left.
        threshold: f64,
        /// Whether 0 and NaN go left.
        left: bool,
    },
    /// Left when the value's bit is set in `words` 32-bit words of the tree's sets from `start`.
    Category {
        /// First word.
        start: u32,
        /// Number of words.
        words: u32,
    },
}

impl Split {
    /// A numeric split of the table above; the threshold must not be NaN.
    pub fn numeric(threshold: f64, missing: Missing, default_left: bool) -> Self {
        let nan_left = match missing {
            Missing::Zero => {
                return Self::ZeroMissing {
                    threshold,
                    left: default_left,
                };
            }
            Missing::NaN => default_left,
            Missing::None => 0.0 <= threshold,
        };
        if nan_left {
            Self::NotAbove(threshold)
        } else {
            Self::AtMost(threshold)
        }
    }

    /// The side a value goes to.
    #[inline]
    pub fn goes_left(self, value: f64, sets: &[u32]) -> bool {
        match self {
            Self::AtMost(threshold) => value <= threshold,
            // NaN is not above anything: the negation is meant.
            #[allow(clippy::neg_cmp_op_on_partial_ord)]
            Self::NotAbove(threshold) => !(value > threshold),
            Self::ZeroMissing { threshold, left } => {
                if value.is_nan() || value.abs() <= ZERO_MAX {
                    left
                } else {
                    value <= threshold
                }
            }
            Self::Category { start, words } => {
                if !(value > -1.0 && value < f64::from(1_u32 << 31)) {
                    return false;
                }
                let code = value as u32;
                let word = code / 32;
                word < words && sets[(start + word) as usize] >> (code % 32) & 1 == 1
            }
        }
    }
}

/// An inner node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// The question.
    pub split: Split,
    /// The feature it is asked of.
    pub feature: u32,
    /// Where "left" leads: a node, or leaf `!left`.
    pub left: i32,
    /// Where "right" leads: a node, or leaf `!right`.
    pub right: i32,
}

/// The linear function of a leaf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Linear {
    /// The constant term.
    pub constant: f64,
    /// Feature and coefficient, in the order they are added.
    pub terms: Vec<(u32, f64)>,
}

impl Linear {
    /// The function's value; `None` when one of its features is missing.
    #[inline]
    pub fn value(&self, feature: impl Fn(u32) -> f64) -> Option<f64> {
        let mut sum = self.constant;
        for (place, coefficient) in &self.terms {
            let value = feature(*place);
            if value.is_nan() {
                return None;
            }
            sum += coefficient * value;
        }
        Some(sum)
    }
}

/// A decision tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    /// Inner nodes; none when the tree is a single leaf.
    pub nodes: Vec<Node>,
    /// The leaves' numbers.
    pub leaves: Vec<f64>,
    /// Bit sets of the categorical splits.
    pub sets: Vec<u32>,
    /// One function per leaf; empty unless the tree is linear.
    pub linear: Vec<Linear>,
}

impl Tree {
    /// Every node but the root and every leaf must be the child of one node that is reached from the root; says what
    /// is wrong otherwise.
    pub fn check_shape(&self) -> Result<(), String> {
        if self.nodes.is_empty() {
            let one = self.leaves.len() == 1;
            return one
                .then_some(())
                .ok_or("a tree without nodes has one leaf".to_owned());
        }
        let mut node_seen = vec![false; self.nodes.len()];
        let mut leaf_seen = vec![false; self.leaves.len()];
        let mut open = vec![0_i32];
        while let Some(at) = open.pop() {
            let seen = if at >= 0 {
                node_seen.get_mut(at as usize)
            } else {
                leaf_seen.get_mut(!at as usize)
            };
            match seen {
                None => return Err(format!("child {at} is out of range")),
                Some(true) => return Err(format!("child {at} hangs in the tree twice")),
                Some(seen) => *seen = true,
            }
            if at >= 0 {
                let node = self.nodes[at as usize];
                open.extend([node.left, node.right]);
            }
        }
        if node_seen.iter().chain(&leaf_seen).all(|seen| *seen) {
            Ok(())
        } else {
            Err("a node or leaf does not hang in the tree".to_owned())
        }
    }

    /// The leaf that a row of features falls into.
    #[inline]
    pub fn leaf(&self, row: &[f64]) -> usize {
        let mut at = if self.nodes.is_empty() { !0 } else { 0_i32 };
        while at >= 0 {
            let node = &self.nodes[at as usize];
            let left = node.split.goes_left(row[node.feature as usize], &self.sets);
            at = if left { node.left } else { node.right };
        }
        !at as usize
    }

    /// What the tree says about a row.
    #[inline]
    pub fn predict(&self, row: &[f64]) -> f64 {
        let leaf = self.leaf(row);
        match self.linear.get(leaf) {
            None => self.leaves[leaf],
            Some(linear) => linear
                .value(|feature| row[feature as usize])
                .unwrap_or(self.leaves[leaf]),
        }
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let terms: usize = self.linear.iter().map(|l| l.terms.len()).sum();
        size_of_val(self.nodes.as_slice())
            + size_of_val(self.leaves.as_slice())
            + size_of_val(self.sets.as_slice())
            + size_of_val(self.linear.as_slice())
            + terms * size_of::<(u32, f64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header's table, row by row, for a threshold on either side of 0.
    #[test]
    fn truth_table() {
        let nan = f64::NAN;
        for (missing, left, t, value, want) in [
            (Missing::None, true, 1.0, nan, true),
            (Missing::None, true, -1.0, nan, false),
            (Missing::None, false, 0.0, nan, true),
            (Missing::None, false, 1.0, 1.0, true),
            (Missing::None, false, 1.0, 1.5, false),
            (Missing::Zero, true, -1.0, nan, true),
            (Missing::Zero, true, -1.0, 0.0, true),
            (Missing::Zero, true, -1.0, -1e-36, true),
            (Missing::Zero, false, 1.0, 0.0, false),
            (Missing::Zero, false, 1.0, 1e-34, true),
            (Missing::Zero, false, 1.0, nan, false),
            (Missing::NaN, true, -1.0, nan, true),
            (Missing::NaN, false, 1.0, nan, false),
            (Missing::NaN, true, -1.0, 0.0, false),
            (Missing::NaN, false, -1.0, -1.0, true),
        ] {
            let split = Split::numeric(t, missing, left);
            assert_eq!(
                split.goes_left(value, &[]),
                want,
                "{missing:?} {left} {t} {value}"
            );
        }
    }

    #[test]
    fn categories() {
        let sets = [u32::MAX, 0b101, 1 << 31];
        let split = Split::Category { start: 1, words: 2 };
        for (value, want) in [
            (0.0, true),
            (1.0, false),
            (2.9, true),
            (-0.5, true),
            (-1.0, false),
            (63.0, true),
            (64.0, false),
            (1e12, false),
            (f64::INFINITY, false),
            (f64::NAN, false),
        ] {
            assert_eq!(split.goes_left(value, &sets), want, "{value}");
        }
    }

    #[test]
    fn linear_leaf_falls_back_to_its_number() {
        let linear = Linear {
            constant: 1.0,
            terms: vec![(0, 2.0), (1, -1.0)],
        };
        let tree = Tree {
            leaves: vec![9.0],
            linear: vec![linear],
            ..Tree::default()
        };
        assert_eq!(tree.predict(&[3.0, 0.5]), 6.5);
        assert_eq!(tree.predict(&[3.0, f64::NAN]), 9.0);
    }
}
