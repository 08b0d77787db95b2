//! Figures of merit over held-out rows, under BigQuery's names and with scikit-learn's definitions.
//!
//! Regression: errors, r2 and explained variance. Classification: precision, recall, accuracy, f1, log loss
//! and ROC AUC; two classes speak of the last one, more are averaged over classes with equal weight (AUC
//! one against the rest). A figure that is not defined on the rows given is left out. Rows are kept until
//! the end because medians and ranks need them: 8 bytes a row and 8 for each score.

use alcedo_udfs::score::Task;
use std::collections::BTreeMap;

/// Every figure in the order `ml.evaluate` shows them, for regression.
pub const REGRESSION: &[&str] = &[
    "mean_absolute_error",
    "mean_squared_error",
    "mean_squared_log_error",
    "median_absolute_error",
    "r2_score",
    "explained_variance",
];
/// The same for classification; the last two are for two classes only.
pub const CLASSIFICATION: &[&str] = &[
    "precision",
    "recall",
    "accuracy",
    "f1_score",
    "log_loss",
    "roc_auc",
    "average_precision",
    "ks",
];

/// The figures a task has.
pub fn names(task: Task) -> &'static [&'static str] {
    match task {
        Task::Regression => REGRESSION,
        Task::Binary | Task::Multiclass { .. } => CLASSIFICATION,
    }
}

/// Collects true values and predictions, then computes.
#[derive(Debug)]
pub struct Evaluation {
    task: Task,
    /// The true number, or the index of the true class.
    truth: Vec<f64>,
    /// The predicted number, the probability of the last of two classes, or one probability per class.
    scores: Vec<f64>,
}

