//! What a model that loads must keep: every way to score gives the plain scorer's bits, on values that are odd or
//! close to the model's own thresholds.

use alcedo_udfs::score::column::Numbers;
use alcedo_udfs::score::features::{Column, Features};
use alcedo_udfs::score::forest::Forest;
use alcedo_udfs::score::forest::blend::Level;
use alcedo_udfs::score::forest::tree::Split;
use alcedo_udfs::score::known::Known;
use alcedo_udfs::score::{Limits, Scorer, Scratch};

/// Values of a batch at most.
const VALUES_MAX: usize = 1 << 16;

const ODD: [f64; 24] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1e-35,
    -1e-35,
    1.000_000_018_002_509_5e-35,
    -1.000_000_018_002_509_5e-35,
    2e-35,
    -2e-35,
    5e-324,
    -5e-324,
    f64::MAX,
    f64::MIN,
    1.0,
    -1.0,
    -0.5,
    31.9,
    32.0,
    2_147_483_647.5,
    2_147_483_648.0,
    9_007_199_254_740_993.0,
    -1e18,
];

/// A linear congruential generator (Knuth's MMIX constants), high bits first; it begins with the input's own bytes,
/// so that a finding repeats itself.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }
}

/// Scores some rows in every way; `scorer` is the forest, or what was made of it.
pub fn check(bytes: &[u8], forest: &Forest, scorer: &dyn Scorer) {
    let random = &mut Random(bytes.iter().fold(bytes.len() as u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    }));
    let width = forest.features().len();
    let rows = [2, 2, 3, 64, 65, 257, 300, 513][random.below(8)].min((VALUES_MAX / width).max(2));
    let features = batch(random, forest, rows);
    let mut scratch = Scratch::default();
    let mut wanted = vec![f64::NAN; rows * forest.outputs()];
    forest.score_plainly(&features, &mut scratch, &mut wanted);

    for level in Level::available() {
        let mut got = vec![f64::NAN; wanted.len()];
        let done = forest.score_at(*level, &features, &mut scratch, &mut got);
        done.expect("the features fit");
        same(&got, &wanted, level.name());
    }
    single_rows(forest, &features, &wanted);
    restricted(random, scorer, &features, &wanted);
    if forest.outputs() == 1 {
        within(random, forest, &features, &wanted);
    }
    unused(scorer, &features, &wanted);

    let classes = scorer.classes(&wanted);
    assert!(classes.is_none_or(|classes| classes.len() == rows));
    scorer.labels();
    scorer.transform(&mut wanted);
}

/// Columns of several types.
fn batch(random: &mut Random, forest: &Forest, rows: usize) -> Features {
    let mut cuts: Vec<Vec<f64>> = vec![Vec::new(); forest.features().len()];
    for node in forest.trees().iter().flat_map(|tree| &tree.nodes) {
        cuts[node.feature as usize].push(match node.split {
            Split::AtMost(cut) | Split::NotAbove(cut) => cut,
            Split::ZeroMissing { threshold, .. } => threshold,
            Split::Category { words, .. } => random.below(words as usize * 32 + 2) as f64,
        });
    }
    let columns = cuts.iter().map(|cuts| {
        let mut value = || match random.below(8) {
            0..4 if !cuts.is_empty() => {
                let cut = cuts[random.below(cuts.len())];
                [cut, cut, cut.next_up(), cut.next_down()][random.below(4)]
            }
            7 => random.below(70) as f64,
            _ => ODD[random.below(ODD.len())],
        };
        let values: Vec<f64> = (0..rows).map(|_| value()).collect();
        let integers = || values.iter().map(|v| *v as i64).collect::<Vec<_>>();
        let floats = || values.iter().map(|v| *v as f32).collect::<Vec<_>>();
        match random.below(8) {
            0 => Column::Numbers(Numbers::I64(integers().into()), None),
            1 => Column::Numbers(Numbers::F32(floats().into()), None),
            2 => Column::Constant(values[0]),
            _ => Column::Values(values.into()),
        }
    });
    Features::new(columns.collect(), rows).expect("all columns are of a length")
}

