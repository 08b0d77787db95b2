//! Scores of quantised leaves, in whole steps, which say of most rows on which side of a limit they are.
//!
//! **Idea.** What a leaf adds beyond the least leaf of its tree is rounded to whole steps, at most 255. The operations
//! of `program` count these bytes as well as numbers of leaves, modulo 256: the root's line then holds how many steps
//! more each row has than the tree's first leaf, so nothing is looked up, and bytes are added up with what they carry
//! over.
//!
//! **Steps.** The order of trees does not matter here. Trees of like ranges share a step and a sum, which may take several
//! chunks; so trees with small leaves have small errors.
//!
//! **Error.** A leaf is wrong by half a step, as a rule; what the leaves of each tree are wrong by at least and at most is
//! measured, and its sums bound the score from both sides; trees that are still to come add nothing to their least leaf
//! or all of their range. The bounds are wider than they need be by more than all the
//! additions of a forest in f64 can lose together: n additions lose at most n · 2⁻⁵³ of the sum of magnitudes (Higham,
//! Accuracy and Stability of Numerical Algorithms, §4.2).

use super::program::{
    CHUNK_BYTES, Code, Form, OP_NODES, Op, Ops, Program, SLOTS, Side, four_times,
};
use std::ops::Range;

/// Trees that may add 255 each to two bytes.
const SUM_TREES: usize = 257;

/// The least range in a sum, as a share of its largest: for smaller trees its steps are too wide.
const SUM_RANGES: f64 = 0.75;

/// Trees that are added up in steps.
#[derive(Debug)]
pub struct Chunk {
    /// How each tree's steps are found.
    pub trees: Vec<Steps>,
    /// The width of a step.
    pub step: f64,
    /// Which sum they are added to: chunks of one sum follow each other and have steps of one width.
    pub sum: usize,
    /// What a score has at least beside the steps of this chunk and those before.
    low: f64,
    /// What it has at most.
    high: f64,
}

/// How a tree's steps are found.
#[derive(Debug)]
pub struct Steps {
    /// By these operations.
    pub ops: Range<usize>,
    /// Slot that then has, for each row, how many steps more than `first` it has, modulo 256.
    pub root: u8,
    /// Steps of the first leaf.
    pub first: u8,
}

/// A forest with one output whose leaves are rounded to steps.
#[derive(Debug)]
pub struct Quantised {
    ops: Ops,
    chunks: Vec<Chunk>,
}

/// A tree on its way to be rounded.
struct Leaves<'a> {
    ops: &'a [Op],
    root: u8,
    leaves: &'a [f64],
    least: f64,
    range: f64,
}

impl Quantised {
    /// Rounds the leaves of a forest with one output. `None` when they have no bounds, or when a tree has more than
    /// 256 leaves, or linear ones.
    pub fn of(program: &Program) -> Option<Self> {
        let mut trees = leaves(program)?;
        let magnitudes = trees.iter().map(|t| t.least.abs() + t.range).sum::<f64>();
        // Steps may add up to more than the ranges, never to twice as much.
        if trees.is_empty() || !(4.0 * magnitudes).is_finite() {
            return None;
        }
        trees.sort_by(|a, b| b.range.total_cmp(&a.range));
        let slack = 16.0 * (trees.len() as f64 + 1.0) * f64::EPSILON * magnitudes;
        let least = trees.iter().map(|t| t.least).sum::<f64>();
        let (mut low, mut high) = (least - slack, least + slack);
        let mut ranges = trees.iter().map(|t| t.range).sum::<f64>();
        let mut ops = Vec::new();
        let mut chunks: Vec<Chunk> = Vec::new();
        let (mut room, mut sums, mut summed, mut range) = (0, 0, 0, f64::NAN);
        for tree in trees {
            let bytes = size_of_val(tree.ops);
            let fits = summed < SUM_TREES && tree.range >= SUM_RANGES * range;
            if !fits {
                (sums, summed, range) = (sums + 1, 0, tree.range);
            }
            if !fits || room < bytes {
                room = CHUNK_BYTES;
                chunks.push(Chunk {
                    trees: Vec::new(),
                    step: range / f64::from(u8::MAX),
                    sum: sums,
                    low,
                    high,
                });
            }
            room = room.saturating_sub(bytes);
            summed += 1;
            let chunk = chunks.last_mut()?;
            let steps = |leaf: &f64| ((leaf - tree.least) / chunk.step).round() as u8;
            let wrong = |leaf: &f64| leaf - tree.least - f64::from(steps(leaf)) * chunk.step;
            let wrong = || tree.leaves.iter().map(wrong);
            ranges -= tree.range;
            low += wrong().fold(f64::INFINITY, f64::min);
            high += wrong().fold(f64::NEG_INFINITY, f64::max);
            (chunk.low, chunk.high) = (low, high + ranges);
            let start = ops.len();
            let steps: Vec<u8> = tree.leaves.iter().map(steps).collect();
            ops.extend(round(&tree, &steps));
            chunk.trees.push(Steps {
                ops: start..ops.len(),
                root: tree.root,
                first: steps[0],
            });
        }
        Some(Self {
            ops: Ops::new(ops, program.columns()),
            chunks,
        })
    }

