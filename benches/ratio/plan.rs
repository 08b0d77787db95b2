//! `plan`: whole queries with a model in them, two threads, from Parquet files.
//!
//! Against the same query with the model behind an arithmetic operation, which hides the comparison or the columns from
//! the planner; against the share of the table that a model needs; and against what one writes without Alcedo: DuckDB
//! with a vectorised Python function, and pandas with LightGBM. `plan.py` is their side.

use std::path::PathBuf;

use alcedo_engine::session::SessionOptions;
use alcedo_engine::{Components, Config, Engine, Session};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use tokio::runtime::{Builder, Runtime};

use super::Outcome;
use super::compare::{Case, Report};
use super::harness::Scratch;
use super::rivals::Rivals;

const ROWS: usize = 300_000;
/// Columns of the narrow table, all of which the model uses.
const COLUMNS: usize = 28;
/// Columns of the wide table.
const WIDE: usize = 100;
/// Those of them that its model uses.
const USED: usize = 20;
const ROUNDS: usize = 5;
/// As many as the rivals have, on any machine.
const THREADS: usize = 2;

/// A table, its model, and a session on them.
struct Bench {
    runtime: Runtime,
    engine: Option<Engine>,
    session: Option<Session>,
    folder: Scratch,
}

/// Measures every case.
pub fn run(report: &mut Report) -> Outcome<()> {
    let bench = Bench::open()?;
    bytes(report, &bench)?;
    above(report, &bench)?;
    shown(report, &bench)?;
    outputs(report, &bench)?;
    best(report, &bench)?;
    known(report, &bench)?;
    whole(report, &bench)?;
    Ok(())
}

impl Bench {
    fn open() -> Outcome<Self> {
        let folder = Scratch::new("plan");
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()?;
        let config = Config {
            data_dir: Some(folder.join("data")),
            allowed_roots: vec![PathBuf::from(folder.join(""))],
            ..Config::default()
        };
        let engine = runtime.block_on(Engine::open(config, Components::default()))?;
        let session = engine.session(SessionOptions::default())?;
        let bench = Self {
            runtime,
            engine: Some(engine),
            session: Some(session),
            folder,
        };
        bench.ask(&format!("set target_partitions = {THREADS}"))?;
        bench.fill()?;
        Ok(bench)
    }

    /// Three tables of random numbers and a model for each.
    fn fill(&self) -> Outcome<()> {
        for (table, width, used, kinds) in [
            ("narrow", COLUMNS, COLUMNS, 0),
            ("wide", WIDE, USED, 0),
            ("kinds", 6, 6, 2),
        ] {
            let columns = listed(width, |c| match c < kinds {
                true => format!("floor(random() * 3) as c{c}"),
                false => format!("random() * 2 - 1 as c{c}"),
            });
            self.ask(&format!(
                "create table {table} as select {columns} from generate_series(1, {ROWS})"
            ))?;
            // What does not differ is never asked for.
            let inputs = listed(width, |c| match c < used {
                true => format!("c{c}"),
                false => format!("0.0 as c{c}"),
            });
            let label = (2..used).fold("c0 * c1".to_owned(), |sum, c| {
                format!("{sum} + sin(c{c} * {c})")
            });
            self.ask(&format!(
                "create model {table}_model options (label = 'y', num_iterations = 300, num_leaves = 31, seed = 1) as \
                 select {inputs}, {label} as y from {table} limit 20000"
            ))?;
        }
        let to = self.model_file();
        self.ask(&format!("export model narrow_model to 'file://{to}'"))?;
        Ok(())
    }

    fn model_file(&self) -> String {
        self.folder.join("narrow.txt")
    }

