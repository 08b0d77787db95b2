//! `wire`: a million rows of four columns to libpq, text and binary, against PostgreSQL 15 on the same machine.
//!
//! Both serve a table; PostgreSQL's lies in the page cache. The rows' order is fixed where results are compared and
//! left open where time is measured, so that neither sorts.

use super::Outcome;
use super::compare::{Case, Report};
use super::harness::postgres;
use super::harness::server::Server;
use super::libpq::{Connection, Format, Rows};

const ROWS: i32 = 1_000_000;
const ROUNDS: usize = 7;

/// The same statement on both sides.
const FILL: &str = "insert into t select n, (n::bigint * 7919 % 1000003)::float8 / 128, 'customer ' || (n % 10007)::text, \
     to_timestamp(1704067200 + n)::timestamp from generate_series(1, 1000000) s(n)";
const TABLE: &str = "create table t (id bigint, amount float8, name text, at timestamp)";
const QUERY: &str = "select id, amount, name, at from t";

/// Fills both tables, compares every value, measures.
pub fn run(report: &mut Report) -> Outcome<()> {
    let server = Server::start(&[]);
    let ours = Connection::open(&server.conninfo())?;
    let theirs = Connection::open(&postgres::conninfo())?;
    for side in [&ours, &theirs] {
        side.run(TABLE)?;
        side.run(FILL)?;
    }
    theirs.run("vacuum analyze t")?;
    for (name, format) in [("wire/text", Format::Text), ("wire/binary", Format::Binary)] {
        let ordered = format!("{QUERY} order by id");
        let equal = compare(
            &ours.query(&ordered, format)?,
            &theirs.query(&ordered, format)?,
        )?;
        let case = Case {
            name,
            unit: "rows",
            work: f64::from(ROWS),
            equal,
            rounds: ROUNDS,
        };
        report.measure(&case, || fetch(&ours, format), || fetch(&theirs, format))?;
    }
    Ok(())
}

fn fetch(side: &Connection, format: Format) -> Outcome<()> {
    let rows = side.query(QUERY, format)?.rows();
    if rows == ROWS {
        Ok(())
    } else {
        Err(format!("{rows} rows came, not {ROWS}").into())
    }
}

/// Every value, byte by byte; how many there are.
fn compare(ours: &Rows, theirs: &Rows) -> Outcome<u64> {
    let shape = |r: &Rows| (r.rows(), r.columns());
    if shape(ours) != shape(theirs) {
        return Err(format!(
            "rows and columns: {:?}, not {:?}",
            shape(ours),
            shape(theirs)
        )
        .into());
    }
    let mut equal = 0;
    for row in 0..ours.rows() {
        for column in 0..ours.columns() {
            let (mine, other) = (ours.value(row, column), theirs.value(row, column));
            if mine != other {
                let text = |v: Option<&[u8]>| v.map(|b| String::from_utf8_lossy(b).into_owned());
                return Err(format!(
                    "row {row} column {column}: {:?}, not {:?}",
                    text(mine),
                    text(other)
                )
                .into());
            }
            equal += 1;
        }
    }
    Ok(equal)
}
