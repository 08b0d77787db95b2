//! Tests of the dialect as data: what statements become, and every class of error with its position.

#![allow(clippy::unwrap_used, clippy::too_many_lines)]

mod queries;
mod refusals;

use super::*;
use crate::statement::*;
use crate::types::SqlType;

fn one(sql: &str) -> Statement {
    match parse(sql) {
        Ok(mut all) if all.len() == 1 => all.remove(0).statement,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn scripts_split_with_positions() {
    let parsed = parse("select 1;;\n -- c; d\n select 'ä;' ,\n  2; ").unwrap();
    let texts: Vec<&str> = parsed.iter().map(|p| p.text.as_str()).collect();
    assert_eq!(texts, ["select 1", "select 'ä;' ,\n  2"]);
    assert_eq!(parsed[0].offset, 0);
    assert_eq!(parsed[1].offset, 21);
    assert_eq!(parsed[1].position(3, 2), 22);
    assert_eq!(parsed[1].position(3, 9), 29);
    assert_eq!(parsed[1].position(4, 3), 38);
    assert_eq!(parsed[1].position(0, 0), 0);
    assert!(parse("  ; -- nothing\n /* at all */ ;").unwrap().is_empty());
}

#[test]
fn tables() {
    let sql = "create table if not exists s.t (id bigint not null, \"Name\" varchar(20) default 'x' check (\"Name\" <> ''), \
               tags text[], place struct<lat float8, inner_ struct<a int>>, m map<text, int>, \
               n numeric(10,2), ts timestamp(3) with time zone, check (id > 0), constraint pos check (n > 0))";
    let Statement::CreateTable(t) = one(sql) else {
        panic!()
    };
    assert!(t.if_not_exists && !t.or_replace);
    assert_eq!(t.name.to_string(), "s.t");
    let shown: Vec<String> = t.columns.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "id bigint NOT NULL",
            "\"Name\" character varying(20) DEFAULT 'x'",
            "tags text[]",
            "place struct<\"lat\" double precision, \"inner_\" struct<\"a\" integer>>",
            "m map<text, integer>",
            "n numeric(10,2)",
            "ts timestamp with time zone",
        ]
    );
    let checks: Vec<&str> = t.checks.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(checks, ["t_Name_check", "t_check", "pos"]);
    let Statement::CreateTable(t) = one("create table t (a, b) as select 1, 2") else {
        panic!()
    };
    assert_eq!(t.query_columns, ["a", "b"]);
    assert!(t.query.is_some());
    let Statement::CreateTable(t) = one("create table t as table u with data") else {
        panic!()
    };
    assert!(t.query.is_some());
    let Statement::CreateExternalTable(t) = one(
        "create external table e (id bigint) stored as parquet partitioned by (day date) location 's3://b/x/' options (a.b 'c')",
    ) else {
        panic!()
    };
    assert_eq!(t.partitioned_by, ["day"]);
    assert_eq!(t.columns.len(), 2);
    assert_eq!(
        t.to_string(),
        "CREATE EXTERNAL TABLE e (\n  id bigint,\n  day date\n)\nSTORED AS PARQUET\nPARTITIONED BY (day)\nLOCATION 's3://b/x/'\nOPTIONS (a.b = 'c')"
    );
    let Statement::CreateExternalTable(again) = one(&t.to_string()) else {
        panic!()
    };
    assert_eq!(again.to_string(), t.to_string());
}

#[test]
fn sources_print_as_they_parse() {
    let sql = "create streaming table if not exists clicks (id bigint not null, at timestamptz, tags text[]) \
        include key, partition include timestamp as at_kafka include header 'x-id' as x \
        with (connector = 'kafka', topic = 't', properties.bootstrap.server = 'h:9092', \
              properties.sasl.password = secret pw, scan.startup.mode = 'earliest') \
        format plain encode json (timestamptz.handling.mode = 'milli')";
    let Statement::CreateSource(source) = one(sql) else {
        panic!()
    };
    assert_eq!(source.include.len(), 4);
    assert_eq!(source.with.entries.len(), 5);
    assert_eq!(
        (source.format.as_str(), source.encode.as_str()),
        ("PLAIN", "JSON")
    );
    assert!(source.text.contains("properties.sasl.password = SECRET pw"));
    let Statement::CreateSource(again) = one(&source.text) else {
        panic!()
    };
    assert_eq!(again.text, source.text);
}

