//! What the wire promises and files of statements cannot show: cancelling, timeouts, broken frames, limits, portals,
//! slow readers, and the end of the server.

use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use tokio_postgres::error::ErrorPosition;

use crate::harness::clients::{connect, describe, try_connect};
use crate::harness::raw::Raw;
use crate::harness::server::Server;
use crate::harness::{http, until};

/// Far more work than any machine does in a minute.
const ENDLESS: &str = "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b where (a * b) % 7 = 3";

fn status(raw: &mut Raw, sql: &str) -> u8 {
    raw.query(sql);
    raw.until(b'Z')
        .pop()
        .expect("until returns what it found")
        .body[0]
}

#[tokio::test]
async fn sigterm_tells_idle_clients_and_exits_zero() {
    let mut server = Server::start(&[]);
    let session = server.connect().await;
    session.run("select 1").await;
    let mut idle = Raw::session(server.port);
    let (status, took) = server.terminate();
    assert!(status.success(), "exit {status}\n{}", server.log());
    assert!(took < Duration::from_secs(10), "the end took {took:?}");
    let last = idle.receive().expect("an idle client is told");
    assert_eq!((last.kind, last.field(b'C').as_str()), (b'E', "57P01"));
    assert_eq!(
        last.field(b'M'),
        "terminating connection due to administrator command"
    );
    assert!(
        idle.receive().is_none(),
        "the connection is closed afterwards"
    );
}

#[tokio::test]
async fn sigterm_lets_a_running_statement_end() {
    let mut server = Server::start(&[]);
    let session = server.connect().await;
    let running = tokio::spawn(async move {
        session
            .one("select count(*) from generate_series(1, 30000000) s")
            .await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ended = tokio::task::spawn_blocking(move || server.terminate());
    let (status, took) = ended.await.unwrap();
    assert!(
        status.success() && took < Duration::from_secs(12),
        "{status} after {took:?}"
    );
    // It ended before the drain was over, or it was told why not.
    match running.await {
        Ok(count) => assert_eq!(count, "30000000"),
        Err(e) => {
            let panic = e.into_panic();
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(text.contains("57P01") || text.contains("57014"), "{text}");
        }
    }
}

#[tokio::test]
async fn cancel_stops_running_and_sending() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    for sql in [
        ENDLESS,
        "select * from generate_series(1, 2000000000)",
        "insert into c select * from generate_series(1, 2000000000)",
    ] {
        session.run("create table if not exists c (a bigint)").await;
        let token = session.client.cancel_token();
        let canceler = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token
                .cancel_query(NoTls)
                .await
                .expect("the cancel request is taken");
        });
        let from = Instant::now();
        // Rows are dropped as they come, so that sending is what is canceled.
        let error = drain(&session.client, sql).await;
        canceler.await.unwrap();
        assert_eq!(
            error, "57014: canceling statement due to user request",
            "{sql}"
        );
        assert!(
            from.elapsed() < Duration::from_secs(3),
            "{sql}: canceled after {:?}",
            from.elapsed()
        );
        assert_eq!(session.one("select 1").await, "1");
    }
    assert_eq!(session.one("select count(*) from c").await, "0");
    // A cancel request with a wrong secret does nothing.
    let mut wrong = Raw::open(server.port);
    wrong.write(
        &[
            &16_i32.to_be_bytes()[..],
            &80_877_102_i32.to_be_bytes(),
            &1_i32.to_be_bytes(),
            &2_i32.to_be_bytes(),
        ]
        .concat(),
    );
    assert!(wrong.receive().is_none());
    assert_eq!(session.one("select 1").await, "1");
}

async fn drain(client: &tokio_postgres::Client, sql: &str) -> String {
    use futures::StreamExt;
    let mut rows = Box::pin(match client.simple_query_raw(sql).await {
        Ok(rows) => rows,
        Err(e) => return describe(&e),
    });
    while let Some(row) = rows.next().await {
        if let Err(e) = row {
            return describe(&e);
        }
    }
    panic!("{sql} ended by itself")
}

