//! Calls whose output is one number that never falls, or never grows, when the raw score grows: what plans ask of the
//! output can then be asked of the raw score, and scoring ends for rows whose answer is certain.

use super::function::Predict;
use super::{Output, external};
use crate::score::{Limits, Task};
use datafusion_common::Result as PlanResult;
use datafusion_expr::ColumnarValue;
use std::cmp::Ordering;

/// Half the width of the band around the bound's raw score within which outputs are computed: relative, and absolute
/// near zero.
const BAND: f64 = 1e-3;

/// Such a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Monotone {
    predict: Predict,
    /// Whether the output falls when the raw score grows.
    pub decreasing: bool,
}

impl Monotone {
    /// The call, if it is one.
    pub fn of(predict: &Predict) -> Option<Self> {
        if predict.scorer().outputs() != 1 || !predict.scorer().is_monotone() {
            return None;
        }
        let decreasing = match (predict.output, predict.model.task()) {
            (Output::Raw, _) | (Output::Predict, Task::Regression) => false,
            (Output::ProbaOf(class), Task::Binary) => class == 0,
            _ => return None,
        };
        Some(Self {
            predict: predict.clone(),
            decreasing,
        })
    }

    /// The call.
    pub fn call(&self) -> &Predict {
        &self.predict
    }

    /// Raw scores as outputs.
    pub fn transform(&self, scores: &mut [f64]) {
        if self.predict.output != Output::Raw {
            self.predict.scorer().transform(scores);
        }
        if self.decreasing {
            scores.iter_mut().for_each(|score| *score = 1.0 - *score);
        }
    }

    /// The output of a raw score.
    pub fn output(&self, raw: f64) -> f64 {
        let mut score = [raw];
        self.transform(&mut score);
        score[0]
    }

    /// The raw scores of rows, as exact as the limits ask, and whether all rows are the same one.
    pub fn scores(
        &self,
        args: &[ColumnarValue],
        rows: usize,
        limits: Limits,
    ) -> PlanResult<(Vec<f64>, bool)> {
        let (features, constant) = self.predict.features(args, rows)?;
        let mut scores = vec![0.0; features.rows()];
        let scorer = self.predict.scorer();
        self.predict
            .model
            .with_scratch(|scratch| scorer.score_within(&features, limits, scratch, &mut scores))
            .map_err(external)?;
        Ok((scores, constant))
    }

    /// The raw scores whose outputs may be the bound, and a band around them that is wider than any rounding: what
    /// lies outside is on a certain side. The bound is a number.
    pub fn limits(&self, bound: f64) -> Limits {
        let at_least = self.first(bound, |order| order != Ordering::Less);
        let above = self.first(bound, |order| order == Ordering::Greater);
        let width = |raw: f64| {
            if raw.is_finite() {
                BAND * (1.0 + raw.abs())
            } else {
                0.0
            }
        };
        Limits {
            low: at_least - width(at_least),
            high: above + width(above),
        }
    }

    /// How the output of a raw score stands to the bound; turned around when it falls, so that it only ever grows.
    fn order(&self, raw: f64, bound: f64) -> Ordering {
        let order = self.output(raw).total_cmp(&bound);
        if self.decreasing {
            order.reverse()
        } else {
            order
        }
    }

    /// The least raw score whose order is `reached`, infinite when there is none: by halves over the numbers in their
    /// order.
    fn first(&self, bound: f64, reached: impl Fn(Ordering) -> bool) -> f64 {
        let (mut low, mut high) = (rank(f64::MIN), rank(f64::INFINITY));
        while low < high {
            let middle = low + (high - low) / 2;
            if reached(self.order(number(middle), bound)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        number(low)
    }
}

const SIGN: u64 = 1 << 63;

/// The place of a number in the total order of all, as IEEE 754 and Arrow have it.
pub(super) fn rank(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits < SIGN { bits | SIGN } else { !bits }
}

/// The number of a place.
pub(super) fn number(rank: u64) -> f64 {
    f64::from_bits(if rank < SIGN { !rank } else { rank ^ SIGN })
}
