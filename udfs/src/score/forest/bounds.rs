//! What a forest with one output can say of rows of which something is known, without a row: the least and the most.
//!
//! Each tree gives the least and the most of the leaves that such rows can reach; trees know nothing of one another, so
//! the sums are bounds that no row need meet. **Rounding** only ever narrows the distance of two sums, never turns them
//! around: a + b ≤ c + d after rounding too, when a ≤ c and b ≤ d. The leaves are added from 0.0 in the order that scores
//! are, hence no score lies outside of the bounds, not by a bit.

use super::prune::side;
use super::tree::Tree;
use crate::score::Bounds;
use crate::score::known::Known;

/// The bounds of the sum of trees; `known` has an entry per feature. `None` when a leaf that can be reached is a
/// function or no finite number.
pub fn bounds(trees: &[Tree], known: &[Known]) -> Option<Bounds> {
    let mut sum = Bounds {
        low: 0.0,
        high: 0.0,
    };
    let mut open = Vec::new();
    for tree in trees {
        let reached = reached(tree, known, &mut open)?;
        sum.low += reached.low;
        sum.high += reached.high;
    }
    Some(sum)
}

/// The least and the most of the leaves of a tree that can be reached; `open` is reused space.
fn reached(tree: &Tree, known: &[Known], open: &mut Vec<i32>) -> Option<Bounds> {
    if !tree.linear.is_empty() {
        return None;
    }
    let mut found = Bounds {
        low: f64::INFINITY,
        high: f64::NEG_INFINITY,
    };
    open.push(if tree.nodes.is_empty() { !0 } else { 0 });
    while let Some(at) = open.pop() {
        if at < 0 {
            let leaf = tree.leaves[!at as usize];
            if !leaf.is_finite() {
                return None;
            }
            found.low = found.low.min(leaf);
            found.high = found.high.max(leaf);
            continue;
        }
        let node = &tree.nodes[at as usize];
        match side(node, &tree.sets, known[node.feature as usize]) {
            Some(true) => open.push(node.left),
            Some(false) => open.push(node.right),
            None => open.extend([node.left, node.right]),
        }
    }
    Some(found)
}
