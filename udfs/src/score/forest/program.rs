//! A forest compiled: code columns, and for each tree the operations that find the leaves of many rows at once.
//!
//! **Numbers.** A subtree's line holds for each row which of the subtree's leaves it falls into, counted from the
//! subtree's own first. A node is then `out = left; where code > threshold: out = right + add`, byte by byte, where
//! `add` is how far the right side's first leaf is from the left side's; the line of a leaf is zeros. The root's line
//! holds each row's leaf. There is no branch, no walk and no address that depends on data; the price is that all nodes
//! are computed, and that pays off because 64 rows share it.
//!
//! **Operations.** Up to three neighbouring nodes are one operation, whose inner results stay in registers. There are
//! eight [`Shape`]s of these, so an operation is chosen by a jump; processors foresee it, since all blocks of rows take
//! the same jumps in turn. Those of leaves alone read no line but their codes. Trees are cut into operations so that
//! few are needed and few lines are read (dynamic programming over each node's subtree).
//!
//! **Slots.** Lines live in slots that are used again as soon as their line has been read; slot 0 is zeros. The input
//! that needs more slots is computed first (Strahler 1952; Ershov 1958; Sethi and Ullman 1970). Let N(r) be the least
//! leaves that can need r slots: a node needs 1, and i inputs that are computed one after the other need r when each has
//! N(r - i + 1) leaves, so N(r) = min(2 N(r-1), 3 N(r-2), 4 N(r-3)), which passes 1024 at 15. All of it stays in the L1
//! cache.
//!
//! **Many leaves.** Leaves are numbered from left to right. Beyond 256 of them a second line holds the number's high
//! byte: only nodes whose leaves differ in it are computed again.
//!
//! **Walks.** Trees of more than [`BLEND_LEAVES_MAX`] leaves are walked row by row over the same codes: work per row
//! grows with depth instead of leaves.
//!
//! The idea of finding leaves without branches goes back to QuickScorer (Lucchese et al., SIGIR 2015) and
//! RapidScorer (Ye et al., KDD 2018), which use bit vectors; adding by masks needs no tables and less work per node.

use super::bins::{BLOCK_ROWS, Bins, LINE_ROWS};
use super::categories::Categories;
use super::single::Single;
use super::tree::Linear;
use std::ops::Range;

/// The slot of zeros.
pub const ZEROS: u8 = 0;
/// Slots behind it; a tree of [`BLEND_LEAVES_MAX`] leaves needs 14, and its high bytes one more.
pub const SLOTS: usize = 16;
/// Lines of a slot.
pub const SLOT_LINES: usize = BLOCK_ROWS / LINE_ROWS;
/// How many lines a block may have: as few as hold the rows, since empty ones take as long.
pub const BLOCK_LINES: [usize; 4] = [1, 2, 4, SLOT_LINES];
/// Lines of the arena, which is all slots.
pub const ARENA_LINES: usize = (1 + SLOTS) * SLOT_LINES;

/// Most leaves of a tree that is blended.
pub const BLEND_LEAVES_MAX: usize = 1024;

/// Bytes of operations and leaves that are run over all blocks before the next: half an L1 cache.
pub const CHUNK_BYTES: usize = 16 << 10;

/// Nodes of an operation at most.
pub const OP_NODES: usize = 3;
/// Inputs of an operation at most.
pub const OP_INPUTS: usize = OP_NODES + 1;

/// What a side of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A node of the same operation.
    Node(usize),
    /// An input of it.
    Input(usize),
}

/// How the nodes of an operation hang together: for each but the top one, in words, on which side it is of the one
/// before, or `Both` sides of the top one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Shape {
    One,
    Left,
    Right,
    Both,
    LeftLeft,
    LeftRight,
    RightLeft,
    RightRight,
}

impl Shape {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::One,
        Self::Left,
        Self::Right,
        Self::Both,
        Self::LeftLeft,
        Self::LeftRight,
        Self::RightLeft,
        Self::RightRight,
    ];

    /// The left and the right side of each node, the top one first. Inputs are counted from left to right.
    pub fn nodes(self) -> &'static [[Side; 2]] {
        use Side::{Input, Node};
        match self {
            Self::One => &[[Input(0), Input(1)]],
            Self::Left => &[[Node(1), Input(2)], [Input(0), Input(1)]],
            Self::Right => &[[Input(0), Node(1)], [Input(1), Input(2)]],
            Self::Both => &[
                [Node(1), Node(2)],
                [Input(0), Input(1)],
                [Input(2), Input(3)],
            ],
            Self::LeftLeft => &[
                [Node(1), Input(3)],
                [Node(2), Input(2)],
                [Input(0), Input(1)],
            ],
            Self::LeftRight => &[
                [Node(1), Input(3)],
                [Input(0), Node(2)],
                [Input(1), Input(2)],
            ],
            Self::RightLeft => &[
                [Input(0), Node(1)],
                [Node(2), Input(3)],
                [Input(1), Input(2)],
            ],
            Self::RightRight => &[
                [Input(0), Node(1)],
                [Input(1), Node(2)],
                [Input(2), Input(3)],
            ],
        }
    }
}