    /// Operations of all trees.
    pub fn ops(&self) -> &Ops {
        &self.ops
    }

    /// The trees in runs whose operations stay in the nearest cache.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// What a score has at least and at most beside the steps of so many chunks, one at least.
    pub fn bounds(&self, chunks: usize) -> (f64, f64) {
        let chunk = &self.chunks[chunks - 1];
        (chunk.low, chunk.high)
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let trees = self.chunks.iter().map(|c| size_of_val(&c.trees[..]));
        size_of_val(self.ops.all()) + size_of_val(&self.chunks[..]) + trees.sum::<usize>()
    }
}

/// The trees, if all can be rounded.
fn leaves(program: &Program) -> Option<Vec<Leaves<'_>>> {
    let mut shape = &program.ops().all()[..0];
    let tree = |code: &Code| {
        let leaves = &program.leaves()[code.leaves.clone()];
        let Form::Blend {
            ops,
            low: root,
            high: None,
        } = &code.form
        else {
            return None;
        };
        // A tree of the same nodes as the one before has no operations of its own; nor has one of a single leaf.
        if !ops.is_empty() {
            shape = &program.ops().all()[ops.clone()];
        }
        let least = leaves.iter().copied().fold(f64::INFINITY, f64::min);
        let most = leaves.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ops = if leaves.len() > 1 { shape } else { &[] };
        Some(Leaves {
            ops,
            root: *root,
            leaves,
            least,
            range: most - least,
        })
    };
    if !program.linear().is_empty() || !program.leaves().iter().all(|leaf| leaf.is_finite()) {
        return None;
    }
    program.codes().iter().map(tree).collect()
}

/// Operations that leave a leaf's steps where the tree's own leave its number.
fn round(tree: &Leaves<'_>, steps: &[u8]) -> Vec<Op> {
    let mut ops = tree.ops.to_vec();
    // The first leaf below what a slot holds. From the root down, since only there the first leaf is known: 0.
    let mut firsts = [0; 1 + SLOTS];
    for op in ops.iter_mut().rev() {
        let mut first = [firsts[usize::from(op.out)]; OP_NODES];
        for (node, sides) in op.shape().nodes().iter().enumerate() {
            let left: usize = first[node];
            let right = left + (op.adds[node] & 0xff) as usize;
            op.adds[node] = four_times(steps[right].wrapping_sub(steps[left]));
            for (side, leaf) in sides.iter().zip([left, right]) {
                match side {
                    Side::Node(node) => first[*node] = leaf,
                    Side::Input(input) => firsts[usize::from(op.inputs[*input])] = leaf,
                }
            }
        }
    }
    ops
}
