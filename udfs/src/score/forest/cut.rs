//! Cuts a tree into the operations of `program`: up to three nodes each, so that few are needed and few lines are read.
//!
//! What is below a node costs the same whatever is above, so the cheapest cut of each subtree is found from those of its
//! sides, in one pass (dynamic programming).

use super::program::{OP_INPUTS, OP_NODES, Op, Question, SLOTS, Shape, Side, ZEROS};
use super::tree::Tree;

/// The leaves below a node: the first and the one behind the last, counted from left to right.
#[derive(Clone, Copy, Default)]
pub struct Span {
    /// The first.
    pub first: u32,
    /// The one behind the last.
    pub end: u32,
}

/// The spans of a tree's nodes.
pub fn spans(tree: &Tree) -> Vec<Span> {
    fn visit(tree: &Tree, at: i32, next: &mut u32, spans: &mut [Span]) {
        let first = *next;
        if at < 0 {
            *next += 1;
            return;
        }
        let node = &tree.nodes[at as usize];
        visit(tree, node.left, next, spans);
        visit(tree, node.right, next, spans);
        spans[at as usize] = Span { first, end: *next };
    }
    let mut spans = vec![Span::default(); tree.nodes.len()];
    if !tree.nodes.is_empty() {
        visit(tree, 0, &mut 0, &mut spans);
    }
    spans
}

/// Appends the operations that find a tree's leaves, for trees small enough to be blended; the slots of the low and
/// of the high bytes of leaf numbers, which only trees of more than 256 leaves have.
pub fn operations(
    tree: &Tree,
    questions: &[Question],
    spans: &[Span],
    ops: &mut Vec<Op>,
) -> (u8, Option<u8>) {
    let mut emitter = Emitter {
        tree,
        questions,
        spans,
        cuts: vec![Cut::NONE; tree.nodes.len()],
        ops,
        free: (1..=SLOTS as u8).rev().collect(),
    };
    let low = emitter.line(Byte::Low);
    let high = (tree.leaves.len() > 256).then(|| emitter.line(Byte::High));
    (low, high)
}

/// A byte of leaf numbers.
#[derive(Clone, Copy, PartialEq)]
enum Byte {
    Low,
    High,
}

impl Byte {
    fn of(self, leaf: u32) -> u8 {
        match self {
            Self::Low => leaf as u8,
            Self::High => (leaf >> 8) as u8,
        }
    }
}

/// What an operation costs beside its nodes, in inputs that it reads.
const OP_COST: u32 = 4;

/// How the subtree of a node is cut into operations: what they cost in all, of which the operation that ends with the
/// node is one.
#[derive(Clone, Copy)]
struct Cut {
    shape: Shape,
    cost: u32,
    /// Of what is below the node.
    below: u32,
    /// Of what is below the node and its left side, if there is something to decide.
    below_left: u32,
    /// Of what is below the node and its right side, if there is something to decide.
    below_right: u32,
    /// Slots that the operations need.
    slots: u32,
}

/// Cost of what is not there.
const NEVER: u32 = u32::MAX / 4;

impl Cut {
    /// Where nothing is to be decided.
    const NONE: Self = Self {
        shape: Shape::One,
        cost: 0,
        below: NEVER,
        below_left: NEVER,
        below_right: NEVER,
        slots: 0,
    };

    /// The cheapest of a node whose sides are cut; slots are still to be counted.
    fn of(left: Self, right: Self) -> Self {
        let below = |shape: Shape| match shape {
            Shape::One => left.cost + right.cost,
            Shape::Left => left.below + right.cost,
            Shape::Right => left.cost + right.below,
            Shape::Both => left.below + right.below,
            Shape::LeftLeft => left.below_left + right.cost,
            Shape::LeftRight => left.below_right + right.cost,
            Shape::RightLeft => left.cost + right.below_left,
            Shape::RightRight => left.cost + right.below_right,
        };
        let cost = |shape: Shape| match below(shape) {
            0 => OP_COST,
            below => OP_COST + below + shape.nodes().len() as u32 + 1,
        };
        let costs = Shape::ALL.map(|shape| (cost(shape), shape));
        let (cost, shape) = costs.into_iter().fold(costs[0], |best, other| match other {
            other if other.0 < best.0 => other,
            _ => best,
        });
        Self {
            shape,
            cost,
            below: below(Shape::One),
            below_left: below(Shape::Left).min(NEVER),
            below_right: below(Shape::Right).min(NEVER),
            slots: 0,
        }
    }
}

/// Where an operation lies in a tree.
struct Placed {
    /// The nodes, in the shape's order.
    nodes: [i32; OP_NODES],
    /// What lies below them.
    inputs: [i32; OP_INPUTS],
}

struct Emitter<'a> {
    tree: &'a Tree,
    questions: &'a [Question],
    spans: &'a [Span],
    cuts: Vec<Cut>,
    ops: &'a mut Vec<Op>,
    free: Vec<u8>,
}

