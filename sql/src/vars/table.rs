//! The table of session variables. To add one, add a line: SET, SHOW, the docs and ParameterStatus follow.

use super::Kind;

/// One session variable.
#[derive(Debug, Clone, Copy)]
pub struct VarDef {
    /// As SHOW ALL spells it; found in any case.
    pub name: &'static str,
    /// Its value until it is set.
    pub default: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether clients are told of changes (ParameterStatus).
    pub reported: bool,
    /// Whether only the server sets it.
    pub read_only: bool,
    /// What it does.
    pub doc: &'static str,
}

const fn var(name: &'static str, default: &'static str, kind: Kind, doc: &'static str) -> VarDef {
    VarDef {
        name,
        default,
        kind,
        reported: false,
        read_only: false,
        doc,
    }
}

const fn reported(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    doc: &'static str,
) -> VarDef {
    VarDef {
        name,
        default,
        kind,
        reported: true,
        read_only: false,
        doc,
    }
}

const fn fact(name: &'static str, value: &'static str, doc: &'static str) -> VarDef {
    VarDef {
        name,
        default: value,
        kind: Kind::Text,
        reported: false,
        read_only: true,
        doc,
    }
}

const fn told(name: &'static str, value: &'static str, doc: &'static str) -> VarDef {
    VarDef {
        name,
        default: value,
        kind: Kind::Text,
        reported: true,
        read_only: true,
        doc,
    }
}

const LEVELS: &[&str] = &[
    "read committed",
    "read uncommitted",
    "repeatable read",
    "serializable",
];
const MESSAGES: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
];
const VERSION: &str = concat!("15.0 (Alcedo ", env!("CARGO_PKG_VERSION"), ")");