#[tokio::test]
async fn statement_timeout_stops_running_and_sending() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    session.run("set statement_timeout = 300").await;
    for sql in [ENDLESS, "select * from generate_series(1, 2000000000)"] {
        let from = Instant::now();
        let error = drain(&session.client, sql).await;
        assert_eq!(
            error, "57014: canceling statement due to statement timeout",
            "{sql}"
        );
        assert!(
            from.elapsed() < Duration::from_secs(3),
            "{sql}: stopped after {:?}",
            from.elapsed()
        );
    }
    assert_eq!(session.one("select 1").await, "1");
    session.run("set statement_timeout = 0").await;
    assert_eq!(
        session
            .one("select count(*) from generate_series(1, 3000000)")
            .await,
        "3000000"
    );
}

#[tokio::test]
async fn broken_frames_are_refused() {
    let server = Server::start(&[]);
    // A length over 64 MiB, one below 4, a type that does not exist, a query without its end.
    let frames: [&[u8]; 4] = [
        &[b'Q', 0x7f, 0xff, 0xff, 0xff],
        &[b'Q', 0, 0, 0, 3],
        &[b'~', 0, 0, 0, 4],
        b"Q\0\0\0\x08abcd",
    ];
    for frame in frames {
        let mut raw = Raw::session(server.port);
        raw.write(frame);
        let error = raw.receive().expect("a broken frame is answered");
        assert_eq!(
            (error.kind, error.field(b'C').as_str()),
            (b'E', "08P01"),
            "{frame:?}: {}",
            error.field(b'M')
        );
    }
    // Before a session there is: nonsense instead of a startup message.
    for start in [
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0][..],
        &[0, 0, 0, 8, 0, 9, 0, 0],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut raw = Raw::open(server.port);
        raw.write(start);
        if let Some(message) = raw.receive() {
            assert_eq!(message.kind, b'E', "{start:?}");
            assert!(
                ["08P01", "0A000"].contains(&message.field(b'C').as_str()),
                "{start:?}: {}",
                message.field(b'C')
            );
        }
    }
    assert_eq!(server.connect().await.one("select 1").await, "1");
}

#[tokio::test]
async fn startup_has_ten_seconds() {
    let server = Server::start(&[]);
    let from = Instant::now();
    let mut silent = Raw::open(server.port);
    while silent.receive().is_some() {}
    let took = from.elapsed();
    assert!(
        took > Duration::from_secs(8) && took < Duration::from_secs(13),
        "a silent client was kept for {took:?}"
    );
}

#[tokio::test]
async fn another_database_does_not_exist() {
    let server = Server::start(&[]);
    let other = format!(
        "host=127.0.0.1 port={} user=alcedo dbname=nosuch",
        server.port
    );
    let error = try_connect(&other)
        .await
        .err()
        .expect("there is one database");
    assert_eq!(
        describe(&error),
        "3D000: database \"nosuch\" does not exist | There is one database: \"alcedo\"."
    );
}

#[tokio::test]
async fn status_bytes_follow_the_block() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    let steps = [
        ("select 1", b'I'),
        ("begin", b'T'),
        ("select 1", b'T'),
        ("select 1 / 0", b'E'),
        ("select 1", b'E'),
        ("rollback", b'I'),
        ("begin; select 1", b'T'),
        ("commit", b'I'),
        ("selct", b'I'),
        ("", b'I'),
    ];
    for (sql, expected) in steps {
        let status = status(&mut raw, sql);
        assert_eq!(char::from(status), char::from(expected), "after {sql}");
    }
    // A script stops at its first error; what came before it took effect.
    raw.query("create table a (n int); select 1 / 0; create table b (n int)");
    let kinds: Vec<char> = raw
        .until(b'Z')
        .iter()
        .map(|m| char::from(m.kind))
        .filter(|k| *k != 'N')
        .collect();
    assert_eq!(kinds.iter().collect::<String>().replace("TE", "E"), "CEZ");
    let session = server.connect().await;
    assert_eq!(
        session
            .one("select count(*) from information_schema.tables where table_name in ('a', 'b')")
            .await,
        "1"
    );
}

