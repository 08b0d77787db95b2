//! One row: a prepared point prediction.
//!
//! **Idea.** Blending computes every node and needs many rows to pay for it. One row asks instead, column by column,
//! which nodes send it right: with thresholds sorted, they are the first so many of the column's nodes, and a table
//! of the code tells how many. Each of them strikes the leaves of its left side off its tree's bits; the lowest bit
//! that is left is the row's leaf. No node that goes left is looked at, and nothing waits for anything. That is
//! QuickScorer (Lucchese et al., SIGIR 2015), with codes in the place of its binary searches.
//!
//! **Limits.** Trees of more than [`BITS`] leaves are walked, several side by side.

use super::program::{Program, Question, Step};
use crate::score::Scratch;
use crate::score::features::Features;
use std::ops::Range;

/// Leaves that bits are kept of.
pub const BITS: usize = 64;

/// Nodes of a code column that are looked at one by one.
const SEARCHED: usize = 16;

/// Trees that are walked side by side.
const WALKERS: usize = 16;

/// Steps of a walk between two looks whether all have arrived.
const STRIDE: usize = 4;

/// How a tree's leaf is found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Leaf {
    /// The lowest of these bits.
    Bits(u32),
    /// The end of this walk.
    Walk(u32),
}

/// A node that strikes leaves off.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cut {
    /// The leaves that stay.
    mask: u64,
    /// Whose bits.
    bits: u32,
    threshold: u8,
}

/// A forest in the form for single rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Single {
    /// For each code column its nodes, by threshold.
    columns: Vec<Vec<Cut>>,
    /// For each code column with many nodes how many of them have a threshold below the code.
    reach: Vec<Option<Box<[u32; 256]>>>,
    /// Number of trees with bits.
    bits: u32,
    /// The walks' steps in the program.
    walks: Vec<Range<usize>>,
    trees: Vec<Leaf>,
}

impl Single {
    /// The next tree has at most [`BITS`] leaves and these nodes, each with the leaves of its left side.
    pub fn cut(&mut self, nodes: impl Iterator<Item = (Question, Range<u32>)>) {
        for ((column, threshold), left) in nodes {
            let column = column as usize;
            if self.columns.len() <= column {
                self.columns.resize_with(column + 1, Vec::new);
            }
            let length = left.end - left.start;
            self.columns[column].push(Cut {
                mask: !(u64::MAX >> (64 - length) << left.start),
                bits: self.bits,
                threshold,
            });
        }
        self.trees.push(Leaf::Bits(self.bits));
        self.bits += 1;
    }

    /// The next tree is walked by these steps of the program.
    pub fn walk(&mut self, steps: Range<usize>) {
        self.trees.push(Leaf::Walk(self.walks.len() as u32));
        self.walks.push(steps);
    }

    /// The next tree has the nodes of the one before.
    pub fn again(&mut self) {
        self.trees.extend(self.trees.last().copied());
    }

    /// After the last tree.
    pub fn finish(&mut self) {
        for nodes in &mut self.columns {
            nodes.sort_by_key(|node| node.threshold);
            if nodes.len() <= SEARCHED {
                self.reach.push(None);
                continue;
            }
            let mut reach = Box::new([0; 256]);
            for (code, reach) in reach.iter_mut().enumerate() {
                *reach = nodes.partition_point(|n| usize::from(n.threshold) < code) as u32;
            }
            self.reach.push(Some(reach));
        }
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory_bytes(&self) -> usize {
        let cuts: usize = self.columns.iter().map(Vec::len).sum();
        cuts * size_of::<Cut>()
            + size_of_val(&self.columns[..])
            + size_of_val(&self.reach[..])
            + self.reach.iter().flatten().count() * size_of::<[u32; 256]>()
            + size_of_val(&self.walks[..])
            + size_of_val(&self.trees[..])
    }
}

/// Writes the raw scores of the only row.
pub fn score(program: &Program, features: &Features, scratch: &mut Scratch, out: &mut [f64]) {
    let single = program.single();
    let Scratch {
        codes,
        bits,
        walks,
        f64s,
        ..
    } = scratch;
    encode(program, features, codes);
    bits.clear();
    bits.resize(single.bits as usize, u64::MAX);
    for ((nodes, reach), code) in single.columns.iter().zip(&single.reach).zip(codes.iter()) {
        let end = match reach {
            Some(reach) => reach[usize::from(*code)] as usize,
            None => nodes
                .iter()
                .take_while(|node| node.threshold < *code)
                .count(),
        };
        for node in &nodes[..end] {
            bits[node.bits as usize] &= node.mask;
        }
    }
    walk(program, codes, walks);
    f64s.clear();
    f64s.extend(
        program
            .linear_features()
            .iter()
            .map(|f| features.columns()[*f].value(0)),
    );
    let values = &f64s[..];
    out.fill(0.0);
    for (tree, leaf) in program.codes().iter().zip(&single.trees) {
        let leaf = match leaf {
            Leaf::Bits(at) => bits[*at as usize].trailing_zeros() as usize,
            Leaf::Walk(at) => !walks[*at as usize] as usize,
        };
        let number = program.leaves()[tree.leaves.clone()][leaf];
        let linear = program.linear()[tree.linear.clone()].get(leaf);
        let value = linear.and_then(|linear| linear.value(|place| values[place as usize]));
        out[tree.output] += value.unwrap_or(number);
    }
}

fn encode(program: &Program, features: &Features, codes: &mut Vec<u8>) {
    codes.clear();
    codes.resize(program.columns(), 0);
    for bins in program.bins() {
        bins.write_one(features.columns()[bins.feature()].value(0), codes);
    }
    for categories in program.categories() {
        categories.write_one(features.columns()[categories.feature()].value(0), codes);
    }
}

/// Walks all trees that have no bits; `walks` ends as leaf `!at` of each.
fn walk(program: &Program, codes: &[u8], walks: &mut Vec<i32>) {
    let ranges = &program.single().walks;
    walks.clear();
    walks.resize(ranges.len(), 0);
    for (at, ranges) in walks.chunks_mut(WALKERS).zip(ranges.chunks(WALKERS)) {
        while at.iter().any(|at| *at >= 0) {
            for _ in 0..STRIDE {
                for (at, range) in at.iter_mut().zip(ranges) {
                    let steps = &program.steps()[range.clone()];
                    *at = Step::follow(steps, *at, |column| codes[column as usize]);
                }
            }
        }
    }
}
