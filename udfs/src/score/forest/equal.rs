//! Every way to run a forest against the plain scorer, bit for bit: random forests of all kinds of splits, random
//! batches of all kinds of values and columns.

use super::Forest;
use super::blend::Level;
use super::joined::{Joined, Part};
use super::objective::Objective;
use super::random::{Random, Shape, column, forest, known_batch, tree};
use super::tree::{Linear, Node, Split, Tree};
use crate::score::features::{Column, Feature, Features};
use crate::score::known::Known;
use crate::score::{Bounds, Limits, Scorer, Scratch};
use std::sync::Arc;

fn check(random: &mut Random, shape: &Shape) {
    let forest = forest(random, shape);
    check_forest(random, shape, &forest);
}

/// A forest of some shape.
fn check_forest(random: &mut Random, shape: &Shape, forest: &Forest) {
    let mut scratch = Scratch::default();
    for rows in [0, 1, 2, 64, 65, 129, 257, 511, 513, 1 + random.below(3000)] {
        let kind = |f: usize| if shape.kind == 5 { f } else { shape.kind };
        let columns = (0..shape.features)
            .map(|f| match shape.categories && f.is_multiple_of(3) {
                true => column(random, 2, rows),
                false => column(random, kind(f), rows),
            })
            .collect();
        let features = Features::new(columns, rows).unwrap();
        let outputs = shape.outputs;
        let mut wanted = vec![f64::NAN; rows * outputs];
        forest.score_plainly(&features, &mut scratch, &mut wanted);
        let same = |got: &[f64], wanted: &[f64], first: usize, how: &str| {
            let differs = (0..got.len()).find(|i| got[*i].to_bits() != wanted[*i].to_bits());
            if let Some(at) = differs {
                let row = first + at / outputs;
                let values: Vec<f64> = features.columns().iter().map(|c| c.value(row)).collect();
                panic!(
                    "{how}: {} instead of {} for row {row} of {rows}: {values:?}",
                    got[at], wanted[at]
                );
            }
        };
        for level in Level::available() {
            let mut got = vec![f64::NAN; rows * outputs];
            forest
                .score_at(*level, &features, &mut scratch, &mut got)
                .unwrap();
            same(&got, &wanted, 0, level.name());
        }
        for row in 0..rows.min(20) {
            let one = features
                .columns()
                .iter()
                .map(|c| Column::Constant(c.value(row)));
            let one = Features::new(one.collect(), 1).unwrap();
            for level in Level::available() {
                let mut got = vec![f64::NAN; outputs];
                forest
                    .score_at(*level, &one, &mut scratch, &mut got)
                    .unwrap();
                let how = format!("single {}", level.name());
                same(&got, &wanted[row * outputs..][..outputs], row, &how);
            }
        }
    }
}

/// Functions without terms, which use no feature, beside trees that have none.
#[test]
fn linear_leaves_without_terms() {
    let random = &mut Random(17);
    let shape = |linear| Shape {
        zero_missing: true,
        linear,
        ..Shape::plain(3, 1, 90)
    };
    let trees = (0..40).map(|number| {
        let leaves = 1 + random.below(90);
        let mut tree = tree(random, &shape(number % 2 == 0), leaves);
        let functions = tree.linear.iter_mut();
        functions.for_each(|function| function.terms.clear());
        tree
    });
    let trees = trees.collect();
    let features = ["a", "b", "c"].map(Feature::numeric).to_vec();
    let forest = Forest::new(features, trees, 1, Objective::Identity, false);
    check_forest(random, &shape(true), &forest);
}

