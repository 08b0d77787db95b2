//! Tests of session variables: values, errors, blocks, what is reported.

#![allow(clippy::unwrap_used, clippy::too_many_lines)]

use super::*;

fn set(vars: &mut Vars, name: &str, value: &str) -> String {
    match vars.set(name, &[value.to_owned()], false) {
        Ok(()) => vars.get(name).unwrap(),
        Err(e) => format!("{} {}", e.state.0, e.message),
    }
}

#[test]
fn values_become_canonical() {
    for (name, given, shown) in [
        ("statement_timeout", "5000", "5s"),
        ("statement_timeout", "1500", "1500ms"),
        ("statement_timeout", "2 min", "2min"),
        ("statement_timeout", "0", "0"),
        ("statement_timeout", "500us", "0"),
        ("STATEMENT_TIMEOUT", "1.5s", "1500ms"),
        (
            "statement_timeout",
            "5 parsecs",
            "22023 invalid value for parameter \"statement_timeout\": \"5 parsecs\"",
        ),
        (
            "statement_timeout",
            "-1",
            "22023 -1ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
        ),
        ("extra_float_digits", "3", "3"),
        (
            "extra_float_digits",
            "4",
            "22023 4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
        ),
        ("jit", "TRUE", "on"),
        (
            "jit",
            "maybe",
            "22023 parameter \"jit\" requires a Boolean value",
        ),
        ("client_encoding", "'utf-8'", "UTF8"),
        ("client_encoding", "utf-8", "UTF8"),
        (
            "client_encoding",
            "LATIN1",
            "0A000 conversion between LATIN1 and UTF8 is not supported",
        ),
        ("datestyle", "iso, dmy", "ISO, DMY"),
        (
            "datestyle",
            "German",
            "0A000 DateStyle german is not supported",
        ),
        (
            "datestyle",
            "foo",
            "22023 invalid value for parameter \"DateStyle\": \"foo\"",
        ),
        ("timezone", "utc", "UTC"),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("timezone", "+2", "+02:00"),
        ("timezone", "-05:30", "-05:30"),
        ("timezone", "5.5", "+05:30"),
        (
            "timezone",
            "drop table",
            "22023 invalid value for parameter \"TimeZone\": \"drop table\"",
        ),
        ("standard_conforming_strings", "1", "on"),
        (
            "standard_conforming_strings",
            "off",
            "0A000 standard_conforming_strings = off is not supported",
        ),
        ("work_mem", "65536", "64MB"),
        ("work_mem", "1GB", "1GB"),
        (
            "work_mem",
            "1",
            "22023 invalid value for parameter \"work_mem\": \"1\"",
        ),
        ("client_min_messages", "WARNING", "warning"),
        (
            "client_min_messages",
            "warnin",
            "22023 invalid value for parameter \"client_min_messages\": \"warnin\"",
        ),
        ("search_path", "a, \"B c\", public", "a, \"B c\", public"),
        (
            "search_path",
            "\"a",
            "22023 invalid value for parameter \"search_path\": \"\"a\"",
        ),
        (
            "server_version",
            "16",
            "55P02 parameter \"server_version\" cannot be changed",
        ),
        (
            "statement_timeot",
            "1",
            "42704 unrecognized configuration parameter \"statement_timeot\"",
        ),
        ("myapp.user", "42", "42"),
        (
            "batch_size",
            "0",
            "22023 0 is outside the valid range for parameter \"batch_size\" (1 .. 1048576)",
        ),
        ("transaction_writes", "error", "error"),
    ] {
        assert_eq!(
            set(&mut Vars::new(), name, given),
            shown,
            "{name} = {given}"
        );
    }
}

#[test]
fn hints_and_defaults() {
    let error = Vars::new().show("statement_timeot").unwrap_err();
    assert_eq!(
        error.hint.as_deref(),
        Some("Did you mean \"statement_timeout\"?")
    );
    for def in VARS {
        let fresh = Vars::new();
        assert_eq!(fresh.get(def.name).unwrap(), def.default, "{}", def.name);
        assert!(!def.doc.is_empty(), "{}", def.name);
        if !def.read_only {
            let shown = set(&mut Vars::new(), def.name, def.default);
            assert_eq!(
                shown, def.default,
                "the default of {} is its own canonical text",
                def.name
            );
        }
    }
}

#[test]
fn blocks() {
    let mut vars = Vars::new();
    let timeout = |v: &Vars| v.statement_timeout().map(|d| d.as_millis());
    vars.set("statement_timeout", &["1s".into()], true).unwrap();
    assert_eq!(
        timeout(&vars),
        None,
        "SET LOCAL outside a block does nothing"
    );
    vars.set("statement_timeout", &["1s".into()], false)
        .unwrap();
    vars.begin();
    vars.set("statement_timeout", &["2s".into()], true).unwrap();
    assert_eq!(timeout(&vars), Some(2000));
    vars.commit();
    assert_eq!(timeout(&vars), Some(1000));
    vars.begin();
    vars.set("statement_timeout", &["3s".into()], false)
        .unwrap();
    vars.rollback();
    assert_eq!(
        timeout(&vars),
        Some(1000),
        "a failed block takes its SET back"
    );
    vars.begin();
    vars.set("statement_timeout", &["4s".into()], false)
        .unwrap();
    vars.commit();
    assert_eq!(timeout(&vars), Some(4000));
    vars.reset("statement_timeout").unwrap();
    assert_eq!(timeout(&vars), None);
}

#[test]
fn start_up_and_reports() {
    let mut vars = Vars::new();
    vars.fix("session_authorization", "ann");
    vars.start("TimeZone", "Europe/Berlin").unwrap();
    assert!(vars.start("nonsense", "1").is_err());
    let first = vars.take_reported_changes();
    assert_eq!(first.len(), VARS.iter().filter(|d| d.reported).count());
    assert!(first.contains(&("session_authorization".into(), "ann".into())));
    assert!(first.contains(&("TimeZone".into(), "Europe/Berlin".into())));
    assert!(vars.take_reported_changes().is_empty());
    vars.set("timezone", &["UTC".into()], false).unwrap();
    vars.set("work_mem", &["8MB".into()], false).unwrap();
    assert_eq!(
        vars.take_reported_changes(),
        vec![("TimeZone".to_owned(), "UTC".to_owned())]
    );
    vars.reset_all();
    assert_eq!(vars.time_zone(), "Europe/Berlin");
    assert_eq!(vars.take_reported_changes().len(), 1);
}

#[test]
fn search_path_replaces_the_user() {
    let mut vars = Vars::new();
    assert_eq!(vars.search_path("ann"), ["ann", "public"]);
    vars.set("search_path", &["Sales".into(), "public".into()], false)
        .unwrap();
    assert_eq!(vars.search_path("ann"), ["Sales", "public"]);
    assert_eq!(vars.get("search_path").unwrap(), "\"Sales\", public");
    vars.set("search_path", &["".into()], false).unwrap();
    assert!(vars.search_path("ann").is_empty());
}