#[tokio::test]
async fn writes_in_a_block_are_warned_of() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    session.run("create table t (a int)").await;
    session.notices();
    session.run("begin").await;
    session.run("insert into t values (1)").await;
    session.run("insert into t values (2)").await;
    session.run("rollback").await;
    let warnings: Vec<String> = session
        .notices()
        .into_iter()
        .filter(|n| n.starts_with("WARNING"))
        .collect();
    assert_eq!(warnings.len(), 1, "one warning for the block: {warnings:?}");
    assert_eq!(session.one("select count(*) from t").await, "2");
}

#[tokio::test]
async fn portals_are_suspended_and_resumed() {
    let server = Server::start(&[]);
    let mut session = connect(&server.conninfo()).await;
    let transaction = session.client.transaction().await.unwrap();
    let portal = transaction
        .bind("select n from generate_series(1, 10000) n order by 1", &[])
        .await
        .unwrap();
    let mut next = 1_i64;
    for expected in [100, 5000, 4900, 0] {
        let rows = transaction
            .query_portal(
                &portal,
                if expected == 4900 {
                    0
                } else {
                    5000.min(expected.max(1))
                },
            )
            .await
            .unwrap();
        assert_eq!(i64::try_from(rows.len()).unwrap(), i64::from(expected));
        for row in rows {
            assert_eq!(row.get::<_, i64>(0), next);
            next += 1;
        }
    }
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn parameters_are_described_and_bound() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    session.run("create table p (a int, b text, c numeric(10,2), d date, e boolean, f float8, g bigint)").await;
    let insert = session
        .client
        .prepare("insert into p values ($1, $2, 12.50, '2024-01-01', $3, $4, $5)")
        .await
        .unwrap();
    let types: Vec<&str> = insert
        .params()
        .iter()
        .map(tokio_postgres::types::Type::name)
        .collect();
    assert_eq!(types, ["int4", "text", "bool", "float8", "int8"]);
    let none: Option<&str> = None;
    assert_eq!(
        session
            .client
            .execute(&insert, &[&1_i32, &"x'y", &true, &1.5_f64, &7_i64])
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        session
            .client
            .execute(&insert, &[&2_i32, &none, &false, &2.5_f64, &8_i64])
            .await
            .unwrap(),
        1
    );
    let select = session
        .client
        .prepare("select b, f, g from p where a = $1 and f > $2")
        .await
        .unwrap();
    let rows = session
        .client
        .query(&select, &[&1_i32, &1.0_f64])
        .await
        .unwrap();
    assert_eq!(
        (
            rows[0].get::<_, &str>(0),
            rows[0].get::<_, f64>(1),
            rows[0].get::<_, i64>(2)
        ),
        ("x'y", 1.5, 7)
    );
    // The statement is planned again when its table has changed.
    session.run("alter table p add column h int").await;
    assert_eq!(
        session
            .client
            .query(&select, &[&2_i32, &1.0_f64])
            .await
            .unwrap()
            .len(),
        1
    );
    let error = session
        .client
        .query("select $1::int + 1", &[&"x"])
        .await
        .err();
    assert!(error.is_some(), "the driver refuses a text for an integer");
    let error = session
        .client
        .prepare("select $1")
        .await
        .map(|s| s.params()[0].name().to_owned());
    assert_eq!(error.unwrap(), "text");
    // EXPLAIN takes the parameters of what it explains.
    let update = "explain analyze update p set b = $1 where a = $2";
    let plan = session.client.query(update, &[&"new", &2_i32]).await;
    let first: String = plan.unwrap()[0].get(0);
    assert_eq!(first, "Update on p (actual rows=1)");
    assert_eq!(session.one("select b from p where a = 2").await, "new");
}

