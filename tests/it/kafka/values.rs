//! How the values of records become columns, and what stands beside them.

use super::{cells, create, fill, started};
use crate::harness::kafka::{Sent, send, topic};

#[tokio::test]
async fn values_have_their_declared_types() {
    topic("typed", 1).await;
    fill(
        "typed",
        &[
            r#"{"b": true, "i2": -3, "i4": 70000, "i8": 9007199254740993, "f4": 0.1, "f8": 1e-7, "n": 12345678901234567.89,
                "t": "Ünï\ncode \ud83d\ude00", "v": "abc", "by": "aGk=", "d": "2024-02-29", "ti": "23:59:59.5",
                "ts": "2024-05-01T10:20:30.123456", "tz": "2024-05-01T10:20:30+02:00", "iv": "P1DT2H",
                "u": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "j": {"a": [1, 2.50]}}"#,
            // Other spellings of the same kinds of value.
            r#"{"b": "false", "I2": 7.0, "i4": "42", "i8": 1e3, "f4": "1.5", "f8": "NaN", "n": "1.005",
                "t": {"a":1}, "v": 12, "by": "\\x6869", "d": "2024-03-01", "ti": "01:02",
                "ts": "2024-05-01 10:20", "tz": 1714558830, "iv": "PT0.5S", "u": null, "j": "x"}"#,
            r#"{"tz": 1714558830123, "other": {"ignored": [true]}, "i4": 1, "i4": 2}"#,
            r#"{"tz": 1714558830123456, "t": ""}"#,
        ],
    );
    let (_server, session) = started().await;
    let columns = "b boolean, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric(20, 2), t text, \
                   v varchar(5), by bytea, d date, ti time, ts timestamp, tz timestamptz, iv interval, u uuid, j json";
    session
        .run(&create("typed", columns, "include offset", ""))
        .await;
    let rows = session
        .rows("select * from typed order by _kafka_offset")
        .await;
    assert_eq!(
        rows[0],
        cells(&[
            "t",
            "-3",
            "70000",
            "9007199254740993",
            "0.1",
            "1e-07",
            "12345678901234567.89",
            "Ünï\ncode 😀",
            "abc",
            "\\x6869",
            "2024-02-29",
            "23:59:59.5",
            "2024-05-01 10:20:30.123456",
            "2024-05-01 08:20:30+00",
            "1 day 02:00:00",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "{\"a\": [1, 2.50]}",
            "0",
        ])
    );
    assert_eq!(
        rows[1],
        cells(&[
            "f",
            "7",
            "42",
            "1000",
            "1.5",
            "NaN",
            "1.01",
            "{\"a\":1}",
            "12",
            "\\x6869",
            "2024-03-01",
            "01:02:00",
            "2024-05-01 10:20:00",
            "2024-05-01 10:20:30+00",
            "00:00:00.5",
            "NULL",
            "\"x\"",
            "1",
        ])
    );
    // The last of equal fields counts; what has no field is NULL.
    assert_eq!(
        (rows[2][2].as_str(), rows[2][13].as_str()),
        ("2", "2024-05-01 10:20:30.123+00")
    );
    assert_eq!(
        (rows[3][7].as_str(), rows[3][13].as_str()),
        ("", "2024-05-01 10:20:30.123456+00")
    );
    assert_eq!(rows[3][0], "NULL");
    let types = session
        .rows("select column_name, data_type from information_schema.columns where table_name = 'typed' and column_name in ('n', 'tz', '_kafka_offset') order by 1")
        .await;
    assert_eq!(
        types,
        [
            cells(&["_kafka_offset", "bigint"]),
            cells(&["n", "numeric"]),
            cells(&["tz", "timestamp with time zone"])
        ]
    );
    assert_eq!(
        session
            .one("select count(*) from streams.dead_letters")
            .await,
        "0"
    );
    assert_eq!(session.notices(), [""; 0]);
}

#[tokio::test]
async fn structs_arrays_and_maps_nest() {
    topic("nested", 1).await;
    fill(
        "nested",
        &[
            r#"{"id": 1, "place": {"Lat": 1.5, "lon": 2, "tags": ["a", null, "b"]}, "xs": [1, 2, 3], "items": [{"sku": "k", "n": 2}, null, {"n": "3"}]}"#,
            r#"{"id": 2, "place": null, "xs": [], "items": null}"#,
            r#"{"id": 3, "xs": [[1]]}"#,
            r#"{"id": 4, "place": {"lat": "no"}}"#,
        ],
    );
    let (_server, session) = started().await;
    let columns = "id int, place struct<lat double precision, lon double precision, tags text[]>, xs int[], \
                   items struct<sku text, n int>[]";
    session.run(&create("nested", columns, "", "")).await;
    let sql =
        "select id, (place).lat, (place).tags, xs, items, cardinality(xs) from nested order by id";
    let rows = session.rows(sql).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!(rows[0][..4], cells(&["1", "1.5", "{a,NULL,b}", "{1,2,3}"]));
    assert!(
        rows[0][4].contains("sku") && rows[0][4].contains('3'),
        "{rows:?}"
    );
    assert_eq!(rows[1][..5], cells(&["2", "NULL", "NULL", "{}", "NULL"]));
    // What does not fit deep inside is a dead letter that names the place.
    let letters = session
        .rows("select \"offset\", error from streams.dead_letters order by 1")
        .await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters[0][1].contains("xs"), "{letters:?}");
    assert!(
        letters[1][1].contains("lat") && letters[1][1].contains("number"),
        "{letters:?}"
    );
}

#[tokio::test]
async fn what_stands_beside_the_value() {
    topic("beside", 2).await;
    let at = 1_700_000_000_123;
    send(
        "beside",
        [
            Sent {
                partition: Some(0),
                key: Some("k1"),
                value: Some(br#"{"a": 1}"#),
                timestamp: Some(at),
                headers: &[("h", "first"), ("g", "x"), ("h", "last")],
            },
            Sent {
                partition: Some(1),
                value: Some(br#"{"a": 2}"#),
                timestamp: Some(at + 1),
                ..Sent::default()
            },
        ],
    );
    let (_server, session) = started().await;
    let include = "include key include partition as p include offset include timestamp as at include headers \
                   include header 'h' as h";
    session.run(&create("beside", "a int", include, "")).await;
    let rows = session
        .rows("select a, _kafka_key, p, _kafka_offset, at, h from beside order by a")
        .await;
    assert_eq!(
        rows,
        [
            cells(&[
                "1",
                "\\x6b31",
                "0",
                "0",
                "2023-11-14 22:13:20.123+00",
                "last"
            ]),
            cells(&["2", "NULL", "1", "0", "2023-11-14 22:13:20.124+00", "NULL"]),
        ]
    );
    let headers = session
        .rows("select _kafka_headers from beside order by a")
        .await;
    assert!(
        headers[0][0].contains("\"g\"") || headers[0][0].contains("g"),
        "{headers:?}"
    );
    assert_eq!(
        session
            .one("select cardinality(_kafka_headers) from beside where a = 1")
            .await,
        "3"
    );
    // Only metadata, only a count, nothing at all of the value.
    assert_eq!(
        session.rows("select p from beside order by p").await,
        [cells(&["0"]), cells(&["1"])]
    );
    assert_eq!(session.one("select count(*) from beside").await, "2");
    let error = session
        .error(&create("beside2", "_kafka_key int", "include key", ""))
        .await;
    assert!(error.starts_with("42701"), "{error}");
}