/// Forests over columns that they partly share, scored together as alone.
#[test]
fn joined_forests() {
    let mut joined_ones = 0;
    for seed in 0..12 {
        let random = &mut Random(seed * 7_919 + 11);
        let columns = 2 + random.below(5);
        let mut part = |outputs| {
            let shape = Shape {
                features: 1 + random.below(6),
                trees: 1 + random.below(6),
                leaves: [3, 40, 300, 1500][random.below(4)],
                outputs,
                deep: random.one_in(4),
                categories: random.one_in(3),
                zero_missing: random.one_in(2),
                linear: random.one_in(5),
                kind: 0,
            };
            let scorer: Arc<dyn Scorer> = Arc::new(forest(random, &shape));
            let place = |f: usize| scorer.uses(f).then(|| (f + outputs) % columns);
            let columns: Vec<Option<usize>> = (0..shape.features).map(place).collect();
            (scorer, columns)
        };
        let parts: Vec<_> = (0..2 + seed as usize % 3)
            .map(|n| part(1 + n % 2))
            .collect();
        let made = parts.iter().map(|(s, c)| Part::new(s, c.clone())).collect();
        let Some(joined) = Joined::new(made) else {
            continue;
        };
        joined_ones += 1;
        let rows = if seed % 3 == 0 {
            1
        } else {
            2 + random.below(1500)
        };
        let made = (0..columns).map(|_| column(random, 2, rows)).collect();
        let features = Features::new(made, rows).unwrap();
        let mut scratch = Scratch::default();
        for level in Level::available() {
            let together = joined.score_at(*level, &features, &mut scratch).unwrap();
            for ((scorer, columns), got) in parts.iter().zip(together) {
                let own = columns.iter().map(|column| match column {
                    Some(column) => features.columns()[*column].clone(),
                    None => Column::Constant(f64::NAN),
                });
                let own = Features::new(own.collect(), rows).unwrap();
                let mut alone = vec![0.0; rows * scorer.outputs()];
                let forest = scorer.forest().unwrap();
                forest.score_plainly(&own, &mut scratch, &mut alone);
                let bits =
                    |scores: &[f64]| -> Vec<u64> { scores.iter().map(|s| s.to_bits()).collect() };
                assert_eq!(bits(&got), bits(&alone), "{} seed {seed}", level.name());
            }
        }
        assert!(!joined.pays(1) && joined.pays(usize::MAX >> 8));
        drop(parts);
        assert!(joined.parts().iter().all(Part::is_gone));
    }
    assert!(joined_ones > 6, "{joined_ones}");
}

/// A forest for some rows gives these rows the same scores.
#[test]
fn restricted_forests() {
    let mut smaller = 0;
    for seed in 0..40 {
        let random = &mut Random(seed * 104_729 + 3);
        let shape = Shape {
            features: 1 + random.below(8),
            trees: 5,
            leaves: [3, 40, 300, 1500][random.below(4)],
            outputs: 1 + random.below(2),
            deep: random.one_in(4),
            categories: random.one_in(2),
            zero_missing: random.one_in(2),
            linear: random.one_in(5),
            kind: [0, 5][random.below(2)],
        };
        let forest = forest(random, &shape);
        let rows = 400;
        let (known, features) = known_batch(random, &shape, rows);
        let Some(restricted) = forest.restricted(&known) else {
            continue;
        };
        assert!(restricted.nodes < restricted.nodes_before);
        smaller += 1;
        let mut scratch = Scratch::default();
        let mut wanted = vec![0.0; rows * shape.outputs];
        forest.score_plainly(&features, &mut scratch, &mut wanted);
        // At first plainly, then compiled.
        for _ in 0..2 {
            let mut got = vec![f64::NAN; rows * shape.outputs];
            restricted
                .scorer
                .score(&features, &mut scratch, &mut got)
                .unwrap();
            let bits = |scores: &[f64]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&got), bits(&wanted), "seed {seed}");
        }
    }
    assert!(smaller > 20);
    let leaf = Tree {
        leaves: vec![2.5],
        ..Tree::default()
    };
    let feature = vec![Feature::numeric("a".to_owned())];
    let constant = Forest::new(feature, vec![leaf], 1, Objective::Identity, false);
    assert!(constant.pruned(&[Known::value(1.0)]).is_none());
}

/// No row of which something is known has a score outside of the bounds, and those that leave one leaf per tree are
/// the score itself.
#[test]
fn scores_within_bounds() {
    let (mut narrow, mut exact) = (0, 0);
    for seed in 0..60 {
        let random = &mut Random(seed * 32_452_843 + 7);
        let shape = Shape {
            features: 1 + random.below(8),
            trees: [1, 5, 120][random.below(3)],
            leaves: [3, 40, 300][random.below(3)],
            outputs: 1,
            deep: random.one_in(4),
            categories: random.one_in(2),
            zero_missing: random.one_in(2),
            linear: false,
            kind: [0, 5][random.below(2)],
        };
        let forest = forest(random, &shape);
        let rows = 200;
        let (known, features) = known_batch(random, &shape, rows);
        let mut scores = vec![0.0; rows];
        forest.score_plainly(&features, &mut Scratch::default(), &mut scores);
        let widest = forest
            .bounds(&vec![Known::ANYTHING; shape.features])
            .unwrap();
        let bounds = forest.bounds(&known).unwrap();
        narrow += usize::from(bounds.high - bounds.low < 0.9 * (widest.high - widest.low));
        for (row, score) in scores.iter().enumerate() {
            let within = |b: Bounds| b.low <= *score && *score <= b.high;
            assert!(within(bounds) && within(widest), "seed {seed}, row {row}");
            let values = features
                .columns()
                .iter()
                .map(|c| Known::value(c.value(row)));
            let bounds = forest.bounds(&values.collect::<Vec<_>>()).unwrap();
            assert!(within(bounds), "seed {seed}, row {row}");
            exact += usize::from(bounds.low.to_bits() == bounds.high.to_bits());
        }
    }
    assert!(narrow > 30 && exact > 9000, "{narrow} and {exact}");
}

