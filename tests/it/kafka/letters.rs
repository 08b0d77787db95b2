//! Records that do not decode, and those without a value.

use super::{cells, create, fill, started};
use crate::harness::kafka::{Sent, send, topic};

#[tokio::test]
async fn records_that_do_not_decode_are_kept_once() {
    topic("mixed", 2).await;
    let good: Vec<String> = (0..500)
        .map(|i| format!("{{\"id\": {i}, \"n\": {i}}}"))
        .collect();
    fill("mixed", &good);
    let bad: &[&[u8]] = &[
        b"not json",
        br#"{"id": "x"}"#,
        br#"{"id": 1.5}"#,
        br#"{"n": 1}"#,
        br#"{"id": 1} trailing"#,
        b"\xff\xfe",
        b"[1]",
        b"",
        br#"{"id": 3000000000}"#,
        br#"{"id": 1, "n": "far too long for it"}"#,
    ];
    send(
        "mixed",
        bad.iter().map(|v| Sent {
            partition: Some(1),
            key: Some("k"),
            value: Some(v),
            timestamp: Some(1_700_000_000_000),
            headers: &[],
        }),
    );
    fill("mixed", &good);
    let (mut server, session) = started().await;
    session
        .run(&create(
            "mixed",
            "id int not null, n varchar(10)",
            "include partition as p",
            "",
        ))
        .await;
    assert_eq!(session.one("select count(*) from mixed").await, "1000");
    let notices = session.notices();
    assert!(
        notices.len() == 1
            && notices[0].starts_with("NOTICE: 10 ")
            && notices[0].contains("dead_letters"),
        "{notices:?}"
    );
    // However often and by whatever columns they are read.
    for sql in [
        "select n from mixed",
        "select id from mixed where p = 1",
        "select p from mixed",
        "select * from mixed",
    ] {
        let rows = session.rows(sql).await.len();
        assert_eq!(rows, if sql.contains("p = 1") { 0 } else { 1000 }, "{sql}");
        assert!(session.notices().iter().any(|n| n.contains("10 ")), "{sql}");
    }
    let all = "select source_schema, source_name, topic, partition, \"offset\", record_timestamp, error, key, value, first_seen from streams.dead_letters order by \"offset\"";
    let letters = session.rows(all).await;
    assert_eq!(letters.len(), bad.len(), "{letters:?}");
    assert_eq!(
        letters[1][..6],
        cells(&[
            "public",
            "mixed",
            "mixed",
            "1",
            "1",
            "2023-11-14 22:13:20+00"
        ])
    );
    assert!(
        letters[1][6].contains("id") && letters[1][6].contains("integer"),
        "{:?}",
        letters[1]
    );
    assert!(letters[3][6].contains("null"), "{:?}", letters[3]);
    assert!(letters[8][6].contains("range"), "{:?}", letters[8]);
    assert_eq!(
        (letters[0][7].as_str(), letters[0][8].as_str()),
        ("\\x6b", "\\x6e6f74206a736f6e")
    );
    for (letter, value) in letters.iter().zip(bad) {
        let hex: String = value.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(letter[8], format!("\\x{hex}"));
    }
    drop(session);
    server.kill9();
    let server = server.restart();
    let session = server.connect().await;
    assert_eq!(session.rows(all).await, letters);
    assert_eq!(session.one("select count(*) from mixed").await, "1000");
    assert_eq!(session.rows(all).await, letters);
    // Another source keeps its own.
    let other = create("mixed", "id int", "", "")
        .replace("create source mixed", "create source mixed_again");
    session.run(&other).await;
    session.rows("select * from mixed_again").await;
    let counts = "select source_name, count(*) from streams.dead_letters group by 1 order by 1";
    assert_eq!(
        session.rows(counts).await,
        [cells(&["mixed", "10"]), cells(&["mixed_again", "8"])]
    );
    // Those that a limit had not reached the end of are kept as well.
    let limited = other.replace("mixed_again", "mixed_limited");
    session.run(&limited).await;
    session
        .rows("select a.id from mixed_limited a where a.id > 3 limit 2")
        .await;
    session.rows("select count(*) from mixed_limited").await;
    assert_eq!(
        session
            .one("select count(*) from streams.dead_letters where source_name = 'mixed_limited'")
            .await,
        "8"
    );
}

#[tokio::test]
async fn on_error_fail_is_an_error() {
    topic("strict", 1).await;
    fill(
        "strict",
        &[r#"{"id": 1}"#, r#"{"id": "x"}"#, r#"{"id": 2}"#],
    );
    let (_server, session) = started().await;
    session
        .run(&create(
            "strict",
            "id int",
            "include offset as o",
            "on_error = 'fail'",
        ))
        .await;
    let error = session.error("select * from strict").await;
    assert!(
        error.starts_with("22P02") && error.contains("strict") && error.contains("offset 1"),
        "{error}"
    );
    assert_eq!(
        session.rows("select id from strict where o < 1").await,
        [cells(&["1"])]
    );
    assert_eq!(
        session
            .one("select count(*) from streams.dead_letters")
            .await,
        "0"
    );
}

#[tokio::test]
async fn tombstones_are_rows_of_nulls() {
    topic("graves", 1).await;
    send(
        "graves",
        [
            Sent {
                partition: Some(0),
                key: Some("a"),
                value: Some(br#"{"id": 1}"#),
                ..Sent::default()
            },
            Sent {
                partition: Some(0),
                key: Some("a"),
                value: None,
                ..Sent::default()
            },
        ],
    );
    let (_server, session) = started().await;
    session
        .run(&create(
            "graves",
            "id int",
            "include key as k include offset as o",
            "",
        ))
        .await;
    let rows = session.rows("select id, k, o from graves order by o").await;
    assert_eq!(
        rows,
        [cells(&["1", "\\x61", "0"]), cells(&["NULL", "\\x61", "1"])]
    );
    let strict = create("graves", "id int not null", "", "")
        .replace("create source graves", "create source strict_graves");
    session.run(&strict).await;
    assert_eq!(
        session.rows("select * from strict_graves").await,
        [cells(&["1"])]
    );
    assert_eq!(
        session
            .one("select value is null from streams.dead_letters")
            .await,
        "t"
    );
}
