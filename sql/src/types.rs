//! SQL types: their names, PostgreSQL oids and sizes in one table. The engine maps them to Arrow.

use std::fmt;

/// A type as declared in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SqlType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// Precision and scale; `None` is `numeric` without either.
    Numeric(Option<(u8, i8)>),
    Text,
    /// `varchar(n)`; `None` is unlimited.
    Varchar(Option<u32>),
    /// `char(n)`
    Char(u32),
    Bytea,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    Oid,
    Name,
    Array(Box<SqlType>),
    Struct(Vec<(String, SqlType)>),
    Map(Box<SqlType>, Box<SqlType>),
}

impl SqlType {
    /// PostgreSQL oid of the type and of its array type; structs and maps go over the wire as json.
    pub fn oids(&self) -> (u32, u32) {
        match self {
            SqlType::Bool => (16, 1000),
            SqlType::Bytea => (17, 1001),
            SqlType::Name => (19, 1003),
            SqlType::Int8 => (20, 1016),
            SqlType::Int2 => (21, 1005),
            SqlType::Int4 => (23, 1007),
            SqlType::Text => (25, 1009),
            SqlType::Oid => (26, 1028),
            SqlType::Json => (114, 199),
            SqlType::Float4 => (700, 1021),
            SqlType::Float8 => (701, 1022),
            SqlType::Char(_) => (1042, 1014),
            SqlType::Varchar(_) => (1043, 1015),
            SqlType::Date => (1082, 1182),
            SqlType::Time => (1083, 1183),
            SqlType::Timestamp => (1114, 1115),
            SqlType::Timestamptz => (1184, 1185),
            SqlType::Interval => (1186, 1187),
            SqlType::Numeric(_) => (1700, 1231),
            SqlType::Uuid => (2950, 2951),
            SqlType::Jsonb => (3802, 3807),
            SqlType::Struct(_) | SqlType::Map(..) => (114, 199),
            SqlType::Array(element) => match element.as_ref() {
                // Dimensions are no part of the type.
                SqlType::Array(_) => element.oids(),
                element => (element.oids().1, 0),
            },
        }
    }

    /// `typlen` of `pg_type`: bytes, or -1 for variable length.
    pub fn typlen(&self) -> i16 {
        match self {
            SqlType::Bool => 1,
            SqlType::Int2 => 2,
            SqlType::Int4 | SqlType::Float4 | SqlType::Date | SqlType::Oid => 4,
            SqlType::Int8
            | SqlType::Float8
            | SqlType::Time
            | SqlType::Timestamp
            | SqlType::Timestamptz => 8,
            SqlType::Interval | SqlType::Uuid => 16,
            SqlType::Name => 64,
            _ => -1,
        }
    }

    /// `atttypmod`: what Postgres keeps of `varchar(n)` and `numeric(p,s)`; -1 when nothing.
    pub fn typmod(&self) -> i32 {
        match self {
            SqlType::Varchar(Some(n)) | SqlType::Char(n) => *n as i32 + 4,
            SqlType::Numeric(Some((p, s))) => (((*p as i32) << 16) | (*s as i32 & 0x7ff)) + 4,
            _ => -1,
        }
    }

    /// The internal name (`pg_type.typname`): `int4`, `float8`, `_text` …
    pub fn typname(&self) -> String {
        match self {
            SqlType::Array(e) => format!("_{}", e.typname()),
            SqlType::Bool => "bool".into(),
            SqlType::Int2 => "int2".into(),
            SqlType::Int4 => "int4".into(),
            SqlType::Int8 => "int8".into(),
            SqlType::Float4 => "float4".into(),
            SqlType::Float8 => "float8".into(),
            SqlType::Numeric(_) => "numeric".into(),
            SqlType::Varchar(_) => "varchar".into(),
            SqlType::Char(_) => "bpchar".into(),
            SqlType::Time => "time".into(),
            SqlType::Timestamp => "timestamp".into(),
            SqlType::Timestamptz => "timestamptz".into(),
            SqlType::Struct(_) | SqlType::Map(..) => "json".into(),
            other => other.to_string(),
        }
    }
}

/// The name `format_type` shows: `integer`, `character varying(20)`, `text[]` …
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlType::Bool => f.write_str("boolean"),
            SqlType::Int2 => f.write_str("smallint"),
            SqlType::Int4 => f.write_str("integer"),
            SqlType::Int8 => f.write_str("bigint"),
            SqlType::Float4 => f.write_str("real"),
            SqlType::Float8 => f.write_str("double precision"),
            SqlType::Numeric(None) => f.write_str("numeric"),
            SqlType::Numeric(Some((p, s))) => write!(f, "numeric({p},{s})"),
            SqlType::Text => f.write_str("text"),
            SqlType::Varchar(None) => f.write_str("character varying"),
            SqlType::Varchar(Some(n)) => write!(f, "character varying({n})"),
            SqlType::Char(n) => write!(f, "character({n})"),
            SqlType::Bytea => f.write_str("bytea"),
            SqlType::Date => f.write_str("date"),
            SqlType::Time => f.write_str("time without time zone"),
            SqlType::Timestamp => f.write_str("timestamp without time zone"),
            SqlType::Timestamptz => f.write_str("timestamp with time zone"),
            SqlType::Interval => f.write_str("interval"),
            SqlType::Uuid => f.write_str("uuid"),
            SqlType::Json => f.write_str("json"),
            SqlType::Jsonb => f.write_str("jsonb"),
            SqlType::Oid => f.write_str("oid"),
            SqlType::Name => f.write_str("name"),
            SqlType::Array(e) => write!(f, "{e}[]"),
            SqlType::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, (name, ty)) in fields.iter().enumerate() {
                    write!(
                        f,
                        "{}\"{}\" {ty}",
                        if i > 0 { ", " } else { "" },
                        name.replace('"', "\"\"")
                    )?;
                }
                f.write_str(">")
            }
            SqlType::Map(k, v) => write!(f, "map<{k}, {v}>"),
        }
    }
}
