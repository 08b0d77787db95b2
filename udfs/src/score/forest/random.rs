//! Random forests of all kinds of splits and random batches of all kinds of values and columns, for tests.

use super::Forest;
use super::objective::Objective;
use super::tree::{Linear, Missing, Node, Split, Tree};
use crate::score::features::{Column, Feature, Features};
use crate::score::known::Known;
use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array,
};
use arrow::datatypes::Int8Type;
use std::sync::Arc;

/// A linear congruential generator (Knuth's MMIX constants), high bits first.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn unit(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 31) as f64
    }

    /// Numbers of a kind: spread evenly, over magnitudes, close together, or odd ones.
    pub fn number(&mut self, kind: usize) -> f64 {
        const ODD: [f64; 18] = [
            0.0,
            -0.0,
            1e-35,
            -1e-35,
            1.000_000_018_002_509_5e-35,
            -1.000_000_018_002_509_5e-35,
            1e-36,
            -1e-36,
            2e-35,
            -2e-35,
            5e-324,
            -5e-324,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            1.0,
            1.5,
        ];
        let sign = if self.one_in(2) { 1.0 } else { -1.0 };
        match kind % 5 {
            0 => self.unit() * 20.0 - 10.0,
            1 => sign * 10_f64.powf(self.unit() * 600.0 - 300.0),
            2 => (self.below(50) as f64) - 5.0,
            3 => 1.0 + self.unit() * 1e-12,
            _ => ODD[self.below(ODD.len())],
        }
    }
}

pub struct Shape {
    pub features: usize,
    pub trees: usize,
    pub leaves: usize,
    pub outputs: usize,
    /// Splits off one leaf at a time, so that trees are as deep as they can be.
    pub deep: bool,
    pub categories: bool,
    pub zero_missing: bool,
    pub linear: bool,
    /// How thresholds and values are spread; 5 is all ways.
    pub kind: usize,
}

impl Shape {
    /// Numeric splits, missing or not, and one output.
    pub fn plain(features: usize, trees: usize, leaves: usize) -> Self {
        Self {
            features,
            trees,
            leaves,
            outputs: 1,
            deep: false,
            categories: false,
            zero_missing: false,
            linear: false,
            kind: 0,
        }
    }
}

fn split(random: &mut Random, shape: &Shape, feature: usize, sets: &mut Vec<u32>) -> Split {
    if shape.categories && feature.is_multiple_of(3) {
        let words = random.below(4);
        let start = sets.len() as u32;
        sets.extend((0..words).map(|_| (random.next() as u32) & (random.next() as u32)));
        return Split::Category {
            start,
            words: words as u32,
        };
    }
    let kind = if shape.kind == 5 { feature } else { shape.kind };
    let threshold = random.number(kind);
    let missing = match random.below(if shape.zero_missing { 3 } else { 2 }) {
        0 => Missing::None,
        1 => Missing::NaN,
        _ => Missing::Zero,
    };
    Split::numeric(threshold, missing, random.one_in(2))
}

pub fn tree(random: &mut Random, shape: &Shape, leaves: usize) -> Tree {
    let mut tree = Tree {
        leaves: (0..leaves).map(|_| random.number(0)).collect(),
        ..Tree::default()
    };
    // Leaves are split one after the other; places of leaves are (parent, right side).
    let mut places: Vec<Option<(usize, bool)>> = vec![None];
    for index in 0..leaves - 1 {
        let at = if shape.deep {
            places.len() - 1
        } else {
            random.below(places.len())
        };
        let feature = random.below(shape.features);
        let split = split(random, shape, feature, &mut tree.sets);
        tree.nodes.push(Node {
            split,
            feature: feature as u32,
            left: !(at as i32),
            right: !(places.len() as i32),
        });
        if let Some((parent, right)) = places[at] {
            let parent: &mut Node = &mut tree.nodes[parent];
            *(if right {
                &mut parent.right
            } else {
                &mut parent.left
            }) = index as i32;
        }
        places[at] = Some((index, false));
        places.push(Some((index, true)));
    }
    if shape.linear {
        tree.linear = (0..leaves)
            .map(|_| Linear {
                constant: random.number(0),
                terms: (0..random.below(4))
                    .map(|_| (random.below(shape.features) as u32, random.number(0)))
                    .collect(),
            })
            .collect();
    }
    assert_eq!(tree.check_shape(), Ok(()));
    tree
}

