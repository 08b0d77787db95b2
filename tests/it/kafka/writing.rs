//! `INSERT INTO` a source.

use super::{cells, create, started};
use crate::harness::clients::describe;
use crate::harness::kafka::{receive, topic};

#[tokio::test]
async fn rows_go_into_the_topic_and_come_back() {
    topic("written", 3).await;
    let (_server, session) = started().await;
    let columns = "id bigint not null, ok boolean, f double precision, n numeric(30, 10), t text, b bytea, d date, ti time, \
                   ts timestamp, tz timestamptz, iv interval, u uuid, j json, xs int[], s struct<a int, b text>";
    let include = "include key as k include partition as p include timestamp as at include offset as o include header 'h' as h";
    session.run(&create("written", columns, include, "")).await;
    session
        .run(
            "insert into written (id, ok, f, n, t, b, d, ti, ts, tz, iv, u, j, xs, k, p, at, h) values \
             (1, true, 0.1, 12345678901234567890.0123456789, 'quote \" and \\ and ü', '\\x00ff', '2024-02-29', '01:02:03.000004', \
              '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.678901+02', '1 month 2 days 3 hours 4 minutes 5.6 seconds', \
              'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', array[1, null, 3], 'key', 2, '2023-11-14 22:13:20.123+00', 'head')",
        )
        .await;
    session
        .run("insert into written (id, f) values (2, 'Infinity'), (3, 'NaN'), (4, 1e300)")
        .await;
    let rows = session
        .rows("select id, ok, f, n, t, b, d, ti, ts, tz, iv, u, j, xs, k, p, at, h from written where id = 1")
        .await;
    assert_eq!(
        rows,
        [cells(&[
            "1",
            "t",
            "0.1",
            "12345678901234567890.0123456789",
            "quote \" and \\ and ü",
            "\\x00ff",
            "2024-02-29",
            "01:02:03.000004",
            "2024-01-02 03:04:05.678901",
            "2024-01-02 01:04:05.678901+00",
            "1 mon 2 days 03:04:05.6",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "{\"a\": 1}",
            "{1,NULL,3}",
            "\\x6b6579",
            "2",
            "2023-11-14 22:13:20.123+00",
            "head",
        ])]
    );
    let floats = session
        .rows("select id, f from written where id > 1 order by id")
        .await;
    assert_eq!(
        floats,
        [
            cells(&["2", "Infinity"]),
            cells(&["3", "NaN"]),
            cells(&["4", "1e+300"])
        ]
    );
    // As another client sees it.
    let all = receive("written", 4);
    let record = all
        .iter()
        .find(|r| r.key.as_deref() == Some("key"))
        .expect("the record with a key");
    assert_eq!(record.partition, 2);
    assert_eq!(record.headers, [("h".to_owned(), "head".to_owned())]);
    let value: serde_json::Value =
        serde_json::from_str(record.value.as_deref().unwrap()).expect("it is JSON");
    assert_eq!(value["tz"], "2024-01-02T01:04:05.678901Z");
    assert_eq!(
        (&value["id"], &value["j"]["a"], &value["xs"][1]),
        (&1.into(), &1.into(), &serde_json::Value::Null)
    );

    for (sql, wanted) in [
        ("insert into written (id, o) values (1, 1)", "428C9"),
        ("insert into written (t) values ('x')", "23502"),
        ("insert into written (id) values (null)", "23502"),
        ("insert into written (id, p) values (1, 99)", "22023"),
        ("insert into written (nope) values (1)", "42703"),
    ] {
        let error = session.error(sql).await;
        assert!(error.starts_with(wanted), "{sql}: {error}");
    }
    assert_eq!(session.one("select count(*) from written").await, "4");

    // Many, from a query that reads another source; the tag counts them.
    topic("copied", 3).await;
    session
        .run(&create(
            "copied",
            "id bigint, t text",
            "include key as k include offset as o",
            "",
        ))
        .await;
    let filled = session
        .client
        .simple_query("insert into copied (id, t, k) select n, 'text ' || n, n::text::bytea from generate_series(1, 50000) g(n)")
        .await;
    match filled {
        Ok(messages) => match &messages[0] {
            tokio_postgres::SimpleQueryMessage::CommandComplete(rows) => assert_eq!(*rows, 50_000),
            other => panic!("not a tag: {other:?}"),
        },
        Err(e) => panic!("{}", describe(&e)),
    }
    assert_eq!(
        session
            .one("select count(*) || ',' || count(distinct id) || ',' || sum(id) from copied")
            .await,
        "50000,50000,1250025000"
    );
    // An error in the query on the way: what was sent is told.
    let error = session
        .error("insert into copied (id) select 1 / (60000 - n) from generate_series(1, 60000) g(n)")
        .await;
    assert!(error.starts_with("22012"), "{error}");
    session.run("insert into copied select 7, 'seven'").await;
    assert_eq!(
        session
            .one("select count(*) from copied where t = 'seven'")
            .await,
        "1"
    );
}
