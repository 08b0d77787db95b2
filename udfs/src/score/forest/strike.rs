//! Small trees laid out for striking: the leaves that a row cannot fall into are struck off, several trees at once.
//!
//! **Idea.** Of a node that sends the row right, none of the leaves on its left side can be the row's. When all such
//! nodes have struck their left sides off, the first leaf that remains is the row's leaf: QuickScorer (Lucchese et al.,
//! SIGIR 2015). All nodes are asked, in any order, so 64 can be asked at once.
//!
//! **Layout.** A group is as many trees as a vector of 512 bits has lanes for their leaves: 16 of up to 32 leaves or 8
//! of up to 64, leaf i being the i-th highest bit of its lane. Nodes lie in slots of one node from each tree of the
//! group, each with the leaves that stay when it sends the row right. A [`Piece`] is 64 nodes, so a comparison of 64
//! codes decides about whole slots. Trees with fewer nodes are filled up with some that send nobody right.
//!
//! **Limits.** Up to [`COLUMNS`] code columns and 64 leaves, no sets of categories.

use super::bins::{LINE_ROWS, Line};
use super::program::Question;
use std::ops::Range;

/// Code columns that nodes can ask.
pub const COLUMNS: usize = 256;

/// Slots of trees with up to 32 leaves in a piece.
pub const NARROW: usize = 4;
/// Slots of trees with up to 64 leaves in a piece.
pub const WIDE: usize = 8;

/// 64 nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Piece<const SLOTS: usize> {
    /// The code column of each.
    pub columns: Line,
    /// Right when the code is above it.
    pub thresholds: Line,
    /// The leaves that stay; a lane for each node.
    pub stay: [Line; SLOTS],
}

/// Trees to be struck.
#[derive(Debug, Clone, PartialEq)]
pub struct Strikes<const SLOTS: usize> {
    pieces: Vec<Piece<SLOTS>>,
    /// The end of each group's pieces.
    ends: Vec<u32>,
    trees: usize,
}

impl<const SLOTS: usize> Default for Strikes<SLOTS> {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            ends: Vec::new(),
            trees: 0,
        }
    }
}

impl<const SLOTS: usize> Strikes<SLOTS> {
    /// Trees of a group.
    pub const LANES: usize = LINE_ROWS / SLOTS;
    /// Most leaves of a tree.
    pub const LEAVES: usize = 8 * SLOTS;

    /// The next tree, by its nodes, each with the leaves of its left side.
    pub fn push(&mut self, nodes: &[(Question, Range<u32>)]) {
        let lane = self.trees % Self::LANES;
        if lane == 0 {
            self.ends.push(self.pieces.len() as u32);
        }
        self.trees += 1;
        let group = self.ends.len() - 1;
        let start = group.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        let end = start + nodes.len().div_ceil(SLOTS);
        if end > self.pieces.len() {
            let nobody = Piece {
                columns: Line([0; LINE_ROWS]),
                thresholds: Line([u8::MAX; LINE_ROWS]),
                stay: [Line([u8::MAX; LINE_ROWS]); SLOTS],
            };
            self.pieces.resize(end, nobody);
        }
        self.ends[group] = self.pieces.len() as u32;
        for (number, ((column, threshold), left)) in nodes.iter().enumerate() {
            let piece = &mut self.pieces[start + number / SLOTS];
            let slot = number % SLOTS;
            piece.columns.0[slot * Self::LANES + lane] = *column as u8;
            piece.thresholds.0[slot * Self::LANES + lane] = *threshold;
            let struck = u64::MAX >> (64 - (left.end - left.start));
            let stay = !(struck << (Self::LEAVES as u32 - left.end));
            let bytes = &stay.to_le_bytes()[..SLOTS];
            piece.stay[slot].0[lane * SLOTS..][..SLOTS].copy_from_slice(bytes);
        }
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees
    }

    /// The pieces of each group.
    pub fn groups(&self) -> impl Iterator<Item = &[Piece<SLOTS>]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let pieces = &self.pieces[start..*end as usize];
            start = *end as usize;
            pieces
        })
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.pieces[..]) + size_of_val(&self.ends[..])
    }
}
