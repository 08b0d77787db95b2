//! Compiles trees to the `program`; `cut` makes the operations of each.

use super::bins::{Bins, Missing, settled};
use super::categories::{Categories, TABLES_MAX};
use super::cut::{self, Span, spans};
use super::program::{
    BLEND_LEAVES_MAX, CHUNK_BYTES, Chunk, Code, Form, Op, Ops, Program, Question, Step,
};
use super::single::Maker;
use super::tree::{Linear, Node, Split, Tree};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Most code columns.
const COLUMNS_MAX: usize = 1 << 17;

/// Words of category sets that may be looked at, beyond those there are: only nodes that share a set, which no trainer
/// writes, need any, and each feature that shares a large one has a table of its own.
const SET_WORDS_MAX: usize = 1 << 16;

impl Program {
    /// Compiles trees whose shape was checked; tree i adds to score `output(i)`. `None` when the sets of its
    /// categorical splits are too many to be looked up in tables.
    pub fn compile(trees: &[Tree], output: impl Fn(usize) -> usize) -> Option<Self> {
        let mut compiler = Compiler::new(trees)?;
        for (number, tree) in trees.iter().enumerate() {
            let before = number.checked_sub(1).map(|n| &trees[n]);
            compiler.tree(tree, before, output(number));
        }
        if compiler.program.columns > COLUMNS_MAX {
            return None;
        }
        let columns = compiler.program.columns;
        compiler.program.single = compiler.single.map(|single| single.finish(columns));
        compiler.program.ops = Ops::new(compiler.ops, columns);
        Some(compiler.program)
    }
}

/// The features of all linear leaves, sorted.
fn linear_features(trees: &[Tree]) -> Vec<usize> {
    let functions = trees.iter().flat_map(|t| &t.linear);
    let features = functions.flat_map(|l| l.terms.iter().map(|(feature, _)| *feature as usize));
    let features: BTreeSet<usize> = features.collect();
    features.into_iter().collect()
}

/// A set of categories: its feature and its words without closing zeros.
type Set<'a> = (u32, &'a [u32]);

/// What the nodes of a forest ask.
#[derive(Default)]
struct Asked<'a> {
    /// Of each feature up to the last that is numeric.
    thresholds: Vec<Vec<f64>>,
    /// Features with a node that sends NaN elsewhere than 0.
    not_zero: Vec<u32>,
    /// Different sets, whose columns are still to be given.
    sets: HashMap<Set<'a>, u32>,
    /// The same in the order they were found.
    ordered: Vec<Set<'a>>,
}

impl<'a> Asked<'a> {
    fn of(trees: &'a [Tree]) -> Option<Self> {
        let mut asked = Self::default();
        let mut words_seen = 0;
        let words: usize = trees.iter().map(|t| t.sets.len()).sum();
        for tree in trees {
            for node in &tree.nodes {
                let threshold = match node.split {
                    Split::Category { start, words: own } => {
                        words_seen += own as usize;
                        if words_seen > words + SET_WORDS_MAX {
                            return None;
                        }
                        let set = set_of(tree, node.feature, start, own);
                        if let Entry::Vacant(new) = asked.sets.entry(set) {
                            new.insert(0);
                            asked.ordered.push(set);
                        }
                        continue;
                    }
                    Split::AtMost(threshold) | Split::NotAbove(threshold) => {
                        // The side of NaN is that of 0 when left means "at least 0".
                        if matches!(node.split, Split::NotAbove(_)) != (threshold >= 0.0) {
                            asked.not_zero.push(node.feature);
                        }
                        threshold
                    }
                    Split::ZeroMissing { threshold, .. } => threshold,
                };
                let feature = node.feature as usize;
                if asked.thresholds.len() <= feature {
                    asked.thresholds.resize(feature + 1, Vec::new());
                }
                asked.thresholds[feature].push(settled(threshold));
            }
        }
        Some(asked)
    }
}

struct Compiler<'a> {
    program: Program,
    /// Its form for single rows so far, if it is to have one.
    single: Option<Maker>,
    /// Its operations so far.
    ops: Vec<Op>,
    /// Where a feature's bins are.
    binned: Vec<usize>,
    /// Features whose NaN goes where 0 goes, in every node.
    nan_zero: Vec<bool>,
    sets: HashMap<Set<'a>, u32>,
}

