//! The scorer against the original library: models and scores of `testdata/` (see `generate.py` there).
//! Raw scores must be equal bit for bit, transformed ones within one unit in the last place.

use crate::predict::{ModelSpec, Output, PinnedModel};
use crate::score::features::{Column, Feature, FeatureKind, Features};
use crate::score::forest::parse::parse;
use crate::score::{self, Scorer, Scratch, Task};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::datatypes::{DataType, Float64Type};
use std::path::PathBuf;
use std::sync::Arc;

/// Every case of the folder; a forgotten one fails [`every_case_is_listed`].
const CASES: &[&str] = &[
    "binary",
    "categorical",
    "constant",
    "cross_entropy",
    "cross_entropy_lambda",
    "custom",
    "dart",
    "fair",
    "gamma",
    "huber",
    "l1",
    "lambdarank",
    "linear_tree",
    "mape",
    "missing",
    "multiclass",
    "multiclassova",
    "no_missing",
    "pandas",
    "poisson",
    "quantile",
    "rank_xendcg",
    "regression",
    "rf",
    "rf_binary",
    "rf_multiclass",
    "sqrt",
    "stumps",
    "tweedie",
    "zero_as_missing",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn model(case: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{case}.txt"))).unwrap()
}

/// Column names and rows of a case.
fn table(case: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(folder().join(format!("{case}.csv"))).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = text.lines().map(cells);
    (lines.next().unwrap(), lines.collect())
}

fn column(names: &[String], rows: &[Vec<String>], name: &str) -> Vec<Option<String>> {
    let at = names.iter().position(|n| n == name).unwrap();
    rows.iter()
        .map(|r| Some(r[at].clone()).filter(|t| !t.is_empty()))
        .collect()
}

fn floats(texts: &[Option<String>]) -> Float64Array {
    texts
        .iter()
        .map(|t| t.as_ref().map(|t| t.parse::<f64>().unwrap()))
        .collect()
}

/// The inputs as Arrow columns: text where the model wants text.
fn arrays(features: &[Feature], names: &[String], rows: &[Vec<String>]) -> Vec<ArrayRef> {
    let array = |f: &Feature| -> ArrayRef {
        let texts = column(names, rows, &f.name);
        match f.kind {
            FeatureKind::Text(_) if f.name == "country" => Arc::new(StringArray::from(texts)),
            _ => Arc::new(floats(&texts)),
        }
    };
    features.iter().map(array).collect()
}

fn wanted(names: &[String], rows: &[Vec<String>], prefix: &str, outputs: usize) -> Vec<f64> {
    let columns: Vec<_> = (0..outputs)
        .map(|k| floats(&column(names, rows, &format!("{prefix}{k}"))))
        .collect();
    (0..rows.len())
        .flat_map(|row| columns.iter().map(move |c| c.value(row)))
        .collect()
}

fn features(scorer: &dyn Scorer, names: &[String], rows: &[Vec<String>]) -> Features {
    let arrays = arrays(scorer.features(), names, rows);
    let columns = scorer
        .features()
        .iter()
        .zip(&arrays)
        .map(|(f, a)| f.read(a).unwrap())
        .collect();
    Features::new(columns, rows.len()).unwrap()
}

#[test]
fn every_case_is_listed() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|e| {
            e.unwrap()
                .file_name()
                .to_str()?
                .strip_suffix(".txt")
                .map(str::to_owned)
        })
        .collect();
    found.sort();
    assert_eq!(found, CASES);
}

#[test]
fn equal_to_the_original() {
    for case in CASES {
        let (kind, scorer) = score::load(&model(case)).unwrap();
        assert_eq!(kind, "lightgbm");
        let (names, rows) = table(case);
        // Many copies of the rows cross the borders of blocks.
        let rows: Vec<_> = rows.iter().cycle().take(7 * rows.len()).cloned().collect();
        let features = features(scorer.as_ref(), &names, &rows);
        let mut scores = vec![f64::NAN; rows.len() * scorer.outputs()];
        scorer
            .score(&features, &mut Scratch::default(), &mut scores)
            .unwrap();
        for (i, (got, want)) in scores
            .iter()
            .zip(wanted(&names, &rows, "raw", scorer.outputs()))
            .enumerate()
        {
            assert_eq!(
                got.to_bits(),
                want.to_bits(),
                "{case} raw score {i}: {got} is not {want}"
            );
        }
        scorer.transform(&mut scores);
        for (i, (got, want)) in scores
            .iter()
            .zip(wanted(&names, &rows, "out", scorer.outputs()))
            .enumerate()
        {
            let distance = got.to_bits().abs_diff(want.to_bits());
            assert!(distance <= 1, "{case} output {i}: {got} is not {want}");
        }
    }
}

