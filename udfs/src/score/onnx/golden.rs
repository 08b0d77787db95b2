//! The loader against ONNX Runtime: models of `testdata/onnx` and what the original makes of them (see `generate.py`
//! there). Labels must be equal, numbers within 1e-6.

use crate::predict::{ModelSpec, Output, PinnedModel};
use crate::score;
use crate::score::features::Features;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use std::path::PathBuf;
use std::sync::Arc;

/// Largest difference, relative to numbers above 1.
const TOLERANCE: f64 = 1e-6;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/onnx")
}

pub fn cases() -> Vec<String> {
    let name = |e: std::io::Result<std::fs::DirEntry>| {
        let name = e.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".onnx").map(str::to_owned)
    };
    let mut cases: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(name)
        .collect();
    cases.sort();
    cases
}

pub fn file(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn pinned(case: &str) -> PinnedModel {
    let (kind, scorer) =
        score::load(&file(&format!("{case}.onnx"))).unwrap_or_else(|e| panic!("{case}: {e}"));
    assert_eq!(kind, "onnx");
    let spec = ModelSpec {
        name: case.to_owned(),
        version: 1,
        features: None,
        labels: None,
    };
    PinnedModel::new(scorer, spec).unwrap()
}

/// The header and the columns of a case, as text.
fn table(case: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = String::from_utf8(file(&format!("{case}.csv"))).unwrap();
    let mut lines = text.lines();
    let names: Vec<String> = lines
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(cell.to_owned());
        }
    }
    (names, columns)
}

fn floats(texts: &[String]) -> Vec<f64> {
    let float = |t: &String| {
        if t.is_empty() {
            f64::NAN
        } else {
            t.parse().unwrap()
        }
    };
    texts.iter().map(float).collect()
}

fn compare(case: &str, what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{case} {what}");
    for (row, (got, want)) in got.iter().zip(want).enumerate() {
        let close = (got - want).abs() <= TOLERANCE * want.abs().max(1.0);
        assert!(
            close || got.is_nan() && want.is_nan() || got == want,
            "{case} {what} of row {row}: {got} is not {want}"
        );
    }
}

#[test]
fn equal_to_the_original() {
    assert!(cases().len() > 60);
    for case in cases() {
        let model = pinned(&case);
        let (names, columns) = table(&case);
        let count = model.features().len();
        let given: Vec<&str> = model.features().iter().map(|f| f.name.as_str()).collect();
        assert_eq!(given, &names[..count], "{case}");
        let read = |k: usize| {
            let values: ArrayRef = Arc::new(Float64Array::from(floats(&columns[k])));
            model.features()[k].read(&values).unwrap()
        };
        let rows = columns[0].len();
        let features = Features::new((0..count).map(read).collect(), rows).unwrap();
        let predicted = model.run(Output::Predict, &features).unwrap();
        if names[count] == "value" {
            let got = predicted.as_primitive::<Float64Type>().values();
            compare(&case, "value", got, &floats(&columns[count]));
            continue;
        }
        let labels = cast(&predicted, &DataType::Utf8).unwrap();
        let labels: Vec<&str> = labels.as_string::<i32>().iter().flatten().collect();
        assert_eq!(labels, columns[count], "{case}");
        for (class, want) in columns[count + 1..].iter().enumerate() {
            let got = model.run(Output::ProbaOf(class), &features).unwrap();
            let got = got.as_primitive::<Float64Type>().values().to_vec();
            compare(&case, &format!("class {class}"), &got, &floats(want));
        }
        let all = model.run(Output::Proba, &features).unwrap();
        assert_eq!(
            all.as_list::<i32>().value(0).len(),
            names.len() - count - 1,
            "{case}"
        );
    }
}
