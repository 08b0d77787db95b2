//! Statements of PostgreSQL's that we know and do not take: 0A000, with what to do instead.

use crate::error::SqlError;
use crate::sqlstate::SqlState;

/// First word, what it is, what to do.
const LEADING: &[(&str, &str, &str)] = &[
    (
        "copy",
        "COPY",
        "Use INSERT … SELECT, or CREATE EXTERNAL TABLE over the file.",
    ),
    (
        "grant",
        "GRANT",
        "There are no roles yet: every user may do everything.",
    ),
    (
        "revoke",
        "REVOKE",
        "There are no roles yet: every user may do everything.",
    ),
    ("reassign", "REASSIGN OWNED", "There are no roles yet."),
    (
        "merge",
        "MERGE",
        "Use UPDATE, DELETE and INSERT with subqueries.",
    ),
    (
        "prepare",
        "PREPARE",
        "Prepare statements through the extended protocol, as drivers do.",
    ),
    (
        "execute",
        "EXECUTE",
        "Prepare statements through the extended protocol, as drivers do.",
    ),
    (
        "declare",
        "DECLARE CURSOR",
        "Fetch in portions through the protocol, as drivers do with a fetch size.",
    ),
    (
        "fetch",
        "FETCH",
        "Fetch in portions through the protocol, as drivers do with a fetch size.",
    ),
    (
        "move",
        "MOVE",
        "Fetch in portions through the protocol, as drivers do with a fetch size.",
    ),
    (
        "listen",
        "LISTEN",
        "There are no notifications: read the source again.",
    ),
    (
        "notify",
        "NOTIFY",
        "There are no notifications: insert into a source instead.",
    ),
    (
        "subscribe",
        "SUBSCRIBE",
        "Read the source again with a predicate on its offset.",
    ),
    (
        "validate",
        "VALIDATE MODEL",
        "Use SELECT * FROM ml.evaluate(MODEL m).",
    ),
    (
        "vacuum",
        "VACUUM",
        "Files that nothing needs go by themselves.",
    ),
    ("analyze", "ANALYZE", "Statistics are read from the files."),
    ("analyse", "ANALYZE", "Statistics are read from the files."),
    (
        "cluster",
        "CLUSTER",
        "Use CREATE TABLE … AS SELECT … ORDER BY.",
    ),
    ("reindex", "REINDEX", "There are no indexes."),
    ("refresh", "REFRESH", "Use CREATE TABLE … AS, or a view."),
    ("comment", "COMMENT", "Comments are not kept yet."),
    (
        "lock",
        "LOCK",
        "Statements are isolated by snapshots: no lock is needed.",
    ),
    ("call", "CALL", "There are no procedures."),
    ("do", "DO", "There are no procedures."),
    (
        "checkpoint",
        "CHECKPOINT",
        "Every statement is durable when it returns.",
    ),
    ("load", "LOAD", "There are no extensions."),
    ("import", "IMPORT", "Use CREATE EXTERNAL TABLE."),
    ("security", "SECURITY LABEL", "There are no roles yet."),
];

/// Kinds of objects that CREATE, ALTER and DROP of PostgreSQL know: first word, name, hint.
const OBJECTS: &[(&str, &str, &str)] = &[
    (
        "index",
        "INDEX",
        "Files carry statistics that scans use: no index is needed.",
    ),
    (
        "materialized",
        "MATERIALIZED VIEW",
        "Use CREATE VIEW, or CREATE TABLE … AS for a copy.",
    ),
    (
        "sink",
        "SINK",
        "Use INSERT INTO source SELECT … to produce to a topic.",
    ),
    (
        "role",
        "ROLE",
        "There are no roles yet: any user name may connect on loopback.",
    ),
    (
        "user",
        "USER",
        "There are no roles yet: any user name may connect on loopback.",
    ),
    ("group", "GROUP", "There are no roles yet."),
    (
        "function",
        "FUNCTION",
        "Functions cannot be defined in SQL.",
    ),
    (
        "aggregate",
        "AGGREGATE",
        "Functions cannot be defined in SQL.",
    ),
    ("procedure", "PROCEDURE", "There are no procedures."),
    ("trigger", "TRIGGER", "There are no triggers."),
    ("event", "EVENT TRIGGER", "There are no triggers."),
    ("rule", "RULE", "There are no rules."),
    ("policy", "POLICY", "There are no roles yet."),
    (
        "sequence",
        "SEQUENCE",
        "Give the values, or use row_number().",
    ),
    ("type", "TYPE", "Use STRUCT types in the column list."),
    ("domain", "DOMAIN", "Use a CHECK in CREATE TABLE."),
    ("extension", "EXTENSION", "There are no extensions."),
    (
        "database",
        "DATABASE",
        "There is one database, alcedo: use schemas.",
    ),
    (
        "tablespace",
        "TABLESPACE",
        "Data lies under the data directory.",
    ),
    ("unlogged", "UNLOGGED TABLE", "Use CREATE TABLE."),
    ("foreign", "FOREIGN TABLE", "Use CREATE EXTERNAL TABLE."),
    (
        "server",
        "SERVER",
        "Use CREATE EXTERNAL TABLE or CREATE SOURCE.",
    ),
    (
        "connection",
        "CONNECTION",
        "Give the options in CREATE SOURCE and keep secrets in CREATE SECRET.",
    ),
    (
        "publication",
        "PUBLICATION",
        "There is no logical replication.",
    ),
    (
        "subscription",
        "SUBSCRIPTION",
        "There is no logical replication.",
    ),
    (
        "collation",
        "COLLATION",
        "Text is ordered by bytes, as under \"C\".",
    ),
    ("cast", "CAST", "Casts cannot be defined in SQL."),
    (
        "operator",
        "OPERATOR",
        "Operators cannot be defined in SQL.",
    ),
    ("language", "LANGUAGE", "There are no procedures."),
    (
        "statistics",
        "STATISTICS",
        "Statistics are read from the files.",
    ),
    ("system", "SYSTEM", "Use the configuration file."),
    ("owned", "OWNED", "There are no roles yet."),
    ("view", "VIEW", "Use CREATE OR REPLACE VIEW."),
    ("schema", "SCHEMA", "Create a schema of the other name."),
    ("source", "SOURCE", "Use CREATE OR REPLACE SOURCE."),
    (
        "recursive",
        "RECURSIVE VIEW",
        "Use CREATE VIEW … AS WITH RECURSIVE.",
    ),
];

/// The refusal of a statement by its first word, if it is one we know.
pub(crate) fn leading(word: &str) -> Option<SqlError> {
    let (_, what, hint) = LEADING.iter().find(|(w, _, _)| *w == word)?;
    Some(unsupported(format!("{what} is not supported"), hint))
}

/// The refusal of `CREATE|ALTER|DROP <words>`, if they name a kind of object we know.
pub(crate) fn object(verb: &str, first: &str, second: &str) -> Option<SqlError> {
    // CREATE UNIQUE INDEX, CREATE CONSTRAINT TRIGGER, CREATE DEFAULT CONVERSION …
    let word = if matches!(first, "unique" | "constraint" | "global" | "local") {
        second
    } else {
        first
    };
    let (_, what, hint) = OBJECTS.iter().find(|(w, _, _)| *w == word)?;
    Some(unsupported(format!("{verb} {what} is not supported"), hint))
}

fn unsupported(text: String, hint: &str) -> SqlError {
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint(hint)
}