#[tokio::test]
async fn errors_say_where() {
    let server = Server::start(&[]);
    let session = server.connect().await;
    session.run("create table t (a int)").await;
    for (sql, at) in [
        ("select nope from t", 8),
        ("select 1 from nosuch", 15),
        ("select\n  a, from t", 13),
        ("select upperr(a) from t", 8),
    ] {
        let error = session
            .client
            .simple_query(sql)
            .await
            .err()
            .unwrap_or_else(|| panic!("{sql} succeeded"));
        let position = error.as_db_error().and_then(|e| e.position());
        assert_eq!(
            position,
            Some(&ErrorPosition::Original(at)),
            "{sql}: {}",
            describe(&error)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_limit_keeps_two_for_the_owner() {
    let server = Server::start(&["--max-connections", "5"]);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(
            try_connect(&format!(
                "{} application_name=guest",
                server.conninfo().replace("user=alcedo", "user=guest")
            ))
            .await
            .unwrap(),
        );
    }
    let guest = server.conninfo().replace("user=alcedo", "user=guest");
    let refused = try_connect(&guest)
        .await
        .err()
        .expect("the third place is taken");
    assert!(
        describe(&refused).starts_with("53300: "),
        "{}",
        describe(&refused)
    );
    held.push(connect(&server.conninfo()).await);
    held.push(connect(&server.conninfo()).await);
    let full = try_connect(&server.conninfo())
        .await
        .err()
        .expect("five places are taken");
    assert!(
        describe(&full).starts_with("53300: "),
        "{}",
        describe(&full)
    );
    held.clear();
    until("places are given back", Duration::from_secs(5), || {
        let mut raw = Raw::open(server.port);
        raw.startup(&[("user", "guest"), ("database", "alcedo")]);
        raw.receive().is_some_and(|m| m.kind == b'R')
    });
}

#[tokio::test]
async fn a_slow_client_costs_no_memory() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    status(&mut raw, "select 1");
    let idle = server.resident_bytes();
    raw.query("select n, n * 2, 'row ' || n, n / 3.0 from generate_series(1, 10000000) n");
    let mut most = 0;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(100));
        most = most.max(server.resident_bytes());
    }
    let mut rows = 0_u64;
    loop {
        let message = raw.receive().expect("the result comes whole");
        match message.kind {
            b'D' => rows += 1,
            b'C' => break,
            b'E' => panic!("{}", message.field(b'M')),
            _ => {}
        }
        if rows.is_multiple_of(500_000) {
            most = most.max(server.resident_bytes());
        }
    }
    assert_eq!(rows, 10_000_000);
    let over = most.saturating_sub(idle);
    assert!(over < 300 << 20, "{} MiB over idle", over >> 20);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_no_end() {
    // SAFETY: geteuid only reads.
    assert!(
        unsafe { libc::geteuid() } == 0,
        "mounting a small disk needs root: run the tests as root"
    );
    let dir = crate::harness::Scratch::new("small-disk");
    let path = dir.path().to_str().unwrap().to_owned();
    let mount = |program: &str, arguments: &[&str]| {
        let done = std::process::Command::new(program)
            .args(arguments)
            .status()
            .unwrap();
        assert!(done.success(), "{program} {arguments:?}: {done}");
    };
    mount("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs", &path]);
    let unmount = Unmount(path.clone());
    let data = format!("{path}/data");
    {
        let server = Server::start(&["--data-dir", &data]);
        let session = server.connect().await;
        session.run("create table t (a bigint, b text)").await;
        session.run("insert into t values (1, 'kept')").await;
        let error = session.error("insert into t select n, md5(n::text) || md5((n + 1)::text) from generate_series(1, 1000000) s(n)").await;
        assert!(error.starts_with("53100: "), "{error}");
        assert_eq!(
            session.one("select count(*) from t").await,
            "1",
            "nothing of the failed statement is there"
        );
        session.run("drop table t").await;
    }
    drop(unmount);
}

struct Unmount(String);

impl Drop for Unmount {
    fn drop(&mut self) {
        // A mount that stays is seen by the next run of this test; there is nobody else to tell.
        let _ = std::process::Command::new("umount")
            .args(["-l", &self.0])
            .status();
    }
}

#[tokio::test]
async fn http_tells_health() {
    let server = Server::start(&[]);
    assert_eq!(
        http::request(server.http, "GET", "/healthz", b"")
            .unwrap()
            .0,
        200
    );
    assert_eq!(
        http::request(server.http, "GET", "/readyz", b"").unwrap().0,
        200
    );
    assert_eq!(
        http::request(server.http, "GET", "/nosuch", b"").unwrap().0,
        404
    );
}
