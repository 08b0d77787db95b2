//! Plans in how many stages rows go through a forest of which only the side of a limit is asked; see `early`.
//!
//! Costs are counted in operations for a row of a whole block, 512 rows of which take an operation some 28 cycles with
//! AVX-512; the constants are from timings on a Sapphire Rapids, where they need not be exact.

use super::bins::LINE_ROWS;
use super::blend::Level;
use super::early::sifts;
use super::quantised::{Chunk, Quantised};

/// How often undecided rows are gathered at most before all of their steps are known.
pub const STOPS_MAX: usize = 6;

/// What adding up a tree's leaf costs a row, in operations.
const LOOKED_UP: f64 = 7.0;

/// What it costs to gather a row's code, in operations: row by row, and by vectors for each row of the lines it is in.
const TAKEN: f64 = 84.0;
const SIFTED: f64 = 3.0;

/// What it costs to gather a row beside its codes, in operations.
const HANDED: f64 = 40.0;

/// How much more operations cost in blocks of one line.
const SMALL_BLOCKS: f64 = 1.5;

/// Which stages rows go through.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The end of each stage; all chunks at last.
    pub stops: Vec<Stop>,
    /// What they cost, in operations a row.
    pub cost: f64,
}

/// The end of a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// How many chunks rows have taken then.
    pub chunks: usize,
    /// How many of all rows are undecided then.
    pub share: f64,
}

impl Quantised {
    /// What it costs to gather a share of all rows from a share of them, in operations for each of all rows.
    fn gathering(&self, level: Level, from: f64, share: f64) -> f64 {
        let code = match sifts(level) {
            true => SIFTED * from.min(LINE_ROWS as f64 * share),
            false => TAKEN * share,
        };
        code * self.ops().columns() as f64 + HANDED * share
    }

    /// Whether a plan costs less than scoring as ever when so many of the rows are undecided at its end, which are
    /// gathered and scored again.
    pub fn pays(&self, level: Level, plan: &Plan, undecided: usize, rows: usize) -> bool {
        let share = undecided as f64 / rows.max(1) as f64;
        let (ops, trees) = self.size();
        let again = self.gathering(level, 1.0, share) + share * ops * SMALL_BLOCKS;
        plan.cost + again < ops + trees * LOOKED_UP
    }

    /// How many operations and how many trees there are.
    fn size(&self) -> (f64, f64) {
        let trees: usize = self.chunks().iter().map(|c| c.trees.len()).sum();
        (self.ops().all().len() as f64, trees as f64)
    }

    /// The stages that cost the least for so many rows, given how many are undecided after some numbers of chunks, of
    /// which the last is all of them. Found from the end (dynamic programming): what is best behind a stop does not
    /// depend on what was before.
    pub fn plan(&self, level: Level, seen: &[Stop], rows: usize) -> Plan {
        let cost = |chunk: &Chunk| -> usize { chunk.trees.iter().map(|t| t.ops.len() + 1).sum() };
        let mut stops = vec![Stop {
            chunks: 0,
            share: 1.0,
        }];
        stops.extend(seen);
        let end = stops.len() - 1;
        // Operations before each stop.
        let mut done = vec![0.0];
        for two in stops.windows(2) {
            let here = &self.chunks()[two[0].chunks..two[1].chunks];
            done.push(done[done.len() - 1] + here.iter().map(cost).sum::<usize>() as f64);
        }
        // Lines are run whole, as far as there are so many rows.
        let lines = rows as f64 / LINE_ROWS as f64;
        let share = |stop: &Stop| ((stop.share * lines).ceil() / lines).min(1.0);
        let shares: Vec<f64> = stops.iter().map(share).collect();
        let between = |from: usize, to: usize| shares[from] * (done[to] - done[from]);
        // For each stop what it costs to come to the end, and which one is next; with one more on the way each time.
        let mut plans: Vec<Vec<(f64, usize)>> =
            vec![(0..=end).map(|from| (between(from, end), end)).collect()];
        for _ in 0..STOPS_MAX {
            let before = &plans[plans.len() - 1];
            let best = |from: usize| {
                let by = |to: usize| {
                    let gathering = self.gathering(level, shares[from], shares[to]);
                    (between(from, to) + gathering + before[to].0, to)
                };
                let ways = (from + 1..end).map(by);
                ways.fold(
                    before[from],
                    |best, way| if way.0 < best.0 { way } else { best },
                )
            };
            plans.push((0..=end).map(best).collect());
        }
        // Behind each stop there is one less to come.
        let mut at = 0;
        let mut way = Vec::with_capacity(STOPS_MAX + 1);
        for plan in plans.iter().rev() {
            at = plan[at].1;
            way.push(stops[at]);
        }
        way.dedup();
        Plan {
            stops: way,
            cost: plans[STOPS_MAX][0].0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::forest::program::Program;
    use crate::score::forest::random::{Random, Shape, forest};

    /// Against all ways to gather no more than six times.
    #[test]
    fn plans_cost_the_least() {
        let mut staged = 0;
        for seed in 0..60 {
            let random = &mut Random(seed * 31 + 5);
            let shape = Shape::plain(5, 200, 200);
            let program = Program::compile(forest(random, &shape).trees(), |_| 0).unwrap();
            let quantised = Quantised::of(&program).unwrap();
            let chunks = quantised.chunks().len();
            assert!(chunks >= 8, "{chunks}");
            let mut share = 1.0;
            let seen: Vec<Stop> = (1..=chunks)
                .filter(|chunk| chunk % chunks.div_ceil(9) == 0 || *chunk == chunks)
                .map(|chunks| {
                    share *= random.unit().sqrt();
                    Stop { chunks, share }
                })
                .collect();
            let rows = [300, 5000, 1 << 20][random.below(3)];
            let level = Level::available()[random.below(Level::available().len())];
            let plan = quantised.plan(level, &seen, rows);
            let (last, inner) = seen.split_last().unwrap();
            assert_eq!(plan.stops.last(), Some(last));
            let lines = rows as f64 / LINE_ROWS as f64;
            let share = |stop: &Stop| ((stop.share * lines).ceil() / lines).min(1.0);
            let cost = |stops: &[Stop]| -> f64 {
                let mut from = Stop {
                    chunks: 0,
                    share: 1.0,
                };
                let mut cost = 0.0;
                for to in stops {
                    let before = if from.chunks == 0 { 1.0 } else { share(&from) };
                    let trees = quantised.chunks()[from.chunks..to.chunks].iter();
                    let trees = trees.flat_map(|c| &c.trees);
                    cost += before * trees.map(|t| t.ops.len() as f64 + 1.0).sum::<f64>();
                    if to != last {
                        cost += quantised.gathering(level, before, share(to));
                    }
                    from = *to;
                }
                cost
            };
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b;
            assert!(near(cost(&plan.stops), plan.cost), "{plan:?}");
            let ways = (0..1_u32 << inner.len()).filter(|w| w.count_ones() as usize <= STOPS_MAX);
            let least = ways.map(|way| {
                let on = inner.iter().enumerate();
                let on = on
                    .filter(|(at, _)| way >> at & 1 == 1)
                    .map(|(_, stop)| *stop);
                cost(&on.chain([*last]).collect::<Vec<_>>())
            });
            let least = least.fold(f64::INFINITY, f64::min);
            assert!(near(plan.cost, least), "{plan:?} instead of {least}");
            staged += usize::from(plan.stops.len() > 2);
        }
        assert!(staged > 10, "{staged} plans of several stages");
    }
}
