//! One row: a prepared point prediction.
//!
//! **Idea.** Blending computes every node and needs many rows to pay for it; one row walks down each tree and meets few
//! nodes. A walk is a chain of loads, each waiting for the one before, so [`LANES`] trees are walked side by side. No
//! branch depends on the row: every [`STRIDE`] steps those that have arrived at a leaf, where they stay, change over to
//! the next trees by conditional moves, so that short paths do not wait for long ones.
//!
//! **Layout.** A [`Step`] is 8 bytes and asks `code & bits >= least`. The left side of a node is the step behind it and
//! the right side is some steps further, so much of a path lies in lines that are there already. A numeric node looks
//! at all bits of its code. A set of categories is one bit: the row's category has eight sets to a byte, which are
//! copied as they are into the first columns of the feature, not made into codes.
//!
//! **Fast parts.** With AVX-512 sixteen walks are a register, and trees of few leaves are not walked but struck: see
//! `strike` and `avx512_single`. Every tree has its walk all the same, for other processors.
//!
//! **Limits.** Columns, leaves and distances are 16 bits wide; a forest that needs more has no such form, and its single
//! rows are batches of one. Linear leaves are computed one after the other.
//!
//! Paper: Asadi, Lin and de Vries, "Runtime Optimizations for Tree-Based Machine Learning Models" (TKDE 2014), who walk
//! several rows side by side.

#[cfg(target_arch = "x86_64")]
use super::avx512_single;
use super::bins::OVERREAD;
use super::blend::Level;
use super::categories::Categories;
use super::program::{Code, Program, Question};
use super::strike::{COLUMNS, NARROW, Strikes, WIDE};
use super::tree::{Split, Tree};
use crate::score::Scratch;
use crate::score::features::Features;
use std::hint::select_unpredictable;
use std::ops::Range;

/// Trees that are walked side by side.
const LANES: usize = 8;

/// Steps between two looks who has arrived.
const STRIDE: usize = 4;

/// Walks that lead nowhere, behind the last one: those who are done change over to them.
pub(super) const NOWHERE: usize = 64;

/// Most steps of a forest.
const STEPS_MAX: usize = i32::MAX as usize;

/// The leaf of a step that is none.
pub(super) const NODE: u16 = u16::MAX;

/// A node or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub(super) struct Step {
    /// The code column.
    column: u16,
    /// The bits of the code that are looked at.
    bits: u8,
    /// Right when they are at least this; 0 at a leaf, so that it is always right.
    least: u8,
    /// How many steps further the right side is; 0 at a leaf. The left side is the next step.
    right: u16,
    /// A leaf's number, counted from left to right, or [`NODE`].
    leaf: u16,
}

impl Step {
    /// A step that leads to itself.
    fn stay(leaf: u16) -> Self {
        Self {
            column: 0,
            bits: 0,
            least: 0,
            right: 0,
            leaf,
        }
    }
}

/// Walks that stay within their steps and the code columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Walks {
    steps: Vec<Step>,
    roots: Vec<u32>,
    columns: usize,
}

impl Walks {
    /// Walks over so many code columns that begin at these roots. The first step leads nowhere.
    ///
    /// # Panics
    /// When a root or a step leads out of the steps, a leaf does not stay, a step asks another column, or there are
    /// more steps than 31 bits can tell apart.
    fn new(steps: Vec<Step>, mut roots: Vec<u32>, columns: usize) -> Self {
        let columns = columns.max(1);
        roots.extend([0; NOWHERE]);
        assert!(steps[0] == Step::stay(NODE) && steps.len() <= STEPS_MAX);
        assert!(roots.iter().all(|root| (*root as usize) < steps.len()));
        assert!(steps.iter().enumerate().all(|(at, step)| {
            let left = at + usize::from(step.least > 0);
            let right = at + usize::from(step.right);
            let leaf = step.leaf == NODE || *step == Step::stay(step.leaf);
            leaf && usize::from(step.column) < columns && left.max(right) < steps.len()
        }));
        Self {
            steps,
            roots,
            columns,
        }
    }

