//! Clients as people use them: psql, psycopg, asyncpg and JDBC run the same program against PostgreSQL and against
//! Alcedo, and it must print the same.

use std::process::Command;
use std::time::Duration;

use crate::harness::process::run;
use crate::harness::server::Server;
use crate::harness::{Scratch, cache, postgres, python, root};

/// Where a program connects to.
struct Target {
    host: String,
    port: String,
    user: String,
    database: String,
}

impl Target {
    fn of(conninfo: &str) -> Target {
        let part = |name: &str| {
            let mut parts = conninfo.split(' ').filter_map(|p| p.split_once('='));
            let found = parts.find(|(key, _)| *key == name);
            found
                .unwrap_or_else(|| panic!("no {name} in {conninfo}"))
                .1
                .to_owned()
        };
        Target {
            host: part("host"),
            port: part("port"),
            user: part("user"),
            database: part("dbname"),
        }
    }

    fn conninfo(&self) -> String {
        let Target {
            host,
            port,
            user,
            database,
        } = self;
        format!("host={host} port={port} user={user} dbname={database}")
    }
}

/// Runs a program against both servers and compares what it prints.
fn compare(name: &str, program: impl Fn(&Target) -> Command) {
    let server = Server::start(&[]);
    let [expected, found] = [postgres::conninfo(), server.conninfo()].map(|conninfo| {
        let done = run(
            name,
            program(&Target::of(&conninfo)),
            Duration::from_secs(120),
        );
        assert_eq!(
            done.code, 0,
            "{name} on {conninfo}\n{}\n{}",
            done.stdout, done.stderr
        );
        format!("{}{}", done.stdout, done.stderr)
    });
    // Hints are our own.
    let lines = |text: &'_ str| -> Vec<String> {
        let kept = text
            .lines()
            .filter(|l| !l.trim_start().starts_with("HINT:"));
        kept.map(str::to_owned).collect()
    };
    let (expected, found) = (lines(&expected), lines(&found));
    assert!(
        expected.len() > 20,
        "{name} printed hardly anything: {expected:?}"
    );
    let Some(at) = (0..expected.len().max(found.len())).find(|&i| expected.get(i) != found.get(i))
    else {
        return;
    };
    let shown = |lines: &[String]| {
        lines[at.min(lines.len())..]
            .iter()
            .take(8)
            .map(|l| format!("  {l}\n"))
            .collect::<String>()
    };
    panic!(
        "{name}: line {} differs, after\n  {}\nPostgreSQL:\n{}Alcedo:\n{}",
        at + 1,
        expected[at.saturating_sub(1)],
        shown(&expected),
        shown(&found)
    );
}

fn script(name: &str) -> String {
    let path = root().join("tests/clients").join(name);
    path.to_str()
        .expect("the checkout has a name in UTF-8")
        .to_owned()
}

#[test]
fn psql_prints_the_same() {
    compare("psql", |target| {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-f", &script("psql.sql"), &target.conninfo()]);
        psql.env("PAGER", "cat").env("LC_ALL", "C.UTF-8");
        psql
    });
}

#[test]
fn psycopg_gets_the_same() {
    compare("psycopg", |target| {
        let mut program = Command::new(python());
        program.args([script("psycopg_session.py"), target.conninfo()]);
        program
    });
}

#[test]
fn asyncpg_gets_the_same() {
    compare("asyncpg", |target| {
        let mut program = Command::new(python());
        program.arg(script("asyncpg_session.py"));
        program.args([&target.host, &target.port, &target.user, &target.database]);
        program
    });
}

#[test]
fn jdbc_gets_the_same() {
    let driver = std::fs::read_dir(cache().join("jdbc"))
        .expect("tests/run fetched the JDBC driver")
        .map(|entry| entry.expect("the folder can be read").path())
        .find(|path| path.extension().is_some_and(|e| e == "jar"))
        .expect("tests/run fetched the JDBC driver");
    let dir = Scratch::new("jdbc");
    let source = root().join("tests/jdbc/Jdbc.java");
    let mut compile = Command::new("javac");
    // Java takes its encoding from the locale, and a bare Debian has none.
    compile
        .env("LC_ALL", "C.UTF-8")
        .arg("-d")
        .arg(dir.path())
        .arg("-cp")
        .arg(&driver)
        .arg(source);
    let compiled = run("javac", compile, Duration::from_secs(120));
    assert_eq!(compiled.code, 0, "{}", compiled.stderr);
    let classes = format!("{}:{}", driver.display(), dir.path().display());
    compare("jdbc", |target| {
        let url = format!(
            "jdbc:postgresql://{}:{}/{}",
            target.host, target.port, target.database
        );
        let mut program = Command::new("java");
        program.env("LC_ALL", "C.UTF-8");
        program.args([
            "-XX:+UseSerialGC",
            "-Duser.timezone=UTC",
            "-cp",
            &classes,
            "Jdbc",
            &url,
        ]);
        program
    });
}

/// What belongs to the server as a whole differs; it must be there all the same.
#[test]
fn psql_lists_databases_and_schemas() {
    let server = Server::start(&[]);
    let mut psql = Command::new("psql");
    psql.args([
        "-X",
        "-c",
        "\\l",
        "-c",
        "\\dn",
        "-c",
        "\\d",
        &server.conninfo(),
    ]);
    let done = run("psql", psql, Duration::from_secs(60));
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    for word in ["List of databases", "alcedo", "List of schemas", "public"] {
        assert!(done.stdout.contains(word), "no {word}\n{}", done.stdout);
    }
}
