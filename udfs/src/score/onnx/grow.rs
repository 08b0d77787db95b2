//! An ensemble's nodes as trees of the forest scorer.
//!
//! A tree of the scorer has one number per leaf, so an ensemble with several targets becomes one tree per target
//! with the same nodes; a target that a tree gives nothing to gets no tree. The trees of a target follow each
//! other in the file's order, and what is added to its sum comes last, in a tree that is a single leaf.
//!
//! Every node of a scorer's tree hangs in it once. A node that two branches lead to is therefore copied, with what
//! stands below it. A chain of equalities on one feature that lead to the same node is one question, whether the
//! value is in a set; the set becomes a split on categories when the feature is nothing but a category's number
//! (see [`category_features`]), and otherwise a chain of numeric splits at the borders of its values. Copies and bit
//! sets are limited by the size of the file.

use super::ensemble::{Ensemble, Link, Question};
use super::reading::Reading;
use super::split::side;
use super::{bad, unsupported};
use crate::error::ScoreError;
use crate::score::forest::tree::{Node, Split, Tree};
use std::collections::HashSet;

/// Categories from here on are compared as numbers.
const CATEGORY_END: f64 = 65_536.0;

/// What a column of the operator's input is.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The model's feature.
    pub feature: u32,
    pub reading: Reading,
}

/// The features that all nodes of the ensembles compare for equality with small whole numbers, and how else.
pub fn category_features<'a>(
    ensembles: impl Iterator<Item = (&'a Ensemble, &'a [Input])>,
) -> HashSet<u32> {
    let (mut equal, mut other) = (HashSet::new(), HashSet::new());
    for (ensemble, inputs) in ensembles {
        for node in &ensemble.nodes {
            let small = |v: &f64| (0.0..CATEGORY_END).contains(v) && v.fract() == 0.0;
            let category = matches!(&node.question, Question::In(set) if set.iter().all(small));
            let Input { feature, reading } = &inputs[node.feature as usize];
            if category && reading.steps.is_empty() {
                &mut equal
            } else {
                &mut other
            }
            .insert(*feature);
        }
    }
    &equal - &other
}

/// Where a branch of a planned node leads.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// Another node of the same plan.
    Planned(usize),
    /// Out of it.
    To(Link),
}

/// A node as the scorer has it.
#[derive(Debug, Clone, Copy)]
struct Planned {
    split: Split,
    left: Next,
    right: Next,
}

/// A tree without numbers: the leaves are the ensemble's.
#[derive(Debug, Default)]
struct Shape {
    nodes: Vec<Node>,
    leaves: Vec<u32>,
    sets: Vec<u32>,
}

/// Grows trees while a budget lasts.
pub struct Grower<'a> {
    ensemble: &'a Ensemble,
    inputs: &'a [Input],
    categories: &'a HashSet<u32>,
    /// Nodes and trees that may still be made, and words of bit sets.
    nodes_left: usize,
    words_left: usize,
}

impl<'a> Grower<'a> {
    /// A grower for an ensemble that was checked; `inputs` are the columns of its input.
    pub fn new(ensemble: &'a Ensemble, inputs: &'a [Input], categories: &'a HashSet<u32>) -> Self {
        let size = ensemble.nodes.len() + ensemble.leaves.len() + ensemble.weights.len();
        Self {
            ensemble,
            inputs,
            categories,
            nodes_left: 4 * size + 65_536,
            words_left: 64 * size + 65_536,
        }
    }

