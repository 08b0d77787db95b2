//! Tree ensembles in LightGBM's text form: `parse` reads them, `tree` says what a tree means, `scalar` scores,
//! `objective` transforms.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod bins;
pub mod blend;
mod categories;
mod compile;
#[cfg(test)]
mod equal;
#[cfg(test)]
mod golden;
mod json;
pub mod objective;
pub mod parse;
pub mod program;
pub mod scalar;
mod single;
pub mod tree;

use super::{Loader, Scorer, Scratch, Task};
use crate::error::ScoreError;
use crate::score::features::{Feature, Features};
use blend::Level;
use objective::Objective;
use program::Program;
use std::sync::Arc;
use tree::Tree;

/// The LightGBM text loader.
pub const LOADER: Loader = Loader {
    kind: "lightgbm",
    detect: parse::detect,
    load: |bytes| Ok(Arc::new(parse::parse(bytes)?)),
};

/// A forest of decision trees, ready to score.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// Inputs in the model's order; their kinds as far as the file tells them.
    features: Vec<Feature>,
    names: Vec<String>,
    /// `iterations * outputs` trees; tree i adds to output `i % outputs`.
    trees: Vec<Tree>,
    outputs: usize,
    objective: Objective,
    /// Whether the trees' mean is transformed, as random forests do, instead of their sum.
    average: bool,
    /// The trees compiled; `None` when only the plain scorer can run them.
    program: Option<Program>,
}

impl Forest {
    /// A forest of trees whose indexes are in range and whose shape was checked; there are a multiple of `outputs`.
    pub fn new(
        features: Vec<Feature>,
        trees: Vec<Tree>,
        outputs: usize,
        objective: Objective,
        average: bool,
    ) -> Self {
        let names = features.iter().map(|f| f.name.clone()).collect();
        let program = Program::compile(&trees, outputs);
        Self {
            program,
            features,
            names,
            trees,
            outputs,
            objective,
            average,
        }
    }

    /// [`Scorer::score`] with the instructions of a level, which must be available.
    pub fn score_at(
        &self,
        level: Level,
        features: &Features,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.check(features, out)?;
        match &self.program {
            Some(program) => blend::score(level, program, self.outputs, features, scratch, out),
            None => self.score_plainly(features, scratch, out),
        }
        Ok(())
    }

    /// [`Scorer::score`] by the plain scorer, which is the specification.
    pub fn score_plainly(&self, features: &Features, scratch: &mut Scratch, out: &mut [f64]) {
        scalar::score(&self.trees, self.outputs, features, &mut scratch.f64s, out);
    }

    fn check(&self, features: &Features, out: &[f64]) -> Result<(), ScoreError> {
        let (given, wanted) = (features.columns().len(), self.features.len());
        if given != wanted {
            return Err(ScoreError::BadInput(format!(
                "the model has {wanted} features, but {given} were given"
            )));
        }
        if out.len() != features.rows() * self.outputs {
            return Err(ScoreError::BadInput(format!(
                "{} scores asked for, {} rows of {} given",
                out.len(),
                features.rows(),
                self.outputs
            )));
        }
        Ok(())
    }

    /// The trees, interleaved by class.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }
}

impl Scorer for Forest {
    fn feature_names(&self) -> &[String] {
        &self.names
    }

    fn features(&self) -> &[Feature] {
        &self.features
    }

    fn task(&self) -> Task {
        self.objective.task(self.outputs)
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn score(
        &self,
        features: &Features,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.score_at(Level::best(), features, scratch, out)
    }

    fn transform(&self, scores: &mut [f64]) {
        if self.average {
            let iterations = (self.trees.len() / self.outputs) as f64;
            for score in scores.iter_mut() {
                *score /= iterations;
            }
        }
        self.objective.transform(scores, self.outputs);
    }

    fn memory_bytes(&self) -> usize {
        let names: usize = self.names.iter().map(|n| 2 * n.capacity()).sum();
        let trees: usize = self
            .trees
            .iter()
            .map(|t| size_of::<Tree>() + t.memory_bytes())
            .sum();
        let program = self.program.as_ref().map_or(0, Program::memory_bytes);
        size_of::<Self>() + names + trees + program
    }
}
