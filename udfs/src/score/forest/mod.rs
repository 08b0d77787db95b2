//! Forests of decision trees. `parse` reads LightGBM's text, `iterations` cuts some out of it, `tree` says what a tree
//! means, `scalar` scores plainly and `objective` transforms. `compile` makes of a forest the `program` that `blend`
//! runs over blocks of rows, with operations of `cut`: `bins` and `categories` find the codes, by tables of `places` and
//! `avx512_codes` where they can; `avx2` and `avx512` are the other fast parts. `early` ends early, by the `quantised`
//! form of the program and in stages of a `plan`. `single` takes single rows, `strike` is its form of small trees and `avx512_single` its fast
//! part. `prune` makes a forest for rows of which something is known, and `bounds` says what it can give them. `joined`
//! runs several forests over the same rows as one.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_codes;
#[cfg(target_arch = "x86_64")]
mod avx512_single;
pub mod bins;
pub mod blend;
mod bounds;
mod categories;
mod compile;
mod cut;
pub(super) mod early;
#[cfg(test)]
mod equal;
#[cfg(test)]
mod golden;
pub mod iterations;
pub mod joined;
mod json;
pub mod objective;
pub mod parse;
mod places;
mod plan;
pub mod program;
mod prune;
mod quantised;
#[cfg(test)]
pub(crate) mod random;
pub mod scalar;
mod single;
mod strike;
pub mod tree;

use super::known::Known;
use super::{Bounds, Limits, Loader, Restricted, Scorer, Scratch, Task};
use crate::error::ScoreError;
use crate::score::features::{Feature, Features};
use blend::Level;
use objective::Objective;
use program::Program;
use quantised::Quantised;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tree::Tree;

/// The LightGBM text loader.
pub const LOADER: Loader = Loader {
    kind: "lightgbm",
    detect: parse::detect,
    load: |bytes| Ok(Arc::new(parse::parse(bytes)?)),
};

/// Share of nodes that may be left for a forest of its own.
const NODES_LEFT_MAX: f64 = 0.7;

/// Rows from which it pays to compile a forest: it takes as long as scoring some hundred rows plainly.
const ROWS_TO_COMPILE: usize = 256;

/// A forest of decision trees, ready to score.
#[derive(Debug)]
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
    /// The trees compiled, when they are first run at the latest; `None` when only the plain scorer can run them.
    program: OnceLock<Option<Program>>,
    /// The program in steps, when sides of a limit are first asked for; `None` when there is none.
    quantised: OnceLock<Option<Quantised>>,
    /// Rows that the plain scorer took because compiling had not paid off yet.
    rows: AtomicUsize,
    /// Whether any tree asks of or computes with a feature.
    used: Vec<bool>,
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
        let forest = Self::uncompiled(features, trees, outputs, objective, average);
        forest.program();
        forest
    }

    fn uncompiled(
        features: Vec<Feature>,
        trees: Vec<Tree>,
        outputs: usize,
        objective: Objective,
        average: bool,
    ) -> Self {
        let names = features.iter().map(|f| f.name.clone()).collect();
        let mut used = vec![false; features.len()];
        for tree in &trees {
            tree.nodes
                .iter()
                .for_each(|n| used[n.feature as usize] = true);
            let terms = tree.linear.iter().flat_map(|l| &l.terms);
            terms.for_each(|(feature, _)| used[*feature as usize] = true);
        }
        Self {
            program: OnceLock::new(),
            quantised: OnceLock::new(),
            rows: AtomicUsize::new(0),
            used,
            features,
            names,
            trees,
            outputs,
            objective,
            average,
        }
    }

    /// The trees compiled.
    fn program(&self) -> Option<&Program> {
        let compile = || Program::compile(&self.trees, |tree| tree % self.outputs);
        self.program.get_or_init(compile).as_ref()
    }

    /// The forest without the nodes that what is known decides; `None` when too many are left to make up for compiling
    /// another forest, which happens once it has scored some rows.
    pub(crate) fn pruned(&self, known: &[Known]) -> Option<Self> {
        let left: usize = self.trees.iter().map(|t| prune::count(t, known)).sum();
        if left == self.nodes() || left as f64 > NODES_LEFT_MAX * self.nodes() as f64 {
            return None;
        }
        let trees = self.trees.iter().map(|t| prune::prune(t, known)).collect();
        let features = self.features.clone();
        Some(Self::uncompiled(
            features,
            trees,
            self.outputs,
            self.objective,
            self.average,
        ))
    }

    /// Decisions of all trees.
    pub(crate) fn nodes(&self) -> usize {
        self.trees.iter().map(|t| t.nodes.len()).sum()
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
        match self.ready(features.rows()) {
            Some(program) => blend::score(level, program, self.outputs, features, scratch, out),
            None => self.score_plainly(features, scratch, out),
        }
        Ok(())
    }

    /// [`Scorer::score_within`] with the instructions of a level, which must be available.
    pub fn score_within_at(
        &self,
        level: Level,
        features: &Features,
        limits: Limits,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.check(features, out)?;
        let Some(program) = self.ready(features.rows()) else {
            self.score_plainly(features, scratch, out);
            return Ok(());
        };
        let many = 2..=u32::MAX as usize;
        let quantised = if self.outputs == 1 && many.contains(&features.rows()) {
            let made = self.quantised.get_or_init(|| Quantised::of(program));
            made.as_ref()
        } else {
            None
        };
        match quantised {
            Some(quantised) => {
                early::score(level, program, quantised, limits, features, scratch, out);
            }
            None => blend::score(level, program, self.outputs, features, scratch, out),
        }
        Ok(())
    }

    /// The compiled trees, unless so few rows are scored that compiling does not pay off.
    fn ready(&self, rows: usize) -> Option<&Program> {
        match self.program.get() {
            Some(program) => program.as_ref(),
            None if self.rows.fetch_add(rows, Ordering::Relaxed) + rows < ROWS_TO_COMPILE => None,
            None => self.program(),
        }
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

    fn score_within(
        &self,
        features: &Features,
        limits: Limits,
        scratch: &mut Scratch,
        out: &mut [f64],
    ) -> Result<(), ScoreError> {
        self.score_within_at(Level::best(), features, limits, scratch, out)
    }

    fn is_monotone(&self) -> bool {
        self.outputs == 1
    }

    fn forest(&self) -> Option<&Forest> {
        Some(self)
    }

    fn uses(&self, feature: usize) -> bool {
        self.used[feature]
    }

    fn restricted(&self, known: &[Known]) -> Option<Restricted> {
        let forest = Arc::new(self.pruned(known)?);
        Some(Restricted {
            nodes: forest.nodes(),
            nodes_before: self.nodes(),
            scorer: forest,
        })
    }

    fn bounds(&self, known: &[Known]) -> Option<Bounds> {
        if self.outputs != 1 {
            return None;
        }
        bounds::bounds(&self.trees, known)
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
        let program = self.program().map_or(0, Program::memory_bytes);
        let quantised = self.quantised.get().and_then(Option::as_ref);
        size_of::<Self>() + names + trees + program + quantised.map_or(0, Quantised::memory_bytes)
    }
}
