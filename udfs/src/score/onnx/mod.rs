//! Tree ensembles in ONNX files, as scikit-learn, LightGBM, XGBoost and CatBoost are exported.
//!
//! `proto` decodes the file; `graph` reads its operators, of which `operators` and `version5` are those with trees,
//! `classes` those about classes, `scaling`, `arithmetic` and `rearrange` the small ones around; `grow` makes trees of
//! the forest scorer, whose splits `reading` and `split` compute; `model` puts both together and is the scorer. What is
//! not covered is refused when the file is loaded, by the operator's name. Where ONNX's description of its operators
//! leaves open what happens, ONNX Runtime decides.
//!
//! Against ONNX Runtime: sums are added in `f64` and rounded to `float` once, so they may differ in the last bit, and a
//! tie of votes is one here when rounding there after every tree has broken it; magnitudes up to 1e-35 are 0; a
//! fractional number of a category is cut to a whole one.

mod arithmetic;
mod classes;
mod columns;
mod constant;
mod ensemble;
#[cfg(test)]
mod golden;
mod graph;
mod grow;
#[cfg(test)]
mod hostile_tests;
mod model;
mod operators;
mod proto;
mod reading;
mod rearrange;
mod scaling;
mod split;
mod version5;

pub use model::OnnxModel;

use super::Loader;
use crate::error::ScoreError;
use std::sync::Arc;

/// The ONNX loader.
pub const LOADER: Loader = Loader {
    kind: "onnx",
    detect: proto::looks_like_model,
    load: |bytes| Ok(Arc::new(parse(bytes)?)),
};

/// Reads and checks a model.
pub fn parse(bytes: &[u8]) -> Result<OnnxModel, ScoreError> {
    let file = match proto::decode(bytes) {
        Ok(file) => file,
        Err(what) => return bad(what),
    };
    match &file.graph {
        Some(graph) => OnnxModel::of(graph),
        None => bad("the file has no graph"),
    }
}

fn bad<T>(message: impl Into<String>) -> Result<T, ScoreError> {
    let message = message.into();
    Err(ScoreError::BadModel(format!(
        "invalid ONNX model: {message}"
    )))
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, ScoreError> {
    let what = what.into();
    Err(ScoreError::Unsupported(format!(
        "an ONNX model with {what} is not supported"
    )))
}
