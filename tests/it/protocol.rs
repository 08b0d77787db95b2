//! The protocol message by message: what drivers rely on and never show.

use std::time::{Duration, Instant};

use crate::harness::raw::{Message, Raw};
use crate::harness::server::Server;

fn text(parts: &[&str]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|p| [p.as_bytes(), b"\0"].concat())
        .collect()
}

fn parse(raw: &mut Raw, name: &str, sql: &str) {
    raw.send(b'P', &[&text(&[name, sql])[..], &[0, 0]].concat());
}

/// Parameters as text, results in one format.
fn bind(raw: &mut Raw, portal: &str, statement: &str, values: &[&str], format: u8) {
    let mut body = text(&[portal, statement]);
    body.extend([0, 0]);
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend([0, 1, 0, format]);
    raw.send(b'B', &body);
}

fn describe(raw: &mut Raw, what: u8, name: &str) {
    raw.send(b'D', &[&[what][..], &text(&[name])].concat());
}

fn execute(raw: &mut Raw, portal: &str, rows: u32) {
    raw.send(b'E', &[&text(&[portal])[..], &rows.to_be_bytes()].concat());
}

/// The answer up to ReadyForQuery.
fn sync(raw: &mut Raw) -> Vec<Message> {
    raw.send(b'S', &[]);
    raw.until(b'Z')
}

fn ask(raw: &mut Raw, sql: &str) -> Vec<Message> {
    raw.query(sql);
    raw.until(b'Z')
}

/// The kinds of messages in order, with the SQLSTATE of errors, the tags of statements and the status.
fn shown(messages: &[Message]) -> String {
    let one = |m: &Message| match m.kind {
        b'E' => format!("E{}", m.field(b'C')),
        b'C' => format!(
            "C[{}]",
            String::from_utf8_lossy(&m.body).trim_end_matches('\0')
        ),
        b'Z' => format!("Z{}", char::from(m.body[0])),
        kind => char::from(kind).to_string(),
    };
    messages.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn errors_are_skipped_to_sync() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    // Two good statements, a bad one, and one that is not reached.
    for sql in ["select 1", "select 2", "select nope", "select 3"] {
        parse(&mut raw, "", sql);
        bind(&mut raw, "", "", &[], 0);
        execute(&mut raw, "", 0);
    }
    let answer = shown(&sync(&mut raw));
    assert_eq!(answer, "1 2 D C[SELECT 1] 1 2 D C[SELECT 1] E42703 ZI");
    assert_eq!(shown(&ask(&mut raw, "select 1")), "T D C[SELECT 1] ZI");
    assert_eq!(shown(&sync(&mut raw)), "ZI");
    // Within a block the status stays until it is rolled back.
    assert_eq!(shown(&ask(&mut raw, "begin")), "C[BEGIN] ZT");
    parse(&mut raw, "", "select nope");
    assert_eq!(shown(&sync(&mut raw)), "E42703 ZE");
    parse(&mut raw, "", "select 1");
    assert_eq!(shown(&sync(&mut raw)), "E25P02 ZE");
    parse(&mut raw, "", "rollback");
    bind(&mut raw, "", "", &[], 0);
    execute(&mut raw, "", 0);
    assert_eq!(shown(&sync(&mut raw)), "1 2 C[ROLLBACK] ZI");
}

#[test]
fn names_are_checked() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    bind(&mut raw, "", "nosuch", &[], 0);
    assert_eq!(shown(&sync(&mut raw)), "E26000 ZI");
    describe(&mut raw, b'S', "nosuch");
    assert_eq!(shown(&sync(&mut raw)), "E26000 ZI");
    describe(&mut raw, b'P', "nosuch");
    assert_eq!(shown(&sync(&mut raw)), "E34000 ZI");
    execute(&mut raw, "nosuch", 0);
    assert_eq!(shown(&sync(&mut raw)), "E34000 ZI");
    parse(&mut raw, "a", "select $1::int + 1 as n");
    parse(&mut raw, "a", "select 2");
    assert_eq!(shown(&sync(&mut raw)), "1 E42P05 ZI");
    bind(&mut raw, "p", "a", &["1"], 0);
    bind(&mut raw, "p", "a", &["1"], 0);
    assert_eq!(shown(&sync(&mut raw)), "2 E42P03 ZI");
    bind(&mut raw, "", "a", &[], 0);
    assert_eq!(shown(&sync(&mut raw)), "E08P01 ZI");
    bind(&mut raw, "", "a", &["1", "2"], 0);
    assert_eq!(shown(&sync(&mut raw)), "E08P01 ZI");
    bind(&mut raw, "", "a", &["x"], 0);
    assert_eq!(shown(&sync(&mut raw)), "E22P02 ZI");
    bind(&mut raw, "", "a", &["1"], 7);
    assert_eq!(shown(&sync(&mut raw)), "E22023 ZI");
    parse(&mut raw, "", "select 1; select 2");
    assert_eq!(shown(&sync(&mut raw)), "E42601 ZI");
    // Closing what is not there is no error.
    raw.send(b'C', &[&b"S"[..], &text(&["a"])].concat());
    raw.send(b'C', &[&b"P"[..], &text(&["nosuch"])].concat());
    bind(&mut raw, "", "a", &["1"], 0);
    assert_eq!(shown(&sync(&mut raw)), "3 3 E26000 ZI");
    assert_eq!(shown(&ask(&mut raw, "select $1")), "E42P02 ZI");
}

