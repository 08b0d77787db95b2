//! Forests for rows of which something is known: nodes that always go to one side are left out.
//!
//! A tree keeps its place, even when a single leaf is left of it, and leaves keep their numbers, so scores are added in
//! the same order and have the same bits.

use super::tree::{Node, Split, Tree};
use crate::score::known::Known;

/// Categories that are looked up one by one.
const CATEGORIES_MAX: f64 = 4096.0;

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
                let (low, high) = (known.low.trunc(), known.high.trunc());
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