#[test]
fn tasks_and_kinds() {
    let load = |case| parse(&model(case)).unwrap();
    assert_eq!(load("poisson").task(), Task::Regression);
    assert_eq!(load("binary").task(), Task::Binary);
    assert_eq!(load("multiclass").task(), Task::Multiclass { classes: 3 });
    let kinds = |case| {
        load(case)
            .features()
            .iter()
            .map(|f| f.input_type())
            .collect::<Vec<_>>()
    };
    use DataType::{Float64, Int64, Utf8};
    assert_eq!(
        kinds("categorical"),
        [Float64, Float64, Float64, Int64, Int64]
    );
    assert_eq!(kinds("pandas"), [Float64, Utf8, Utf8, Float64]);
    assert!(load("pandas").memory_bytes() > 1000);
}

fn pinned(case: &str, labels: Option<ArrayRef>) -> PinnedModel {
    let (_, scorer) = score::load(&model(case)).unwrap();
    let spec = ModelSpec {
        name: case.to_owned(),
        version: 1,
        features: None,
        labels,
    };
    PinnedModel::new(scorer, spec).unwrap()
}

#[test]
fn labels_and_probabilities() {
    let labels: ArrayRef = Arc::new(StringArray::from(vec!["low", "mid", "high"]));
    let model = pinned("multiclass", Some(labels));
    let (names, rows) = table("multiclass");
    let features = features(model.scorer().as_ref(), &names, &rows);
    let labels = model.run(Output::Predict, &features).unwrap();
    let all = model.run(Output::Proba, &features).unwrap();
    let high = model.run(Output::ProbaOf(2), &features).unwrap();
    let want = wanted(&names, &rows, "out", 3);
    for (row, p) in want.chunks(3).enumerate() {
        let got = all.as_list::<i32>().value(row);
        let got = got.as_primitive::<Float64Type>().values().to_vec();
        assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(high.as_primitive::<Float64Type>().value(row), got[2]);
        let best = if p[2] > p[0].max(p[1]) {
            "high"
        } else if p[1] > p[0] {
            "mid"
        } else {
            "low"
        };
        assert_eq!(labels.as_string::<i32>().value(row), best);
    }
    assert_eq!(model.class_index("mid"), Some(1));
    assert!(model.output_type(Output::ProbaOf(3)).is_err());
    assert!(
        pinned("regression", None)
            .output_type(Output::Proba)
            .is_err()
    );
    let binary = pinned("binary", None);
    let (names, rows) = table("binary");
    let features = self::features(binary.scorer().as_ref(), &names, &rows);
    let classes = binary.run(Output::Predict, &features).unwrap();
    assert_eq!(classes.data_type(), &DataType::Int64);
    let proba = binary.run(Output::Proba, &features).unwrap();
    let positive = binary.run(Output::ProbaOf(1), &features).unwrap();
    let first = proba.as_list::<i32>().value(0);
    assert_eq!(first.len(), 2);
    assert_eq!(
        first.as_primitive::<Float64Type>().value(1),
        positive.as_primitive::<Float64Type>().value(0)
    );
}

#[test]
fn wrong_inputs_are_errors() {
    let (_, scorer) = score::load(&model("regression")).unwrap();
    let one = Features::new(vec![Column::Constant(1.0)], 1).unwrap();
    assert!(
        scorer
            .score(&one, &mut Scratch::default(), &mut [0.0])
            .is_err()
    );
    let five = Features::new(vec![Column::Constant(1.0); 5], 1).unwrap();
    assert!(
        scorer
            .score(&five, &mut Scratch::default(), &mut [])
            .is_err()
    );
    assert!(
        scorer
            .score(&five, &mut Scratch::default(), &mut [0.0])
            .is_ok()
    );
    assert!(score::load(b"not a model").is_err());
}

