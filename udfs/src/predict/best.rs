//! `ORDER BY predict(m, …) DESC LIMIT k`: rows that cannot be among the k best any more need no exact score.

use super::function::Predict;
use super::monotone::{Monotone, number, rank};
use crate::score::Limits;
use arrow::array::BooleanArray;
use datafusion_common::Result as PlanResult;
use datafusion_expr::ColumnarValue;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The rows of a stream that may be among the `count` with the greatest, or the least, outputs of a call.
#[derive(Debug)]
pub struct Best {
    call: Monotone,
    greatest: bool,
    count: usize,
}

/// The best outputs that were seen so far. All who look at the same rows share them.
#[derive(Debug, Default)]
pub struct Leaders(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Their ranks, the worst on top; the best rank is the greatest.
    ranks: BinaryHeap<Reverse<u64>>,
    /// Raw scores outside are certainly worse than all of them, once there are enough.
    limits: Option<Limits>,
}

impl Best {
    /// `None` when the output is not one number that grows or falls with one raw score, or for no rows at all.
    pub fn of(call: &Predict, greatest: bool, count: usize) -> Option<Self> {
        Some(Self {
            call: Monotone::of(call).filter(|_| count > 0)?,
            greatest,
            count,
        })
    }

    /// Which of the rows of these arguments may be among the best of all that `leaders` has seen and is yet to see.
    /// Every row that is as good as the last of them may be. Errors: as the call's own.
    pub fn select(
        &self,
        args: &[ColumnarValue],
        rows: usize,
        leaders: &Leaders,
    ) -> PlanResult<BooleanArray> {
        let seen = || leaders.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = seen().limits.unwrap_or(Limits {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        });
        let (mut outputs, constant) = self.call.scores(args, rows, limits)?;
        if constant {
            return Ok(BooleanArray::from(vec![true; rows]));
        }
        let within = |raw: &f64| !(*raw < limits.low || *raw > limits.high);
        let within: Vec<bool> = outputs.iter().map(within).collect();
        self.call.transform(&mut outputs);
        let ranks = || {
            let rows = outputs.iter().zip(&within);
            rows.map(|(output, within)| within.then(|| self.rank(*output)))
        };
        let mut seen = seen();
        let before = self.worst(&seen);
        for rank in ranks().flatten() {
            if self.worst(&seen).is_none_or(|worst| rank > worst) {
                seen.ranks.push(Reverse(rank));
                if seen.ranks.len() > self.count {
                    seen.ranks.pop();
                }
            }
        }
        let worst = self.worst(&seen);
        if worst != before {
            seen.limits = worst.and_then(|worst| self.limits(worst));
        }
        drop(seen);
        Ok(ranks()
            .map(|rank| Some(rank >= worst && rank.is_some()))
            .collect())
    }

    /// The worst rank among the best, when there are as many as asked for.
    fn worst(&self, seen: &Seen) -> Option<u64> {
        let worst = seen.ranks.peek().map(|Reverse(rank)| *rank);
        worst.filter(|_| seen.ranks.len() == self.count)
    }

    fn rank(&self, output: f64) -> u64 {
        if self.greatest {
            rank(output)
        } else {
            !rank(output)
        }
    }

    /// The raw scores that may be as good as a rank, where it is a number's.
    fn limits(&self, rank: u64) -> Option<Limits> {
        let output = number(if self.greatest { rank } else { !rank });
        if output.is_nan() {
            return None;
        }
        let limits = self.call.limits(output);
        Some(if self.greatest == self.call.decreasing {
            Limits {
                low: f64::NEG_INFINITY,
                ..limits
            }
        } else {
            Limits {
                high: f64::INFINITY,
                ..limits
            }
        })
    }
}

/// As plans show it: `5 greatest of predict public.m@1`.
impl fmt::Display for Best {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.greatest { "greatest" } else { "least" };
        write!(f, "{} {which} of {}", self.count, self.call.call().name)
    }
}
