//! `score`: our scorer over Arrow columns, with each level of instructions that the processor has, against LightGBM's
//! `PredictForMat`; the best level against its Arrow entry, ONNX Runtime and lleaves; single rows against its
//! `SingleRowFast`; and which rows are above a bound, ended early, against all scores. One thread each, pinned to one
//! processor. Raw scores equal LightGBM's in every bit; the other two do not, and are held to what they can do.
//!
//! Rivals are given what suits them best, rows of f64 (ONNX Runtime: f32) side by side in memory; our time includes
//! reading the columns and finding their codes. Rows are random, the worst case for branches that are predicted, and
//! once sorted, the best. `score.py` is the side of the Arrow entry, ONNX Runtime and lleaves.

use std::hint::black_box;
use std::sync::Arc;

use alcedo_udfs::score::features::{Column, Features};
use alcedo_udfs::score::forest::Forest;
use alcedo_udfs::score::forest::blend::Level;
use alcedo_udfs::score::forest::parse::parse;
use alcedo_udfs::score::{Limits, Scorer, Scratch};
use arrow::array::{ArrayRef, Float64Array};

use super::Outcome;
use super::compare::{Case, Pinned, Report};
use super::harness;
use super::lightgbm::{Booster, Matrix, train};
use super::random::Random;
use super::rivals::Rivals;

/// Rows that are scored: more than the caches hold.
const ROWS: usize = 16_384;
const TRAIN_ROWS: usize = 20_000;
/// Rows that are scored one by one.
const SINGLE_ROWS: usize = 2_000;
const ROUNDS: usize = 7;
/// Rounds of a case whose sides are not far from each other.
const CLOSE_ROUNDS: usize = 21;

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
    /// Whether the rows above the 99th percentile are looked for, too.
    above: bool,
    /// Rivals in Python, compared with our best level. lleaves compiles for minutes where trees are large.
    python: &'static [Python],
}

/// A rival in Python, and how far from ours its scores are.
struct Python {
    name: &'static str,
    /// Relative to a score above 1, else absolute.
    tolerance: f64,
    /// The least share of rows within it: a row whose value rounds to the other side of a threshold is not.
    share: f64,
    /// Whether the bench goes on without it.
    optional: bool,
}

/// The C API's entry for a stream of Arrow batches, in the library that Python's package brings: the one we link leaves
/// a part of it out.
const LIGHTGBM_ARROW: Python = Python {
    name: "lightgbm-arrow",
    tolerance: 0.0,
    share: 1.0,
    optional: false,
};

/// Sums f32, and has thresholds and values rounded to f32.
const ONNXRUNTIME: Python = Python {
    name: "onnxruntime",
    tolerance: 1e-5,
    share: 0.999,
    optional: true,
};

/// Sums f64 in another order.
const LLEAVES: Python = Python {
    name: "lleaves",
    tolerance: 1e-9,
    share: 1.0,
    optional: true,
};

const PLAIN: Shape = Shape {
    name: "500x31",
    trees: 500,
    columns: 28,
    missing: 0.0,
    categories: 0,
    classes: 1,
    parameters: "objective=regression num_leaves=31",
    sorted: false,
    above: false,
    python: &[],
};