    /// The first column of a statement's rows, as text.
    fn ask(&self, statement: &str) -> Outcome<Vec<String>> {
        let session = self.session.as_ref().ok_or("the bench is open")?;
        let mut texts = Vec::new();
        for (_, batches, _) in self.runtime.block_on(session.run(statement))? {
            for batch in batches {
                let column = cast(batch.column(0), &DataType::Utf8)?;
                let values = column.as_string::<i32>().iter();
                texts.extend(values.map(|v| v.unwrap_or_default().to_owned()));
            }
        }
        Ok(texts)
    }

    /// The numbers of a query's only row.
    fn numbers(&self, query: &str) -> Outcome<Vec<f64>> {
        let session = self.session.as_ref().ok_or("the bench is open")?;
        let results = self.runtime.block_on(session.run(query))?;
        let (_, batches, _) = results.first().ok_or("a query has a result")?;
        let batch = batches
            .iter()
            .find(|b| b.num_rows() > 0)
            .ok_or("a query has a row")?;
        let numbers = batch.columns().iter().map(|column| {
            let floats = cast(column, &DataType::Float64)?;
            Ok(floats.as_primitive::<Float64Type>().value(0))
        });
        numbers.collect()
    }

    /// Two queries that must give the same, measured. The plan of ours, and not that of theirs, says `done`.
    fn compare(
        &self,
        report: &mut Report,
        name: &str,
        done: &str,
        (ours, theirs): (&str, &str),
    ) -> Outcome<()> {
        for (query, wanted) in [(ours, true), (theirs, false)] {
            let plan = self.ask(&format!("explain {query}"))?.join("\n");
            if plan.contains(done) != wanted {
                return Err(format!("{name}: whether the plan says {done:?}: {plan}").into());
            }
        }
        let (found, wanted) = (self.numbers(ours)?, self.numbers(theirs)?);
        if found != wanted {
            return Err(format!("{name}: {found:?} instead of {wanted:?}").into());
        }
        let case = Case {
            name,
            unit: "rows",
            work: ROWS as f64,
            equal: found.len() as u64,
            rounds: ROUNDS,
        };
        report.measure(
            &case,
            || self.numbers(ours).map(drop),
            || self.numbers(theirs).map(drop),
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.session.take());
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.close());
        }
    }
}

/// Bytes of the files that are read when the model uses a fifth of the columns, against those of all columns.
fn bytes(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let ours = scanned(bench, "select sum(predict(wide_model using *)) from wide")?;
    let sums = listed(WIDE, |c| format!("sum(c{c})"));
    let all = scanned(bench, &format!("select {sums} from wide"))?;
    report.tell("plan/bytes-read", all / ours, "bytes", (ours, all))
}

/// What is said of each column, as a list in SQL.
fn listed(columns: usize, say: impl Fn(usize) -> String) -> String {
    (0..columns).map(say).collect::<Vec<_>>().join(", ")
}

/// What the scans of a query read.
fn scanned(bench: &Bench, query: &str) -> Outcome<f64> {
    let plan = bench.ask(&format!("explain analyze {query}"))?.join("\\n");
    let mut bytes = 0.0;
    for part in plan.split("bytes_scanned=").skip(1) {
        bytes += size(part).ok_or_else(|| format!("no number of bytes in {plan}"))?;
    }
    if bytes == 0.0 {
        return Err(format!("nothing was scanned: {plan}").into());
    }
    Ok(bytes)
}

/// `1.5 MB, …` or `1234, …`.
fn size(text: &str) -> Option<f64> {
    let mut words = text.split([',', ']']).next()?.split(' ');
    let number: f64 = words.next()?.parse().ok()?;
    Some(
        number
            * match words.next().unwrap_or_default() {
                "" | "B" => 1.0,
                "K" | "KB" => 1e3,
                "M" | "MB" => 1e6,
                "GB" => 1e9,
                _ => return None,
            },
    )
}

/// A sum that does not depend on the order in which two threads find the rows.
fn sum(number: &str) -> String {
    format!("sum(({number} * 1000000.0)::bigint)")
}