/// A small generator of pseudo-random numbers (xorshift), so that failures can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Damaged files: an error or a model that scores without a panic, and ends.
#[test]
fn hostile_files() {
    let mut random = Random(42);
    let words = [
        "-1",
        "0",
        "99999999999",
        "2147483647",
        "nan",
        "inf",
        "",
        "=",
        "\n\n",
        "1e308",
        "Tree=0",
    ];
    let (mut loaded, mut refused) = (0, 0);
    for case in [
        "categorical",
        "linear_tree",
        "multiclass",
        "pandas",
        "constant",
    ] {
        let good = model(case);
        // The part that is read: the rest are parameters.
        let end = String::from_utf8(good.clone())
            .unwrap()
            .find("end of trees")
            .unwrap()
            + 14;
        for round in 0..1500 {
            let mut bytes = good.clone();
            match round % 3 {
                0 => bytes.truncate(random.below(end)),
                1 => (0..3)
                    .for_each(|_| bytes[random.below(end)] = b"0123456789-=. \n"[random.below(15)]),
                _ => {
                    let text = String::from_utf8(good.clone()).unwrap();
                    let mut parts: Vec<&str> = text.split_inclusive([' ', '\n', '=']).collect();
                    let at = random.below(parts.len());
                    parts[at] = words[random.below(words.len())];
                    bytes = parts.concat().into_bytes();
                }
            }
            match parse(&bytes) {
                Err(_) => refused += 1,
                Ok(forest) => {
                    loaded += 1;
                    let columns = vec![Column::Constant(1.5); forest.features().len()];
                    let features = Features::new(columns, 2).unwrap();
                    let mut out = vec![0.0; 2 * forest.outputs()];
                    forest
                        .score(&features, &mut Scratch::default(), &mut out)
                        .unwrap();
                    forest.transform(&mut out);
                }
            }
        }
    }
    assert!(
        loaded > 100 && refused > 1000,
        "{loaded} loaded, {refused} refused"
    );
}

/// Every index of a walk is checked when the file is read: each of these edits must be refused.
#[test]
fn each_check_refuses() {
    let text = String::from_utf8(model("categorical")).unwrap();
    let edit = |key: &str, f: &dyn Fn(&str) -> String| {
        let at = text.find(&format!("\n{key}=")).unwrap() + key.len() + 2;
        let end = at + text[at..].find('\n').unwrap();
        format!("{}{}{}", &text[..at], f(&text[at..end]), &text[end..])
    };
    let first = |word: &'static str| {
        move |line: &str| {
            let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
            format!("{word} {rest}")
        }
    };
    type Change = Box<dyn Fn(&str) -> String>;
    let all: Vec<(&str, Change)> = vec![
        ("left_child", Box::new(first("0"))),
        ("left_child", Box::new(first("99"))),
        ("right_child", Box::new(first("-99"))),
        ("right_child", Box::new(first("-1"))),
        ("split_feature", Box::new(first("5"))),
        ("threshold", Box::new(first("nan"))),
        // Of numeric splits any number is a threshold, of categorical ones the number of a set.
        (
            "threshold",
            Box::new(|line| line.split(' ').map(|_| "1e300 ").collect()),
        ),
        ("decision_type", Box::new(first("12"))),
        ("cat_boundaries", Box::new(first("1"))),
        ("cat_threshold", Box::new(|line| format!("{line} 1"))),
        ("leaf_value", Box::new(first("inf"))),
        ("num_leaves", Box::new(|_| "4000000000".to_owned())),
        ("num_cat", Box::new(|_| "18446744073709551615".to_owned())),
        ("tree_sizes", Box::new(|_| "1".to_owned())),
        ("max_feature_idx", Box::new(|_| "7".to_owned())),
        ("num_tree_per_iteration", Box::new(|_| "4".to_owned())),
        ("version", Box::new(|_| "v9".to_owned())),
        ("objective", Box::new(|_| "mystery".to_owned())),
    ];
    parse(text.as_bytes()).unwrap();
    for (key, change) in all {
        assert!(parse(edit(key, &*change).as_bytes()).is_err(), "{key}");
    }
}
