//! From raw scores to what a model says: one transform per LightGBM objective, operation by operation as
//! the original computes it, so that results differ by no more than the C library's `exp` does.

use crate::error::ScoreError;
use crate::score::Task;

/// The transform of an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// The raw score itself: regression, l1, huber, fair, quantile, mape, the rankings, a custom one.
    Identity,
    /// `sign(s) · s²`: regression on square roots.
    Square,
    /// `exp(s)`: poisson, gamma, tweedie.
    Exp,
    /// `1 / (1 + exp(-k·s))`: binary.
    Sigmoid(f64),
    /// The same with k = 1 for targets within [0, 1]: cross_entropy. Predicts a number, not a class.
    CrossEntropy,
    /// `log(1 + exp(s))`: cross_entropy_lambda.
    LogOnePlusExp,
    /// Exponentials that sum to 1: multiclass.
    Softmax,
    /// A sigmoid for each class: multiclassova.
    OneVersusAll(f64),
}

impl Objective {
    /// Reads the `objective` line of a model, such as `binary sigmoid:1`; `outputs` is the raw scores per row.
    pub fn parse(line: &str, outputs: usize) -> Result<Self, ScoreError> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        let parameters: Vec<&str> = words.collect();
        let number = |key: &str| {
            parameters
                .iter()
                .find_map(|p| p.strip_prefix(key)?.strip_prefix(':'))
        };
        let sigmoid = || {
            let text = number("sigmoid").unwrap_or_default();
            text.parse()
                .ok()
                .filter(|k: &f64| *k > 0.0 && k.is_finite())
                .ok_or_else(|| {
                    ScoreError::BadModel(format!("objective {name} needs a positive sigmoid"))
                })
        };
        let sqrt = parameters.contains(&"sqrt");
        let objective = match name {
            "regression" | "regression_l1" | "fair" | "quantile" | "mape" if sqrt => Self::Square,
            "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape" => {
                Self::Identity
            }
            "lambdarank" | "rank_xendcg" | "custom" => Self::Identity,
            "poisson" | "gamma" | "tweedie" => Self::Exp,
            "binary" => Self::Sigmoid(sigmoid()?),
            "cross_entropy" => Self::CrossEntropy,
            "cross_entropy_lambda" => Self::LogOnePlusExp,
            "multiclass" => Self::Softmax,
            "multiclassova" => Self::OneVersusAll(sigmoid()?),
            _ => {
                return Err(ScoreError::Unsupported(format!(
                    "objective {name:?} of the model is not supported"
                )));
            }
        };
        objective.check(name, number("num_class"), outputs)?;
        Ok(objective)
    }

    fn check(self, name: &str, classes: Option<&str>, outputs: usize) -> Result<(), ScoreError> {
        let per_class = matches!(self, Self::Softmax | Self::OneVersusAll(_));
        if per_class && classes != Some(outputs.to_string().as_str()) {
            return Err(ScoreError::BadModel(format!(
                "objective {name} does not have the model's {outputs} classes"
            )));
        }
        if !per_class && outputs != 1 && self != Self::Identity {
            return Err(ScoreError::BadModel(format!(
                "objective {name} has one score per row, not {outputs}"
            )));
        }
        Ok(())
    }

    /// The kind of prediction.
    pub fn task(self, outputs: usize) -> Task {
        match self {
            Self::Sigmoid(_) => Task::Binary,
            _ if outputs > 1 || matches!(self, Self::Softmax | Self::OneVersusAll(_)) => {
                Task::Multiclass { classes: outputs }
            }
            _ => Task::Regression,
        }
    }

    /// Transforms rows of `outputs` scores in place.
    pub fn transform(self, scores: &mut [f64], outputs: usize) {
        match self {
            Self::Identity => {}
            Self::Square => each(scores, |s| sign(s) * s * s),
            Self::Exp => each(scores, f64::exp),
            Self::Sigmoid(k) | Self::OneVersusAll(k) => {
                each(scores, |s| 1.0 / (1.0 + (-k * s).exp()))
            }
            Self::CrossEntropy => each(scores, |s| 1.0 / (1.0 + (-s).exp())),
            Self::LogOnePlusExp => each(scores, |s| s.exp().ln_1p()),
            Self::Softmax => scores.chunks_exact_mut(outputs).for_each(softmax),
        }
    }
}

fn each(scores: &mut [f64], f: impl Fn(f64) -> f64) {
    for score in scores {
        *score = f(*score);
    }
}

/// 1, 0 or -1; NaN gives 0.
fn sign(x: f64) -> f64 {
    f64::from(i8::from(x > 0.0) - i8::from(x < 0.0))
}

fn softmax(row: &mut [f64]) {
    let max = row
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, |a, b| if a < b { b } else { a });
    let mut sum = 0.0;
    for score in row.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    for score in row {
        *score /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(
            Objective::parse("binary sigmoid:0.5", 1),
            Ok(Objective::Sigmoid(0.5))
        );
        assert_eq!(
            Objective::parse("regression sqrt", 1),
            Ok(Objective::Square)
        );
        assert_eq!(Objective::parse("huber sqrt", 1), Ok(Objective::Identity));
        assert_eq!(
            Objective::parse("multiclass num_class:3", 3),
            Ok(Objective::Softmax)
        );
        for (line, outputs) in [
            ("binary sigmoid:-1", 1),
            ("binary", 1),
            ("binary sigmoid:1", 2),
            ("multiclass num_class:3", 4),
            ("multiclass", 3),
            ("", 1),
            ("something_new", 1),
        ] {
            assert!(Objective::parse(line, outputs).is_err(), "{line}");
        }
    }

    #[test]
    fn transforms() {
        let run = |o: Objective, mut s: Vec<f64>, n| {
            o.transform(&mut s, n);
            s
        };
        assert_eq!(
            run(Objective::Square, vec![-3.0, 2.0, 0.0], 1),
            [-9.0, 4.0, 0.0]
        );
        assert_eq!(run(Objective::Sigmoid(2.0), vec![0.0], 1), [0.5]);
        assert_eq!(
            run(Objective::Softmax, vec![7.0, 7.0, 1000.0, 1000.0], 2),
            [0.5; 4]
        );
        assert_eq!(run(Objective::LogOnePlusExp, vec![0.0], 1), [2.0_f64.ln()]);
    }
}