    /// The trees of each target.
    pub fn grow(mut self) -> Result<Vec<Vec<Tree>>, ScoreError> {
        let ensemble = self.ensemble;
        let divisor = if ensemble.average {
            ensemble.roots.len() as f64
        } else {
            1.0
        };
        let mut grown = vec![Vec::new(); ensemble.targets];
        for root in &ensemble.roots {
            let shape = self.shape(*root)?;
            for target in self.targets_of(&shape) {
                self.spend(shape.nodes.len() + 1)?;
                self.spend_words(shape.sets.len())?;
                let leaf = |leaf: &u32| self.weight(*leaf, target).unwrap_or(0.0) / divisor;
                let leaves: Vec<f64> = shape.leaves.iter().map(leaf).collect();
                if leaves.iter().all(|w| *w == 0.0) {
                    continue;
                }
                grown[target as usize].push(Tree {
                    nodes: shape.nodes.clone(),
                    leaves,
                    sets: shape.sets.clone(),
                    linear: Vec::new(),
                });
            }
        }
        for (trees, base) in grown.iter_mut().zip(&ensemble.base) {
            trees.push(Tree {
                leaves: vec![*base],
                ..Tree::default()
            });
        }
        Ok(grown)
    }

    /// The targets that a tree's leaves have weights for.
    fn targets_of(&self, shape: &Shape) -> Vec<u32> {
        let mut targets: Vec<u32> = Vec::new();
        for leaf in &shape.leaves {
            targets.extend(self.weights(*leaf).iter().map(|(target, _)| target));
        }
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    fn weights(&self, leaf: u32) -> &'a [(u32, f64)] {
        let range = &self.ensemble.leaves[leaf as usize];
        &self.ensemble.weights[range.start as usize..range.end as usize]
    }

    fn weight(&self, leaf: u32, target: u32) -> Option<f64> {
        let weights = self.weights(leaf);
        let at = weights.binary_search_by_key(&target, |(t, _)| *t).ok()?;
        Some(weights[at].1)
    }

    fn spend(&mut self, nodes: usize) -> Result<(), ScoreError> {
        match self.nodes_left.checked_sub(nodes) {
            Some(left) => {
                self.nodes_left = left;
                Ok(())
            }
            None => unsupported("trees whose nodes share this much of what is below them"),
        }
    }

    fn spend_words(&mut self, words: usize) -> Result<(), ScoreError> {
        match self.words_left.checked_sub(words) {
            Some(left) => {
                self.words_left = left;
                Ok(())
            }
            None => unsupported("sets of categories with numbers this large"),
        }
    }

    /// The nodes below a root, parents before children.
    fn shape(&mut self, root: Link) -> Result<Shape, ScoreError> {
        let mut shape = Shape::default();
        let mut open: Vec<(Link, Option<(usize, bool)>)> = vec![(root, None)];
        while let Some((link, parent)) = open.pop() {
            let first = shape.nodes.len();
            let child = match link {
                Link::Leaf(leaf) => {
                    self.spend(1 + self.weights(leaf).len())?;
                    shape.leaves.push(leaf);
                    !(shape.leaves.len() as i32 - 1)
                }
                Link::Node(at) => {
                    let plan = self.plan(at, &mut shape.sets)?;
                    self.spend(plan.len())?;
                    let node = &self.ensemble.nodes[at as usize];
                    let feature = self.inputs[node.feature as usize].feature;
                    for (number, planned) in plan.iter().enumerate() {
                        let mut child = |next, left| match next {
                            Next::Planned(other) => (first + other) as i32,
                            Next::To(link) => {
                                open.push((link, Some((first + number, left))));
                                0
                            }
                        };
                        let (right, left) =
                            (child(planned.right, false), child(planned.left, true));
                        shape.nodes.push(Node {
                            split: planned.split,
                            feature,
                            left,
                            right,
                        });
                    }
                    first as i32
                }
            };
            match parent {
                Some((at, true)) => shape.nodes[at].left = child,
                Some((at, false)) => shape.nodes[at].right = child,
                None => {}
            }
        }
        Ok(shape)
    }

