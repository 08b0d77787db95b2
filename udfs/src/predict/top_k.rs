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
pub struct TopK {
    call: Monotone,
    greatest: bool,
    count: usize,
}

/// The best outputs that were seen so far. All who look at the same rows share them.
#[derive(Debug, Default)]
pub struct Threshold(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Their ranks, the worst on top; the best rank is the greatest.
    ranks: BinaryHeap<Reverse<u64>>,
    /// Raw scores outside are certainly worse than all of them, once there are enough.
    limits: Option<Limits>,
}

impl TopK {
    /// `None` when the output is not one number that grows or falls with one raw score, or for no rows at all.
    pub fn of(call: &Predict, greatest: bool, count: usize) -> Option<Self> {
        Some(Self {
            call: Monotone::of(call).filter(|_| count > 0)?,
            greatest,
            count,
        })
    }

    /// Which of the rows of these arguments may be among the best of all that `threshold` has seen and is yet to see.
    /// Every row that is as good as the last of them may be. Errors: as the call's own.
    pub fn select(
        &self,
        args: &[ColumnarValue],
        rows: usize,
        threshold: &Threshold,
    ) -> PlanResult<BooleanArray> {
        let seen = || threshold.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = seen().limits.unwrap_or(Limits {
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
        });
        let (scores, constant) = self.call.scores(args, rows, limits)?;
        if constant {
            return Ok(BooleanArray::from(vec![true; rows]));
        }
        let mut outputs = scores.clone();
        self.call.transform(&mut outputs);
        let rows = scores.iter().zip(outputs);
        let ranks = rows.map(|(score, output)| {
            let outside = *score < limits.low || *score > limits.high;
            (!outside).then(|| self.rank(output))
        });
        let ranks: Vec<Option<u64>> = ranks.collect();
        let mut seen = seen();
        let before = self.worst(&seen);
        for rank in ranks.iter().flatten() {
            if self.worst(&seen).is_none_or(|worst| *rank > worst) {
                seen.ranks.push(Reverse(*rank));
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
        let passing = ranks.iter().map(|rank| rank.is_some() && *rank >= worst);
        Ok(passing.map(Some).collect())
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
impl fmt::Display for TopK {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.greatest { "greatest" } else { "least" };
        write!(f, "{} {which} of {}", self.count, self.call.call().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{ModelSpec, Output, PinnedModel, predict_udf};
    use crate::score::forest::parse::parse;
    use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
    use arrow::compute::filter;
    use arrow::datatypes::Float64Type;
    use std::sync::Arc;

    /// One tree over one feature: a leaf for each whole number up to 29, some of them equal.
    fn model(objective: &str) -> Arc<PinnedModel> {
        let list = |item: &dyn Fn(i32) -> String, count: i32| {
            (0..count).map(item).collect::<Vec<_>>().join(" ")
        };
        let last = |i: i32| if i == 28 { -30 } else { i + 1 };
        let text = format!(
            "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\n{objective}\
             feature_names=a\n\nTree=0\nnum_leaves=30\nnum_cat=0\nsplit_feature={}\nthreshold={}\n\
             decision_type={}\nleft_child={}\nright_child={}\nleaf_value={}\n\nend of trees\n",
            list(&|_| "0".to_owned(), 29),
            list(&|i| format!("{i}.5"), 29),
            list(&|_| "10".to_owned(), 29),
            list(&|i| (-i - 1).to_string(), 29),
            list(&|i| last(i).to_string(), 29),
            list(&|i| format!("{}", f64::from(i * 7 % 20 - 9) / 4.0), 30),
        );
        let spec = ModelSpec {
            name: "m".into(),
            version: 1,
            features: None,
            labels: None,
        };
        let scorer = Arc::new(parse(text.as_bytes()).unwrap());
        Arc::new(PinnedModel::new(scorer, spec).unwrap())
    }

    fn outputs(call: &Predict, values: &ArrayRef) -> Vec<f64> {
        let features = call.features(&[ColumnarValue::Array(Arc::clone(values))], values.len());
        let done = call
            .model()
            .run(call.output(), &features.unwrap().0)
            .unwrap();
        done.as_primitive::<Float64Type>().values().to_vec()
    }

    /// What passes has the same best as all rows have, and is little of them.
    #[test]
    fn the_best_pass() {
        let binary = "objective=binary sigmoid:1\n";
        for (objective, output) in [
            ("", Output::Predict),
            (binary, Output::ProbaOf(1)),
            (binary, Output::ProbaOf(0)),
            (binary, Output::Raw),
        ] {
            let udf = predict_udf(&model(objective), output, "predict 1").unwrap();
            let call = Predict::of(&udf).unwrap();
            for (greatest, count) in [(true, 1), (false, 3), (true, 50), (false, 50), (true, 9999)]
            {
                let top_k = TopK::of(call, greatest, count).unwrap();
                let threshold = Threshold::default();
                let (mut all, mut passed) = (Vec::new(), Vec::new());
                for batch in 0..40_usize {
                    let value = |row: usize| (row * 7919 + batch * 31) % 30;
                    let values = (0..100 + batch).map(|row| {
                        Some(value(row) as f64).filter(|_| !(row + batch).is_multiple_of(17))
                    });
                    let values: ArrayRef = Arc::new(values.collect::<Float64Array>());
                    let args = [ColumnarValue::Array(Arc::clone(&values))];
                    let passing = top_k.select(&args, values.len(), &threshold).unwrap();
                    all.extend(outputs(call, &values));
                    passed.extend(outputs(call, &filter(&values, &passing).unwrap()));
                }
                assert!(count == 9999 || passed.len() < all.len() / 2);
                for outputs in [&mut all, &mut passed] {
                    outputs.sort_by(f64::total_cmp);
                    if greatest {
                        outputs.reverse();
                    }
                    outputs.truncate(count);
                }
                assert_eq!(all, passed, "{objective:?} {output:?} {greatest} {count}");
            }
        }
    }

    #[test]
    fn what_has_no_order() {
        let udf =
            predict_udf(&model("objective=binary sigmoid:1\n"), Output::Predict, "p").unwrap();
        assert!(TopK::of(Predict::of(&udf).unwrap(), true, 5).is_none());
        let udf = predict_udf(&model(""), Output::Predict, "p").unwrap();
        let call = Predict::of(&udf).unwrap();
        assert!(TopK::of(call, true, 0).is_none());
        let top_k = TopK::of(call, true, 5).unwrap();
        assert_eq!(top_k.to_string(), "5 greatest of p");
        let one = [ColumnarValue::Scalar(3.0.into())];
        let passing = top_k.select(&one, 7, &Threshold::default()).unwrap();
        assert_eq!(passing.true_count(), 7);
    }
}
