//! Several forests over the same columns as one: each column's values are read and their codes found once.
//!
//! Each forest's trees add to sums of their own, in their order, so every score has the bits that the forest alone
//! gives it.

use super::blend::{self, Level};
use super::program::Program;
use super::tree::Tree;
use crate::score::features::Features;
use crate::score::{Scorer, Scratch};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// What compiling a node takes, in values whose codes are found: half a microsecond against two nanoseconds.
const NODE_COST: u64 = 256;

/// A forest among others.
#[derive(Debug, Clone)]
pub struct Part {
    /// What scores alone; it has a [`Scorer::forest`]. Not kept alive: forests that are gone are not scored.
    scorer: Weak<dyn Scorer>,
    /// How many scores it gives.
    outputs: usize,
    /// The column of each of its features; `None` of those that it does not use.
    columns: Vec<Option<usize>>,
}

impl Part {
    /// A scorer whose features are these columns.
    pub fn new(scorer: &Arc<dyn Scorer>, columns: Vec<Option<usize>>) -> Self {
        Self {
            outputs: scorer.outputs(),
            scorer: Arc::downgrade(scorer),
            columns,
        }
    }

    /// Whether the scorer is gone.
    pub fn is_gone(&self) -> bool {
        self.scorer.strong_count() == 0
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.scorer, &other.scorer) && self.columns == other.columns
    }
}

/// Forests that are scored together once that has paid for compiling them together.
#[derive(Debug)]
pub struct Joined {
    parts: Vec<Part>,
    outputs: usize,
    /// Values whose codes each row would find more often without it.
    saved: u64,
    nodes: u64,
    /// Values that have been found too often so far.
    wasted: AtomicU64,
    program: OnceLock<Option<Program>>,
}

impl Joined {
    /// Forests that share columns. `None` when that saves nothing, or when one is not a forest.
    pub fn new(parts: Vec<Part>) -> Option<Self> {
        let mut used: Vec<usize> = Vec::new();
        let mut nodes = 0;
        for part in &parts {
            nodes += part.scorer.upgrade()?.forest()?.nodes() as u64;
            used.extend(part.columns.iter().flatten());
        }
        let all = used.len();
        used.sort_unstable();
        used.dedup();
        let saved = (all - used.len()) as u64;
        let outputs = parts.iter().map(|part| part.outputs).sum();
        (saved > 0).then(|| Self {
            parts,
            outputs,
            saved,
            nodes,
            wasted: AtomicU64::new(0),
            program: OnceLock::new(),
        })
    }

    /// The forests, in the order of their scores.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether so many rows are better scored together: compiling has paid off, or has with these.
    pub fn pays(&self, rows: usize) -> bool {
        if rows <= 1 {
            return false;
        }
        let more = self.saved * rows as u64;
        let wasted = || self.wasted.fetch_add(more, Ordering::Relaxed) + more;
        if self.program.get().is_none() && wasted() < NODE_COST * self.nodes {
            return false;
        }
        self.program().is_some()
    }

    fn program(&self) -> Option<&Program> {
        let compile = || {
            let mut trees = Vec::new();
            let mut outputs = Vec::new();
            let mut first = 0;
            for part in &self.parts {
                let scorer = part.scorer.upgrade()?;
                let forest = scorer.forest()?;
                let count = forest.trees().len();
                outputs.extend((0..count).map(|tree| first + tree % forest.outputs()));
                trees.extend(forest.trees().iter().map(|tree| moved(tree, &part.columns)));
                first += forest.outputs();
            }
            Program::compile(&trees, |tree| outputs[tree])
        };
        self.program.get_or_init(compile).as_ref()
    }

    /// The raw scores of each part, row by row, of the columns that the parts name; `None` when only each scores alone.
    pub fn score(&self, features: &Features, scratch: &mut Scratch) -> Option<Vec<Vec<f64>>> {
        self.score_at(Level::best(), features, scratch)
    }

    /// [`Self::score`] with the instructions of a level, which must be available.
    pub fn score_at(
        &self,
        level: Level,
        features: &Features,
        scratch: &mut Scratch,
    ) -> Option<Vec<Vec<f64>>> {
        let program = self.program()?;
        let mut scores = vec![0.0; features.rows() * self.outputs];
        blend::score(level, program, self.outputs, features, scratch, &mut scores);
        let mut first = 0;
        let of_part = |part: &Part| {
            let own = first..first + part.outputs;
            first = own.end;
            let rows = scores.chunks_exact(self.outputs);
            rows.flat_map(|row| &row[own.clone()]).copied().collect()
        };
        Some(self.parts.iter().map(of_part).collect())
    }

    /// Bytes of memory held beside the struct itself and the parts' scorers.
    pub fn memory_bytes(&self) -> usize {
        let program = self.program.get().and_then(Option::as_ref);
        program.map_or(0, Program::memory_bytes)
    }
}

/// A tree whose features are these columns.
fn moved(tree: &Tree, columns: &[Option<usize>]) -> Tree {
    let mut tree = tree.clone();
    let place = |feature: &mut u32| {
        // Features without a column are not used, so there is none such here.
        *feature = columns[*feature as usize].unwrap_or_default() as u32;
    };
    tree.nodes
        .iter_mut()
        .for_each(|node| place(&mut node.feature));
    let terms = tree.linear.iter_mut().flat_map(|linear| &mut linear.terms);
    terms.for_each(|(feature, _)| place(feature));
    tree
}