impl<'a> Compiler<'a> {
    /// Makes bins and tables of all that the trees ask.
    fn new(trees: &'a [Tree]) -> Option<Self> {
        let Asked {
            thresholds,
            not_zero,
            mut sets,
            mut ordered,
        } = Asked::of(trees)?;
        let mut columns = 0;
        let categories = categories(&mut ordered, &mut sets, &mut columns)?;
        let mut nan_zero = vec![true; thresholds.len()];
        for feature in not_zero {
            nan_zero[feature as usize] = false;
        }
        let mut bins = Vec::new();
        let mut binned = Vec::with_capacity(thresholds.len());
        for (feature, mut cuts) in thresholds.into_iter().enumerate() {
            binned.push(bins.len());
            if !cuts.is_empty() {
                cuts.sort_unstable_by(f64::total_cmp);
                cuts.dedup();
                bins.push(Bins::new(feature, cuts));
            }
        }
        let program = Program {
            bins,
            categories,
            columns,
            ops: Ops::default(),
            steps: Vec::new(),
            leaves: Vec::new(),
            linear: Vec::new(),
            linear_features: linear_features(trees),
            codes: Vec::with_capacity(trees.len()),
            chunks: Vec::new(),
            single: None,
        };
        Some(Self {
            program,
            single: Some(Maker::default()),
            ops: Vec::new(),
            binned,
            nan_zero,
            sets,
        })
    }

    /// The code column that a node looks at, and the byte it compares with.
    fn question(&mut self, tree: &'a Tree, node: &Node) -> Question {
        let (threshold, missing) = match node.split {
            Split::Category { start, words } => {
                return (self.sets[&set_of(tree, node.feature, start, words)], 0);
            }
            Split::ZeroMissing {
                threshold,
                left: true,
            } => (threshold, Missing::ZeroLeft),
            Split::ZeroMissing {
                threshold,
                left: false,
            } => (threshold, Missing::ZeroRight),
            Split::AtMost(threshold) | Split::NotAbove(threshold)
                if self.nan_zero[node.feature as usize] =>
            {
                (threshold, Missing::NanZero)
            }
            Split::AtMost(threshold) => (threshold, Missing::NanRight),
            Split::NotAbove(threshold) => (threshold, Missing::NanLeft),
        };
        let bins = &mut self.program.bins[self.binned[node.feature as usize]];
        let (column, byte) = bins.place(settled(threshold), missing, &mut self.program.columns);
        (column as u32, byte)
    }

    fn tree(&mut self, tree: &'a Tree, before: Option<&Tree>, output: usize) {
        let twin = before.is_some_and(|b| b.nodes == tree.nodes && b.sets == tree.sets);
        let order = left_to_right(tree);
        let form = match self.program.codes.last() {
            Some(last) if twin => match &last.form {
                Form::Blend { ops, low, high } => Form::Blend {
                    ops: ops.end..ops.end,
                    low: *low,
                    high: *high,
                },
                walk => walk.clone(),
            },
            _ => {
                let ask = |node| self.question(tree, node);
                let questions: Vec<Question> = tree.nodes.iter().map(ask).collect();
                self.find(tree, &questions, &order)
            }
        };
        let start = self.program.leaves.len();
        self.program
            .leaves
            .extend(order.iter().map(|leaf| tree.leaves[*leaf]));
        let leaves = start..self.program.leaves.len();
        if let Some(single) = &mut self.single {
            single.leaves(start);
        }
        let start = self.program.linear.len();
        if !tree.linear.is_empty() {
            let features = &self.program.linear_features;
            let place = |feature: u32| features.partition_point(|f| *f < feature as usize) as u32;
            let linear = order.iter().map(|leaf| Linear {
                constant: tree.linear[*leaf].constant,
                terms: tree.linear[*leaf]
                    .terms
                    .iter()
                    .map(|(f, c)| (place(*f), *c))
                    .collect(),
            });
            self.program.linear.extend(linear);
        }
        let linear = start..self.program.linear.len();
        self.chunk(&form, leaves.len(), twin);
        self.program.codes.push(Code {
            form,
            leaves,
            output,
            linear,
        });
    }