#[test]
fn portals_live_to_the_end_of_their_block() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    let rows = "select x from generate_series(1, 5) g(x) order by x";
    parse(&mut raw, "a", rows);
    bind(&mut raw, "c", "a", &[], 0);
    execute(&mut raw, "c", 2);
    assert_eq!(shown(&sync(&mut raw)), "1 2 D D s ZI");
    execute(&mut raw, "c", 2);
    assert_eq!(shown(&sync(&mut raw)), "E34000 ZI");
    ask(&mut raw, "begin");
    bind(&mut raw, "c", "a", &[], 0);
    execute(&mut raw, "c", 2);
    assert_eq!(shown(&sync(&mut raw)), "2 D D s ZT");
    // Other statements go in between.
    assert_eq!(shown(&ask(&mut raw, "select 1")), "T D C[SELECT 1] ZT");
    execute(&mut raw, "c", 3);
    assert_eq!(shown(&sync(&mut raw)), "D D D s ZT");
    execute(&mut raw, "c", 3);
    execute(&mut raw, "c", 3);
    assert_eq!(shown(&sync(&mut raw)), "C[SELECT 0] C[SELECT 0] ZT");
    bind(&mut raw, "d", "a", &[], 0);
    execute(&mut raw, "d", 1);
    assert_eq!(shown(&sync(&mut raw)), "2 D s ZT");
    ask(&mut raw, "commit");
    execute(&mut raw, "d", 1);
    assert_eq!(shown(&sync(&mut raw)), "E34000 ZI");
    // Two named portals between two Syncs, outside of a block.
    ask(&mut raw, "create table t (a int)");
    parse(&mut raw, "i", "insert into t values ($1)");
    bind(&mut raw, "one", "i", &["1"], 0);
    bind(&mut raw, "two", "i", &["2"], 0);
    execute(&mut raw, "one", 0);
    execute(&mut raw, "two", 0);
    execute(&mut raw, "two", 0);
    let answer = shown(&sync(&mut raw));
    assert_eq!(answer, "1 2 2 C[INSERT 0 1] C[INSERT 0 1] E55000 ZI");
}

#[test]
fn statements_are_described() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    parse(
        &mut raw,
        "",
        "select $1::int as n, $2::text as t, 1.5::numeric(10,2) as p",
    );
    describe(&mut raw, b'S', "");
    bind(&mut raw, "", "", &["7", "x"], 1);
    describe(&mut raw, b'P', "");
    execute(&mut raw, "", 0);
    let answer = sync(&mut raw);
    assert_eq!(shown(&answer), "1 t T 2 T D C[SELECT 1] ZI");
    assert_eq!(answer[1].body, [0, 2, 0, 0, 0, 23, 0, 0, 0, 25]);
    let row = &answer[5].body;
    assert_eq!(row[..10], [0, 3, 0, 0, 0, 4, 0, 0, 0, 7]);
    assert_eq!(row[10..15], [0, 0, 0, 1, b'x']);
    assert_eq!(row[19..], [0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88]);
    // The format of each column stands in the portal's description: statement text, portal binary.
    assert_eq!(
        (answer[2].body.last(), answer[4].body.last()),
        (Some(&0), Some(&1))
    );
    for (sql, expected) in [
        ("", "1 t n 2 n I ZI"),
        ("-- nothing", "1 t n 2 n I ZI"),
        ("set application_name = 'x'", "1 t n 2 n S C[SET] ZI"),
        ("show application_name", "1 t T 2 T D C[SHOW] ZI"),
        ("explain select 1", "1 t T 2 T D D C[EXPLAIN] ZI"),
    ] {
        parse(&mut raw, "", sql);
        describe(&mut raw, b'S', "");
        bind(&mut raw, "", "", &[], 0);
        describe(&mut raw, b'P', "");
        execute(&mut raw, "", 0);
        assert_eq!(shown(&sync(&mut raw)), expected, "{sql}");
    }
    assert_eq!(shown(&ask(&mut raw, " ; ; ")), "I ZI");
}