/// Rows above the 99th percentile, and the same with the comparison hidden behind an addition.
fn above(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let bound = bench.numbers(
        "select percentile_cont(0.99) within group (order by predict(narrow_model using *)) from narrow",
    )?;
    let query = |hidden: &str| {
        format!(
            "select count(*), {} from narrow where predict(narrow_model using *){hidden} > {}::float8",
            sum("c0"),
            bound[0]
        )
    };
    bench.compare(
        report,
        "plan/above-p99",
        "narrow_model@1 > ",
        (&query(""), &query(" + 0.0::float8")),
    )
}

/// The better half with their scores, and the same with the comparison hidden behind an addition.
fn shown(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let bound = bench.numbers(
        "select percentile_cont(0.5) within group (order by predict(narrow_model using *)) from narrow",
    )?;
    let query = |hidden: &str| {
        format!(
            "select count(*), {} from (select predict(narrow_model using *) as p from narrow \
             where predict(narrow_model using *){hidden} > {}::float8) shown",
            sum("p"),
            bound[0]
        )
    };
    bench.compare(
        report,
        "plan/shown-scores",
        "score where ",
        (&query(""), &query(" + 0.0::float8")),
    )
}

/// Two outputs of a model, and the same with an argument of one hidden behind an addition.
fn outputs(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let query = |hidden: &str| {
        let inputs = listed(COLUMNS, |c| match c {
            0 => format!("c0{hidden}"),
            _ => format!("c{c}"),
        });
        let raw = format!("predict_raw(narrow_model, {inputs})");
        let number = "predict(narrow_model using *)";
        format!("select {}, {} from narrow", sum(number), sum(&raw))
    };
    bench.compare(
        report,
        "plan/two-outputs",
        " with predict_raw ",
        (&query(""), &query(" + 0.0::float8")),
    )
}

/// The ten best, and the same with the scores hidden behind an addition.
fn best(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let query = |hidden: &str| {
        format!(
            "select {} from (select c0 from narrow order by predict(narrow_model using *){hidden} desc limit 10) best",
            sum("c0")
        )
    };
    bench.compare(
        report,
        "plan/top-10",
        "TopKScoresExec",
        (&query(""), &query(" + 0.0::float8")),
    )
}

/// Conditions on two features of six, and the same with these features hidden behind an addition.
fn known(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let query = |hidden: &str| {
        let inputs = listed(6, |c| match c < 2 {
            true => format!("c{c}{hidden}"),
            false => format!("c{c}"),
        });
        format!(
            "select count(*), {} from kinds where c0 = 1 and c1 = 2",
            sum(&format!("predict(kinds_model, {inputs})"))
        )
    };
    bench.compare(
        report,
        "plan/known-features",
        "kinds_model@1 where ",
        (&query(""), &query(" + 0.0::float8")),
    )
}

/// Scan, filter, score and aggregate, against DuckDB and pandas.
fn whole(report: &mut Report, bench: &Bench) -> Outcome<()> {
    let ours = "select count(*), avg(predict(narrow_model using *)) from narrow where c0 > -0.5";
    let files = bench.folder.join("data");
    let model = bench.model_file();
    let mut rivals = Rivals::start("plan.py", &[&files, &model, &COLUMNS.to_string()])?;
    let found = bench.numbers(ours)?;
    for rival in ["duckdb", "pandas"] {
        let (_, wanted) = rivals.run(rival)?;
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        if found.len() != wanted.len() || !found.iter().zip(&wanted).all(close) {
            return Err(format!("plan/{rival}: {found:?} instead of {wanted:?}").into());
        }
        let name = format!("plan/{rival}");
        let case = Case {
            name: &name,
            unit: "rows",
            work: ROWS as f64,
            equal: found.len() as u64,
            rounds: ROUNDS,
        };
        report.measure_told(
            &case,
            || bench.numbers(ours).map(drop),
            || Ok(rivals.run(rival)?.0),
        )?;
    }
    Ok(())
}