impl Evaluation {
    /// An empty evaluation.
    pub fn new(task: Task) -> Self {
        Self {
            task,
            truth: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Scores per row.
    pub fn width(&self) -> usize {
        match self.task {
            Task::Regression | Task::Binary => 1,
            Task::Multiclass { classes } => classes,
        }
    }

    /// Adds a row; `scores` has [`Evaluation::width`] values.
    pub fn push(&mut self, truth: f64, scores: &[f64]) {
        self.truth.push(truth);
        self.scores.extend_from_slice(scores);
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The figures that are defined on these rows.
    pub fn finish(&self) -> BTreeMap<String, f64> {
        let figures = match self.task {
            _ if self.truth.is_empty() => Vec::new(),
            Task::Regression => regression(&self.truth, &self.scores),
            Task::Binary => binary(&self.truth, &self.scores),
            Task::Multiclass { classes } => multiclass(&self.truth, &self.scores, classes),
        };
        let defined = figures.into_iter().filter(|(_, v)| v.is_finite());
        defined
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

type Figures = Vec<(&'static str, f64)>;

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn regression(truth: &[f64], predicted: &[f64]) -> Figures {
    let errors: Vec<f64> = truth.iter().zip(predicted).map(|(t, p)| t - p).collect();
    let mse = mean(errors.iter().map(|e| e * e));
    let average = mean(truth.iter().copied());
    let variance = mean(truth.iter().map(|t| (t - average) * (t - average)));
    let bias = mean(errors.iter().copied());
    let error_variance = mean(errors.iter().map(|e| (e - bias) * (e - bias)));
    let mut sizes: Vec<f64> = errors.iter().map(|e| e.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let middle = sizes.len() / 2;
    let median = if sizes.len() % 2 == 1 {
        sizes[middle]
    } else {
        (sizes[middle - 1] + sizes[middle]) / 2.0
    };
    let mut figures = vec![
        ("mean_absolute_error", mean(sizes.iter().copied())),
        ("mean_squared_error", mse),
        ("median_absolute_error", median),
        // Undefined for a constant label: the division gives no finite number, and the figure is left out.
        ("r2_score", 1.0 - mse / variance),
        ("explained_variance", 1.0 - error_variance / variance),
    ];
    if truth.iter().chain(predicted).all(|v| *v > -1.0) {
        let logs = truth
            .iter()
            .zip(predicted)
            .map(|(t, p)| t.ln_1p() - p.ln_1p());
        figures.push(("mean_squared_log_error", mean(logs.map(|d| d * d))));
    }
    figures
}

fn binary(truth: &[f64], positive: &[f64]) -> Figures {
    let (mut hits, mut false_alarms, mut misses, mut right) = (0.0, 0.0, 0.0, 0.0);
    for (t, p) in truth.iter().zip(positive) {
        let (is, said) = (*t == 1.0, *p > 0.5);
        right += f64::from(u8::from(is == said));
        hits += f64::from(u8::from(is && said));
        false_alarms += f64::from(u8::from(!is && said));
        misses += f64::from(u8::from(is && !said));
    }
    let loss = truth
        .iter()
        .zip(positive)
        .map(|(t, p)| log_of(if *t == 1.0 { *p } else { 1.0 - *p }));
    let ranks = Ranks::new(
        truth
            .iter()
            .map(|t| *t == 1.0)
            .zip(positive.iter().copied()),
    );
    vec![
        ("precision", ratio(hits, hits + false_alarms)),
        ("recall", ratio(hits, hits + misses)),
        ("accuracy", right / truth.len() as f64),
        (
            "f1_score",
            ratio(2.0 * hits, 2.0 * hits + false_alarms + misses),
        ),
        ("log_loss", mean(loss)),
        ("roc_auc", ranks.auc),
        ("average_precision", ranks.average_precision),
        ("ks", ranks.ks),
    ]
}

fn multiclass(truth: &[f64], scores: &[f64], classes: usize) -> Figures {
    let (mut hits, mut said, mut are) =
        (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
    let mut loss = 0.0;
    for (t, row) in truth.iter().zip(scores.chunks_exact(classes)) {
        let class = *t as usize;
        let mut best = 0;
        for (index, score) in row.iter().enumerate() {
            if *score > row[best] {
                best = index;
            }
        }
        are[class] += 1.0;
        said[best] += 1.0;
        hits[class] += f64::from(u8::from(best == class));
        loss += log_of(row[class] / row.iter().sum::<f64>());
    }
    // Averages are over the classes that occur, in truth or prediction.
    let present: Vec<usize> = (0..classes).filter(|c| are[*c] + said[*c] > 0.0).collect();
    let average = |figure: &dyn Fn(usize) -> f64| mean(present.iter().map(|c| figure(*c)));
    let rows = truth.len() as f64;
    let column = |class: usize| {
        let rows = scores.chunks_exact(classes);
        Ranks::new(
            truth
                .iter()
                .zip(rows)
                .map(move |(t, row)| (*t as usize == class, row[class])),
        )
    };
    let auc = mean((0..classes).map(|c| column(c).auc));
    vec![
        ("precision", average(&|c| ratio(hits[c], said[c]))),
        ("recall", average(&|c| ratio(hits[c], are[c]))),
        ("accuracy", hits.iter().sum::<f64>() / rows),
        (
            "f1_score",
            average(&|c| ratio(2.0 * hits[c], said[c] + are[c])),
        ),
        ("log_loss", loss / rows),
        ("roc_auc", auc),
    ]
}

/// 0 where the divisor is 0.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// `-ln(p)` with p kept away from 0 and 1 by one step of f64.
fn log_of(p: f64) -> f64 {
    -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// Figures of the order that scores bring rows into; NaN without both kinds of rows.
struct Ranks {
    auc: f64,
    average_precision: f64,
    ks: f64,
}

impl Ranks {
    fn new(rows: impl Iterator<Item = (bool, f64)>) -> Self {
        let mut rows: Vec<(bool, f64)> = rows.collect();
        rows.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
        let positives = rows.iter().filter(|r| r.0).count() as f64;
        let negatives = rows.len() as f64 - positives;
        let (mut found, mut wrong) = (0.0_f64, 0.0_f64);
        let (mut area, mut precision, mut ks) = (0.0_f64, 0.0_f64, 0.0_f64);
        // Rows of equal score are one step of the curve.
        for group in rows.chunk_by(|a, b| a.1 == b.1) {
            let hits = group.iter().filter(|r| r.0).count() as f64;
            let others = group.len() as f64 - hits;
            area += others * (found + hits / 2.0);
            found += hits;
            wrong += others;
            precision += hits / positives * (found / (found + wrong));
            ks = ks.max((found / positives - wrong / negatives).abs());
        }
        if positives == 0.0 || negatives == 0.0 {
            return Self {
                auc: f64::NAN,
                average_precision: f64::NAN,
                ks: f64::NAN,
            };
        }
        Self {
            auc: area / (positives * negatives),
            average_precision: precision,
            ks,
        }
    }
}
