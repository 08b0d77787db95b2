//! Queries as they come out of the rewrites.

use super::one;
use crate::Statement;

#[test]
fn queries_parse_and_print() {
    for (sql, shown) in [
        ("select 1", "SELECT 1"),
        ("select 1, 2", "SELECT 1, 2"),
        (
            "select a, count(*) from t group by a",
            "SELECT a, count(*) FROM t GROUP BY a",
        ),
        ("select *, lower(a) from t", "SELECT *, lower(a) FROM t"),
        (
            "select lower(a), lower(b) from t",
            "SELECT lower(a), lower(b) FROM t",
        ),
        ("select a::text from t", "SELECT a::TEXT FROM t"),
        ("select '1'::int", "SELECT '1'::INT"),
        (
            "select count from (select count(*) from t) x",
            "SELECT count FROM (SELECT count(*) FROM t) x",
        ),
        ("table t", "SELECT * FROM t"),
        (
            "select * from (table t) x",
            "SELECT * FROM (SELECT * FROM t) x",
        ),
        ("select current_schema", "SELECT current_schema()"),
        (
            "select current_user, user",
            "SELECT current_user(), current_user()",
        ),
        ("select \"user\" from t", "SELECT \"user\" FROM t"),
        ("select pg_catalog.version()", "SELECT version()"),
        (
            "select a operator(pg_catalog.~) '^(x)$' collate pg_catalog.default as b from t",
            "SELECT a ~ '^(x)$' AS b FROM t",
        ),
        (
            "select '{1,2,NULL}'::int[] as a",
            "SELECT ARRAY['1', '2', NULL]::INT[] AS a",
        ),
        (
            "select '{\"a,b\",\"c\\\"d\"}'::text[] as a",
            "SELECT ARRAY['a,b', 'c\"d']::TEXT[] AS a",
        ),
        ("select '{}'::name[] as a", "SELECT ARRAY[]::name[] AS a"),
        (
            "select '{{1,2},{3,4}}'::int[] as a",
            "SELECT ARRAY[ARRAY['1', '2'], ARRAY['3', '4']]::INT[] AS a",
        ),
        (
            "select x = any('{a,b}') as a from t",
            "SELECT x = ANY(ARRAY['a', 'b']) AS a FROM t",
        ),
        (
            "select (current_schemas(true))[1] as a",
            "SELECT (current_schemas(true))[1] AS a",
        ),
        (
            "select model, path, point from model m",
            "SELECT model, path, point FROM model m",
        ),
        (
            "with a as (select 1 as x) select x from a",
            "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
        ),
        ("values (1, 'a')", "VALUES (1, 'a')"),
        (
            "(select a from t) union all select b from u",
            "(SELECT a FROM t) UNION ALL SELECT b FROM u",
        ),
        (
            "select a from t where b = $1 limit $2",
            "SELECT a FROM t WHERE b = $1 LIMIT $2",
        ),
        (
            "select doc->>'a' as a from t",
            "SELECT doc ->> 'a' AS a FROM t",
        ),
    ] {
        let Statement::Query(query) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(query.to_string(), shown, "{sql}");
    }
}

#[test]
fn predictions_take_their_parseable_form() {
    for (sql, shown) in [
        ("select predict(m using *) from t", "predict(m, *)"),
        (
            "select predict(s.m using (a, t.b as c)) from t",
            "predict(s.m, a => a, c => t.b)",
        ),
        (
            "select predict(m using a, abs(b) as b) from t",
            "predict(m, a => a, b => abs(b))",
        ),
        ("select predict(m using t.*) from t", "predict(m, t.*)"),
        (
            "select predict_proba(m using (a, b), class => 'yes') from t",
            "predict_proba(m, a => a, b => b, class => 'yes')",
        ),
        (
            "select predict_proba(m using *, class => 'yes') from t",
            "predict_proba(m, *, class => 'yes')",
        ),
        (
            "select predict('m@champion', a, b) from t",
            "predict('m@champion', a, b)",
        ),
        (
            "select predict(m, a => 1, \"B\" => t.\"B\") from t",
            "predict(m, a => 1, \"B\" => t.\"B\")",
        ),
        ("select predict_raw(model m, a) from t", "predict_raw(m, a)"),
        (
            "select predict(m using (predict(n using *) as a)) from t",
            "predict(m, a => predict(n, *))",
        ),
    ] {
        let Statement::Query(query) = one(sql) else {
            panic!("{sql}")
        };
        let printed = query.to_string();
        assert!(printed.contains(shown), "{sql}: {printed}");
    }
    for (sql, shown) in [
        (
            "select * from ml.predict(model m, table t)",
            "SELECT * FROM ml.predict(m, (SELECT * FROM t))",
        ),
        (
            "select * from ml.predict(model s.m, table s.t) p",
            "SELECT * FROM ml.predict(s.m, (SELECT * FROM s.t)) p",
        ),
        (
            "select * from ml.predict('m@2', (select 1 as a), threshold => 0.3)",
            "SELECT * FROM ml.predict('m@2', (SELECT 1 AS a), threshold => 0.3)",
        ),
        (
            "select * from ml.evaluate(model m)",
            "SELECT * FROM ml.evaluate(m)",
        ),
        (
            "select * from ml.evaluate(model m, (select * from t))",
            "SELECT * FROM ml.evaluate(m, (SELECT * FROM t))",
        ),
        ("select * from ml.models", "SELECT * FROM ml.models"),
    ] {
        let Statement::Query(query) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(query.to_string(), shown, "{sql}");
    }
}
