//! SQL types as Arrow fields and back. What Arrow cannot say (uuid, json, varchar(n) …) stands in the
//! field's metadata under [`TYPE_KEY`].

use alcedo_sql::types::SqlType;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// Metadata key that holds the SQL type's name when the Arrow type alone does not tell it.
pub const TYPE_KEY: &str = "alcedo.type";

/// The Arrow type that holds values of an SQL type.
pub fn arrow_type(ty: &SqlType) -> DataType {
    match ty {
        SqlType::Bool => DataType::Boolean,
        SqlType::Int2 => DataType::Int16,
        SqlType::Int4 => DataType::Int32,
        SqlType::Int8 => DataType::Int64,
        SqlType::Float4 => DataType::Float32,
        SqlType::Float8 => DataType::Float64,
        SqlType::Numeric(None) => DataType::Decimal128(38, 10),
        SqlType::Numeric(Some((p, s))) => DataType::Decimal128((*p).min(38), *s),
        SqlType::Text
        | SqlType::Varchar(_)
        | SqlType::Char(_)
        | SqlType::Uuid
        | SqlType::Json
        | SqlType::Jsonb
        | SqlType::Name => DataType::Utf8,
        SqlType::Bytea => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::Oid => DataType::UInt32,
        SqlType::Array(element) => DataType::List(arrow_field("item", element, true)),
        SqlType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(n, t)| arrow_field(n, t, true))
                .collect(),
        ),
        SqlType::Map(key, value) => {
            let entries = vec![
                arrow_field("key", key, false),
                arrow_field("value", value, true),
            ];
            DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(entries.into()),
                    false,
                )),
                false,
            )
        }
    }
}

/// A field of an SQL type, with the metadata that brings the type back.
pub fn arrow_field(name: &str, ty: &SqlType, nullable: bool) -> FieldRef {
    let field = Field::new(name, arrow_type(ty), nullable);
    let plain = sql_type(&field);
    if plain == *ty
        || matches!(
            ty,
            SqlType::Array(_) | SqlType::Struct(_) | SqlType::Map(..)
        )
    {
        return Arc::new(field);
    }
    Arc::new(field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), ty.to_string())])))
}

/// The SQL type of a field: what its metadata says, else what its Arrow type is closest to.
pub fn sql_type(field: &Field) -> SqlType {
    if let Some(name) = field.metadata().get(TYPE_KEY) {
        if let Some(ty) = named(name) {
            return ty;
        }
    }
    match field.data_type() {
        DataType::Boolean => SqlType::Bool,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => SqlType::Int2,
        DataType::Int32 | DataType::UInt16 => SqlType::Int4,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => SqlType::Int8,
        DataType::Float16 | DataType::Float32 => SqlType::Float4,
        DataType::Float64 => SqlType::Float8,
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => SqlType::Numeric(Some((*p, *s))),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => SqlType::Bytea,
        DataType::Date32 | DataType::Date64 => SqlType::Date,
        DataType::Time32(_) | DataType::Time64(_) => SqlType::Time,
        DataType::Timestamp(_, None) => SqlType::Timestamp,
        DataType::Timestamp(_, Some(_)) => SqlType::Timestamptz,
        DataType::Interval(_) | DataType::Duration(_) => SqlType::Interval,
        DataType::List(e)
        | DataType::LargeList(e)
        | DataType::ListView(e)
        | DataType::LargeListView(e)
        | DataType::FixedSizeList(e, _) => SqlType::Array(Box::new(sql_type(e))),
        DataType::Struct(fields) => SqlType::Struct(
            fields
                .iter()
                .map(|f| (f.name().clone(), sql_type(f)))
                .collect(),
        ),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => {
                SqlType::Map(Box::new(sql_type(&kv[0])), Box::new(sql_type(&kv[1])))
            }
            _ => SqlType::Json,
        },
        DataType::Dictionary(_, value) => sql_type(&Field::new("", value.as_ref().clone(), true)),
        DataType::RunEndEncoded(_, value) => sql_type(value),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => SqlType::Text,
        DataType::Union(..) => SqlType::Text,
    }
}

/// Types that stand in metadata by name.
fn named(name: &str) -> Option<SqlType> {
    let simple = match name {
        "uuid" => SqlType::Uuid,
        "json" => SqlType::Json,
        "jsonb" => SqlType::Jsonb,
        "oid" => SqlType::Oid,
        "name" => SqlType::Name,
        "numeric" => SqlType::Numeric(None),
        "character varying" => SqlType::Varchar(None),
        "time without time zone" => SqlType::Time,
        "interval" => SqlType::Interval,
        _ => {
            let (head, rest) = name.split_once('(')?;
            let n = rest.strip_suffix(')')?.parse().ok()?;
            return match head {
                "character varying" => Some(SqlType::Varchar(Some(n))),
                "character" => Some(SqlType::Char(n)),
                _ => None,
            };
        }
    };
    Some(simple)
}