/// Bit for bit; which NaN an addition of several gives is nobody's promise.
fn same(got: &[f64], wanted: &[f64], how: &str) {
    for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let equal = got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan();
        assert!(equal, "{how}: {got} instead of {wanted} at {at}");
    }
}

fn single_rows(forest: &Forest, features: &Features, wanted: &[f64]) {
    let mut scratch = Scratch::default();
    let mut got = vec![f64::NAN; forest.outputs()];
    for (row, wanted) in wanted.chunks_exact(forest.outputs()).enumerate().take(8) {
        let columns = features.columns().iter();
        let columns = columns.map(|column| Column::Constant(column.value(row)));
        let one = Features::new(columns.collect(), 1).expect("constants have any length");
        let done = forest.score(&one, &mut scratch, &mut got);
        done.expect("the features fit");
        same(&got, wanted, "single row");
    }
}

/// What is known holds for all rows: nothing, their least and greatest value, or one of both.
fn restricted(random: &mut Random, scorer: &dyn Scorer, features: &Features, wanted: &[f64]) {
    let known = features.columns().iter().map(|column| {
        let values = (0..features.rows()).map(|row| Known::value(column.value(row)));
        let all = values.fold(Known::NOTHING, Known::or);
        match random.below(4) {
            0 => Known::ANYTHING,
            1 if !all.missing && all.has_values() => Known::up_to(all.high),
            2 if !all.missing && all.has_values() => Known::from(all.low),
            _ => all,
        }
    });
    let known: Vec<Known> = known.collect();
    if let Some(bounds) = scorer.bounds(&known) {
        let outside = |score: &f64| *score < bounds.low || *score > bounds.high;
        assert!(!wanted.iter().any(outside), "{wanted:?} out of {bounds:?}");
    }
    let Some(restricted) = scorer.restricted(&known) else {
        return;
    };
    assert!(restricted.nodes < restricted.nodes_before);
    let mut scratch = Scratch::default();
    let mut got = vec![f64::NAN; wanted.len()];
    for how in ["restricted, plainly", "restricted, compiled"] {
        let done = restricted.scorer.score(features, &mut scratch, &mut got);
        done.expect("the features fit");
        same(&got, wanted, how);
        // Compiles the trees.
        restricted.scorer.memory_bytes();
    }
}

/// Scores that end early are on the right side, and exact between the limits.
fn within(random: &mut Random, forest: &Forest, features: &Features, wanted: &[f64]) {
    let (a, b) = (
        wanted[random.below(wanted.len())],
        wanted[random.below(wanted.len())],
    );
    if a.is_nan() || b.is_nan() {
        return;
    }
    let (low, high) = match random.below(4) {
        0 => (f64::NEG_INFINITY, a),
        1 => (a, f64::INFINITY),
        _ => (a.min(b), a.max(b)),
    };
    let (limits, mut scratch) = (Limits { low, high }, Scratch::default());
    for level in Level::available() {
        let mut got = vec![f64::NAN; wanted.len()];
        let done = forest.score_within_at(*level, features, limits, &mut scratch, &mut got);
        done.expect("the features fit");
        for (got, wanted) in got.iter().zip(wanted) {
            let right = match () {
                () if *wanted < low => *got < low,
                () if *wanted > high => *got > high,
                () => got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(),
            };
            assert!(
                right,
                "{}: {got} for {wanted} within {limits:?}",
                level.name()
            );
        }
    }
}

/// Features that no score depends on may have any value.
fn unused(scorer: &dyn Scorer, features: &Features, wanted: &[f64]) {
    let columns = features.columns().iter().enumerate();
    let columns = columns.map(|(feature, column)| match scorer.uses(feature) {
        true => column.clone(),
        false => Column::Constant(f64::NAN),
    });
    let features = Features::new(columns.collect(), features.rows()).expect("as long as before");
    let mut got = vec![f64::NAN; wanted.len()];
    let done = scorer.score(&features, &mut Scratch::default(), &mut got);
    done.expect("the features fit");
    same(&got, wanted, "without unused features");
}
