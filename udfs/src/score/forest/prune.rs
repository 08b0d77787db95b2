//! Forests for rows of which something is known: nodes that always go to one side are left out.
//!
//! A tree keeps its place, even when a single leaf is left of it, and leaves keep their numbers, so scores are added in
//! the same order and have the same bits.

use super::tree::{Node, Split, Tree};
use crate::score::known::Known;

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

/// How many nodes [`prune`] leaves.
pub fn count(tree: &Tree, known: &[Known]) -> usize {
    let mut count = 0;
    let mut open = vec![if tree.nodes.is_empty() { !0 } else { 0_i32 }];
    while let Some(at) = open.pop() {
        if at < 0 {
            continue;
        }
        let node = &tree.nodes[at as usize];
        match side(node, &tree.sets, known[node.feature as usize]) {
            Some(true) => open.push(node.left),
            Some(false) => open.push(node.right),
            None => {
                count += 1;
                open.extend([node.left, node.right]);
            }
        }
    }
    count
}

/// The side that all rows go to: true is left.
pub fn side(node: &Node, sets: &[u32], known: Known) -> Option<bool> {
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
            Split::Category { start, words } => {
                let words = &sets[start as usize..][..words as usize];
                let (any, all) = members(words, known);
                if any {
                    goes(true);
                }
                if !all {
                    goes(false);
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

/// Whether any and whether all of the values that a feature can have are categories of a set.
fn members(words: &[u32], known: Known) -> (bool, bool) {
    // Numbers are cut towards zero; what is no category is in no set.
    let first = known.low.trunc().max(0.0) as u64;
    let last = known.high.trunc().min(f64::from(u32::MAX)).max(-1.0);
    if last < 0.0 || known.low.trunc() > last {
        return (false, false);
    }
    let last = last as u64;
    let categories = known.low > -1.0 && known.high < f64::from(1_u32 << 31);
    let (mut any, mut all) = (false, categories);
    for (at, word) in words.iter().enumerate() {
        let from = at as u64 * 32;
        let (low, high) = (first.max(from), last.min(from + 31));
        if low > high {
            continue;
        }
        let wanted = (u32::MAX << (low - from)) & (u32::MAX >> (31 - (high - from)));
        any |= word & wanted != 0;
        all &= word & wanted == wanted;
    }
    (any, all && last < 32 * words.len() as u64)
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