pub fn forest(random: &mut Random, shape: &Shape) -> Forest {
    let mut trees: Vec<Tree> = Vec::new();
    for _ in 0..shape.trees * shape.outputs {
        let leaves = if random.one_in(8) {
            1
        } else {
            1 + random.below(shape.leaves)
        };
        let made = match trees.last() {
            // As importers make them: the same nodes with other leaves.
            Some(last) if random.one_in(6) && last.linear.is_empty() => {
                let leaves = last.leaves.iter().map(|_| random.number(0)).collect();
                Tree {
                    leaves,
                    ..last.clone()
                }
            }
            _ => tree(random, shape, leaves),
        };
        trees.push(made);
    }
    let features = (0..shape.features)
        .map(|f| Feature::numeric(format!("f{f}")))
        .collect();
    Forest::new(features, trees, shape.outputs, Objective::Identity, false)
}

/// A column of a random type, cut out of a longer one.
pub fn column(random: &mut Random, kind: usize, rows: usize) -> Column {
    if random.one_in(12) {
        return Column::Constant(if random.one_in(3) {
            f64::NAN
        } else {
            random.number(kind)
        });
    }
    let longer = rows + 7;
    let missing = [2, 9, 1_000_000][random.below(3)];
    let number = |random: &mut Random| {
        let odd = random.one_in(10);
        (!random.one_in(missing)).then(|| random.number(if odd { 4 } else { kind }))
    };
    let numbers: Vec<Option<f64>> = (0..longer).map(|_| number(random)).collect();
    let plain = || numbers.iter().map(|n| n.unwrap_or(f64::NAN));
    let array: ArrayRef = match random.below(9) {
        0 => Arc::new(Float32Array::from_iter(
            numbers.iter().map(|n| n.map(|n| n as f32)),
        )),
        1 => Arc::new(Int32Array::from_iter(
            numbers.iter().map(|n| n.map(|n| n as i32)),
        )),
        2 => Arc::new(Int64Array::from_iter(
            numbers.iter().map(|n| n.map(|n| n as i64)),
        )),
        3 => Arc::new(Int16Array::from_iter(
            numbers.iter().map(|n| n.map(|n| n as i16)),
        )),
        4 => Arc::new(BooleanArray::from_iter(
            numbers.iter().map(|n| n.map(|n| n > 0.0)),
        )),
        5 => Arc::new(
            Decimal128Array::from_iter(numbers.iter().map(|n| n.map(|n| n as i128)))
                .with_precision_and_scale(38, 2)
                .unwrap(),
        ),
        6 => {
            let values: ArrayRef = Arc::new(Float64Array::from(numbers[..longer.min(9)].to_vec()));
            let keys = (0..longer)
                .map(|_| (!random.one_in(missing)).then(|| random.below(values.len()) as i8));
            Arc::new(DictionaryArray::<Int8Type>::new(keys.collect(), values))
        }
        7 => Arc::new(Float64Array::from_iter(numbers.iter().copied())),
        _ => Arc::new(Float64Array::from_iter_values(plain())),
    };
    Column::numbers(&array.slice(3, rows)).unwrap()
}

/// Batches of plain values: what is known of them, and the batch.
pub fn known_batch(random: &mut Random, shape: &Shape, rows: usize) -> (Vec<Known>, Features) {
    let mut known = Vec::new();
    let mut columns = Vec::new();
    for feature in 0..shape.features {
        let kind = if shape.categories && feature.is_multiple_of(3) {
            2
        } else {
            0
        };
        let center = random.number(kind);
        let width = [0.0, 0.5, 3.0, 40.0][random.below(4)];
        let mut box_of = Known::NOTHING;
        let values: Vec<f64> = (0..rows)
            .map(|_| match kind {
                _ if width > 3.0 && random.one_in(5) => f64::NAN,
                2 => (center + random.unit() * width).trunc(),
                _ if random.one_in(9) => [0.0, 1e-36, -1e-36, 1e-35][random.below(4)],
                _ => center + random.unit() * width,
            })
            .collect();
        for value in &values {
            box_of = box_of.or(Known::value(*value));
        }
        known.push(if random.one_in(3) {
            Known::ANYTHING
        } else {
            box_of
        });
        columns.push(Column::Values(values.into()));
    }
    (known, Features::new(columns, rows).unwrap())
}