#[test]
fn models_and_secrets() {
    let sql = "create or replace model ml1.churn options (label = 'churned', LEARNING_RATE = hparam_range(0.01, 0.3), \
        metric = ['auc', 'binary_logloss'], class_weights = {'yes': 5.0, 'no': 1}, seed = -1, auto = true, x = 1e-3) \
        as select a, churned from t where a > 1 ;";
    let Statement::CreateModel(model) = one(sql) else {
        panic!()
    };
    assert!(model.or_replace);
    let ModelOrigin::Query { text, .. } = &model.origin else {
        panic!()
    };
    assert_eq!(text, "select a, churned from t where a > 1");
    let shown = model.options.to_string();
    assert_eq!(
        shown,
        "label = 'churned', learning_rate = hparam_range(0.01, 0.3), metric = ['auc', 'binary_logloss'], \
         class_weights = {'yes': 5.0, 'no': 1}, seed = -1, auto = true, x = 1e-3"
    );
    assert_eq!(crate::parse_options(&shown).unwrap().to_string(), shown);
    assert_eq!(crate::parse_options("").unwrap().to_string(), "");
    let Statement::CreateModel(model) = one(
        "create model f from 's3://m/f.txt' input (a double precision, b text) options (labels = ['x'])",
    ) else {
        panic!()
    };
    assert_eq!(
        model.to_string(),
        "CREATE MODEL f\nFROM 's3://m/f.txt'\nINPUT (a double precision, b text)\nOPTIONS (labels = ['x'])"
    );
    let Statement::CreateSecret(secret) =
        one("create secret s (TYPE s3, KEY_ID 'k', SECRET 'v', SCOPE 's3://b/p')")
    else {
        panic!()
    };
    assert_eq!(secret.options.entries.len(), 4);
    assert!(!format!("{secret:?}").contains("'v'"));
    let Statement::CreateSecret(secret) =
        one("create secret if not exists s with (backend = 'meta') as 'top'")
    else {
        panic!()
    };
    assert_eq!(secret.value.as_deref(), Some("top"));
    assert!(matches!(
        one("alter secret s as 'new'"),
        Statement::AlterSecret(_)
    ));
    for (sql, action) in [
        (
            "alter model m set default version 3",
            AlterModelAction::SetDefaultVersion(3),
        ),
        ("alter model m rollback", AlterModelAction::Rollback),
        (
            "alter model m set alias champion = version 2",
            AlterModelAction::SetAlias {
                alias: "champion".into(),
                version: 2,
            },
        ),
        (
            "alter model m drop alias champion",
            AlterModelAction::DropAlias("champion".into()),
        ),
        (
            "alter model m drop version 1",
            AlterModelAction::DropVersion(1),
        ),
        (
            "alter model m rename to n",
            AlterModelAction::Rename("n".into()),
        ),
    ] {
        let Statement::AlterModel(alter) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(alter.action, action, "{sql}");
    }
    let Statement::ExportModel(export) =
        one("export model m version 3 to 's3://x/' (format lightgbm)")
    else {
        panic!()
    };
    assert_eq!((export.version, export.url.as_str()), (Some(3), "s3://x/"));
    assert_eq!(export.format.as_deref(), Some("lightgbm"));
}

