//! Object stores: a data directory on `s3://`, shared by processes whose catalog changes are decided by conditional
//! puts, and tables over files that others put into buckets.

use std::collections::BTreeSet;

use crate::harness::clients::Session;
use crate::harness::s3::{bucket, environment, get, keys, put};
use crate::harness::server::Server;
use crate::harness::{free_port, root, s3};

/// Any 32 bytes.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A server on a directory of the store, with the store's keys and a key for secrets in its environment.
fn start(directory: &str) -> Server {
    let mut variables = environment();
    variables.push(("ALCEDO_SECRET_KEY".to_owned(), KEY.to_owned()));
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    Server::start_with(&["--data-dir", directory], &variables)
}

#[tokio::test]
async fn a_data_directory_survives() {
    bucket("survives");
    let mut server = start("s3://survives/some/prefix");
    let session = server.connect().await;
    session.run("create schema s; create table s.t (id bigint not null, name text, at timestamptz, n numeric(10, 2))").await;
    session.run("insert into s.t select n, 'name ' || n, now(), n * 1.25 from generate_series(1, 5000) g(n)").await;
    session
        .run("update s.t set name = 'changed' where id % 2 = 0; delete from s.t where id > 4000")
        .await;
    session.run("create view s.v as select name, count(*) as c, sum(n) as total from s.t group by name having count(*) > 1").await;
    session.run("create secret k as 'planted-secret'").await;
    session
        .run("create model s.m options (label = 'y', num_iterations = 5) as select id as x, id * 3.0::float8 as y from s.t order by id")
        .await;
    session
        .run("train model s.m; alter model s.m set alias first = version 1")
        .await;
    let asked = [
        "select count(*), sum(id), min(at)::text, max(at)::text from s.t",
        "select * from s.v",
        "select predict('s.m@first', 77.0), predict(s.m, 78.0)",
        "select default_version from ml.models where model_name = 'm'",
    ];
    let before = answers(&session, &asked).await;
    assert_eq!(
        before[1],
        [["changed", "2000", "5002500.00"].map(str::to_owned)]
    );
    drop(session);
    server.kill9();
    let mut server = server.restart();
    let session = server.connect().await;
    assert_eq!(answers(&session, &asked).await, before);
    session
        .run("insert into s.t values (9999, 'later', now(), 1)")
        .await;
    drop(session);
    server.terminate();
    let server = server.restart();
    assert_eq!(
        server.connect().await.one("select count(*) from s.t").await,
        "4001"
    );
    // Everything lies below the prefix, and the secret nowhere in the clear.
    let all = keys("survives", "");
    assert!(
        !all.is_empty() && all.iter().all(|k| k.starts_with("some/prefix/")),
        "{all:?}"
    );
    for key in &all {
        let leaked = get("survives", key).contains("planted-secret");
        assert!(!leaked, "the secret lies in {key}");
    }
}

async fn answers(session: &Session, asked: &[&str]) -> Vec<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for sql in asked {
        all.push(session.rows(sql).await);
    }
    all
}

#[tokio::test]
async fn two_processes_share_a_directory() {
    bucket("shared");
    let servers = [start("s3://shared/db"), start("s3://shared/db")];
    let [one, two] = [servers[0].connect().await, servers[1].connect().await];
    one.run("create table t (who text, n bigint)").await;
    // What one acknowledges, the other's next statement sees.
    two.run("insert into t values ('seen', 0)").await;
    assert_eq!(one.one("select who from t").await, "seen");

    // Changes of the catalog at the same time: none is lost, and of each name there is one.
    let (mine, theirs) = tokio::join!(create(&one, "one"), create(&two, "two"));
    assert_eq!((mine.len(), theirs.len()), (8, 8));
    let sql = "select table_name from information_schema.tables where table_name like 'own%'";
    let wanted: BTreeSet<String> = mine.into_iter().chain(theirs).collect();
    for session in [&one, &two] {
        let seen: BTreeSet<String> = session.rows(sql).await.into_iter().flatten().collect();
        assert_eq!(seen, wanted);
    }
    let (first, second) = tokio::join!(race(&one), race(&two));
    assert_eq!(first + second, 8, "eight names, each made once");

    // Rows of both into one table: every acknowledged one is there.
    let (mine, theirs) = tokio::join!(insert(&one, "one"), insert(&two, "two"));
    for session in [&one, &two] {
        assert_eq!(
            session
                .number("select count(*) from t where who = 'one'")
                .await,
            mine * 10
        );
        assert_eq!(
            session
                .number("select count(*) from t where who = 'two'")
                .await,
            theirs * 10
        );
    }

    // A model of one is used by the other, in the version that is the default now.
    one.run("create model m options (label = 'y', num_iterations = 3) as select n as x, n * 2.0::float8 as y from generate_series(1, 100) g(n)").await;
    let score = one.one("select predict(m, 50)").await;
    assert_eq!(two.one("select predict(m, 50)").await, score);
    two.run("train model m").await;
    assert_eq!(
        one.one("select default_version from ml.models where model_name = 'm'")
            .await,
        "2"
    );
    one.run("drop table t").await;
    assert!(two.error("select * from t").await.starts_with("42P01: "));
}

async fn create(session: &Session, who: &str) -> Vec<String> {
    let mut names = Vec::new();
    for n in 0..8 {
        session
            .run(&format!("create table own_{who}_{n} (n int)"))
            .await;
        names.push(format!("own_{who}_{n}"));
    }
    names
}

/// Tries the names that the other process tries too; how many were its own.
async fn race(session: &Session) -> usize {
    let mut won = 0;
    for n in 0..8 {
        match session
            .client
            .batch_execute(&format!("create table race_{n} (n int)"))
            .await
        {
            Ok(()) => won += 1,
            Err(e) => {
                let text = crate::harness::clients::describe(&e);
                assert!(text.starts_with("42P07: "), "{text}");
            }
        }
    }
    won
}

