//! Model scorers over Arrow columns.
//!
//! A [`Scorer`] is immutable and shared; what changes while scoring lives in a [`Scratch`] that the caller owns.
//! [`LOADERS`] is the explicit list of artifact kinds: the bytes tell the kind, not the file's suffix.

pub mod column;
pub mod features;
pub mod forest;
mod onnx;

use crate::error::ScoreError;
use arrow::array::ArrayRef;
use features::{Feature, Features};
use std::sync::Arc;

/// What a model predicts; decides the shape and type of `predict`, `predict_proba` and `predict_raw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One float8 per row, transformed as the objective says.
    Regression,
    /// Two classes, one raw score per row; the positive class is the last.
    Binary,
    /// `classes` raw scores per row, in class order.
    Multiclass {
        /// How many.
        classes: usize,
    },
}

/// Reusable buffers of one caller; empty at first, grown by the scorer, never shrunk.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Free for the scorer to use.
    pub f64s: Vec<f64>,
    /// Constant lines and slots of a compiled forest, then codes.
    pub(crate) lines: Vec<forest::bins::Line>,
    /// Codes of a single row.
    pub(crate) codes: Vec<u8>,
    /// Leaves that a single row may still fall into, a bit each.
    pub(crate) bits: Vec<u64>,
    /// Where a single row's walks stand.
    pub(crate) walks: Vec<i32>,
}

/// A loaded model: immutable, shared between threads.
pub trait Scorer: Send + Sync + std::fmt::Debug {
    /// Names of the inputs in the model's own order.
    fn feature_names(&self) -> &[String];
    /// The inputs with their kinds, as far as the artifact itself tells them.
    fn features(&self) -> &[Feature];
    /// What it predicts.
    fn task(&self) -> Task;
    /// Raw scores per row: 1, or the number of classes.
    fn outputs(&self) -> usize;
    /// Writes `features.rows() * outputs()` raw scores, row-major (row 0's outputs first).
    /// Raw is what LightGBM calls `raw_score`.
    fn score(
        &self,
        features: &Features,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError>;
    /// Turns raw scores into the objective's output in place: sigmoid, softmax, exp, identity …
    /// Same layout as [`Scorer::score`]; binary stays one value per row, the probability of the positive class.
    fn transform(&self, scores: &mut [f64]);
    /// The class of each row of raw scores; `None` when it is the likeliest one after [`Scorer::transform`].
    fn classes(&self, _raw: &[f64]) -> Option<Vec<u32>> {
        None
    }
    /// Class labels in class order, as far as the artifact itself tells them.
    fn labels(&self) -> Option<ArrayRef> {
        None
    }
    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize;
}

/// A scorer, or what is wrong with its bytes.
pub type Loaded = Result<Arc<dyn Scorer>, ScoreError>;

/// One kind of artifact.
pub struct Loader {
    /// As it is named in catalogs: `lightgbm`.
    pub kind: &'static str,
    /// Whether these bytes are of this kind; must be cheap.
    pub detect: fn(&[u8]) -> bool,
    /// Parses and checks the bytes; hostile input gives an error, never a panic.
    pub load: fn(&[u8]) -> Loaded,
}

/// Every kind of artifact, in the order they are tried.
pub const LOADERS: &[Loader] = &[forest::LOADER, onnx::LOADER];

/// Loads an artifact of whatever kind its bytes are; the kind comes back with it.
pub fn load(bytes: &[u8]) -> Result<(&'static str, Arc<dyn Scorer>), ScoreError> {
    match LOADERS.iter().find(|loader| (loader.detect)(bytes)) {
        Some(loader) => Ok((loader.kind, (loader.load)(bytes)?)),
        None => Err(ScoreError::BadModel(
            "the file is not a model of a known kind".to_owned(),
        )),
    }
}