#[test]
fn short_statements() {
    let name = |n: &str| Name {
        schema: None,
        name: n.into(),
    };
    for (sql, statement) in [
        ("show all", Statement::Show(None)),
        ("show time zone", Statement::Show(Some("timezone".into()))),
        (
            "show transaction isolation level",
            Statement::Show(Some("transaction_isolation".into())),
        ),
        (
            "show models like 'a%'",
            Statement::ShowModels(Some("a%".into())),
        ),
        ("describe model M", Statement::DescribeModel(name("m"))),
        (
            "show create streaming table s",
            Statement::ShowCreate(ObjectKind::Source, name("s")),
        ),
        ("reset all", Statement::Reset(None)),
        (
            "reset session authorization",
            Statement::Reset(Some("session_authorization".into())),
        ),
        ("discard all", Statement::Discard(Discard::All)),
        ("close all", Statement::Discard(Discard::CloseAll)),
        ("deallocate all", Statement::Discard(Discard::DeallocateAll)),
        (
            "deallocate \"_pg3_0\"",
            Statement::Deallocate("_pg3_0".into()),
        ),
        ("unlisten *", Statement::Discard(Discard::Unlisten)),
        (
            "begin",
            Statement::Transaction(Transaction::Begin { read_only: false }),
        ),
        (
            "start transaction isolation level repeatable read, read only",
            Statement::Transaction(Transaction::Begin { read_only: true }),
        ),
        (
            "end",
            Statement::Transaction(Transaction::Commit { chain: false }),
        ),
        (
            "rollback and chain",
            Statement::Transaction(Transaction::Rollback { chain: true }),
        ),
        (
            "rollback to savepoint a",
            Statement::Transaction(Transaction::RollbackTo("a".into())),
        ),
        (
            "release a",
            Statement::Transaction(Transaction::Release("a".into())),
        ),
        (
            "truncate table a, b restart identity cascade",
            Statement::Truncate(vec![name("a"), name("b")]),
        ),
        (
            "train model m",
            Statement::TrainModel(TrainModel { name: name("m") }),
        ),
        (
            "create schema if not exists s",
            Statement::CreateSchema(CreateSchema {
                name: "s".into(),
                if_not_exists: true,
            }),
        ),
        (
            "drop streaming table if exists a, s.b cascade",
            Statement::Drop(Drop {
                kind: ObjectKind::Source,
                if_exists: true,
                cascade: true,
                names: vec![
                    name("a"),
                    Name {
                        schema: Some("s".into()),
                        name: "b".into(),
                    },
                ],
            }),
        ),
        (
            "insert into t default values",
            Statement::Insert(Insert {
                table: name("t"),
                columns: vec![],
                query: None,
            }),
        ),
    ] {
        assert_eq!(one(sql), statement, "{sql}");
    }
    for (sql, name, values, local) in [
        (
            "set search_path to a, \"B\"",
            "search_path",
            vec!["a", "B"],
            false,
        ),
        (
            "set local statement_timeout = '5s'",
            "statement_timeout",
            vec!["5s"],
            true,
        ),
        (
            "set session extra_float_digits = -1",
            "extra_float_digits",
            vec!["-1"],
            false,
        ),
        (
            "set time zone 'Europe/Berlin'",
            "timezone",
            vec!["Europe/Berlin"],
            false,
        ),
        ("set time zone local", "timezone", vec![], false),
        (
            "set time zone interval '+02:00' hour to minute",
            "timezone",
            vec!["+02:00"],
            false,
        ),
        ("set names 'utf8'", "client_encoding", vec!["utf8"], false),
        ("set x.y = on", "x.y", vec!["on"], false),
        ("set datestyle to default", "datestyle", vec![], false),
        (
            "set transaction read only",
            "transaction_read_only",
            vec!["on"],
            true,
        ),
        (
            "set session characteristics as transaction isolation level serializable",
            "default_transaction_isolation",
            vec!["serializable"],
            false,
        ),
    ] {
        let Statement::Set(set) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!((set.name.as_str(), set.local), (name, local), "{sql}");
        assert_eq!(set.values, values, "{sql}");
    }
}