/// Ten rows a time; how often it was acknowledged. A lost race may be told as 40001 and is tried again.
async fn insert(session: &Session, who: &str) -> i64 {
    let sql = format!("insert into t select '{who}', n from generate_series(1, 10) g(n)");
    let mut done = 0;
    while done < 6 {
        match session.client.batch_execute(&sql).await {
            Ok(()) => done += 1,
            Err(e) => {
                let text = crate::harness::clients::describe(&e);
                assert!(text.starts_with("40001: "), "{text}");
            }
        }
    }
    done
}

#[tokio::test]
async fn files_of_others_are_tables() {
    bucket("lake");
    for day in ["2024-01-01", "2024-01-02"] {
        let file = std::fs::read(root().join(format!("tests/data/trips/day={day}/part-0.parquet")))
            .unwrap();
        put("lake", &format!("trips/day={day}/part-0.parquet"), &file);
    }
    put("lake", "csv/a.csv", b"id,name\n1,one\n2,two\n");
    put(
        "lake",
        "json/a.json",
        b"{\"id\": 1, \"tags\": [\"a\", \"b\"]}\n",
    );
    // No keys in the environment: they come from a secret.
    let server = Server::start(&[]);
    let session = server.connect().await;
    secret(&session, "lake_keys", "s3://lake/").await;
    session
        .run("create external table trips stored as parquet location 's3://lake/trips/'")
        .await;
    session.run("create external table c stored as csv location 's3://lake/csv/' options (header 'true')").await;
    session
        .run("create external table j stored as json location 's3://lake/json/'")
        .await;
    assert_eq!(
        session.rows("select id, day from trips order by id").await,
        [
            ["10", "2024-01-01"],
            ["11", "2024-01-01"],
            ["20", "2024-01-02"],
            ["21", "2024-01-02"]
        ]
    );
    assert_eq!(
        session
            .rows("select count(*) from trips where day = '2024-01-02'")
            .await,
        [["2"]]
    );
    assert_eq!(
        session
            .rows("select c.name, j.tags[2] from c join j using (id)")
            .await,
        [["one", "b"]]
    );

    // What arrives is seen by the next query, in a folder that is known and in a new one; what is replaced too.
    put("lake", "csv/b.csv", b"id,name\n3,three\n");
    assert_eq!(
        session
            .one("select string_agg(name, ' ' order by id) from c")
            .await,
        "one two three"
    );
    put("lake", "csv/b.csv", b"id,name\n3,drei\n4,vier\n");
    assert_eq!(
        session
            .one("select string_agg(name, ' ' order by id) from c")
            .await,
        "one two drei vier"
    );
    let file =
        std::fs::read(root().join("tests/data/trips/day=2024-01-01/part-0.parquet")).unwrap();
    put("lake", "trips/day=2024-01-03/part-0.parquet", &file);
    assert_eq!(
        session
            .rows("select count(*), count(distinct day) from trips")
            .await,
        [["6", "3"]]
    );
    assert_eq!(session.one("select count(*) from c").await, "4");
    put("lake", "csv/c.csv", b"id,name\n5,five\n");
    assert_eq!(session.one("select count(*) from c").await, "5");

    // A model goes to the bucket and comes back.
    session.run("create model m options (label = 'y', num_iterations = 3) as select n as x, n * 2.0::float8 as y from generate_series(1, 100) g(n)").await;
    session.run("export model m to 's3://lake/models/'").await;
    assert_eq!(keys("lake", "models/"), ["models/m-v1.txt"]);
    session
        .run("create model again from 's3://lake/models/m-v1.txt'")
        .await;
    assert_eq!(
        session
            .one("select predict_raw(again, 7) = predict_raw(m, 7)")
            .await,
        "t"
    );
}

/// The store's keys as a secret for what lies below `scope`.
async fn secret(session: &Session, name: &str, scope: &str) {
    session
        .run(&format!(
            "create secret {name} (type s3, key_id 'testing', secret 'testing', region 'us-east-1', \
             endpoint 'http://127.0.0.1:{}', scope '{scope}')",
            s3::port()
        ))
        .await;
}

#[tokio::test]
async fn stores_that_fail_are_named() {
    bucket("errors");
    put("errors", "a.csv", b"id\n1\n");
    let server = Server::start(&[]);
    let session = server.connect().await;
    secret(&session, "k", "s3://errors/").await;
    let missing = "create external table e stored as csv location 's3://errors/nosuch/'";
    assert!(session.error(missing).await.starts_with("58P01: "));
    let other = "create external table e stored as csv location 'gopher://errors/a.csv'";
    assert!(session.error(other).await.starts_with("0A000: "));
    // The keys of a secret stay out of every text.
    session
        .run(&format!(
            "create secret dead (type s3, key_id 'AKIAPLANTED', secret 'planted-secret', region 'us-east-1', \
             endpoint 'http://127.0.0.1:{}', scope 's3://nowhere/')",
            free_port()
        ))
        .await;
    let from = std::time::Instant::now();
    let error = session
        .error("create external table e stored as csv location 's3://nowhere/a/'")
        .await;
    assert!(
        from.elapsed().as_secs() < 30,
        "a store that does not answer took {:?}",
        from.elapsed()
    );
    assert!(
        error.starts_with("08") || error.starts_with("58"),
        "{error}"
    );
    assert!(
        !error.contains("planted-secret") && !error.contains("AKIAPLANTED"),
        "{error}"
    );
    assert_eq!(session.one("select 1").await, "1");
    assert!(!server.log().contains("planted-secret"), "{}", server.log());
}
