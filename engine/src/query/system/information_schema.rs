//! The rows of `information_schema`. Views that are not listed here are empty: there is nothing of their kind.

use super::columns::{Cell, Row, row};
use super::objects::{self, Attribute, Object};
use crate::catalog::{DATABASE, RelationKind};
use crate::error::Result;
use crate::query::Context;
use alcedo_sql::types::SqlType;

/// The rows of a view.
pub(super) fn rows(ctx: &Context, view: &str) -> Result<Vec<Row>> {
    Ok(match view {
        "applicable_roles" | "administrable_role_authorizations" => Vec::new(),
        "check_constraints" => check_constraints(ctx),
        "columns" => columns(ctx),
        "enabled_roles" => objects::roles(ctx)
            .into_iter()
            .map(|(_, name)| row!["role_name" => name])
            .collect(),
        "information_schema_catalog_name" => vec![row!["catalog_name" => DATABASE]],
        "role_table_grants" | "table_privileges" => privileges(ctx),
        "schemata" => schemata(ctx),
        "table_constraints" => table_constraints(ctx),
        "tables" => tables(ctx),
        "view_table_usage" => view_table_usage(ctx),
        "views" => views(ctx),
        _ => Vec::new(),
    })
}

fn yes(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}

fn schemata(ctx: &Context) -> Vec<Row> {
    objects::schemas(ctx)
        .into_iter()
        .map(|(_, name, owner)| row!["catalog_name" => DATABASE, "schema_name" => name, "schema_owner" => owner])
        .collect()
}

fn tables(ctx: &Context) -> Vec<Row> {
    objects::all(ctx)
        .iter()
        .map(|o| {
            let kind = match o.kind {
                "v" => "VIEW",
                "f" => "FOREIGN",
                _ => "BASE TABLE",
            };
            row![
                "table_catalog" => DATABASE,
                "table_schema" => o.schema,
                "table_name" => o.name,
                "table_type" => kind,
                "is_insertable_into" => yes(insertable(o)),
                "is_typed" => "NO",
            ]
        })
        .collect()
}

/// Tables and sources take INSERT.
fn insertable(object: &Object<'_>) -> bool {
    let kind = object.relation().map(|r| &r.kind);
    matches!(kind, Some(RelationKind::Table(_) | RelationKind::Source(_)))
}

fn columns(ctx: &Context) -> Vec<Row> {
    let mut rows = Vec::new();
    for object in objects::all(ctx) {
        rows.extend(object.attributes().iter().map(|a| column(&object, a)));
    }
    rows
}

fn column(object: &Object<'_>, a: &Attribute<'_>) -> Row {
    let ty = &*a.ty;
    let mut row = row![
        "table_catalog" => DATABASE,
        "table_schema" => object.schema,
        "table_name" => object.name,
        "column_name" => &*a.name,
        "ordinal_position" => a.number,
        "column_default" => a.default,
        "is_nullable" => yes(a.nullable),
        "data_type" => type_name(ty),
        "udt_catalog" => DATABASE,
        "udt_schema" => objects::PG_CATALOG,
        "udt_name" => ty.typname(),
        "dtd_identifier" => a.number.to_string(),
        "is_self_referencing" => "NO",
        "is_identity" => "NO",
        "identity_cycle" => "NO",
        "is_generated" => "NEVER",
        "is_updatable" => yes(matches!(object.relation().map(|r| &r.kind), Some(RelationKind::Table(_)))),
    ];
    row.extend(measures(ty));
    row
}

fn type_name(ty: &SqlType) -> String {
    match ty {
        SqlType::Array(_) => "ARRAY".to_owned(),
        SqlType::Varchar(_) => "character varying".to_owned(),
        SqlType::Char(_) => "character".to_owned(),
        SqlType::Numeric(_) => "numeric".to_owned(),
        // They go over the wire as json.
        SqlType::Struct(_) | SqlType::Map(..) => "json".to_owned(),
        other => other.to_string(),
    }
}

