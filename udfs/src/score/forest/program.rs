//! A forest compiled: code columns, and for each tree the operations that find the leaves of many rows at once.
//!
//! **Blend.** A node of the tree is one operation on a whole line of rows: `out = code > threshold ? right : left`,
//! byte by byte, where left and right are lines too: the results of its children, or for a leaf a line of the
//! leaf's own number. Children come first, so the root's line holds each row's leaf. There is no branch, no walk
//! and no address that depends on data; the price is that all nodes are computed, and that pays off because 64 rows
//! share it.
//!
//! **Places.** Lines live in an arena: constant lines 0 to 255, then [`SLOTS`] slots that are used again as soon as
//! their line has been read. The child that needs more slots is computed first, so a tree of n leaves never needs
//! more than log₂ n of them (Strahler 1952; Ershov 1958; Sethi and Ullman 1970). All of it stays in the L1 cache.
//!
//! **Many leaves.** Leaves are numbered from left to right. Beyond 256 of them a second line holds the number's high
//! byte: only nodes whose leaves differ in it are computed again.
//!
//! **Walks.** Trees of more than [`BLEND_LEAVES_MAX`] leaves are walked row by row over the same codes: work per row
//! grows with depth instead of leaves.
//!
//! The idea of finding leaves without branches goes back to QuickScorer (Lucchese et al., SIGIR 2015) and
//! RapidScorer (Ye et al., KDD 2018), which use bit vectors; blending needs no tables and less work per node.

use super::bins::Bins;
use super::categories::Categories;
use super::single::Single;
use super::tree::Linear;
use std::ops::Range;

/// Lines of the arena that are constant: line i holds i in every row.
pub const CONSTANTS: usize = 256;
/// Slots behind them; a tree of [`BLEND_LEAVES_MAX`] leaves needs 11.
pub const SLOTS: usize = 16;
/// Lines of a slot.
pub const SLOT_LINES: usize = 4;
/// Lines of the arena.
pub const ARENA_LINES: usize = CONSTANTS + SLOTS * SLOT_LINES;

/// Most leaves of a tree that is blended.
pub const BLEND_LEAVES_MAX: usize = 1024;

/// Bytes of operations and leaves that are run over all blocks before the next: half an L1 cache.
pub const CHUNK_BYTES: usize = 16 << 10;

/// `out = code[column] > threshold ? right : left` for every row of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Op {
    /// The code column.
    pub column: u32,
    /// The byte compared with, four times.
    pub threshold: u32,
    /// Line of the arena; a slot's first.
    pub left: u16,
    /// Line of the arena; a slot's first.
    pub right: u16,
    /// First line of a slot.
    pub out: u16,
}

/// Operations that stay within the columns and the arena they are run on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ops {
    all: Vec<Op>,
    columns: usize,
}

impl Ops {
    /// Operations on so many code columns.
    ///
    /// # Panics
    /// When one names another column, or a line that is none.
    pub fn new(all: Vec<Op>, columns: usize) -> Self {
        let slot = |line: u16| (CONSTANTS..=ARENA_LINES - SLOT_LINES).contains(&usize::from(line));
        let line = |line: u16| usize::from(line) < CONSTANTS || slot(line);
        assert!(all.iter().all(|op| {
            (op.column as usize) < columns && line(op.left) && line(op.right) && slot(op.out)
        }));
        Self { all, columns }
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Op] {
        &self.all
    }

    /// Number of code columns; every operation's is below it.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// How a tree's leaves are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// By these operations; then `low` holds the low byte of each row's leaf and `high` the high byte.
    Blend {
        /// Range of [`Program::ops`]; empty when the tree before has the same nodes.
        ops: Range<usize>,
        /// Line of the arena.
        low: u16,
        /// Line of the arena; `None` up to 256 leaves.
        high: Option<u16>,
    },
    /// By walking: range of [`Program::steps`].
    Walk(Range<usize>),
}

/// A node of a walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The code column.
    pub column: u32,
    /// Right when the code is above it.
    pub threshold: u8,
    /// Left and right: a step, counted from the tree's first, or leaf `!next`, counted from left to right.
    pub next: [i32; 2],
}

impl Step {
    /// Where a walk that stands at `at` stands next; at a leaf it stays.
    #[inline(always)]
    pub fn follow(steps: &[Self], at: i32, code: impl Fn(u32) -> u8) -> i32 {
        let step = &steps[at.max(0) as usize];
        let next = step.next[usize::from(code(step.column) > step.threshold)];
        if at < 0 { at } else { next }
    }
}

/// A compiled tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// How leaves are found.
    pub form: Form,
    /// The leaves' numbers, from left to right: range of [`Program::leaves`].
    pub leaves: Range<usize>,
    /// Which of the row's scores it adds to.
    pub output: usize,
    /// The leaves' functions, from left to right: range of [`Program::linear`]; empty unless the tree is linear.
    pub linear: Range<usize>,
}

/// Trees that are run together over all blocks of rows.
pub type Chunk = Range<usize>;

/// A compiled forest. Immutable; what its parts promise of each other is set up by [`Program::compile`] alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub(super) bins: Vec<Bins>,
    pub(super) categories: Vec<Categories>,
    pub(super) columns: usize,
    pub(super) ops: Ops,
    pub(super) steps: Vec<Step>,
    pub(super) leaves: Vec<f64>,
    pub(super) linear: Vec<Linear>,
    pub(super) linear_features: Vec<usize>,
    pub(super) codes: Vec<Code>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) single: Single,
}

impl Program {
    /// Numeric features.
    pub fn bins(&self) -> &[Bins] {
        &self.bins
    }

    /// Categorical features.
    pub fn categories(&self) -> &[Categories] {
        &self.categories
    }

    /// Number of code columns; every operation's and step's column is below it.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Operations of all trees.
    pub fn ops(&self) -> &Ops {
        &self.ops
    }

    /// Nodes of the trees that are walked.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Leaves of all trees.
    pub fn leaves(&self) -> &[f64] {
        &self.leaves
    }

    /// The features that linear leaves use; their terms name places in this list.
    pub fn linear_features(&self) -> &[usize] {
        &self.linear_features
    }

    /// Linear functions of all trees.
    pub fn linear(&self) -> &[Linear] {
        &self.linear
    }

    /// The trees.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The form for single rows.
    pub fn single(&self) -> &Single {
        &self.single
    }

    /// The trees in runs of a size that stays in the nearest cache.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let terms: usize = self.linear.iter().map(|l| l.terms.len()).sum();
        let bins: usize = self.bins.iter().map(Bins::memory_bytes).sum();
        let categories: usize = self.categories.iter().map(Categories::memory_bytes).sum();
        bins + categories
            + size_of_val(&self.bins[..])
            + size_of_val(&self.categories[..])
            + size_of_val(self.ops.all())
            + size_of_val(&self.steps[..])
            + size_of_val(&self.leaves[..])
            + size_of_val(&self.linear[..])
            + terms * size_of::<(u32, f64)>()
            + size_of_val(&self.codes[..])
            + size_of_val(&self.chunks[..])
            + self.single.memory_bytes()
    }
}

/// The code column that a node looks at, and the byte it compares with.
pub type Question = (u32, u8);
