//! Model scorers over Arrow columns.
//!
//! A [`Scorer`] is immutable and shared; what changes while scoring lives in a [`Scratch`] that the caller owns.
//! [`LOADERS`] is the explicit list of artifact kinds: the bytes tell the kind, not the file's suffix.

pub mod column;
pub mod features;
pub mod forest;
pub mod known;
pub mod onnx;

use crate::error::ScoreError;
use arrow::array::ArrayRef;
use features::{Feature, Features};
use known::Known;
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
    /// Slots of a compiled forest, then codes.
    pub(crate) lines: Vec<forest::bins::Line>,
    /// Codes of a single row.
    pub(crate) codes: Vec<u8>,
    /// A single row's walks that have arrived, and their leaves.
    pub(crate) arrived: Vec<u32>,
    /// Leaves that a single row falls into.
    pub(crate) found: Vec<u16>,
    /// Steps of rows of which only the side of a limit is asked.
    pub(crate) steps: Vec<forest::blend::StepSums>,
    /// How rows of which only the side of a limit is asked go through a forest.
    pub(crate) followed: Option<forest::early::Followed>,
    /// For rows that are gathered from others.
    pub(crate) spare: Vec<forest::early::Spare>,
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
    /// Whether [`Scorer::transform`] of one score per row never falls when the score grows.
    fn is_monotone(&self) -> bool {
        false
    }
    /// The trees, when raw scores are sums of theirs and of nothing else.
    fn forest(&self) -> Option<&forest::Forest> {
        None
    }
    /// Whether the score depends on a feature; a column that no score depends on need not be read.
    fn uses(&self, _feature: usize) -> bool {
        true
    }
    /// A scorer for rows whose features are `known`, an entry each: for such rows it has the same scores, bit for
    /// bit. `None` when there is none with less work.
    fn restricted(&self, _known: &[Known]) -> Option<Restricted> {
        None
    }
    /// What the one raw score of a row can be whose features are `known`, an entry each: no such row has another.
    /// `None` when nothing is certain.
    fn bounds(&self, _known: &[Known]) -> Option<Bounds> {
        None
    }
    /// [`Scorer::score`] for those who only ask on which side of `limits` the one score of a row is: a score that is
    /// certainly below them may come out as any number below, one above as any number above.
    fn score_within(
        &self,
        features: &Features,
        _limits: Limits,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.score(features, scratch, out)
    }
    /// Bytes of memory held.
    fn memory_bytes(&self) -> usize;
}

/// A scorer for some rows.
#[derive(Debug, Clone)]
pub struct Restricted {
    /// The scorer.
    pub scorer: Arc<dyn Scorer>,
    /// Decisions that it can take.
    pub nodes: usize,
    /// Decisions of the scorer for all rows.
    pub nodes_before: usize,
}

/// The least and the most that a raw score can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

/// Raw scores that need not be exact: those below `low` and those above `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Scores from here on are exact.
    pub low: f64,
    /// Scores up to here are exact.
    pub high: f64,
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
