//! `kill -9` at random moments of INSERT, CREATE and TRAIN: what was acknowledged is there after the restart, what
//! was not is there whole or not at all.

use std::time::Duration;

use crate::harness::clients::Session;
use crate::harness::server::Server;

const ROUNDS: u64 = 20;

/// Rows of one INSERT, which are seen together or not at all.
const BATCH: i64 = 50;

/// What the server has acknowledged so far.
#[derive(Default, Debug, Clone)]
struct Acknowledged {
    batches: i64,
    tables: i64,
    versions: i64,
}

#[tokio::test]
async fn nothing_acknowledged_is_lost() {
    let mut server = Server::start(&[]);
    let session = server.connect().await;
    session
        .run("create table log (batch bigint, n bigint); create table train (x float8, y float8)")
        .await;
    session
        .run("insert into train select n, n * 2 + n % 7 from generate_series(1, 400) s(n)")
        .await;
    session
        .run("create model m options (label = 'y', num_iterations = 5) as select x, y from train")
        .await;
    drop(session);
    let mut acknowledged = Acknowledged {
        versions: 1,
        ..Acknowledged::default()
    };
    let mut random = std::time::UNIX_EPOCH.elapsed().map_or(1, |d| d.as_secs()) | 1;
    eprintln!("seed {random}");
    for round in 0..ROUNDS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let delay = Duration::from_micros(20_000 + (random >> 33) % 400_000);
        let session = server.connect().await;
        let writer = tokio::spawn(write(session, acknowledged.clone()));
        tokio::time::sleep(delay).await;
        server.kill9();
        acknowledged = writer.await.unwrap();
        server = server.restart();
        check(&server, &mut acknowledged, round).await;
    }
    assert!(
        acknowledged.batches > 20 && acknowledged.versions > 3,
        "hardly anything was written: {acknowledged:?}"
    );
}

/// Writes until the connection breaks.
async fn write(session: Session, mut done: Acknowledged) -> Acknowledged {
    for step in 0.. {
        let sql = match step % 8 {
            5 => format!(
                "create table t{} as select {} as id",
                done.tables, done.tables
            ),
            7 => "train model m".to_owned(),
            _ => format!(
                "insert into log select {}, n from generate_series(1, {BATCH}) s(n)",
                done.batches
            ),
        };
        match session.client.batch_execute(&sql).await {
            Ok(()) => match step % 8 {
                5 => done.tables += 1,
                7 => done.versions += 1,
                _ => done.batches += 1,
            },
            Err(e) if e.as_db_error().is_none() => return done,
            Err(e) => panic!("{sql}: {}", crate::harness::clients::describe(&e)),
        }
    }
    unreachable!("the loop has no end")
}

/// One statement may have taken effect without its acknowledgement arriving; it counts from then on.
async fn check(server: &Server, acknowledged: &mut Acknowledged, round: u64) {
    let session = server.connect().await;
    let batches = session
        .number("select count(distinct batch) from log")
        .await;
    assert!(
        (acknowledged.batches..=acknowledged.batches + 1).contains(&batches),
        "round {round}: {} batches were acknowledged, {batches} are there",
        acknowledged.batches
    );
    let halves = session.number(&format!("select count(*) from (select batch from log group by batch having count(*) <> {BATCH}) h")).await;
    assert_eq!(halves, 0, "round {round}: batches that are there in part");
    let tables = session
        .number("select count(*) from information_schema.tables where table_name ~ '^t[0-9]+$'")
        .await;
    assert!(
        (acknowledged.tables..=acknowledged.tables + 1).contains(&tables),
        "round {round}: {tables} tables, {acknowledged:?}"
    );
    for table in 0..tables {
        assert_eq!(
            session.number(&format!("select id from t{table}")).await,
            table,
            "round {round}"
        );
    }
    let versions = session
        .number("select count(*) from ml.model_versions where model_name = 'm'")
        .await;
    assert!(
        (acknowledged.versions..=acknowledged.versions + 1).contains(&versions),
        "round {round}: {versions} versions, {acknowledged:?}"
    );
    for version in 1..=versions {
        let scored = session
            .number(&format!(
                "select count(*) from train where predict('m@{version}', x) is not null"
            ))
            .await;
        assert_eq!(scored, 400, "round {round}: version {version}");
    }
    let running = session
        .number("select count(*) from ml.training_runs where status = 'running'")
        .await;
    assert_eq!(running, 0, "round {round}: a training that nobody runs");
    *acknowledged = Acknowledged {
        batches,
        tables,
        versions,
    };
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    session.run("create schema s; create table s.t (id bigint not null, u uuid, iv interval, n int check (n > 0))").await;
    session
        .run("insert into s.t values (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1 day', 5)")
        .await;
    session
        .run("create view s.v as select id, n * 2 as twice from s.t; create secret k as 'hidden'")
        .await;
    session.run("create model s.m options (label = 'y', num_iterations = 3) as select n as x, n * 3 as y from generate_series(1, 200) g(n)").await;
    session
        .run("alter model s.m set alias best = version 1")
        .await;
    let before = session.one("select predict('s.m@best', 50)").await;
    drop(session);
    let mut server = server;
    server.terminate();
    let server = server.restart();
    let session = server.connect().await;
    assert_eq!(
        session
            .rows(
                "select t.*, v.twice, pg_typeof(u), pg_typeof(iv) from s.t join s.v on v.id = t.id"
            )
            .await,
        [[
            "1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "1 day",
            "5",
            "10",
            "uuid",
            "interval"
        ]]
    );
    assert_eq!(session.one("select predict('s.m@best', 50)").await, before);
    assert!(
        session
            .error("insert into s.t values (2, null, null, 0)")
            .await
            .starts_with("23514: ")
    );
    assert!(
        session
            .error("create secret k as 'x'")
            .await
            .starts_with("42710: ")
    );
    // The secret is nowhere in the directory in the clear.
    let found = std::process::Command::new("grep")
        .args(["-rlF", "hidden"])
        .arg(server.dir.path().join("data"))
        .output()
        .unwrap();
    assert!(
        found.stdout.is_empty(),
        "the secret lies in {}",
        String::from_utf8_lossy(&found.stdout)
    );
}

#[tokio::test]
async fn a_directory_has_one_process() {
    let server = Server::start(&[]);
    let mut second = std::process::Command::new(crate::harness::binary());
    second.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--data-dir",
        &server.dir.join("data"),
    ]);
    let refused = crate::harness::process::run("second", second, Duration::from_secs(20));
    assert!(
        refused.code != 0 && refused.stderr.contains("pid"),
        "{} {}",
        refused.code,
        refused.stderr
    );
    assert_eq!(server.connect().await.one("select 1").await, "1");
}