/// Scores that stop early are on the right side, and exact between the limits.
#[test]
fn scores_within_limits() {
    let mut ended_early = 0;
    for seed in 0..40 {
        let random = &mut Random(seed * 15_485_863 + 9);
        let stumps = random.one_in(5);
        let shape = Shape {
            features: 6,
            trees: if stumps {
                600
            } else {
                [3, 200][random.below(2)]
            },
            leaves: if stumps {
                2
            } else {
                [8, 31, 300][random.below(3)]
            },
            outputs: 1,
            deep: false,
            categories: random.one_in(3),
            zero_missing: random.one_in(2),
            linear: random.one_in(9),
            kind: 0,
        };
        let mut trees = forest(random, &shape).trees().to_vec();
        let mut leaves: Vec<&mut f64> = trees.iter_mut().flat_map(|t| &mut t.leaves).collect();
        let few = leaves.len() / 40;
        match seed % 6 {
            // As boosting has it: the first trees say most.
            0..3 => leaves.iter_mut().take(few).for_each(|leaf| **leaf *= 1e3),
            // Sums may overflow; steps are denormal; no tree asks anything that matters.
            3 => leaves.iter_mut().for_each(|leaf| **leaf *= 1e307),
            4 => leaves.iter_mut().for_each(|leaf| **leaf *= 1e-321),
            _ => leaves.iter_mut().for_each(|leaf| **leaf = leaf.round()),
        }
        let features = (0..shape.features).map(|f| Feature::numeric(format!("f{f}")));
        let forest = Forest::new(features.collect(), trees, 1, Objective::Identity, false);
        let rows = 1 + random.below(4000);
        let columns = (0..shape.features)
            .map(|_| column(random, 0, rows))
            .collect();
        let features = Features::new(columns, rows).unwrap();
        let mut scratch = Scratch::default();
        let mut wanted = vec![0.0; rows];
        forest.score_plainly(&features, &mut scratch, &mut wanted);
        let mut sorted = wanted.clone();
        sorted.sort_by(f64::total_cmp);
        for place in [0, rows / 100, rows / 2, rows * 99 / 100, rows - 1] {
            let low = sorted[place];
            let high = sorted[(place + rows / 50).min(rows - 1)];
            let limits = Limits { low, high };
            for level in Level::available() {
                let mut got = vec![f64::NAN; rows];
                forest
                    .score_within_at(*level, &features, limits, &mut scratch, &mut got)
                    .unwrap();
                ended_early += got.iter().filter(|score| score.is_infinite()).count();
                for (got, wanted) in got.iter().zip(&wanted) {
                    let right = match () {
                        () if *wanted < low => *got < low,
                        () if *wanted > high => *got > high,
                        () => got.to_bits() == wanted.to_bits(),
                    };
                    assert!(right, "{got} for {wanted} within {limits:?}, seed {seed}");
                }
            }
        }
    }
    assert!(ended_early > 10_000, "{ended_early} scores ended early");
}