/// The line of an operation's top node, given what computes a node from its number and its sides and what an input's
/// line is: [`Shape::nodes`] in the form that compilers keep in registers.
macro_rules! top {
    ($shape:expr, $node:ident, $input:ident) => {
        match $shape {
            0 => $node(0, $input(0), $input(1)),
            1 => $node(0, $node(1, $input(0), $input(1)), $input(2)),
            2 => $node(0, $input(0), $node(1, $input(1), $input(2))),
            3 => $node(
                0,
                $node(1, $input(0), $input(1)),
                $node(2, $input(2), $input(3)),
            ),
            4 => $node(
                0,
                $node(1, $node(2, $input(0), $input(1)), $input(2)),
                $input(3),
            ),
            5 => $node(
                0,
                $node(1, $input(0), $node(2, $input(1), $input(2))),
                $input(3),
            ),
            6 => $node(
                0,
                $input(0),
                $node(1, $node(2, $input(1), $input(2)), $input(3)),
            ),
            _ => $node(
                0,
                $input(0),
                $node(1, $input(1), $node(2, $input(2), $input(3))),
            ),
        }
    };
}

/// Calls `$run::<KIND, LINES>` with the kind of an operation; see [`Op::kind`].
macro_rules! by_kind {
    ($op:ident, $run:ident::<$lines:tt>($($argument:expr),*)) => {
        match $op.kind() {
            0 => $run::<0, $lines>($($argument),*),
            1 => $run::<1, $lines>($($argument),*),
            2 => $run::<2, $lines>($($argument),*),
            3 => $run::<3, $lines>($($argument),*),
            4 => $run::<4, $lines>($($argument),*),
            5 => $run::<5, $lines>($($argument),*),
            6 => $run::<6, $lines>($($argument),*),
            7 => $run::<7, $lines>($($argument),*),
            8 => $run::<8, $lines>($($argument),*),
            9 => $run::<9, $lines>($($argument),*),
            10 => $run::<10, $lines>($($argument),*),
            11 => $run::<11, $lines>($($argument),*),
            12 => $run::<12, $lines>($($argument),*),
            13 => $run::<13, $lines>($($argument),*),
            14 => $run::<14, $lines>($($argument),*),
            _ => $run::<15, $lines>($($argument),*),
        }
    };
}

/// Calls `$run::<LINES>` with how many lines a block has, one of [`BLOCK_LINES`].
///
/// # Panics
/// When it is none of these.
macro_rules! by_lines {
    ($lines:expr, $run:ident($($argument:expr),*)) => {
        match $lines {
            1 => $run::<1>($($argument),*),
            2 => $run::<2>($($argument),*),
            4 => $run::<4>($($argument),*),
            8 => $run::<8>($($argument),*),
            lines => unreachable!("no block has {lines} lines"),
        }
    };
}

pub(super) use {by_kind, by_lines, top};

/// One to three nodes of a tree, for every row of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Op {
    /// The code column of each node; 0 beyond the last.
    pub columns: [u32; OP_NODES],
    /// The byte each compares with, four times.
    pub thresholds: [u32; OP_NODES],
    /// How far each one's right side is from its left, modulo 256, four times.
    pub adds: [u32; OP_NODES],
    /// Slots.
    pub inputs: [u8; OP_INPUTS],
    /// Slot of the result.
    pub out: u8,
    kind: u8,
}

impl Op {
    /// An operation of nodes, each with what it asks and how far its right side is from its left, on slots.
    pub fn new(shape: Shape, nodes: &[(Question, u8)], inputs: &[u8], out: u8) -> Self {
        debug_assert!(shape.nodes().len() == nodes.len() && nodes.len() + 1 == inputs.len());
        let mut op = Self {
            columns: [0; OP_NODES],
            thresholds: [0; OP_NODES],
            adds: [0; OP_NODES],
            inputs: [ZEROS; OP_INPUTS],
            out,
            kind: 0,
        };
        for (at, ((column, threshold), add)) in nodes.iter().enumerate() {
            op.columns[at] = *column;
            op.thresholds[at] = four_times(*threshold);
            op.adds[at] = four_times(*add);
        }
        op.inputs[..inputs.len()].copy_from_slice(inputs);
        let leaves = op.inputs == [ZEROS; OP_INPUTS];
        op.kind = shape as u8 * 2 + u8::from(leaves);
        op
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        Shape::ALL[usize::from(self.kind / 2)]
    }

    /// The shape's number, twice, and one more when all inputs are zeros.
    #[inline(always)]
    pub fn kind(&self) -> u8 {
        self.kind
    }
}

/// A byte as vectors are filled with it.
pub fn four_times(byte: u8) -> u32 {
    u32::from(byte) * 0x0101_0101
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
    /// When one names another column, or a slot that is none, or writes the slot of zeros.
    pub fn new(all: Vec<Op>, columns: usize) -> Self {
        let slots = 1..=SLOTS as u8;
        assert!(all.iter().all(|op| {
            op.columns.iter().all(|column| (*column as usize) < columns)
                && op
                    .inputs
                    .iter()
                    .all(|slot| *slot == ZEROS || slots.contains(slot))
                && slots.contains(&op.out)
        }));
        Self { all, columns }
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Op] {
        &self.all
    }

    /// Number of code columns; every operation's are below it.
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
        /// Slot.
        low: u8,
        /// Slot; `None` up to 256 leaves.
        high: Option<u8>,
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
    pub(super) single: Option<Single>,
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

    /// The form for single rows, if the forest has one.
    pub fn single(&self) -> Option<&Single> {
        self.single.as_ref()
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
            + self.single.as_ref().map_or(0, Single::memory_bytes)
    }
}

/// The code column that a node looks at, and the byte it compares with.
pub type Question = (u32, u8);
