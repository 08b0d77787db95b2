//! Every class of error with its SQLSTATE, position, text and hint.

use crate::parse;

/// `SQLSTATE position message | hint`
fn refused(sql: &str) -> String {
    match parse(sql) {
        Ok(parsed) => panic!("{sql}: parsed to {parsed:?}"),
        Err(e) => {
            let position = e.position.map_or("-".to_owned(), |p| p.to_string());
            let hint = e.hint.map_or(String::new(), |h| format!(" | {h}"));
            format!("{} {position} {}{hint}", e.state.0, e.message)
        }
    }
}

#[test]
fn syntax_errors() {
    for (sql, shown) in [
        (
            "selct 1",
            "42601 1 syntax error at or near \"selct\" | Did you mean \"SELECT\"?",
        ),
        ("xyzzy", "42601 1 syntax error at or near \"xyzzy\""),
        (
            "select a, from t",
            "42601 11 syntax error at or near \"from\"",
        ),
        (
            "select 1; selec 2",
            "42601 11 syntax error at or near \"selec\" | Did you mean \"SELECT\"?",
        ),
        (
            "select a from t wher x = 1",
            "42601 22 syntax error at or near \"x\"",
        ),
        (
            "select a\n  from t where",
            "42601 24 syntax error at end of input",
        ),
        (
            "select 'ab",
            "42601 8 unterminated quoted string at or near \"'ab\"",
        ),
        (
            "select \"ab",
            "42601 8 unterminated quoted identifier at or near \"\"ab\"",
        ),
        ("select (1", "42601 10 syntax error at end of input"),
        (
            "create tabel t (a int)",
            "42601 8 syntax error at or near \"tabel\" | Did you mean \"TABLE\"?",
        ),
        (
            "create table t (a int,)",
            "42601 23 syntax error at or near \")\"",
        ),
        (
            "create table t (a int, a text)",
            "42701 24 column \"a\" specified more than once",
        ),
        (
            "create table t (a itn)",
            "42704 19 type \"itn\" does not exist | Did you mean \"int\"?",
        ),
        (
            "create table t (a numeric(50,2))",
            "0A000 19 numeric precision 50 is not supported | Up to 38 digits are kept.",
        ),
        (
            "create table select (a int)",
            "42601 14 syntax error at or near \"select\"",
        ),
        (
            "create table a.b.c.d (a int)",
            "42601 14 improper qualified name (too many dotted names): a.b.c.d",
        ),
        (
            "create table other.b.c (a int)",
            "0A000 14 cross-database references are not implemented: other.b.c",
        ),
        (
            "alter model m set defalt version 1",
            "42601 19 syntax error at or near \"defalt\" | Did you mean \"DEFAULT\"?",
        ),
        (
            "create model m options (a = 1, A = 2) as select 1",
            "42601 32 option \"a\" is given twice",
        ),
        (
            "create model m options (a = ) as select 1",
            "42601 29 syntax error at or near \")\"",
        ),
        (
            "create source s (a int) with (connector = 'kafka') format plain encode jsn",
            "42601 72 syntax error at or near \"jsn\" | Did you mean \"JSON\"?",
        ),
        (
            "create external table e stored as parket location 'x'",
            "22023 35 unrecognized format \"parket\" | Did you mean \"parquet\"?",
        ),
        (
            "create external table e stored as parquet",
            "42601 42 CREATE EXTERNAL TABLE needs LOCATION",
        ),
        (
            "update t set a = 1, a = 2",
            "42601 21 multiple assignments to same column \"a\"",
        ),
        (
            "select predict(m using (a + 1)) from t",
            "42601 25 a feature expression in USING needs a name | Write expression AS feature.",
        ),
        (
            "select '{1,2'::int[]",
            "22P02 8 malformed array literal: \"{1,2\"",
        ),
        ("close c", "34000 7 cursor \"c\" does not exist"),
        (
            "explain begin",
            "42601 9 EXPLAIN takes a query, INSERT, UPDATE, DELETE or CREATE TABLE AS",
        ),
        (
            "set statement_timeout",
            "42601 22 syntax error at end of input",
        ),
    ] {
        assert_eq!(refused(sql), shown, "{sql}");
    }
    let deep = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(refused(&deep).starts_with("54001"), "{}", refused(&deep));
}

#[test]
fn features_we_lack_say_what_to_do() {
    for sql in [
        "copy t from stdin",
        "grant select on t to bob",
        "revoke all on t from bob",
        "create role bob",
        "create user bob",
        "drop role bob",
        "update t set a = u.a from u",
        "update t set (a, b) = (1, 2)",
        "merge into t using u on true when matched then delete",
        "insert into t select 1 returning a",
        "update t set a = 1 returning *",
        "delete from t returning *",
        "delete from t using u",
        "insert into t values (1) on conflict do nothing",
        "create index on t (a)",
        "create unique index i on t (a)",
        "drop index i",
        "prepare p as select 1",
        "execute p",
        "declare c cursor for select 1",
        "fetch 1 from c",
        "listen x",
        "notify x",
        "create materialized view v as select 1",
        "create sink s from t",
        "create table t (a int primary key)",
        "create table t (a int, primary key (a))",
        "create table t (a int unique)",
        "create table t (a int references u (a))",
        "create table t (a int, foreign key (a) references u (a))",
        "create temp table t (a int)",
        "create table t (a serial)",
        "select a from t for update",
        "select 1 into t",
        "vacuum",
        "analyze t",
        "comment on table t is 'x'",
        "lock table t",
        "create function f() returns int language sql as 'select 1'",
        "create extension postgis",
        "create database d",
        "alter table t drop column a",
        "alter table t rename column a to b",
        "set role bob",
        "select a collate \"de_DE\" from t",
        "create source s (a int) with (a = 1) format upsert encode json",
        "create external table t stored as iceberg location 'x'",
        "do $$ begin end $$",
        "describe t",
        "create type t as (a int)",
        "subscribe to t",
        "alter view v rename to w",
        "create table t (a int) partition by range (a)",
        "train model m with (a = 1)",
    ] {
        let shown = refused(sql);
        assert!(shown.starts_with("0A000"), "{sql}: {shown}");
    }
    assert_eq!(
        refused("select 1;\ncopy t from stdin"),
        "0A000 11 COPY is not supported | Use INSERT … SELECT, or CREATE EXTERNAL TABLE over the file."
    );
}