/// Rows that leave in several stages: the first of them like the others, easier and harder, and with many columns.
#[test]
fn rows_leave_in_stages() {
    for (features, trees, rows) in [(4, 150, 12_000), (1200, 600, 2_000)] {
        let random = &mut Random(features as u64);
        let shape = Shape::plain(features, trees, 40);
        let mut trees = forest(random, &shape).trees().to_vec();
        for (number, tree) in trees.iter_mut().enumerate() {
            let scale = 0.97_f64.powi(number as i32);
            let leaves = tree.leaves.iter_mut();
            leaves.for_each(|leaf| *leaf = random.unit() * scale);
        }
        let names = (0..features).map(|f| Feature::numeric(format!("f{f}")));
        let forest = Forest::new(names.collect(), trees, 1, Objective::Identity, false);
        let columns: Vec<Column> = (0..features).map(|_| column(random, 0, rows)).collect();
        let features = Features::new(columns, rows).unwrap();
        let mut scratch = Scratch::default();
        let mut wanted = vec![0.0; rows];
        forest.score_plainly(&features, &mut scratch, &mut wanted);
        let mut order: Vec<usize> = (0..rows).collect();
        order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
        let limit = wanted[order[rows * 98 / 100]];
        let limits = Limits {
            low: limit,
            high: limit,
        };
        let ascending = order.clone();
        order.sort_by(|a, b| {
            (wanted[*a] - limit)
                .abs()
                .total_cmp(&(wanted[*b] - limit).abs())
        });
        let mut left_early = 0;
        for order in [(0..rows).collect(), ascending, order] {
            let columns = features.columns().iter().map(|column| {
                let values: Vec<f64> = order.iter().map(|row| column.value(*row)).collect();
                Column::Values(values.into())
            });
            let features = Features::new(columns.collect(), rows).unwrap();
            for level in Level::available() {
                let mut got = vec![f64::NAN; rows];
                forest
                    .score_within_at(*level, &features, limits, &mut scratch, &mut got)
                    .unwrap();
                left_early += got.iter().filter(|score| score.is_infinite()).count();
                for (row, got) in order.iter().zip(got) {
                    assert_side(got, wanted[*row], limit);
                }
            }
        }
        // Where it does not pay, as with the rows nearest to the limit first, all are scored as ever.
        let all = 3 * rows * Level::available().len();
        assert!(left_early > all / 3, "{left_early} of {all} scores");
    }
}

/// A score, or an infinity on its side of a limit.
fn assert_side(got: f64, wanted: f64, limit: f64) {
    let right = match got.is_infinite() {
        true => wanted != limit && (wanted > limit) == (got > limit),
        false => wanted.to_bits() == got.to_bits(),
    };
    assert!(right, "{got} for {wanted}, limit {limit}");
}

/// Callers that follow the plan of a call before: with as many rows, fewer, more, others, another limit and another forest,
/// and more often than any plan is followed.
#[test]
fn plans_are_followed() {
    let random = &mut Random(77);
    let forests = [120, 160].map(|trees| {
        let shape = Shape::plain(6, trees, 40);
        let mut trees = forest(random, &shape).trees().to_vec();
        for (number, tree) in trees.iter_mut().enumerate() {
            let scale = 0.97_f64.powi(number as i32);
            let leaves = tree.leaves.iter_mut();
            leaves.for_each(|leaf| *leaf = random.unit() * scale);
        }
        let names = (0..6).map(|f| Feature::numeric(format!("f{f}")));
        Forest::new(names.collect(), trees, 1, Objective::Identity, false)
    });
    for level in Level::available() {
        let mut scratch = Scratch::default();
        let (mut early, mut usual) = (0, None);
        for call in 0..60 {
            let forest = &forests[usize::from(call % 40 > 36)];
            let rows = [3000, 3000, 511, 513, 1025, 64, 6000][random.below(7)];
            let columns = (0..6).map(|_| column(random, 0, rows)).collect();
            let features = Features::new(columns, rows).unwrap();
            let mut wanted = vec![0.0; rows];
            forest.score_plainly(&features, &mut Scratch::default(), &mut wanted);
            let mut sorted = wanted.clone();
            sorted.sort_by(f64::total_cmp);
            // Mostly the same limit.
            let limit = match call % 20 {
                7 => sorted[rows / 2],
                13 => f64::INFINITY,
                _ => *usual.get_or_insert(sorted[rows * 98 / 100]),
            };
            let limits = Limits {
                low: limit,
                high: limit,
            };
            let mut got = vec![f64::NAN; rows];
            forest
                .score_within_at(*level, &features, limits, &mut scratch, &mut got)
                .unwrap();
            early += got.iter().filter(|score| score.is_infinite()).count();
            let scores = got.into_iter().zip(wanted);
            scores.for_each(|(got, wanted)| assert_side(got, wanted, limit));
        }
        assert!(early > 10_000, "{early} scores ended early");
    }
}