#[test]
fn statements_and_portals_are_forgotten() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    for (sql, tag) in [
        ("deallocate a", "DEALLOCATE"),
        ("deallocate all", "DEALLOCATE ALL"),
        ("discard all", "DISCARD ALL"),
    ] {
        parse(&mut raw, "a", "select 1");
        bind(&mut raw, "", "a", &[], 0);
        assert_eq!(shown(&sync(&mut raw)), "1 2 ZI", "{sql}");
        assert_eq!(shown(&ask(&mut raw, sql)), format!("C[{tag}] ZI"));
        bind(&mut raw, "", "a", &[], 0);
        assert_eq!(shown(&sync(&mut raw)), "E26000 ZI", "{sql}");
    }
    assert_eq!(shown(&ask(&mut raw, "deallocate nosuch")), "E26000 ZI");
    ask(&mut raw, "begin");
    parse(&mut raw, "a", "select 1");
    bind(&mut raw, "p", "a", &[], 0);
    assert_eq!(shown(&sync(&mut raw)), "1 2 ZT");
    assert_eq!(shown(&ask(&mut raw, "close all")), "C[CLOSE CURSOR ALL] ZT");
    execute(&mut raw, "p", 0);
    assert_eq!(shown(&sync(&mut raw)), "E34000 ZE");
}

#[test]
fn what_is_not_there_is_refused_and_the_session_goes_on() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    ask(&mut raw, "create table t (a int)");
    // A client that does not wait for the answer before it sends its data.
    raw.query("copy t from stdin");
    raw.send(b'd', b"1\n");
    raw.send(b'c', &[]);
    assert_eq!(shown(&raw.until(b'Z')), "E0A000 ZI");
    assert_eq!(shown(&ask(&mut raw, "copy t to stdout")), "E0A000 ZI");
    raw.send(b'F', &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(shown(&raw.until(b'Z')), "E0A000 ZI");
    raw.send(b'Q', b"select '\xff'\0");
    assert_eq!(shown(&raw.until(b'Z')), "E22021 ZI");
    let wide = |columns: usize| format!("select {}", vec!["1"; columns].join(", "));
    assert_eq!(shown(&ask(&mut raw, &wide(1600))), "T D C[SELECT 1] ZI");
    assert_eq!(shown(&ask(&mut raw, &wide(1601))), "E54011 ZI");
    assert_eq!(shown(&ask(&mut raw, "select 1")), "T D C[SELECT 1] ZI");
}

#[test]
fn messages_beside_results_come_in_order() {
    let server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    let script = "drop table if exists nosuch; set time zone 'Europe/Berlin'; select 1";
    assert_eq!(
        shown(&ask(&mut raw, script)),
        "N C[DROP TABLE] S C[SET] T D C[SELECT 1] ZI"
    );
    assert_eq!(
        shown(&ask(&mut raw, "set client_min_messages = error")),
        "C[SET] ZI"
    );
    assert_eq!(
        shown(&ask(&mut raw, "drop table if exists nosuch")),
        "C[DROP TABLE] ZI"
    );
    ask(&mut raw, "begin; set time zone 'Asia/Tokyo'");
    assert_eq!(shown(&ask(&mut raw, "rollback")), "S C[ROLLBACK] ZI");
}

