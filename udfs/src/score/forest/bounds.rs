//! What a forest with one output can say of rows of which something is known, without a row: the least and the most.
//!
//! Each tree gives the least and the most of the leaves that such rows can reach; trees know nothing of one another, so
//! the sums are bounds that no row need meet. **Rounding** does not turn two sums around: a + b ≤ c + d after rounding
//! too, when a ≤ c and b ≤ d. The leaves are added from 0.0 in the order that scores
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::forest::tree::{Linear, Node, Split};

    /// Leaf 0 up to 1.0 and for missing values, else leaf 1.
    fn stump(leaves: [f64; 2]) -> Tree {
        Tree {
            nodes: vec![Node {
                split: Split::NotAbove(1.0),
                feature: 0,
                left: !0,
                right: !1,
            }],
            leaves: leaves.to_vec(),
            ..Tree::default()
        }
    }

    #[test]
    fn leaves_that_can_be_reached() {
        let trees = [stump([-2.0, 5.0]), stump([0.5, 0.25])];
        let of = |known| bounds(&trees, &[known]).map(|b| (b.low, b.high));
        assert_eq!(of(Known::ANYTHING), Some((-1.75, 5.5)));
        assert_eq!(of(Known::up_to(1.0)), Some((-1.5, -1.5)));
        assert_eq!(of(Known::from(1.5)), Some((5.25, 5.25)));
        let some_missing = Known::from(1.5).or(Known::value(f64::NAN));
        assert_eq!(of(some_missing), of(Known::ANYTHING));
    }

    #[test]
    fn leaves_without_bounds() {
        let linear = Tree {
            linear: vec![Linear::default(); 2],
            ..stump([1.0, 2.0])
        };
        for odd in [linear, stump([1.0, f64::NAN]), stump([f64::INFINITY, 1.0])] {
            let trees = [stump([1.0, 2.0]), odd];
            assert_eq!(bounds(&trees, &[Known::ANYTHING]), None);
        }
        let odd = [stump([f64::NAN, 1.0])];
        let above = bounds(&odd, &[Known::from(1.5)]);
        assert_eq!(above.map(|b| b.high), Some(1.0));
    }
}