    /// Of all walks.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where each walk begins, and then [`NOWHERE`] times the first step.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// Number of code columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

/// How a tree's leaf is best found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Narrow,
    Wide,
    Walk,
}

/// Where a tree's leaf and what it is worth are found.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    /// The walk that ends at the leaf; trees with the same nodes share it.
    walk: u32,
    /// The tree's first of [`Program::leaves`].
    leaves: u32,
}

/// A forest in the form for single rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Single {
    /// Of all trees; first those of the narrow ones, then those of the wide ones.
    walks: Walks,
    narrow: Strikes<NARROW>,
    wide: Strikes<WIDE>,
    trees: Vec<Found>,
}

/// Makes the form for single rows, tree by tree.
pub struct Maker {
    steps: Vec<Step>,
    /// Where each walk begins.
    roots: Vec<u32>,
    ways: Vec<Way>,
    single: Single,
}

impl Default for Maker {
    fn default() -> Self {
        Self {
            steps: vec![Step::stay(NODE)],
            roots: Vec::new(),
            ways: Vec::new(),
            single: Single::default(),
        }
    }
}

impl Maker {
    /// The next tree, whose nodes ask these questions; `None` when it is too large.
    pub fn tree(
        &mut self,
        tree: &Tree,
        questions: &[Question],
        categories: &[Categories],
    ) -> Option<()> {
        self.roots.push(self.steps.len() as u32);
        let mut leaves = 0;
        // The nodes in the steps' order, with the leaves of their left sides.
        let mut asked: Vec<(Question, Range<u32>)> = Vec::with_capacity(tree.nodes.len());
        let mut can_strike = strikes();
        let root = if tree.nodes.is_empty() { !0 } else { 0_i32 };
        // What is to come and, of the node whose right side it is, the step and the place in `asked`.
        let mut open: Vec<(i32, Option<(usize, usize)>)> = vec![(root, None)];
        while let Some((at, parent)) = open.pop() {
            let here = self.steps.len();
            if let Some((step, number)) = parent {
                self.steps[step].right = u16::try_from(here - step).ok()?;
                asked[number].1.end = u32::from(leaves);
            }
            if at < 0 {
                self.steps.push(Step::stay(leaves));
                leaves = leaves.checked_add(1).filter(|leaf| *leaf < NODE)?;
                continue;
            }
            let node = &tree.nodes[at as usize];
            let (mut column, threshold) = questions[at as usize];
            let mut bits = u8::MAX;
            if let Split::Category { .. } = node.split {
                (column, bits) = Categories::place(categories, column);
            }
            can_strike &= bits == u8::MAX && (column as usize) < COLUMNS;
            self.steps.push(Step {
                column: u16::try_from(column).ok()?,
                bits,
                least: threshold + 1,
                right: 0,
                leaf: NODE,
            });
            open.extend([(node.right, Some((here, asked.len()))), (node.left, None)]);
            asked.push(((column, threshold), u32::from(leaves)..0));
        }
        if self.steps.len() > STEPS_MAX {
            return None;
        }
        let way = match usize::from(leaves) {
            ..=Strikes::<NARROW>::LEAVES if can_strike => Way::Narrow,
            ..=Strikes::<WIDE>::LEAVES if can_strike => Way::Wide,
            _ => Way::Walk,
        };
        match way {
            Way::Narrow => self.single.narrow.push(&asked),
            Way::Wide => self.single.wide.push(&asked),
            Way::Walk => {}
        }
        self.ways.push(way);
        Some(())
    }

    /// The leaves of the next tree, which has the nodes added last: its first of [`Program::leaves`].
    pub fn leaves(&mut self, first: usize) {
        self.single.trees.push(Found {
            walk: self.roots.len() as u32 - 1,
            leaves: first as u32,
        });
    }

    /// The form of all trees over so many code columns.
    pub fn finish(mut self, columns: usize) -> Single {
        let mut order: Vec<usize> = (0..self.roots.len()).collect();
        order.sort_by_key(|walk| self.ways[*walk]);
        let mut places = vec![0; order.len()];
        for (place, walk) in (0_u32..).zip(&order) {
            places[*walk] = place;
        }
        for tree in &mut self.single.trees {
            tree.walk = places[tree.walk as usize];
        }
        let roots = order.iter().map(|walk| self.roots[*walk]).collect();
        self.single.walks = Walks::new(self.steps, roots, columns);
        self.single
    }
}