#[test]
fn sessions_begin_as_clients_ask() {
    let server = Server::start(&[]);
    // Encryption is declined, then the session begins in the clear.
    let mut raw = Raw::open(server.port);
    for request in [80_877_104_i32, 80_877_103] {
        raw.write(&[8_i32.to_be_bytes(), request.to_be_bytes()].concat());
        assert_eq!(raw.byte(), b'N');
    }
    raw.startup(&[
        ("user", "anybody"),
        ("application_name", "test"),
        ("options", "-c timezone=Asia/Tokyo"),
    ]);
    let answer = raw.until(b'Z');
    let status = |name: &str| {
        let found = answer.iter().filter(|m| m.kind == b'S').find_map(|m| {
            let mut parts = m.body.split(|b| *b == 0);
            let named = parts.next() == Some(name.as_bytes());
            named.then(|| parts.next().unwrap_or_default().to_vec())
        });
        String::from_utf8(found.unwrap_or_default()).unwrap()
    };
    for (name, value) in [
        ("client_encoding", "UTF8"),
        ("server_encoding", "UTF8"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("application_name", "test"),
        ("TimeZone", "Asia/Tokyo"),
        ("DateStyle", "ISO, MDY"),
    ] {
        assert_eq!(status(name), value, "{name}");
    }
    assert!(
        status("server_version").starts_with("15."),
        "{}",
        status("server_version")
    );
    let mut raw = Raw::open(server.port);
    raw.startup(&[("database", "alcedo")]);
    assert_eq!(shown(&[raw.receive().unwrap()]), "E28000");
    let mut raw = Raw::open(server.port);
    raw.startup(&[("user", "alcedo"), ("nosuch_setting", "1")]);
    assert_eq!(shown(&[raw.receive().unwrap()]), "E42704");
}

#[test]
fn newer_protocols_are_talked_down() {
    let server = Server::start(&[]);
    for (minor, option, negotiated) in [
        (0_i32, false, false),
        (2, false, false),
        (9999, false, true),
        (0, true, true),
    ] {
        let mut raw = Raw::open(server.port);
        let mut body = (196_608 + minor).to_be_bytes().to_vec();
        body.extend(text(&["user", "alcedo"]));
        if option {
            body.extend(text(&["_pq_.nosuch", "1"]));
        }
        body.push(0);
        let length = i32::try_from(body.len() + 4).unwrap();
        raw.write(&[&length.to_be_bytes()[..], &body].concat());
        let first = raw.receive().expect("the client is let in").kind;
        assert_eq!(first == b'v', negotiated, "3.{minor}");
        raw.until(b'Z');
    }
}

/// Far more work than any machine does in a minute, in a join that finds nothing.
const ENDLESS: &str = "select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b where a * b = -3";

#[test]
fn a_client_that_leaves_ends_its_statement() {
    let mut server = Server::start(&[]);
    for _ in 0..3 {
        let mut raw = Raw::session(server.port);
        raw.query(ENDLESS);
        std::thread::sleep(Duration::from_millis(300));
    }
    std::thread::sleep(Duration::from_millis(700));
    // Nothing runs that the end of the server would have to wait for.
    let (status, took) = server.terminate();
    assert!(
        status.success() && took < Duration::from_secs(4),
        "{status} after {took:?}"
    );
}

#[test]
fn the_end_of_the_server_ends_statements() {
    let mut server = Server::start(&[]);
    let mut raw = Raw::session(server.port);
    raw.query(ENDLESS);
    let mut stuck = Raw::session(server.port);
    stuck.query("select * from generate_series(1, 1000000000)");
    std::thread::sleep(Duration::from_millis(500));
    let (status, took) = server.terminate();
    let log = server.log();
    assert!(
        status.success() && took < Duration::from_secs(11),
        "{status} after {took:?}\n{log}"
    );
    let mut last = None;
    while let Some(message) = raw.receive() {
        last = Some(message);
    }
    assert_eq!(shown(&[last.expect("the client is told")]), "E57P01");
}

/// While joins keep every thread busy, others are still served.
#[test]
fn long_joins_leave_room_for_others() {
    let server = Server::start(&[]);
    let mut busy: Vec<Raw> = (0..4).map(|_| Raw::session(server.port)).collect();
    for raw in &mut busy {
        ask(raw, "set statement_timeout = '5s'");
        raw.query(ENDLESS);
    }
    std::thread::sleep(Duration::from_millis(500));
    let from = Instant::now();
    let mut other = Raw::session(server.port);
    assert_eq!(shown(&ask(&mut other, "select 1")), "T D C[SELECT 1] ZI");
    assert!(
        from.elapsed() < Duration::from_secs(3),
        "served after {:?}",
        from.elapsed()
    );
    for raw in &mut busy {
        assert_eq!(shown(&raw.until(b'Z')), "T E57014 ZI");
    }
    assert!(
        from.elapsed() < Duration::from_secs(9),
        "timed out after {:?}",
        from.elapsed()
    );
}