    /// How the leaves of a tree are found: in batches, and for a single row.
    fn find(&mut self, tree: &Tree, questions: &[Question], order: &[usize]) -> Form {
        if let Some(single) = &mut self.single
            && single
                .tree(tree, questions, &self.program.categories)
                .is_none()
        {
            self.single = None;
        }
        if tree.leaves.len() > BLEND_LEAVES_MAX {
            Form::Walk(self.walk(tree, questions, order))
        } else {
            self.blend(tree, questions, &spans(tree))
        }
    }

    /// Puts the next tree into the last chunk or a new one. A tree that needs the line of the one before stays with it.
    fn chunk(&mut self, form: &Form, leaves: usize, twin: bool) {
        let number = self.program.codes.len();
        let bytes = |range: &Chunk| -> usize {
            let codes = &self.program.codes[range.clone()];
            codes.iter().map(|c| cost(&c.form, c.leaves.len())).sum()
        };
        let fits = |last: &Chunk| twin || bytes(last) + cost(form, leaves) <= CHUNK_BYTES;
        match self.program.chunks.last() {
            Some(last) if fits(last) => {
                let start = last.start;
                self.program.chunks.pop();
                self.program.chunks.push(start..number + 1);
            }
            _ => self.program.chunks.push(number..number + 1),
        }
    }

    /// The steps of a walk, in the order of the tree's nodes.
    fn walk(&mut self, tree: &Tree, questions: &[Question], order: &[usize]) -> Range<usize> {
        let mut number = vec![0_i32; tree.leaves.len()];
        for (place, leaf) in (0_i32..).zip(order) {
            number[*leaf] = !place;
        }
        let at = |child: i32| {
            if child < 0 {
                number[!child as usize]
            } else {
                child
            }
        };
        let start = self.program.steps.len();
        let steps = tree
            .nodes
            .iter()
            .zip(questions)
            .map(|(node, (column, threshold))| Step {
                column: *column,
                threshold: *threshold,
                next: [at(node.left), at(node.right)],
            });
        self.program.steps.extend(steps);
        start..self.program.steps.len()
    }

    /// The operations of a tree of at most [`BLEND_LEAVES_MAX`] leaves.
    fn blend(&mut self, tree: &Tree, questions: &[Question], spans: &[Span]) -> Form {
        let start = self.ops.len();
        let (low, high) = cut::operations(tree, questions, spans, &mut self.ops);
        Form::Blend {
            ops: start..self.ops.len(),
            low,
            high,
        }
    }
}

/// What a tree takes of the nearest cache.
fn cost(form: &Form, leaves: usize) -> usize {
    match form {
        Form::Blend { ops, .. } => ops.len() * size_of::<Op>() + leaves * size_of::<f64>(),
        Form::Walk(steps) => steps.len() * size_of::<Step>() + leaves * size_of::<f64>(),
    }
}

fn set_of(tree: &Tree, feature: u32, start: u32, words: u32) -> Set<'_> {
    let words = &tree.sets[start as usize..][..words as usize];
    let length = words
        .iter()
        .rposition(|w| *w != 0)
        .map_or(0, |last| last + 1);
    (feature, &words[..length])
}

/// Gives every set a column, feature by feature.
fn categories<'a>(
    ordered: &mut [Set<'a>],
    sets: &mut HashMap<Set<'a>, u32>,
    columns: &mut usize,
) -> Option<Vec<Categories>> {
    ordered.sort_by_key(|(feature, _)| *feature);
    let mut made = Vec::new();
    let mut bytes_left = TABLES_MAX;
    for group in ordered.chunk_by(|a, b| a.0 == b.0) {
        let mut of_feature = Vec::with_capacity(group.len());
        for set in group {
            if let Some(column) = sets.get_mut(set) {
                *column = *columns as u32;
            }
            of_feature.push((set.1, *columns));
            *columns += 1;
        }
        made.push(Categories::new(
            group[0].0 as usize,
            &of_feature,
            &mut bytes_left,
        )?);
    }
    Some(made)
}

/// The leaves from left to right.
fn left_to_right(tree: &Tree) -> Vec<usize> {
    let mut order = Vec::with_capacity(tree.leaves.len());
    let mut open = vec![if tree.nodes.is_empty() { !0 } else { 0_i32 }];
    while let Some(at) = open.pop() {
        if at < 0 {
            order.push(!at as usize);
        } else {
            let node = &tree.nodes[at as usize];
            open.extend([node.right, node.left]);
        }
    }
    order
}
