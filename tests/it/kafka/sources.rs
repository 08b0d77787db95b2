//! Sources as objects, over a real broker: their options, where they begin, and what becomes of them.

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};

use super::{cells, create, fill, started};
use crate::harness::free_port;
use crate::harness::kafka::{Guarded, Sent, address, guarded, send, topic};
use crate::harness::process::run;

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", address())
        .create()
        .expect("the options are right")
}

fn quickly() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)))
}

/// Lets Kafka forget the records of partition 0 below an offset.
async fn delete_before(topic: &str, offset: i64) {
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(topic, 0, Offset::Offset(offset))
        .unwrap();
    admin()
        .delete_records(&before, &quickly())
        .await
        .expect("Kafka deletes records");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_named_within_ten_seconds() {
    let (_server, session) = started().await;
    let nowhere = format!("127.0.0.1:{}", free_port());
    let with = |server: &str| {
        format!(
            "create source s (a int) with (connector = 'kafka', topic = 't', properties.bootstrap.server = '{server}') \
             format plain encode json"
        )
    };
    let began = Instant::now();
    let error = session.error(&with(&nowhere)).await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(
        error.starts_with("08006") && error.contains(&nowhere) && error.contains("refused"),
        "{error}"
    );
    let began = Instant::now();
    let error = session.error(&with("no-such-host.invalid:9092")).await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(
        error.starts_with("08006") && error.contains("no-such-host.invalid"),
        "{error}"
    );
    // Something that accepts and never answers.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let error = session
        .error(&with(&mute.local_addr().unwrap().to_string()))
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert!(error.starts_with("08006"), "{error}");
    assert_eq!(
        session
            .rows("select 1 from information_schema.tables where table_name = 's'")
            .await
            .len(),
        0
    );
    // Whoever does not want to wait so long cancels.
    let token = session.client.cancel_token();
    let canceled = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(tokio_postgres::NoTls).await
    });
    let began = Instant::now();
    let error = session.error(&with(&nowhere)).await;
    assert!(
        error.starts_with("57014") && began.elapsed() < Duration::from_secs(2),
        "{error} after {:?}",
        began.elapsed()
    );
    canceled.await.unwrap().unwrap();
}

#[tokio::test]
async fn options_are_checked() {
    topic("checked", 1).await;
    let (_server, session) = started().await;
    for (with, state, words) in [
        ("topik = 'x'", "22023", "topic"),
        ("scan.startup.mod = 'latest'", "22023", "scan.startup.mode"),
        ("scan.startup.mode = 'newest'", "22023", "earliest"),
        (
            "scan.startup.mode = 'timestamp'",
            "22023",
            "scan.startup.timestamp.millis",
        ),
        (
            "scan.startup.specific-offsets = 'partition:0,offset:1'",
            "22023",
            "specific-offsets",
        ),
        (
            "scan.startup.mode = 'specific-offsets', scan.startup.specific-offsets = 'zero'",
            "22023",
            "specific-offsets",
        ),
        (
            "scan.startup.mode = 'specific-offsets', scan.startup.specific-offsets = 'partition:9,offset:0'",
            "22023",
            "partition 9",
        ),
        ("on_error = 'ignore'", "22023", "dead_letter"),
        (
            "properties.security.protocl = 'ssl'",
            "22023",
            "properties.security.protocol",
        ),
        (
            "properties.plugin.library.paths = '/tmp/x.so'",
            "22023",
            "plugin.library.paths",
        ),
        (
            "properties.security.protocol = 'nonsense'",
            "22023",
            "properties.security.protocol",
        ),
        ("properties.sasl.password = secret nope", "42704", "nope"),
    ] {
        let error = session.error(&create("checked", "a int", "", with)).await;
        assert!(
            error.starts_with(state) && error.contains(words),
            "{with}: {error}"
        );
    }
    let good = create("checked", "a int", "", "");
    for (from, to, state, words) in [
        ("topic = 'checked'", "topic = 'chekced'", "42704", "checked"),
        (
            "connector = 'kafka'",
            "connector = 'pulsar'",
            "0A000",
            "kafka",
        ),
        ("connector = 'kafka', ", "", "22023", "connector"),
        ("encode json", "encode avro", "0A000", "JSON"),
        (
            "encode json",
            "encode json (timestamptz.handling.mode = 'weeks')",
            "22023",
            "milli",
        ),
        (
            "encode json",
            "encode json (timestamptz.handling.mod = 'milli')",
            "22023",
            "timestamptz.handling.mode",
        ),
        ("(a int)", "(a int default 3)", "0A000", "default"),
        ("(a int)", "(a nosuch)", "42704", "nosuch"),
    ] {
        let error = session.error(&good.replace(from, to)).await;
        assert!(
            error.starts_with(state) && error.contains(words),
            "{to}: {error}"
        );
    }
    session
        .run(&good.replace("create source", "create streaming table"))
        .await;
    assert!(session.error(&good).await.starts_with("42P07"));
    session
        .run(&good.replace("create source", "create source if not exists"))
        .await;
    assert!(
        session
            .error("drop table checked")
            .await
            .starts_with("42809")
    );
    session.run("drop source checked").await;
}

