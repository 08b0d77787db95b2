//! The files of `tests/slt` over the real wire: each on a fresh server, through the simple protocol in text and
//! through the extended protocol in binary. Those of `tests/slt/pg_compat` run on PostgreSQL 15 as well, so that it
//! says what is right.
//!
//! Results are as psql shows them unaligned: `NULL` for null, `(empty)` for an empty text. An expected error is a
//! regular expression over `SQLSTATE: message | detail | hint`.

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use tokio_postgres::{Error, SimpleQueryMessage};

use crate::harness::clients::{Session, describe, try_connect};
use crate::harness::server::Server;
use crate::harness::value::Text;
use crate::harness::{Scratch, postgres, root};

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Simple,
    Extended,
}

struct Database {
    session: Session,
    protocol: Protocol,
    engine: &'static str,
}

#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Error> for Refused {
    fn from(e: Error) -> Refused {
        Refused(describe(&e))
    }
}

fn shown(value: Option<String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => text,
    }
}

impl Database {
    async fn simple(&self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let (mut rows, mut columns, mut changed) = (Vec::new(), None, 0);
        for message in self.session.client.simple_query(sql).await? {
            match message {
                SimpleQueryMessage::RowDescription(described) => columns = Some(described.len()),
                SimpleQueryMessage::Row(row) => {
                    rows.push(
                        (0..row.len())
                            .map(|i| shown(row.get(i).map(str::to_owned)))
                            .collect(),
                    );
                }
                SimpleQueryMessage::CommandComplete(count) => changed = count,
                _ => {}
            }
        }
        Ok(output(columns, rows, changed))
    }

    async fn extended(&self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let client = &self.session.client;
        let statement = client.prepare(sql).await?;
        if statement.columns().is_empty() {
            return Ok(output(
                None,
                Vec::new(),
                client.execute(&statement, &[]).await?,
            ));
        }
        let mut rows = Vec::new();
        for row in client.query(&statement, &[]).await? {
            let mut values = Vec::new();
            for column in 0..row.len() {
                values.push(shown(row.try_get::<_, Text>(column)?.0));
            }
            rows.push(values);
        }
        Ok(output(Some(statement.columns().len()), rows, 0))
    }
}

fn output(
    columns: Option<usize>,
    rows: Vec<Vec<String>>,
    changed: u64,
) -> DBOutput<DefaultColumnType> {
    match columns {
        Some(count) => DBOutput::Rows {
            types: vec![DefaultColumnType::Any; count],
            rows,
        },
        None => DBOutput::StatementComplete(changed),
    }
}

#[async_trait]
impl AsyncDB for Database {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        match self.protocol {
            Protocol::Simple => self.simple(sql).await,
            Protocol::Extended => self.extended(sql).await,
        }
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        self.engine
    }

    async fn sleep(duration: std::time::Duration) {
        tokio::time::sleep(duration).await;
    }
}

async fn file(path: &str, engine: &'static str, conninfo: String, protocol: Protocol) {
    // What a file writes (exported models, files for external tables) goes to a folder of its own.
    let scratch = Scratch::new("slt");
    let mut runner = Runner::new(|| async {
        let session = try_connect(&conninfo).await?;
        Ok(Database {
            session,
            protocol,
            engine,
        })
    });
    runner.set_var("SCRATCH".to_owned(), scratch.path().display().to_string());
    runner.set_var(
        "DATA".to_owned(),
        root().join("tests/data").display().to_string(),
    );
    let full = root().join("tests/slt").join(path);
    if let Err(e) = runner.run_file_async(&full).await {
        let how = if protocol == Protocol::Simple {
            "simple"
        } else {
            "extended"
        };
        panic!("{path} on {engine}, {how} protocol: {}", e.display(false));
    }
}

async fn alcedo(path: &str) {
    for protocol in [Protocol::Simple, Protocol::Extended] {
        let roots = format!(
            "{}:{}",
            root().join("tests/data").display(),
            std::env::temp_dir().display()
        );
        let server = Server::start_with(&[], &[("ALCEDO_ALLOWED_ROOTS", &roots), ("TZ", "UTC")]);
        file(path, "alcedo", server.conninfo(), protocol).await;
    }
}

/// One test per file and one list of the files, so that a file without a test fails the run.
macro_rules! files {
    ($list:ident, $run:ident, $folder:literal: $($name:ident)*) => {
        const $list: &[&str] = &[$(concat!($folder, stringify!($name), ".slt")),*];
        $(#[tokio::test] async fn $name() { super::$run(concat!($folder, stringify!($name), ".slt")).await })*
    };
}

mod own {
    files!(FILES, alcedo, "":
        catalog ddl dml errors external json models onnx predict row_groups scoring select settings transactions types views);

    #[test]
    fn no_file_is_forgotten() {
        super::every_file_has_a_test("", FILES);
    }
}

mod pg_compat {
    files!(FILES, both, "pg_compat/":
        aggregates arithmetic arrays casts conditions dates joins literals nulls sets strings subqueries windows);

    #[test]
    fn no_file_is_forgotten() {
        super::every_file_has_a_test("pg_compat/", FILES);
    }
}

/// PostgreSQL first: what it does not say is not expected of Alcedo.
async fn both(path: &str) {
    for protocol in [Protocol::Simple, Protocol::Extended] {
        let schema = format!("s{}_{}", std::process::id(), path.replace(['/', '.'], "_"));
        let session = crate::harness::clients::connect(&postgres::conninfo()).await;
        session
            .run(&format!(
                "drop schema if exists {schema} cascade; create schema {schema}"
            ))
            .await;
        let conninfo = format!(
            "{} options='-c search_path={schema},public'",
            postgres::conninfo()
        );
        file(path, "postgresql", conninfo, protocol).await;
        session.run(&format!("drop schema {schema} cascade")).await;
    }
    alcedo(path).await;
}

fn every_file_has_a_test(folder: &str, files: &[&str]) {
    let path = root().join("tests/slt").join(folder);
    for entry in std::fs::read_dir(&path).expect("the folder of slt files is there") {
        let name = entry
            .expect("the folder can be read")
            .file_name()
            .into_string()
            .expect("names are UTF-8");
        if name.ends_with(".slt") {
            let listed = format!("{folder}{name}");
            assert!(
                files.contains(&listed.as_str()),
                "tests/slt/{listed} has no test: name it in tests/it/slt.rs"
            );
        }
    }
}
