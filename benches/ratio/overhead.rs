//! `overhead`: what a statement costs that does nothing, as round trips of a prepared `select 1` by libpq.

use super::Outcome;
use super::compare::{Case, Report};
use super::harness::postgres;
use super::harness::server::Server;
use super::libpq::Connection;

const TRIPS: u32 = 3_000;
const ROUNDS: usize = 9;

/// Measures round trips on one connection.
pub fn run(report: &mut Report) -> Outcome<()> {
    let server = Server::start(&[]);
    let sides = [
        Connection::open(&server.conninfo())?,
        Connection::open(&postgres::conninfo())?,
    ];
    for side in &sides {
        side.prepare(c"one", "select 1")?;
        let rows = side.execute(c"one")?;
        if (rows.rows(), rows.columns()) != (1, 1) || rows.value(0, 0) != Some(b"1") {
            return Err("select 1 did not answer 1".into());
        }
    }
    let trips = |side: &Connection| (0..TRIPS).try_for_each(|_| side.execute(c"one").map(|_| ()));
    let work = f64::from(TRIPS);
    let case = Case {
        name: "overhead/select-1",
        unit: "trips",
        work,
        equal: 1,
        rounds: ROUNDS,
    };
    report.measure(&case, || trips(&sides[0]), || trips(&sides[1]))
}