#[tokio::test]
async fn secrets_stand_in_sources_by_name() {
    topic("guarded", 1).await;
    let (mut server, session) = started().await;
    session.run("create secret who as 'planted-id'").await;
    session
        .run(&create(
            "guarded",
            "a int",
            "",
            "properties.client.id = secret who",
        ))
        .await;
    let text = session.one("show create source guarded").await;
    assert!(
        text.to_lowercase().contains("secret who") && !text.contains("planted-id"),
        "{text}"
    );
    let mut psql = Command::new("psql");
    psql.args(["-X", "-c", "\\d guarded", &server.conninfo()]);
    let described = run("psql", psql, Duration::from_secs(60));
    for words in ["Server: kafka", "topic 'guarded'", "'SECRET who'"] {
        assert!(
            described.stdout.contains(words),
            "{}{}",
            described.stdout,
            described.stderr
        );
    }
    let error = session.error("drop secret who").await;
    assert!(
        error.starts_with("2BP01") && error.contains("guarded"),
        "{error}"
    );
    let plain = create(
        "guarded",
        "a int",
        "",
        "properties.sasl.password = 'planted-password'",
    );
    session
        .run(&plain.replace("source guarded", "source plain"))
        .await;
    let text = session.one("show create source plain").await;
    assert!(!text.contains("planted-password"), "{text}");
    fill("guarded", &[r#"{"a": 5}"#]);
    drop(session);
    server.kill9();
    let server = server.restart();
    let session = server.connect().await;
    assert_eq!(session.rows("select * from guarded").await, [cells(&["5"])]);
    assert!(!server.log().contains("planted"), "{}", server.log());
}

#[tokio::test]
async fn brokers_may_ask_for_a_password_over_tls() {
    topic("vault", 1).await;
    fill("vault", &[r#"{"a": 5}"#]);
    let (server, session) = started().await;
    let Guarded {
        address,
        certificate,
        user: (user, password),
    } = guarded();
    let create = |certificate: &str, secret: &str| {
        format!(
            "create source vault (a int) with (connector = 'kafka', topic = 'vault', properties.bootstrap.server = '{address}', \
             properties.security.protocol = 'SASL_SSL', properties.sasl.mechanism = 'PLAIN', \
             properties.sasl.username = '{user}', properties.sasl.password = secret {secret}{certificate}) \
             format plain encode json"
        )
    };
    let trusted = format!(", properties.ssl.ca.location = '{certificate}'");
    session
        .run(&format!(
            "create secret good as '{password}'; create secret bad as 'battery staple'"
        ))
        .await;
    for (sql, cause) in [
        (create(&trusted, "bad"), "Authentication failed"),
        (create("", "good"), "certificate"),
    ] {
        let began = Instant::now();
        let error = session.error(&sql).await;
        assert!(
            began.elapsed() < Duration::from_secs(10) && error.starts_with("08006"),
            "{error}"
        );
        assert!(error.contains(cause) && error.contains(address), "{error}");
        assert!(!error.contains("battery"), "{error}");
    }
    session.run(&create(&trusted, "good")).await;
    session.run("insert into vault values (6)").await;
    assert_eq!(
        session.rows("select * from vault order by a").await,
        [cells(&["5"]), cells(&["6"])]
    );
    assert!(!server.log().contains(password), "{}", server.log());
}

#[tokio::test]
async fn a_source_begins_where_it_was_made_to() {
    topic("begun", 2).await;
    let at = 1_700_000_000_000;
    let values: Vec<String> = (0..20).map(|i| format!("{{\"i\": {i}}}")).collect();
    let records = |from: usize, to: usize| {
        values[from..to].iter().enumerate().map(move |(n, v)| Sent {
            partition: Some(((from + n) % 2) as i32),
            value: Some(v.as_bytes()),
            timestamp: Some(at + (from + n) as i64 * 1000),
            ..Sent::default()
        })
    };
    send("begun", records(0, 10));
    let (mut server, session) = started().await;
    let made = |name: &str, with: &str| {
        create(
            "begun",
            "i int",
            "include offset as o include partition as p",
            with,
        )
        .replace("create source begun", &format!("create source {name}"))
    };
    session
        .run(&made("earliest", "scan.startup.mode = 'earliest'"))
        .await;
    session
        .run(&made("latest", "scan.startup.mode = 'latest'"))
        .await;
    session
        .run(&made(
            "timed",
            &format!(
                "scan.startup.mode = 'timestamp', scan.startup.timestamp.millis = '{}'",
                at + 5000
            ),
        ))
        .await;
    session
        .run(&made(
            "later",
            "scan.startup.mode = 'timestamp', scan.startup.timestamp.millis = '1900000000000'",
        ))
        .await;
    session
        .run(&made("placed", "scan.startup.mode = 'specific-offsets', scan.startup.specific-offsets = 'partition:0,offset:4;partition:1,offset:2'"))
        .await;
    let seen = "select (select count(*) from earliest), (select count(*) from latest), (select min(i) from timed), \
                (select count(*) from later), (select count(*) from placed)";
    assert_eq!(
        session.rows(seen).await,
        [cells(&["10", "0", "5", "0", "4"])]
    );
    let offsets = "select source_name, start_offsets from streams.sources where source_name in ('latest', 'placed') order by 1";
    assert_eq!(
        session.rows(offsets).await,
        [
            cells(&["latest", r#"{"0":5,"1":5}"#]),
            cells(&["placed", r#"{"0":4,"1":2}"#])
        ]
    );
    send("begun", records(10, 20));
    assert_eq!(
        session.rows(seen).await,
        [cells(&["20", "10", "5", "10", "14"])]
    );
    drop(session);
    server.kill9();
    let server = server.restart();
    let session = server.connect().await;
    assert_eq!(
        session.rows(seen).await,
        [cells(&["20", "10", "5", "10", "14"])]
    );
    // A predicate never reaches behind the beginning.
    assert_eq!(
        session
            .one("select count(*) from latest where o >= 0")
            .await,
        "10"
    );
    // A partition that comes later is read from its beginning.
    let grown = admin()
        .create_partitions(&[NewPartitions::new("begun", 3)], &quickly())
        .await;
    grown.expect("Kafka answers")[0]
        .as_ref()
        .expect("the topic can grow");
    send(
        "begun",
        [Sent {
            partition: Some(2),
            value: Some(br#"{"i": 99}"#),
            ..Sent::default()
        }],
    );
    let end = Instant::now() + Duration::from_secs(20);
    while session.rows("select i from latest where p = 2").await != [cells(&["99"])] {
        assert!(Instant::now() < end, "the new partition is not seen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn records_that_are_gone_are_counted() {
    topic("shortened", 1).await;
    let values: Vec<String> = (0..10).map(|i| format!("{{\"i\": {i}}}")).collect();
    fill("shortened", &values);
    let (_server, session) = started().await;
    session
        .run(&create("shortened", "i int", "include offset as o", ""))
        .await;
    assert_eq!(session.one("select count(*) from shortened").await, "10");
    assert_eq!(session.notices(), [""; 0]);
    delete_before("shortened", 6).await;
    assert_eq!(session.one("select count(*) from shortened").await, "4");
    let notices = session.notices();
    assert!(
        notices.len() == 1 && notices[0].starts_with("WARNING: 6 "),
        "{notices:?}"
    );
    // Who does not ask for them does not miss them.
    assert_eq!(
        session
            .one("select count(*) from shortened where o >= 7")
            .await,
        "3"
    );
    assert_eq!(session.notices(), [""; 0]);
}

/// A reader whose next record is deleted while it reads goes on with the first that is left.
#[tokio::test]
async fn records_that_go_while_they_are_read_are_counted() {
    topic("vanishing", 1).await;
    let filler = "x".repeat(100_000);
    let values: Vec<String> = (0..1200)
        .map(|i| format!("{{\"i\": {i}, \"filler\": \"{filler}\"}}"))
        .collect();
    fill("vanishing", &values);
    let (_server, mut session) = started().await;
    let prefetched = "properties.queued.max.messages.kbytes = '1024', properties.fetch.message.max.bytes = '200000'";
    session
        .run(&create(
            "vanishing",
            "i int, filler text",
            "include offset as o",
            prefetched,
        ))
        .await;
    let transaction = session.client.transaction().await.unwrap();
    let query = "select i, filler from vanishing";
    let portal = transaction.bind(query, &[]).await.unwrap();
    // The reader stops where nobody takes its rows, long before the end.
    let first = transaction.query_portal(&portal, 10).await.unwrap();
    assert_eq!(first.len(), 10);
    delete_before("vanishing", 1190).await;
    let rest = transaction.query_portal(&portal, 0).await.unwrap();
    transaction.commit().await.unwrap();
    let seen: Vec<i32> = first.iter().chain(&rest).map(|r| r.get(0)).collect();
    assert!(seen.is_sorted() && seen.len() < 1200, "{} rows", seen.len());
    assert_eq!(seen[seen.len() - 10..], (1190..1200).collect::<Vec<i32>>());
    let gone = 1200 - seen.len();
    let notices = session.notices();
    assert!(
        notices.len() == 1 && notices[0].starts_with(&format!("WARNING: {gone} ")),
        "{gone} are gone: {notices:?}"
    );
}
