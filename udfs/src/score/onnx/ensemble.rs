//! A tree ensemble as a file describes it, whatever operator holds it: nodes that refer to each other, leaves with
//! weights, what is added and how sums become scores. [`check`](Ensemble::check) proves what growing trees relies on.
//!
//! Nodes may share what stands below them: LightGBM's exporter writes a set of categories as a chain of equalities
//! that all lead to the same node. Cycles are refused.

use super::{bad, unsupported};
use crate::error::ScoreError;
use crate::score::onnx::split::Comparison;

/// Most targets or classes of a model.
pub const OUTPUTS_MAX: usize = 10_000;

/// Where a branch leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    Node(u32),
    Leaf(u32),
}

/// What a node asks of its feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// How it compares with a number.
    Compare(Comparison, f64),
    /// Whether it is one of some numbers.
    In(Vec<f64>),
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub question: Question,
    /// Column of the operator's input.
    pub feature: u32,
    /// Whether the question holds for NaN.
    pub nan_holds: bool,
    /// Where it leads when the question holds.
    pub yes: Link,
    /// And when it does not.
    pub no: Link,
}

/// What is made of the sum of each target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostTransform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    /// From its name.
    pub fn named(name: &str) -> Result<Self, ScoreError> {
        Ok(match name {
            "NONE" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            _ => return unsupported(format!("post_transform {name:?}")),
        })
    }
}

/// Nodes, leaves and how their weights become scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Ensemble {
    pub nodes: Vec<Node>,
    /// Of each leaf the range of its `weights`.
    pub leaves: Vec<std::ops::Range<u32>>,
    /// Target and weight, ascending by target within a leaf.
    pub weights: Vec<(u32, f64)>,
    /// Of each tree.
    pub roots: Vec<Link>,
    /// Number of targets or classes.
    pub targets: usize,
    /// Added to the targets' sums: none, or one per target.
    pub base: Vec<f64>,
    /// Whether the mean over the trees counts instead of the sum.
    pub average: bool,
    pub post: PostTransform,
}

impl Ensemble {
    /// Whether indexes are in range, numbers are numbers and no branch leads back up.
    pub fn check(&self) -> Result<(), ScoreError> {
        if self.targets == 0 {
            return bad("a tree ensemble without targets or classes");
        }
        if self.targets > OUTPUTS_MAX {
            return unsupported(format!("more than {OUTPUTS_MAX} targets or classes"));
        }
        if self.roots.is_empty() {
            return bad("a tree ensemble without trees");
        }
        if self
            .weights
            .iter()
            .any(|(target, _)| *target as usize >= self.targets)
        {
            return bad("the target of a weight is out of range");
        }
        let finite = |v: &f64| v.is_finite();
        if !self.weights.iter().all(|(_, w)| finite(w)) || !self.base.iter().all(finite) {
            return bad("a weight is not finite");
        }
        for range in &self.leaves {
            let own = &self.weights[range.start as usize..range.end as usize];
            if own.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
                return unsupported("several weights of one leaf for the same target");
            }
        }
        for node in &self.nodes {
            let known = match &node.question {
                Question::Compare(_, t) => !t.is_nan(),
                Question::In(values) => values.iter().all(finite),
            };
            if !known {
                return bad("a node compares with something that is not a number");
            }
        }
        let links = self.nodes.iter().flat_map(|n| [n.yes, n.no]);
        if !links.chain(self.roots.iter().copied()).all(|l| self.has(l)) {
            return bad("a branch leads to a node that does not exist");
        }
        self.check_cycles()
    }

    fn has(&self, link: Link) -> bool {
        match link {
            Link::Node(at) => (at as usize) < self.nodes.len(),
            Link::Leaf(at) => (at as usize) < self.leaves.len(),
        }
    }

    /// Of each target, whether every row gets a weight for it; for trees that share nothing.
    pub fn always_scored(&self) -> Vec<bool> {
        let mut always = vec![false; self.targets];
        let mut seen = vec![0; self.targets];
        for root in &self.roots {
            let (mut leaves, mut touched) = (0_usize, Vec::new());
            let mut open = vec![*root];
            let mut passed = std::collections::HashSet::new();
            while let Some(link) = open.pop() {
                if !passed.insert(link) {
                    continue;
                }
                match link {
                    Link::Node(at) => {
                        let node = &self.nodes[at as usize];
                        open.extend([node.yes, node.no]);
                    }
                    Link::Leaf(at) => {
                        leaves += 1;
                        let range = &self.leaves[at as usize];
                        for (target, _) in &self.weights[range.start as usize..range.end as usize] {
                            seen[*target as usize] += 1;
                            touched.push(*target as usize);
                        }
                    }
                }
            }
            for target in touched {
                always[target] |= seen[target] == leaves;
                seen[target] = 0;
            }
        }
        always
    }

    /// A walk in depth over every node once; the stack is on the heap, as trees may be thousands deep.
    fn check_cycles(&self) -> Result<(), ScoreError> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut states = vec![State::New; self.nodes.len()];
        let mut stack = Vec::new();
        for root in &self.roots {
            if let Link::Node(at) = *root {
                stack.push((at as usize, false));
            }
            while let Some((at, below_done)) = stack.pop() {
                if below_done {
                    states[at] = State::Done;
                    continue;
                }
                match states[at] {
                    State::Done => continue,
                    State::Open => return bad("a branch leads back to a node above it"),
                    State::New => states[at] = State::Open,
                }
                stack.push((at, true));
                for link in [self.nodes[at].yes, self.nodes[at].no] {
                    if let Link::Node(below) = link {
                        match states[below as usize] {
                            State::Open => return bad("a branch leads back to a node above it"),
                            State::New => stack.push((below as usize, false)),
                            State::Done => {}
                        }
                    }
                }
            }
        }
        if states.contains(&State::New) {
            return bad("a node does not hang in a tree");
        }
        Ok(())
    }
}
