//! Forests for rows of which something is known: nodes that always go to one side are left out.
//!
//! A tree keeps its place, even when a single leaf is left of it, and leaves keep their numbers, so scores are added in
//! the same order and have the same bits.

use super::tree::{Node, Split, Tree};
use crate::score::known::Known;

/// Categories that are looked up one by one.
const CATEGORIES_MAX: f64 = 4096.0;

/// Numbers from here on are no category.
const CATEGORIES_END: f64 = (1_u32 << 31) as f64;

/// The tree without the nodes that what is known decides; `known` has an entry per feature.
pub fn prune(tree: &Tree, known: &[Known]) -> Tree {
    let settle = |mut at: i32| {
        while at >= 0 {
            let node = &tree.nodes[at as usize];
            match side(node, &tree.sets, known[node.feature as usize]) {
                Some(true) => at = node.left,
                Some(false) => at = node.right,
                None => break,
            }
        }
        at
    };
    let mut pruned = Tree {
        sets: tree.sets.clone(),
        ..Tree::default()
    };
    let root = if tree.nodes.is_empty() { !0 } else { 0 };
    // Places still to be filled: the old node or leaf, and the new node and side that lead to it.
    let mut open = vec![(settle(root), None)];
    while let Some((at, parent)) = open.pop() {
        let new = if at < 0 {
            let leaf = !at as usize;
            pruned.leaves.push(tree.leaves[leaf]);
            pruned.linear.extend(tree.linear.get(leaf).cloned());
            !(pruned.leaves.len() as i32 - 1)
        } else {
            let node = tree.nodes[at as usize];
            let place = pruned.nodes.len();
            pruned.nodes.push(node);
            open.push((settle(node.right), Some((place, false))));
            open.push((settle(node.left), Some((place, true))));
            place as i32
        };
        if let Some((parent, left)) = parent {
            let parent: &mut Node = &mut pruned.nodes[parent];
            *(if left {
                &mut parent.left
            } else {
                &mut parent.right
            }) = new;
        }
    }
    pruned
}

/// The side that all rows go to: true is left.
fn side(node: &Node, sets: &[u32], known: Known) -> Option<bool> {
    let (mut left, mut right) = (false, false);
    let mut goes = |to_left: bool| *(if to_left { &mut left } else { &mut right }) = true;
    if known.missing {
        goes(node.split.goes_left(f64::NAN, sets));
    }
    if known.has_values() {
        match node.split {
            Split::AtMost(threshold) | Split::NotAbove(threshold) => {
                goes(known.low <= threshold);
                goes(known.high <= threshold);
            }
            Split::ZeroMissing { threshold, left } => {
                goes(known.low <= threshold);
                goes(known.high <= threshold);
                if known.low <= 0.0 && known.high >= 0.0 {
                    goes(left);
                }
            }
            Split::Category { .. } => {
                // All below 0 are alike, and all behind the last category: so numbers stay small enough to be counted.
                let category = |value: f64| value.trunc().clamp(-1.0, CATEGORIES_END);
                let (low, high) = (category(known.low), category(known.high));
                if high - low > CATEGORIES_MAX {
                    return None;
                }
                let mut category = low;
                while category <= high {
                    goes(node.split.goes_left(category, sets));
                    category += 1.0;
                }
            }
        }
    }
    match (left, right) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        // Both sides, or no row at all.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that adding 1 does not change, or that have no difference, are categories like any other.
    #[test]
    fn huge_categories_go_right() {
        let node = Node {
            split: Split::Category { start: 0, words: 1 },
            feature: 0,
            left: !0,
            right: !1,
        };
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1e18, 1e16] {
            let known = Known::value(value);
            assert_eq!(side(&node, &[u32::MAX], known), Some(false), "{value}");
            let below = Known::up_to(value);
            let right = (value < 0.0).then_some(false);
            assert_eq!(side(&node, &[u32::MAX], below), right, "up to {value}");
        }
        let known = Known::from(31.5).and(Known::up_to(32.0));
        assert_eq!(side(&node, &[u32::MAX], known), None);
        assert_eq!(side(&node, &[u32::MAX], Known::value(-0.5)), Some(true));
    }
}