/// Lengths and precisions of a type.
fn measures(ty: &SqlType) -> Row {
    let binary = |bits: i32| row!["numeric_precision" => bits, "numeric_precision_radix" => 2];
    let whole = |bits: i32| row!["numeric_precision" => bits, "numeric_precision_radix" => 2, "numeric_scale" => 0];
    match ty {
        SqlType::Int2 => whole(16),
        SqlType::Int4 => whole(32),
        SqlType::Int8 => whole(64),
        SqlType::Float4 => binary(24),
        SqlType::Float8 => binary(53),
        SqlType::Numeric(None) => row!["numeric_precision_radix" => 10],
        SqlType::Numeric(Some((precision, scale))) => row![
            "numeric_precision" => i32::from(*precision),
            "numeric_precision_radix" => 10,
            "numeric_scale" => i32::from(*scale),
        ],
        SqlType::Varchar(Some(n)) | SqlType::Char(n) => {
            row!["character_maximum_length" => *n, "character_octet_length" => n.saturating_mul(4)]
        }
        SqlType::Text | SqlType::Varchar(None) => row!["character_octet_length" => 1_073_741_824],
        SqlType::Date => row!["datetime_precision" => 0],
        SqlType::Time | SqlType::Timestamp | SqlType::Timestamptz | SqlType::Interval => {
            row!["datetime_precision" => 6]
        }
        _ => Vec::new(),
    }
}

fn views(ctx: &Context) -> Vec<Row> {
    objects::all(ctx)
        .iter()
        .filter(|o| o.kind == "v")
        .map(|o| {
            let definition = match o.relation().map(|r| &r.kind) {
                Some(RelationKind::View(view)) => Cell::from(format!("{};", view.text)),
                _ => Cell::Null,
            };
            row![
                "table_catalog" => DATABASE,
                "table_schema" => o.schema,
                "table_name" => o.name,
                "view_definition" => definition,
                "check_option" => "NONE",
                "is_updatable" => "NO",
                "is_insertable_into" => "NO",
                "is_trigger_updatable" => "NO",
                "is_trigger_deletable" => "NO",
                "is_trigger_insertable_into" => "NO",
            ]
        })
        .collect()
}

fn view_table_usage(ctx: &Context) -> Vec<Row> {
    let mut rows = Vec::new();
    for object in objects::all(ctx) {
        let Some(RelationKind::View(view)) = object.relation().map(|r| &r.kind) else {
            continue;
        };
        rows.extend(view.relations.iter().map(|used| {
            row![
                "view_catalog" => DATABASE,
                "view_schema" => object.schema,
                "view_name" => object.name,
                "table_catalog" => DATABASE,
                "table_schema" => used.schema.as_str(),
                "table_name" => used.name.as_str(),
            ]
        }));
    }
    rows
}

fn check_constraints(ctx: &Context) -> Vec<Row> {
    objects::checks(ctx)
        .iter()
        .map(|c| {
            row![
                "constraint_catalog" => DATABASE,
                "constraint_schema" => c.object.schema,
                "constraint_name" => c.name,
                "check_clause" => format!("({})", c.text),
            ]
        })
        .collect()
}

fn table_constraints(ctx: &Context) -> Vec<Row> {
    objects::checks(ctx)
        .iter()
        .map(|c| {
            row![
                "constraint_catalog" => DATABASE,
                "constraint_schema" => c.object.schema,
                "constraint_name" => c.name,
                "table_catalog" => DATABASE,
                "table_schema" => c.object.schema,
                "table_name" => c.object.name,
                "constraint_type" => "CHECK",
                "is_deferrable" => "NO",
                "initially_deferred" => "NO",
                "enforced" => "YES",
            ]
        })
        .collect()
}

/// Whoever is let in may read everything and write tables and sources.
fn privileges(ctx: &Context) -> Vec<Row> {
    let mut rows = Vec::new();
    for object in objects::all(ctx).iter().filter(|o| o.is_user()) {
        let kinds: &[&str] = match object.relation().map(|r| &r.kind) {
            Some(RelationKind::Table(_)) => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"],
            Some(RelationKind::Source(_)) => &["SELECT", "INSERT"],
            _ => &["SELECT"],
        };
        rows.extend(kinds.iter().map(|kind| {
            row![
                "grantor" => object.owner,
                "grantee" => ctx.user.as_str(),
                "table_catalog" => DATABASE,
                "table_schema" => object.schema,
                "table_name" => object.name,
                "privilege_type" => *kind,
                "is_grantable" => "NO",
                "with_hierarchy" => "NO",
            ]
        }));
    }
    rows
}
