//! `score`: our scorer over Arrow columns against LightGBM's `PredictForMat`, one thread each, raw scores.
//!
//! LightGBM is given what suits it best, rows of f64 side by side; our time includes reading the columns and laying
//! their rows out. Rows are random, the worst case for branches that are predicted, and once sorted, the best.

use std::sync::Arc;

use alcedo_udfs::score::features::Features;
use alcedo_udfs::score::{self, Scorer, Scratch};
use arrow::array::{ArrayRef, Float64Array};

use super::Outcome;
use super::compare::{Case, Report};
use super::lightgbm::{Booster, Matrix, train};
use super::random::Random;

/// Rows that are scored: more than the caches hold.
const ROWS: usize = 16_384;
const TRAIN_ROWS: usize = 20_000;
const ROUNDS: usize = 7;

/// A kind of model.
struct Shape {
    name: &'static str,
    trees: usize,
    columns: usize,
    /// Share of values that are missing.
    missing: f64,
    /// Columns that hold one of 40 categories.
    categories: usize,
    /// More than one score per row.
    classes: usize,
    parameters: &'static str,
    /// Rows in the order of the first column.
    sorted: bool,
}

const PLAIN: Shape = Shape {
    name: "500x31",
    trees: 500,
    columns: 28,
    missing: 0.0,
    categories: 0,
    classes: 1,
    parameters: "objective=regression num_leaves=31",
    sorted: false,
};

const SHAPES: &[Shape] = &[
    PLAIN,
    Shape {
        name: "500x31-sorted",
        sorted: true,
        ..PLAIN
    },
    Shape {
        name: "200x255",
        trees: 200,
        parameters: "objective=regression num_leaves=255",
        ..PLAIN
    },
    Shape {
        name: "100x63-missing",
        trees: 100,
        columns: 100,
        missing: 0.05,
        parameters: "objective=regression num_leaves=63",
        ..PLAIN
    },
    Shape {
        name: "100x31-categorical",
        trees: 100,
        categories: 4,
        parameters: "objective=regression num_leaves=31 categorical_feature=0,1,2,3",
        ..PLAIN
    },
    Shape {
        name: "100x31-multiclass",
        trees: 100,
        classes: 5,
        parameters: "objective=multiclass num_class=5 num_leaves=31",
        ..PLAIN
    },
    Shape {
        name: "100x15-linear",
        trees: 100,
        parameters: "objective=regression num_leaves=15 linear_tree=true",
        ..PLAIN
    },
];

/// Measures every shape.
pub fn run(report: &mut Report) -> Outcome<()> {
    SHAPES.iter().try_for_each(|shape| compare(report, shape))
}

fn compare(report: &mut Report, shape: &Shape) -> Outcome<()> {
    let mut random = Random::new(7);
    let learn = shape.rows(&mut random, TRAIN_ROWS);
    let labels = shape.labels(&learn, &mut random);
    let text = train(
        &learn,
        &labels,
        &format!("{} seed=1", shape.parameters),
        shape.trees,
    )?;
    let mut data = shape.rows(&mut random, ROWS);
    if shape.sorted {
        sort(&mut data);
    }
    let columns = columns(&data);
    let (_, ours) = score::load(text.as_bytes())?;
    let theirs = Booster::load(&text)?;
    let mut scratch = Scratch::default();
    let mut our_scores = vec![0.0; ROWS * shape.classes];
    let mut their_scores = vec![0.0; ROWS * shape.classes];
    score_columns(ours.as_ref(), &columns, &mut scratch, &mut our_scores)?;
    theirs.score(&data, &mut their_scores)?;
    let equal = our_scores
        .iter()
        .zip(&their_scores)
        .filter(|(a, b)| a.to_bits() == b.to_bits())
        .count();
    if equal != our_scores.len() {
        return Err(format!(
            "{}: {equal} of {} raw scores are equal",
            shape.name,
            our_scores.len()
        )
        .into());
    }
    let name = format!("score/{}", shape.name);
    let case = Case {
        name: &name,
        unit: "rows",
        work: ROWS as f64,
        equal: equal as u64,
        rounds: ROUNDS,
    };
    report.measure(
        &case,
        || score_columns(ours.as_ref(), &columns, &mut scratch, &mut our_scores),
        || theirs.score(&data, &mut their_scores),
    )
}

/// From Arrow columns to scores, as a plan does it.
fn score_columns(
    scorer: &dyn Scorer,
    columns: &[ArrayRef],
    scratch: &mut Scratch,
    out: &mut [f64],
) -> Outcome<()> {
    let read = scorer
        .features()
        .iter()
        .zip(columns)
        .map(|(feature, column)| feature.read(column));
    let features = Features::new(read.collect::<Result<_, _>>()?, ROWS)?;
    Ok(scorer.score(&features, scratch, out)?)
}

/// The rows as Arrow columns; what is missing is NULL.
fn columns(data: &Matrix) -> Vec<ArrayRef> {
    let column = |c: usize| data.values.iter().skip(c).step_by(data.columns);
    (0..data.columns)
        .map(|c| {
            Arc::new(
                column(c)
                    .map(|v| Some(*v).filter(|v| !v.is_nan()))
                    .collect::<Float64Array>(),
            ) as ArrayRef
        })
        .collect()
}

fn sort(data: &mut Matrix) {
    let mut rows: Vec<Vec<f64>> = data
        .values
        .chunks(data.columns)
        .map(<[f64]>::to_vec)
        .collect();
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    data.values = rows.concat();
}

impl Shape {
    fn rows(&self, random: &mut Random, rows: usize) -> Matrix {
        let mut values = Vec::with_capacity(rows * self.columns);
        for _ in 0..rows {
            for column in 0..self.columns {
                let value = if column < self.categories {
                    random.below(40) as f64
                } else {
                    random.normal()
                };
                values.push(if random.unit() < self.missing {
                    f64::NAN
                } else {
                    value
                });
            }
        }
        Matrix {
            values,
            columns: self.columns,
        }
    }

    /// Something that every column has a part in, and noise.
    fn labels(&self, data: &Matrix, random: &mut Random) -> Vec<f32> {
        let label = |row: &[f64]| {
            let value = |c: usize| if row[c].is_nan() { 0.5 } else { row[c] };
            let first = if self.categories > 0 {
                (value(0) * 7.0) % 5.0 + (value(1) * 3.0) % 4.0
            } else {
                value(0) * value(1)
            };
            let rest: f64 = (2..row.len()).map(|c| (value(c) * (c as f64)).sin()).sum();
            let sum = first + rest + random.normal();
            if self.classes > 1 {
                (sum.abs() as usize % self.classes) as f32
            } else {
                sum as f32
            }
        };
        data.values.chunks(data.columns).map(label).collect()
    }
}
