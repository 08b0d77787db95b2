//! What of a topic a query reads, and sources in all kinds of statements.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{cells, create, started};
use crate::harness::kafka::{Sent, address, send, topic};

#[tokio::test]
async fn conditions_on_the_place_are_seeks() {
    topic("sought", 2).await;
    let values: Vec<String> = (0..2000).map(|i| format!("{{\"i\": {i}}}")).collect();
    let first = 1_700_000_000_000;
    send(
        "sought",
        values.iter().enumerate().map(|(i, v)| Sent {
            partition: Some((i % 2) as i32),
            value: Some(v.as_bytes()),
            timestamp: Some(first + i as i64 * 1000),
            ..Sent::default()
        }),
    );
    let (_server, session) = started().await;
    let include = "include partition as p include offset as o include timestamp as at";
    session.run(&create("sought", "i int", include, "")).await;
    for (condition, wanted) in [
        ("o >= 990", "20,990"),
        ("o > 998 and p = 1", "1,999"),
        ("o between 10 and 12 and p = 0", "3,10"),
        ("o in (5, 900) ", "4,5"),
        ("o = 3 or o = 7 or o = 11", "6,3"),
        ("500 <= o and o < 502", "4,500"),
        ("not (o < 998)", "4,998"),
        ("p <> 0 and o <= 1", "2,0"),
        ("p in (1, 7)", "1000,0"),
        ("p = 2", "0,NULL"),
        ("o > 5000", "0,NULL"),
        ("at >= '2023-11-14 22:46:30+00'", "10,995"),
        ("at > '2023-11-14 22:46:38+00'", "1,999"),
        (
            "at >= '2023-11-14 22:13:20+00' and at < '2023-11-14 22:13:22+00'",
            "2,0",
        ),
        ("at >= '2030-01-01'", "0,NULL"),
        (
            "at between '2023-11-14 22:46:38+00' and '2024-01-01' and p = 0",
            "1,999",
        ),
        ("o >= 990 and i % 3 = 0", "7,990"),
    ] {
        let sql = format!(
            "select count(*) || ',' || coalesce(min(o)::text, 'NULL') from sought where {condition}"
        );
        assert_eq!(session.one(&sql).await, wanted, "{condition}");
    }
    // The operator says what it reads, and by parameters too.
    let plan = session
        .rows("explain select i from sought where o >= 990 and p = 1")
        .await
        .concat()
        .join("\n");
    assert!(plan.contains("990"), "{plan}");
    let statement = session
        .client
        .prepare("select count(*) from sought where o >= $1 and p = $2")
        .await
        .unwrap();
    let row = session
        .client
        .query_one(&statement, &[&995_i64, &0_i32])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 5);
    // Both sides of a join read the same records.
    assert_eq!(
        session
            .one("select count(*) from sought a join sought b on a.i = b.i")
            .await,
        "2000"
    );
}

#[tokio::test]
async fn a_limit_ends_the_reading() {
    topic("many", 3).await;
    let value = format!("{{\"i\": 1, \"text\": \"{}\"}}", "x".repeat(300));
    send(
        "many",
        (0..150_000).map(|i| Sent {
            partition: Some(i % 3),
            value: Some(value.as_bytes()),
            ..Sent::default()
        }),
    );
    let (server, session) = started().await;
    session
        .run(&create(
            "many",
            "i int, text text",
            "include offset as o",
            "",
        ))
        .await;
    assert_eq!(session.rows("select * from many limit 5").await.len(), 5);
    let began = Instant::now();
    assert_eq!(
        session
            .rows("select o from many limit 7 offset 3")
            .await
            .len(),
        7
    );
    let few = began.elapsed();
    let began = Instant::now();
    assert_eq!(session.one("select count(*) from many").await, "150000");
    let all = began.elapsed();
    assert!(
        few < Duration::from_secs(3),
        "{few:?} for 7 rows, {all:?} for all"
    );
    assert_eq!(
        session
            .rows("select * from many where o < 100 limit 1000")
            .await
            .len(),
        300
    );
    assert_eq!(session.rows("select 1 from many limit 0").await.len(), 0);
    // Reading as a whole holds little at a time: the topic has 50 MB, read three times at once.
    let before = server.resident_bytes();
    let sum = "select sum(length(text)) from (select text from many union all select text from many union all select text from many) a";
    assert_eq!(session.one(sum).await, "135000000");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "{} MB more", grown >> 20);
}

