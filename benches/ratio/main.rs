//! Ratios against rivals, both sides in one run: `ratio [SCENARIO…]`. Each prints one JSON line; a ratio under its
//! recorded floor (`benches/floors.json`) makes the exit code non-zero.
//!
//! A scenario first compares the two sides' results and only then measures: what answers differently is not faster.

mod compare;
#[path = "../../tests/it/harness/mod.rs"]
#[allow(dead_code, clippy::unwrap_used)]
mod harness;
mod ingest;
mod libpq;
mod lightgbm;
mod overhead;
mod plan;
mod random;
mod rivals;
mod score;
mod wire;

use std::process::ExitCode;

/// What a scenario gives: every ratio goes to the report as it is measured.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Name, what it compares, and how it runs.
type Scenario = (
    &'static str,
    &'static str,
    fn(&mut compare::Report) -> Outcome<()>,
);

const SCENARIOS: &[Scenario] = &[
    (
        "ingest",
        "a Kafka topic of JSON to Arrow: a source read by the engine, against StreamConsumer and arrow-json",
        ingest::run,
    ),
    (
        "score",
        "our scorer over Arrow columns, against LightGBM's C API, ONNX Runtime and lleaves, one thread each",
        score::run,
    ),
    (
        "plan",
        "queries with a model, against the same unseen by the planner, DuckDB with a Python function, and pandas",
        plan::run,
    ),
    (
        "wire",
        "a million rows of four columns to libpq, text and binary, against PostgreSQL 15",
        wire::run,
    ),
    (
        "overhead",
        "round trips of a prepared `select 1` by libpq, against PostgreSQL 15",
        overhead::run,
    ),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|w| w == "--help" || w == "-h") {
        println!("benches/run [SCENARIO…]: one JSON line per ratio, a bigger one is better\n");
        for (name, what, _) in SCENARIOS {
            println!("  {name:10} {what}");
        }
        return ExitCode::SUCCESS;
    }
    let known = |name: &String| SCENARIOS.iter().any(|(n, ..)| n == name);
    if let Some(unknown) = wanted.iter().find(|w| !known(w)) {
        eprintln!("no scenario is named {unknown}: benches/run --help lists them");
        return ExitCode::from(2);
    }
    let mut report = compare::Report::default();
    for (name, _, run) in SCENARIOS {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == name) {
            continue;
        }
        if let Err(error) = run(&mut report) {
            eprintln!("{name}: {error}");
            report.fail();
        }
    }
    if report.held() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