/// Every session variable.
pub const VARS: &[VarDef] = &[
    reported(
        "application_name",
        "",
        Kind::Text,
        "Name of the client, for pg_stat_activity.",
    ),
    var(
        "backslash_quote",
        "safe_encoding",
        Kind::OneOf(&["safe_encoding", "on", "off"]),
        "Accepted for clients: strings conform to the standard.",
    ),
    var(
        "batch_size",
        "8192",
        Kind::Integer(1, 1 << 20),
        "Rows per batch within a query.",
    ),
    fact(
        "block_size",
        "8192",
        "Size of a disk block, for clients that ask.",
    ),
    var(
        "bytea_output",
        "hex",
        Kind::OneOf(&["hex", "escape"]),
        "Text form of bytea.",
    ),
    var(
        "check_function_bodies",
        "on",
        Kind::Bool,
        "Accepted for clients: there are no functions in SQL.",
    ),
    reported(
        "client_encoding",
        "UTF8",
        Kind::Encoding,
        "Encoding of text on the wire: UTF8.",
    ),
    var(
        "client_min_messages",
        "notice",
        Kind::OneOf(MESSAGES),
        "Least severity of messages that are sent.",
    ),
    reported(
        "DateStyle",
        "ISO, MDY",
        Kind::DateStyle,
        "Text form of dates: ISO; order of fields in input.",
    ),
    reported(
        "default_transaction_read_only",
        "off",
        Kind::Bool,
        "Whether blocks begin read only.",
    ),
    var(
        "default_transaction_deferrable",
        "off",
        Kind::Bool,
        "Accepted for clients.",
    ),
    var(
        "default_transaction_isolation",
        "read committed",
        Kind::OneOf(LEVELS),
        "Accepted for clients: every statement reads one snapshot.",
    ),
    var(
        "default_table_access_method",
        "delta",
        Kind::Only(&["delta", "heap"]),
        "Accepted for clients: tables are Delta tables.",
    ),
    var(
        "default_tablespace",
        "",
        Kind::Text,
        "Accepted for clients: there are no tablespaces.",
    ),
    var(
        "default_with_oids",
        "off",
        Kind::Only(&["off"]),
        "Accepted for clients.",
    ),
    var(
        "enable_seqscan",
        "on",
        Kind::Bool,
        "Accepted for clients: the planner has other settings.",
    ),
    var(
        "escape_string_warning",
        "on",
        Kind::Bool,
        "Accepted for clients.",
    ),
    var(
        "extra_float_digits",
        "1",
        Kind::Integer(-15, 3),
        "Digits of floats in text: 1 and more are the shortest exact form.",
    ),
    var(
        "geqo",
        "on",
        Kind::Bool,
        "Accepted for clients: the planner has other settings.",
    ),
    var(
        "idle_in_transaction_session_timeout",
        "0",
        Kind::DurationMs,
        "Longest time a session may idle in a block; 0 is no limit.",
    ),
    var(
        "idle_session_timeout",
        "0",
        Kind::DurationMs,
        "Accepted for clients: idle sessions are kept.",
    ),
    told(
        "in_hot_standby",
        "off",
        "Whether the server is a standby: never.",
    ),
    told(
        "integer_datetimes",
        "on",
        "Whether timestamps are integers on the wire: yes.",
    ),
    reported(
        "IntervalStyle",
        "postgres",
        Kind::OneOf(&["postgres", "iso_8601", "postgres_verbose", "sql_standard"]),
        "Text form of intervals.",
    ),
    told("is_superuser", "on", "Whether the user may do everything."),
    var(
        "jit",
        "off",
        Kind::Bool,
        "Accepted for clients: queries are vectorised.",
    ),
    fact("lc_collate", "C", "Order of text: by bytes."),
    fact("lc_ctype", "C.UTF-8", "Classes of characters."),
    var(
        "lc_messages",
        "C",
        Kind::Text,
        "Accepted for clients: messages are in English.",
    ),
    var("lc_monetary", "C", Kind::Text, "Accepted for clients."),
    var("lc_numeric", "C", Kind::Text, "Accepted for clients."),
    var("lc_time", "C", Kind::Text, "Accepted for clients."),
    var(
        "lock_timeout",
        "0",
        Kind::DurationMs,
        "Accepted for clients: statements do not wait for locks.",
    ),
    var(
        "maintenance_work_mem",
        "64MB",
        Kind::MemoryKb,
        "Accepted for clients: memory is limited as a whole.",
    ),
    fact(
        "max_identifier_length",
        "63",
        "Longest name that PostgreSQL's clients expect.",
    ),
    fact(
        "max_index_keys",
        "32",
        "Longest key that PostgreSQL's clients expect.",
    ),
    var(
        "max_parallel_workers",
        "8",
        Kind::Integer(0, 1024),
        "Accepted for clients: see target_partitions.",
    ),
    var(
        "max_parallel_workers_per_gather",
        "2",
        Kind::Integer(0, 1024),
        "Accepted for clients: see target_partitions.",
    ),
    var(
        "password_encryption",
        "scram-sha-256",
        Kind::Only(&["scram-sha-256"]),
        "Accepted for clients.",
    ),
    var(
        "plan_cache_mode",
        "auto",
        Kind::OneOf(&["auto", "force_generic_plan", "force_custom_plan"]),
        "Accepted for clients.",
    ),
    var(
        "quote_all_identifiers",
        "off",
        Kind::Bool,
        "Accepted for clients.",
    ),
    var(
        "random_page_cost",
        "4",
        Kind::Number(0.0, 1e10),
        "Accepted for clients: the planner has other settings.",
    ),
    var(
        "row_security",
        "on",
        Kind::Bool,
        "Accepted for clients: there are no policies.",
    ),
    var(
        "search_path",
        "\"$user\", public",
        Kind::Names,
        "Schemas in which bare names are looked up, in this order.",
    ),
    told("server_encoding", "UTF8", "Encoding of stored text."),
    told(
        "server_version",
        VERSION,
        "Version of PostgreSQL whose clients are served, and our own.",
    ),
    fact("server_version_num", "150000", "The same as a number."),
    told("session_authorization", "alcedo", "User of the session."),
    reported(
        "standard_conforming_strings",
        "on",
        Kind::Only(&["on"]),
        "Backslashes in '…' are ordinary characters: always.",
    ),
    var(
        "statement_timeout",
        "0",
        Kind::DurationMs,
        "Longest time a statement may take; 0 is no limit.",
    ),
    var(
        "synchronous_commit",
        "on",
        Kind::OneOf(&["on", "off", "local", "remote_write", "remote_apply"]),
        "Accepted for clients: every statement is durable when it returns.",
    ),
    var(
        "synchronize_seqscans",
        "on",
        Kind::Bool,
        "Accepted for clients.",
    ),
    var(
        "target_partitions",
        "0",
        Kind::Integer(0, 1024),
        "Threads of a query; 0 is the number of processors.",
    ),
    var(
        "tcp_keepalives_idle",
        "0",
        Kind::Integer(0, 1 << 31),
        "Accepted for clients.",
    ),
    reported(
        "TimeZone",
        "UTC",
        Kind::Zone,
        "Zone in which timestamps with time zone are read and shown.",
    ),
    var(
        "transaction_deferrable",
        "off",
        Kind::Bool,
        "Accepted for clients.",
    ),
    var(
        "transaction_isolation",
        "read committed",
        Kind::OneOf(LEVELS),
        "Accepted for clients: every statement reads one snapshot.",
    ),
    var(
        "transaction_read_only",
        "off",
        Kind::Bool,
        "Whether this block refuses writes.",
    ),
    var(
        "transaction_writes",
        "warning",
        Kind::OneOf(&["warning", "error"]),
        "What a write in a block does, since it takes effect at once: a warning, or an error.",
    ),
    var(
        "work_mem",
        "4MB",
        Kind::MemoryKb,
        "Accepted for clients: memory is limited as a whole.",
    ),
    var(
        "xmloption",
        "content",
        Kind::OneOf(&["content", "document"]),
        "Accepted for clients: there is no xml.",
    ),
];
