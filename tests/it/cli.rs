//! The command line: one-off statements, files, versions, help, and what is refused.

use std::process::Command;
use std::time::Duration;

use crate::harness::process::{Finished, run};
use crate::harness::{Scratch, binary};

fn alcedo(arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.args(arguments);
    run("alcedo", command, Duration::from_secs(120))
}

#[test]
fn version_and_help() {
    let version = alcedo(&["--version"]);
    assert_eq!(
        (version.code, version.stdout.trim()),
        (0, concat!("alcedo ", env!("CARGO_PKG_VERSION")))
    );
    let help = alcedo(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["serve", "sql", "demo"] {
        assert!(
            help.stdout.contains(word),
            "--help does not name {word}\n{}",
            help.stdout
        );
    }
    let serve = alcedo(&["serve", "--help"]);
    for flag in ["--data-dir", "--listen", "--http", "--config"] {
        assert!(
            serve.stdout.contains(flag),
            "serve --help does not name {flag}\n{}",
            serve.stdout
        );
    }
}

#[test]
fn sql_runs_without_a_server() {
    let one = alcedo(&["sql", "-c", "select 1 + 1 as two"]);
    assert!(
        one.code == 0 && one.stdout.contains("two") && one.stdout.contains('2'),
        "{} {} {}",
        one.code,
        one.stdout,
        one.stderr
    );
    let model = alcedo(&[
        "sql",
        "-c",
        "create model m options (label = 'y', num_iterations = 20) as select n as x, n * 2 as y from generate_series(1, 500) s(n); \
         select round(predict(m, 250)) between 450 and 550 as near",
    ]);
    assert!(
        model.code == 0 && model.stdout.contains("near"),
        "{} {} {}",
        model.code,
        model.stdout,
        model.stderr
    );
    let row = model
        .stdout
        .lines()
        .map(str::trim)
        .any(|l| l == "t" || l == "true");
    assert!(row, "{}", model.stdout);
}

#[test]
fn errors_have_exit_codes() {
    let wrong = alcedo(&["sql", "-c", "select nope"]);
    assert!(
        wrong.code != 0 && wrong.stderr.contains("column \"nope\" does not exist"),
        "{} {}",
        wrong.code,
        wrong.stderr
    );
    assert!(alcedo(&["nosuch"]).code != 0);
    assert!(alcedo(&["serve", "--nosuch"]).code != 0);
}

#[test]
fn a_file_runs_and_a_directory_stays() {
    let dir = Scratch::new("cli");
    let data = dir.join("data");
    let file = dir.write("a.sql", "create table t (a int);\ninsert into t values (1), (2);\n-- the end\nselect sum(a) as total from t;\n");
    let first = alcedo(&["sql", "--data-dir", &data, "-f", &file]);
    assert!(
        first.code == 0 && first.stdout.contains("total") && first.stdout.contains('3'),
        "{} {}",
        first.stdout,
        first.stderr
    );
    let second = alcedo(&[
        "sql",
        "--data-dir",
        &data,
        "-c",
        "select count(*) as kept from t",
    ]);
    assert!(
        second.code == 0 && second.stdout.contains('2'),
        "{} {}",
        second.stdout,
        second.stderr
    );
}

#[test]
fn configuration_is_checked() {
    let dir = Scratch::new("config");
    let config = dir.write("alcedo.toml", "listne = \"127.0.0.1:0\"\n");
    let unknown = alcedo(&["serve", "--config", &config]);
    assert!(
        unknown.code != 0 && unknown.stderr.contains("listne"),
        "{} {}",
        unknown.code,
        unknown.stderr
    );
    let open = alcedo(&[
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--http",
        "127.0.0.1:0",
        "--data-dir",
        &dir.join("data"),
    ]);
    assert!(
        open.code != 0 && open.stderr.contains("loopback"),
        "{} {}",
        open.code,
        open.stderr
    );
}