const SHAPES: &[Shape] = &[
    Shape {
        above: true,
        python: &[LIGHTGBM_ARROW, ONNXRUNTIME, LLEAVES],
        ..PLAIN
    },
    Shape {
        name: "500x31-sorted",
        sorted: true,
        ..PLAIN
    },
    Shape {
        name: "200x255",
        trees: 200,
        parameters: "objective=regression num_leaves=255",
        above: true,
        python: &[LIGHTGBM_ARROW, ONNXRUNTIME],
        ..PLAIN
    },
    Shape {
        name: "100x63-missing",
        trees: 100,
        columns: 100,
        missing: 0.05,
        parameters: "objective=regression num_leaves=63",
        python: &[LIGHTGBM_ARROW, ONNXRUNTIME, LLEAVES],
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
    let best = Level::best();
    eprintln!(
        "score: the best level of instructions here is {}",
        best.name()
    );
    SHAPES.iter().try_for_each(|shape| compare(report, shape))
}

fn compare(report: &mut Report, shape: &Shape) -> Outcome<()> {
    let mut random = Random::new(7);
    let learn = shape.rows(&mut random, TRAIN_ROWS);
    let labels = shape.labels(&learn, &mut random);
    let parameters = format!("{} seed=1", shape.parameters);
    let text = train(&learn, &labels, &parameters, shape.trees)?;
    // Not earlier: training takes all processors.
    let _pinned = Pinned::new()?;
    let mut data = shape.rows(&mut random, ROWS);
    if shape.sorted {
        sort(&mut data);
    }
    let columns = columns(&data);
    let ours = parse(text.as_bytes())?;
    let theirs = Booster::load(&text)?;
    let mut scratch = Scratch::default();
    let mut our_scores = vec![0.0; ROWS * shape.classes];
    let mut their_scores = vec![0.0; ROWS * shape.classes];
    theirs.score(&data, &mut their_scores)?;
    for level in Level::available() {
        score_columns(&ours, *level, &columns, &mut scratch, &mut our_scores)?;
        let name = format!("score/{}/{}", shape.name, level.name());
        let case = Case {
            name: &name,
            unit: "rows",
            work: ROWS as f64,
            equal: equal(&name, &our_scores, &their_scores)?,
            rounds: ROUNDS,
        };
        report.measure(
            &case,
            || score_columns(&ours, *level, &columns, &mut scratch, &mut our_scores),
            || theirs.score(&data, &mut their_scores),
        )?;
    }
    let mut ours_again =
        |out: &mut [f64]| score_columns(&ours, Level::best(), &columns, &mut scratch, out);
    if !shape.python.is_empty() {
        let folder = harness::Scratch::new("score");
        folder.write("model.txt", &text);
        by_python(report, shape, &mut ours_again, &data, &folder)?;
    }
    if shape.classes == 1 && !shape.sorted {
        single(report, shape, &ours, &theirs, &data)?;
    }
    if shape.above {
        above(report, shape, &ours, &columns)?;
    }
    Ok(())
}

/// How many scores are equal in every bit; all must be.
fn equal(name: &str, ours: &[f64], theirs: &[f64]) -> Outcome<u64> {
    let same = |(a, b): &(&f64, &f64)| a.to_bits() == b.to_bits();
    let equal = ours.iter().zip(theirs).filter(same).count();
    if equal != ours.len() {
        return Err(format!("{name}: {equal} of {} raw scores are equal", ours.len()).into());
    }
    Ok(equal as u64)
}

/// The rivals in Python, as far as they are installed; `folder` has the model.
fn by_python(
    report: &mut Report,
    shape: &Shape,
    ours: &mut impl FnMut(&mut [f64]) -> Outcome<()>,
    data: &Matrix,
    folder: &harness::Scratch,
) -> Outcome<()> {
    let bytes: Vec<u8> = data.values.iter().flat_map(|v| v.to_ne_bytes()).collect();
    std::fs::write(folder.path().join("rows"), bytes)?;
    let mut rivals = Rivals::start("score.py", &[&folder.join(""), &shape.columns.to_string()])?;
    let mut our_scores = vec![0.0; ROWS];
    ours(&mut our_scores)?;
    for rival in shape.python {
        if !rival.optional {
            rivals.run(rival.name)?;
        } else if rivals.ask(rival.name)?.is_none() {
            continue;
        }
        let name = format!("score/{}/{}", shape.name, rival.name);
        let bytes = std::fs::read(folder.path().join(rival.name))?;
        let numbers = bytes.as_chunks().0.iter();
        let their_scores: Vec<f64> = numbers.map(|b| f64::from_ne_bytes(*b)).collect();
        let case = Case {
            name: &name,
            unit: "rows",
            work: ROWS as f64,
            equal: close(&name, rival, &our_scores, &their_scores)?,
            rounds: ROUNDS,
        };
        report.measure_told(
            &case,
            || ours(&mut our_scores),
            || Ok(rivals.run(rival.name)?.0),
        )?;
    }
    Ok(())
}

/// How many scores are as close as the rival can be; its share must be.
fn close(name: &str, rival: &Python, ours: &[f64], theirs: &[f64]) -> Outcome<u64> {
    let near = |(a, b): &(&f64, &f64)| (*a - *b).abs() <= rival.tolerance * a.abs().max(1.0);
    let close = ours.iter().zip(theirs).filter(near).count();
    if theirs.len() != ours.len() || (close as f64) < rival.share * ours.len() as f64 {
        return Err(format!("{name}: {close} of {} raw scores are close", ours.len()).into());
    }
    Ok(close as u64)
}

/// From Arrow columns to scores, as a plan does it.
fn score_columns(
    forest: &Forest,
    level: Level,
    columns: &[ArrayRef],
    scratch: &mut Scratch,
    out: &mut [f64],
) -> Outcome<()> {
    Ok(forest.score_at(level, &read(forest, columns)?, scratch, out)?)
}

fn read(forest: &Forest, columns: &[ArrayRef]) -> Outcome<Features> {
    let features = forest.features().iter().zip(columns);
    let read = features.map(|(feature, column)| feature.read(column));
    Ok(Features::new(read.collect::<Result<_, _>>()?, ROWS)?)
}

/// One row after the other, as prepared statements ask.
fn single(
    report: &mut Report,
    shape: &Shape,
    ours: &Forest,
    theirs: &Booster,
    data: &Matrix,
) -> Outcome<()> {
    let theirs = theirs.single_row(shape.columns)?;
    let rows = || data.values.chunks_exact(shape.columns).take(SINGLE_ROWS);
    let mut scratch = Scratch::default();
    let mut our_score = |row: &[f64]| -> Outcome<f64> {
        let columns = row.iter().map(|value| Column::Constant(*value)).collect();
        let mut score = [0.0];
        ours.score(&Features::new(columns, 1)?, &mut scratch, &mut score)?;
        Ok(score[0])
    };
    let our_scores = rows().map(&mut our_score).collect::<Outcome<Vec<f64>>>()?;
    let their_scores = rows()
        .map(|row| theirs.score(row))
        .collect::<Outcome<Vec<f64>>>()?;
    let name = format!("score/{}/single-row", shape.name);
    let case = Case {
        name: &name,
        unit: "rows",
        work: SINGLE_ROWS as f64,
        equal: equal(&name, &our_scores, &their_scores)?,
        rounds: ROUNDS,
    };
    report.measure(
        &case,
        || {
            rows().try_for_each(|row| {
                our_score(row).map(|score| {
                    black_box(score);
                })
            })
        },
        || {
            rows().try_for_each(|row| {
                theirs.score(row).map(|score| {
                    black_box(score);
                })
            })
        },
    )
}

/// Which rows score above the 99th percentile: ended early, against all scores and then a comparison.
fn above(report: &mut Report, shape: &Shape, forest: &Forest, columns: &[ArrayRef]) -> Outcome<()> {
    let level = Level::best();
    let mut scratch = Scratch::default();
    let mut scores = vec![0.0; ROWS];
    score_columns(forest, level, columns, &mut scratch, &mut scores)?;
    let mut sorted = scores.clone();
    sorted.sort_by(f64::total_cmp);
    let bound = sorted[ROWS * 99 / 100];
    let limits = Limits {
        low: bound,
        high: bound,
    };
    let mut early = vec![0.0; ROWS];
    let mut early_scratch = Scratch::default();
    let mut ended_early = || -> Outcome<usize> {
        let features = read(forest, columns)?;
        forest.score_within_at(level, &features, limits, &mut early_scratch, &mut early)?;
        Ok(early.iter().filter(|score| **score > bound).count())
    };
    let mut all = || -> Outcome<usize> {
        score_columns(forest, level, columns, &mut scratch, &mut scores)?;
        Ok(scores.iter().filter(|score| **score > bound).count())
    };
    let (found, wanted) = (ended_early()?, all()?);
    if found != wanted {
        return Err(format!("{found} rows are above the bound instead of {wanted}").into());
    }
    let name = format!("score/{}/above-p99", shape.name);
    let case = Case {
        name: &name,
        unit: "rows",
        work: ROWS as f64,
        equal: found as u64,
        rounds: CLOSE_ROUNDS,
    };
    report.measure(&case, || ended_early().map(drop), || all().map(drop))
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