    /// The splits that answer a node's question.
    fn plan(&mut self, at: u32, sets: &mut Vec<u32>) -> Result<Vec<Planned>, ScoreError> {
        let node = &self.ensemble.nodes[at as usize];
        let Input { feature, reading } = &self.inputs[node.feature as usize];
        let nan_holds = reading.nan_holds(&node.question, node.nan_holds);
        match &node.question {
            Question::Compare(comparison, t) => {
                let Some((split, left_holds)) = reading.split(*comparison, *t, nan_holds) else {
                    return bad("a node compares with an infinite number");
                };
                let (yes, no) = (Next::To(node.yes), Next::To(node.no));
                let (left, right) = if left_holds { (yes, no) } else { (no, yes) };
                Ok(vec![Planned { split, left, right }])
            }
            Question::In(_) => {
                let (values, out, length) = self.chain(at);
                self.spend(length)?;
                let nan_holds =
                    nan_holds || reading.nan_holds(&Question::In(values.clone()), false);
                let (inside, out) = (Next::To(node.yes), Next::To(out));
                if self.categories.contains(feature) {
                    self.bit_set(&values, nan_holds, inside, out, sets)
                } else {
                    Ok(intervals(&values, reading, nan_holds, inside, out))
                }
            }
        }
    }

    /// The values of a chain of equalities that lead to the same node, where it ends, and how long it is.
    fn chain(&self, at: u32) -> (Vec<f64>, Link, usize) {
        let first = &self.ensemble.nodes[at as usize];
        let (mut values, mut out, mut length) = (Vec::new(), Link::Node(at), 0);
        while let Link::Node(at) = out {
            let node = &self.ensemble.nodes[at as usize];
            let same = node.feature == first.feature
                && node.yes == first.yes
                && node.nan_holds == first.nan_holds;
            match &node.question {
                Question::In(set) if same => {
                    values.extend(set);
                    length += set.len().max(1);
                }
                _ => break,
            }
            out = node.no;
        }
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        (values, out, length)
    }

    /// A split on categories.
    fn bit_set(
        &mut self,
        values: &[f64],
        nan_inside: bool,
        inside: Next,
        out: Next,
        sets: &mut Vec<u32>,
    ) -> Result<Vec<Planned>, ScoreError> {
        let codes = || values.iter().map(|v| *v as u32);
        let words = codes().max().map_or(0, |last| last / 32 + 1);
        self.spend_words(words as usize)?;
        let start = sets.len();
        sets.resize(start + words as usize, 0);
        for code in codes() {
            sets[start + (code / 32) as usize] |= 1 << (code % 32);
        }
        let split = Split::Category {
            start: start as u32,
            words,
        };
        let category = |left, right| Planned { split, left, right };
        if !nan_inside {
            return Ok(vec![category(inside, out)]);
        }
        // NaN is in no set: it is sent away before.
        let number = Planned {
            split: Split::AtMost(f64::INFINITY),
            left: Next::Planned(1),
            right: inside,
        };
        Ok(vec![number, category(inside, out)])
    }
}

/// Numeric splits at the borders of values: below a value out, up to it inside, above it on to the next one.
fn intervals(
    values: &[f64],
    reading: &Reading,
    nan_inside: bool,
    inside: Next,
    out: Next,
) -> Vec<Planned> {
    // NaN goes left wherever it can be sent its way, so it takes the first split that leads there.
    let mut plan = Vec::with_capacity(2 * values.len() + 1);
    for (low, high) in values.iter().filter_map(|v| reading.equal(*v)) {
        let at = plan.len();
        plan.push(Planned {
            split: side(low, !nan_inside),
            left: out,
            right: Next::Planned(at + 1),
        });
        plan.push(Planned {
            split: side(high, nan_inside),
            left: inside,
            right: Next::Planned(at + 2),
        });
    }
    match plan.last_mut() {
        Some(last) => last.right = out,
        None => plan.push(Planned {
            split: Split::AtMost(f64::INFINITY),
            left: out,
            right: if nan_inside { inside } else { out },
        }),
    }
    plan
}