impl Single {
    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.walks.steps())
            + size_of_val(self.walks.roots())
            + self.narrow.memory_bytes()
            + self.wide.memory_bytes()
            + size_of_val(&self.trees[..])
    }

    /// The leaf of each walk.
    fn find(&self, level: Level, codes: &[u8], arrived: &mut Vec<u32>, leaves: &mut Vec<u16>) {
        leaves.clear();
        leaves.resize(self.walks.roots().len(), 0);
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if strikes() => {
                let codes = avx512_single::Codes::new(codes);
                avx512_single::strike(&self.narrow, &self.wide, &codes, leaves);
                let struck = self.narrow.trees() + self.wide.trees();
                avx512_single::walk(&self.walks, struck, &codes, arrived, leaves);
            }
            _ => self.walks.walk(codes, leaves),
        }
    }
}

impl Walks {
    /// The leaves of all walks.
    fn walk(&self, codes: &[u8], leaves: &mut [u16]) {
        let roots = &self.roots[..];
        let end = roots.len() - NOWHERE + LANES;
        let mut at: [u32; LANES] = std::array::from_fn(|lane| roots[lane]);
        let mut walk: [u32; LANES] = std::array::from_fn(|lane| lane as u32);
        let mut next = LANES;
        while next < end {
            for _ in 0..STRIDE {
                for at in &mut at {
                    let step = &self.steps[*at as usize];
                    let right = codes[usize::from(step.column)] & step.bits >= step.least;
                    *at += select_unpredictable(right, u32::from(step.right), 1);
                }
            }
            for (at, walk) in at.iter_mut().zip(&mut walk) {
                let leaf = self.steps[*at as usize].leaf;
                leaves[*walk as usize] = leaf;
                let arrived = leaf != NODE;
                *at = select_unpredictable(arrived, roots[next], *at);
                *walk = select_unpredictable(arrived, next as u32, *walk);
                next += usize::from(arrived);
            }
        }
    }
}

/// Writes the raw scores of the only row.
pub fn score(
    level: Level,
    program: &Program,
    single: &Single,
    features: &Features,
    scratch: &mut Scratch,
    out: &mut [f64],
) {
    let Scratch {
        codes,
        arrived,
        found,
        f64s,
        ..
    } = scratch;
    encode(program, features, codes);
    single.find(level, codes, arrived, found);
    f64s.clear();
    f64s.extend(
        program
            .linear_features()
            .iter()
            .map(|f| features.columns()[*f].value(0)),
    );
    let values = &f64s[..];
    let plain = program.linear().is_empty();
    let value = |(tree, code): (&Found, &Code)| {
        let leaf = usize::from(found[tree.walk as usize]);
        let number = program.leaves()[tree.leaves as usize + leaf];
        if plain {
            return number;
        }
        let linear = program.linear()[code.linear.clone()].get(leaf);
        let value = linear.and_then(|linear| linear.value(|place| values[place as usize]));
        value.unwrap_or(number)
    };
    let trees = single.trees.iter().zip(program.codes());
    if let [only] = out {
        // A sum in a register waits for nothing but its additions.
        *only = trees.fold(0.0, |sum, tree| sum + value(tree));
        return;
    }
    out.fill(0.0);
    for tree in trees {
        out[tree.1.output] += value(tree);
    }
}

/// Whether small trees are struck on this processor.
fn strikes() -> bool {
    #[cfg(target_arch = "x86_64")]
    let strikes = avx512_single::available();
    #[cfg(not(target_arch = "x86_64"))]
    let strikes = false;
    strikes
}

fn encode(program: &Program, features: &Features, codes: &mut Vec<u8>) {
    // Columns that are not written are not asked either.
    codes.resize(program.columns().max(1) + OVERREAD, 0);
    for bins in program.bins() {
        bins.write_one(features.columns()[bins.feature()].value(0), codes);
    }
    for categories in program.categories() {
        categories.write_one(features.columns()[categories.feature()].value(0), codes);
    }
}