#[tokio::test]
async fn only_committed_records_are_read() {
    topic("dealt", 1).await;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address())
        .set("transactional.id", "dealer")
        .create()
        .expect("the options are right");
    let within = Duration::from_secs(30);
    producer
        .init_transactions(within)
        .expect("Kafka has transactions");
    let put = |from: i32, to: i32| {
        producer.begin_transaction().unwrap();
        for i in from..to {
            let value = format!("{{\"i\": {i}}}");
            producer
                .send(
                    BaseRecord::<(), str>::to("dealt")
                        .partition(0)
                        .payload(&value),
                )
                .unwrap();
        }
    };
    let (_server, session) = started().await;
    session
        .run(&create("dealt", "i int", "include offset as o", ""))
        .await;
    put(0, 100);
    producer.commit_transaction(within).unwrap();
    put(100, 200);
    producer.flush(within).unwrap();
    producer.abort_transaction(within).unwrap();
    put(200, 250);
    producer.commit_transaction(within).unwrap();
    put(250, 300);
    producer.flush(within).unwrap();
    producer.abort_transaction(within).unwrap();
    // The markers of the transactions take offsets, the last of them at the very end.
    let count = "select count(*) || ',' || sum(i) from dealt";
    assert_eq!(session.one(count).await, "150,16175");
    put(300, 310);
    producer.flush(within).unwrap();
    let began = Instant::now();
    assert_eq!(
        session.one(count).await,
        "150,16175",
        "a transaction is open"
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    producer.commit_transaction(within).unwrap();
    assert_eq!(session.one(count).await, "160,19220");
    assert_eq!(
        session
            .one("select count(*) from dealt where o >= 101 and o < 150")
            .await,
        "0"
    );
    let dirty = create(
        "dealt",
        "i int",
        "",
        "properties.isolation.level = 'read_uncommitted'",
    );
    session
        .run(&dirty.replace("source dealt", "source dirty"))
        .await;
    assert_eq!(session.one("select count(*) from dirty").await, "310");
}

#[tokio::test]
async fn sources_are_tables_to_every_statement() {
    topic("used", 2).await;
    let values: Vec<String> = (0..4000)
        .map(|i| {
            format!(
                "{{\"id\": {i}, \"x\": {}, \"kind\": \"{}\", \"y\": {}}}",
                i % 100,
                ["a", "b"][i % 2],
                i % 100 * 3
            )
        })
        .collect();
    send(
        "used",
        values.iter().enumerate().map(|(i, v)| Sent {
            partition: Some((i % 2) as i32),
            value: Some(v.as_bytes()),
            ..Sent::default()
        }),
    );
    let (mut server, session) = started().await;
    session
        .run(&create(
            "used",
            "id bigint, x double precision, kind text, y double precision",
            "",
            "",
        ))
        .await;
    session.run("create table kinds (kind text, name text); insert into kinds values ('a', 'alpha'), ('b', 'beta')").await;
    let rows = session
        .rows("select name, count(*), max(id) from used join kinds using (kind) group by 1 order by 1")
        .await;
    assert_eq!(
        rows,
        [
            cells(&["alpha", "2000", "3998"]),
            cells(&["beta", "2000", "3999"])
        ]
    );
    session
        .run("create table kept as select * from used where id < 1000")
        .await;
    assert_eq!(session.one("select count(*) from kept").await, "1000");
    session
        .run("create view big as select * from used where x > 90")
        .await;
    assert_eq!(session.one("select count(*) from big").await, "360");
    let error = session.error("drop source used").await;
    assert!(
        error.starts_with("2BP01") && error.contains("big"),
        "{error}"
    );
    // Trained on the lake and on the stream alike; predictions over the stream.
    session.run("create model m options (label = 'y', num_iterations = 30, seed = 1) as select x, kind, y from used").await;
    let close = "select count(*) from used where abs(predict(m, x, kind) - y) < 15";
    assert!(session.number(close).await > 3500);
    let both = "select count(*) from used u join kept k on u.id = k.id where predict(m, u.x, u.kind) = predict(m, k.x, k.kind)";
    assert_eq!(session.one(both).await, "1000");
    assert_eq!(
        session
            .rows("select predict(m using *) from used limit 3")
            .await
            .len(),
        3
    );
    let statement = session
        .client
        .prepare("select id, predict(m using *) p from used where id = $1")
        .await
        .unwrap();
    assert_eq!(
        session
            .client
            .query(&statement, &[&17_i64])
            .await
            .unwrap()
            .len(),
        1
    );
    drop(session);
    server.kill9();
    let server = server.restart();
    let session = server.connect().await;
    assert_eq!(session.one("select count(*) from big").await, "360");
    assert!(session.number(close).await > 3500);
    for sql in ["update used set x = 1", "delete from used", "truncate used"] {
        let error = session.error(sql).await;
        assert!(!error.starts_with("XX"), "{sql}: {error}");
    }
    session.run("drop source used cascade").await;
    assert!(
        session
            .error("select * from used")
            .await
            .starts_with("42P01")
    );
}