#[test]
fn changes() {
    let Statement::Insert(insert) = one("insert into s.t (a, \"B\") select 1, 2") else {
        panic!()
    };
    assert_eq!(insert.columns, ["a", "B"]);
    assert!(
        matches!(one("insert into t (select 1)"), Statement::Insert(Insert { columns, .. }) if columns.is_empty())
    );
    assert!(matches!(
        one("insert into t values (1, default)"),
        Statement::Insert(_)
    ));
    let Statement::Update(update) =
        one("update t as x set a = a + 1, b = default where id in (select 1)")
    else {
        panic!()
    };
    assert_eq!(update.alias.as_deref(), Some("x"));
    assert_eq!(update.assignments.len(), 2);
    assert!(update.assignments[1].1.is_none() && update.selection.is_some());
    let Statement::Delete(delete) = one("delete from t x where x.a = 1") else {
        panic!()
    };
    assert_eq!(delete.alias.as_deref(), Some("x"));
    let Statement::AlterTable(alter) =
        one("alter table t add column if not exists c int default 1")
    else {
        panic!()
    };
    assert!(matches!(
        alter.action,
        AlterTableAction::AddColumn {
            if_not_exists: true,
            ..
        }
    ));
    let Statement::Explain(explain) = one("explain (analyze, verbose false, format json) select 1")
    else {
        panic!()
    };
    assert!(explain.analyze && !explain.verbose && explain.json);
    assert!(
        matches!(one("explain analyze insert into t select 1"), Statement::Explain(e) if e.analyze)
    );
    assert!(matches!(one("explain (select 1)"), Statement::Explain(_)));
    let Statement::CreateView(view) = one("create or replace view v (a) as  select 1 -- end")
    else {
        panic!()
    };
    assert_eq!(view.text, "select 1");
}

#[test]
fn types_round_trip() {
    for (written, shown) in [
        ("int", "integer"),
        ("INT8", "bigint"),
        ("float", "double precision"),
        ("float(24)", "real"),
        ("decimal(8)", "numeric(8,0)"),
        ("varchar", "character varying"),
        ("char(3)", "character(3)"),
        ("timestamp", "timestamp without time zone"),
        ("timestamptz", "timestamp with time zone"),
        ("time", "time without time zone"),
        ("text[][]", "text[][]"),
        ("uuid", "uuid"),
        ("jsonb", "jsonb"),
        ("name", "name"),
        ("oid", "oid"),
        ("pg_catalog.int4", "integer"),
        ("bytea", "bytea"),
        (
            "struct<a int, \"B c\" text[]>",
            "struct<\"a\" integer, \"B c\" text[]>",
        ),
        ("struct(a int)", "struct<\"a\" integer>"),
        (
            "map<text, struct<a map<int, text>>>",
            "map<text, struct<\"a\" map<integer, text>>>",
        ),
        ("array<int>", "integer[]"),
        ("interval", "interval"),
        ("real", "real"),
        ("bool", "boolean"),
        (
            "struct<a timestamp without time zone>[]",
            "struct<\"a\" timestamp without time zone>[]",
        ),
    ] {
        let ty = crate::parse_type(written).unwrap_or_else(|e| panic!("{written}: {e}"));
        assert_eq!(ty.to_string(), shown, "{written}");
        assert_eq!(crate::parse_type(shown).unwrap(), ty, "{shown}");
    }
    assert_eq!(
        crate::parse_type("varchar(0)").unwrap_err().state.0,
        "22023"
    );
    assert_eq!(crate::parse_type("int int").unwrap_err().state.0, "42601");
    assert!(matches!(crate::parse_type("struct<a int, a int>"), Err(e) if e.state.0 == "42701"));
    assert_eq!(
        crate::parse_type("numeric(10,2)").unwrap(),
        SqlType::Numeric(Some((10, 2)))
    );
}

#[test]
fn names_and_literals_quote() {
    for (name, quoted) in [
        ("a_1", "a_1"),
        ("A", "\"A\""),
        ("select", "\"select\""),
        ("a\"b", "\"a\"\"b\""),
        ("1a", "\"1a\""),
        ("ä", "\"ä\""),
    ] {
        assert_eq!(crate::quote_ident(name), quoted);
    }
    assert_eq!(crate::quote_literal("it's"), "'it''s'");
    assert_eq!(crate::quote_literal("a\\b"), "E'a\\\\b'");
    let parsed = crate::parse_options(&format!("k = {}", crate::quote_literal("a\\n'b"))).unwrap();
    assert_eq!(parsed.entries[0].value.as_text().as_deref(), Some("a\\n'b"));
}