impl Emitter<'_> {
    /// Operations that leave a byte of each row's leaf number; the slot where they leave it.
    fn line(&mut self, byte: Byte) -> u8 {
        let root = if self.tree.nodes.is_empty() { !0 } else { 0 };
        self.cut(root, byte);
        self.slots(root, byte);
        self.emit(root, byte)
    }

    /// The first leaf on the right side of a node.
    fn right(&self, at: i32) -> u32 {
        match self.tree.nodes[at as usize].left {
            left @ 0.. => self.spans[left as usize].end,
            _ => self.spans[at as usize].first + 1,
        }
    }

    /// Whether there is something to decide: the leaves below differ in the byte.
    fn decides(&self, at: i32, byte: Byte) -> bool {
        at >= 0 && {
            let span = self.spans[at as usize];
            byte == Byte::Low || byte.of(span.first) != byte.of(span.end - 1)
        }
    }

    /// Where an operation of this shape is that ends with node `at`.
    fn place(&self, shape: Shape, at: i32) -> Placed {
        let mut nodes = [at; OP_NODES];
        let mut inputs = [!0; OP_INPUTS];
        for (number, sides) in shape.nodes().iter().enumerate() {
            let node = &self.tree.nodes[nodes[number] as usize];
            for (side, below) in sides.iter().zip([node.left, node.right]) {
                match side {
                    Side::Input(input) => inputs[*input] = below,
                    Side::Node(number) => nodes[*number] = below,
                }
            }
        }
        Placed { nodes, inputs }
    }

    /// Cuts the subtree of a node so that it costs the least.
    fn cut(&mut self, at: i32, byte: Byte) -> Cut {
        if !self.decides(at, byte) {
            return Cut::NONE;
        }
        let node = &self.tree.nodes[at as usize];
        let (left, right) = (self.cut(node.left, byte), self.cut(node.right, byte));
        let cut = Cut::of(left, right);
        self.cuts[at as usize] = cut;
        cut
    }

    /// Counts the slots that the operations of a subtree need which is cut, and each of its operations.
    fn slots(&mut self, at: i32, byte: Byte) -> u32 {
        if !self.decides(at, byte) {
            return 0;
        }
        let inputs = self.place(self.cuts[at as usize].shape, at).inputs;
        let mut slots = inputs.map(|input| self.slots(input, byte));
        slots.sort_unstable_by_key(|slots| std::cmp::Reverse(*slots));
        let needed = (0..).zip(slots).filter(|(_, slots)| *slots > 0);
        let needed = needed.map(|(held, slots)| held + slots).max().unwrap_or(1);
        self.cuts[at as usize].slots = needed;
        needed
    }

    /// The operations of a subtree that is cut; the slot where they leave its line.
    fn emit(&mut self, at: i32, byte: Byte) -> u8 {
        if !self.decides(at, byte) {
            return ZEROS;
        }
        let shape = self.cuts[at as usize].shape;
        let Placed { nodes, inputs } = self.place(shape, at);
        let count = shape.nodes().len();
        let mut order: [usize; OP_INPUTS] = std::array::from_fn(|input| input);
        let slots = inputs.map(|input| match self.decides(input, byte) {
            true => self.cuts[input as usize].slots,
            false => 0,
        });
        order.sort_by_key(|input| std::cmp::Reverse(slots[*input]));
        let mut lines = [ZEROS; OP_INPUTS];
        for input in order {
            lines[input] = self.emit(inputs[input], byte);
        }
        self.free
            .extend(lines.iter().filter(|slot| **slot != ZEROS));
        let out = self
            .free
            .pop()
            .expect("slots are enough for all trees; see `program`");
        let mut decisions = [((0, 0), 0); OP_NODES];
        for (decision, node) in decisions.iter_mut().zip(nodes) {
            let add = byte
                .of(self.right(node))
                .wrapping_sub(byte.of(self.spans[node as usize].first));
            *decision = (self.questions[node as usize], add);
        }
        self.ops
            .push(Op::new(shape, &decisions[..count], &lines[..=count], out));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::forest::program::{BLEND_LEAVES_MAX, Program};
    use crate::score::forest::tree::{Missing, Node, Split};

    /// A tree of 2^depth leaves at the same depth, the nodes of a level asking of one feature each.
    fn full(depth: u32) -> Tree {
        let nodes = (1 << depth) - 1;
        let child = |number: i32| match number {
            number if number < nodes => number,
            number => !(number - nodes),
        };
        let node = |number: i32| Node {
            split: Split::numeric(f64::from(number), Missing::NaN, true),
            feature: (number + 1).ilog2(),
            left: child(2 * number + 1),
            right: child(2 * number + 2),
        };
        Tree {
            nodes: (0..nodes).map(node).collect(),
            leaves: (0..=nodes).map(f64::from).collect(),
            ..Tree::default()
        }
    }

    /// The recurrence of `program`: how few leaves can need so many slots.
    #[test]
    fn slots_are_enough() {
        let mut least = vec![1, 2, 4, 6];
        for slots in 4..SLOTS {
            let few = [
                2 * least[slots - 1],
                3 * least[slots - 2],
                4 * least[slots - 3],
            ];
            least.extend(few.iter().min());
        }
        assert!(least[SLOTS - 1] > BLEND_LEAVES_MAX);
        for depth in 0..=BLEND_LEAVES_MAX.ilog2() {
            let tree = full(depth);
            assert_eq!(tree.check_shape(), Ok(()));
            let program = Program::compile(&[tree], |_| 0).unwrap();
            let used = program.ops().all().iter().map(|op| op.out).max();
            let needed = 3 * depth.div_ceil(2) + 1;
            assert!(
                u32::from(used.unwrap_or(0)) <= needed,
                "{used:?}, depth {depth}"
            );
        }
    }

    /// Three nodes an operation, as far as a tree's shape allows it, and none that is computed twice.
    #[test]
    fn operations_of_several_nodes() {
        for (depth, operations) in [(1, 1), (2, 1), (4, 5), (6, 21), (8, 85)] {
            let program = Program::compile(&[full(depth)], |_| 0).unwrap();
            let nodes = |op: &Op| op.shape().nodes().len();
            let ops = program.ops().all();
            assert_eq!(ops.len(), operations, "depth {depth}");
            assert_eq!(ops.iter().map(nodes).sum::<usize>(), (1 << depth) - 1);
        }
    }
}