/// A sum that linear leaves made so large that the other trees' numbers are lost in it.
#[test]
fn scores_within_limits_of_linear_leaves() {
    let first = Tree {
        leaves: vec![0.0],
        linear: vec![Linear {
            constant: 0.0,
            terms: vec![(0, 1.0)],
        }],
        ..Tree::default()
    };
    let rest = (0..2000).map(|tree| Tree {
        nodes: vec![Node {
            split: Split::AtMost(f64::from(tree)),
            feature: 0,
            left: !0,
            right: !1,
        }],
        leaves: vec![7.0; 2],
        ..Tree::default()
    });
    let trees = std::iter::once(first).chain(rest);
    let features = vec![Feature::numeric("f")];
    let forest = Forest::new(features, trees.collect(), 1, Objective::Identity, false);
    let features = Features::new(vec![Column::Values(vec![1e17; 100].into())], 100).unwrap();
    let limits = Limits {
        low: 1e17,
        high: 1e17 + 1600.0,
    };
    for level in Level::available() {
        let mut got = vec![f64::NAN; 100];
        forest
            .score_within_at(*level, &features, limits, &mut Scratch::default(), &mut got)
            .unwrap();
        assert_eq!(got, [1e17; 100], "{}", level.name());
    }
}

/// A set that nodes of many features share is not laid out for each of them.
#[test]
fn shared_sets_take_no_memory() {
    let (features, words) = (300, 3000);
    let node = |feature: i32| Node {
        split: Split::Category { start: 0, words },
        feature: feature as u32,
        left: !feature,
        right: if feature + 1 < features {
            feature + 1
        } else {
            !features
        },
    };
    let tree = Tree {
        nodes: (0..features).map(node).collect(),
        leaves: vec![1.0; features as usize + 1],
        sets: vec![u32::MAX; words as usize],
        ..Tree::default()
    };
    assert_eq!(tree.check_shape(), Ok(()));
    let names = (0..features).map(|f| Feature::numeric(format!("f{f}")));
    let forest = Forest::new(names.collect(), vec![tree], 1, Objective::Identity, false);
    assert!(forest.memory_bytes() < 1 << 20);
}

/// Shapes of every size and kind, from a seed each.
#[test]
fn levels_equal_the_plain_scorer() {
    for seed in 0..60 {
        let random = &mut Random(seed * 7919 + 1);
        let most = [3, 30, 300][random.below(3)];
        let features = 1 + random.below(most);
        let leaves = [2, 8, 31, 32, 33, 70, 255, 256, 257, 600][random.below(10)];
        let shape = Shape {
            features,
            trees: 1 + random.below(12),
            leaves,
            outputs: [1, 1, 3][random.below(3)],
            deep: random.one_in(4),
            categories: random.one_in(3),
            zero_missing: random.one_in(2),
            linear: random.one_in(6),
            kind: random.below(6),
        };
        check(random, &shape);
    }
}

#[test]
fn large_trees_are_walked() {
    for (deep, leaves) in [(false, 4000), (true, 1500)] {
        let shape = Shape {
            features: 20,
            trees: 6,
            leaves,
            outputs: 1,
            deep,
            categories: true,
            zero_missing: true,
            linear: false,
            kind: 5,
        };
        check(&mut Random(5), &shape);
    }
}

#[test]
fn features_of_many_thresholds() {
    for kind in 0..5 {
        let shape = Shape {
            zero_missing: true,
            kind,
            ..Shape::plain(1, 30, 1500)
        };
        check(&mut Random(kind as u64 + 11), &shape);
    }
}

/// Single rows of a tree whose leaves are too many for the form of single rows.
#[test]
fn single_rows_of_a_huge_tree() {
    let mut random = Random(8);
    let shape = Shape::plain(5, 1, 70_000);
    let trees = vec![tree(&mut random, &shape, shape.leaves)];
    let features = (0..shape.features)
        .map(|f| Feature::numeric(format!("f{f}")))
        .collect();
    let forest = Forest::new(features, trees, 1, Objective::Identity, false);
    assert!(forest.program().unwrap().single().is_none());
    let mut scratch = Scratch::default();
    for _ in 0..20 {
        let columns = (0..shape.features).map(|_| Column::Constant(random.number(0)));
        let one = Features::new(columns.collect(), 1).unwrap();
        let (mut got, mut wanted) = ([0.0], [0.0]);
        forest.score_plainly(&one, &mut scratch, &mut wanted);
        forest.score(&one, &mut scratch, &mut got).unwrap();
        assert_eq!(got, wanted);
    }
}
