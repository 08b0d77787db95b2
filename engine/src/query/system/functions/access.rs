//! Privileges. There are no roles yet: whoever is let in may do everything that can be done.

use super::names::relation_oid;
use super::{Args, Def, strict};
use crate::catalog::DATABASE;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::system::columns::Cell;
use crate::query::system::objects;
use alcedo_sql::SqlState;

pub(super) const FUNCTIONS: &[Def] = &[
    strict("has_table_privilege", (2, 3), "bool", |ctx, args| {
        relation(ctx, args, args.len() - 2)
    }),
    strict("has_any_column_privilege", (2, 3), "bool", |ctx, args| {
        relation(ctx, args, args.len() - 2)
    }),
    strict("has_column_privilege", (3, 4), "bool", |ctx, args| {
        relation(ctx, args, args.len() - 3)
    }),
    strict("has_sequence_privilege", (2, 3), "bool", |ctx, args| {
        relation(ctx, args, args.len() - 2)
    }),
    strict("has_schema_privilege", (2, 3), "bool", schema),
    strict("has_database_privilege", (2, 3), "bool", database),
    strict("has_function_privilege", (2, 3), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("has_language_privilege", (2, 3), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("has_type_privilege", (2, 3), "bool", |_, _| Ok(true.into())),
    strict("has_tablespace_privilege", (2, 3), "bool", |_, _| {
        Ok(true.into())
    }),
    strict(
        "has_foreign_data_wrapper_privilege",
        (2, 3),
        "bool",
        |_, _| Ok(true.into()),
    ),
    strict("has_server_privilege", (2, 3), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("has_parameter_privilege", (2, 3), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_has_role", (2, 3), "bool", |_, _| Ok(true.into())),
    strict("row_security_active", (1, 1), "bool", |_, _| {
        Ok(false.into())
    }),
];

/// System tables are for reading.
fn relation(ctx: &Context, args: &Args<'_>, at: usize) -> Result<Cell> {
    let oid = match (args.oid(at), args.text(at)) {
        (Some(oid), _) => oid,
        (None, Some(name)) => relation_oid(ctx, name).ok_or_else(|| {
            Error::user(
                SqlState::UNDEFINED_TABLE,
                format!("relation \"{name}\" does not exist"),
            )
        })?,
        _ => return Ok(Cell::Null),
    };
    let Some(object) = objects::by_oid(ctx, oid) else {
        return Ok(Cell::Null);
    };
    let asked = args.text(args.len() - 1).unwrap_or_default();
    let mut kinds = asked.split(',').map(str::trim);
    Ok((object.is_user() || kinds.any(|k| k.eq_ignore_ascii_case("select"))).into())
}

fn schema(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let at = args.len() - 2;
    if let Some(oid) = args.oid(at) {
        return Ok(objects::schema_name(ctx, oid).map(|_| true).into());
    }
    let Some(name) = args.text(at) else {
        return Ok(Cell::Null);
    };
    objects::schema_oid(ctx, name).ok_or_else(|| ctx.no_schema(name))?;
    Ok(true.into())
}

fn database(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let at = args.len() - 2;
    match (args.oid(at), args.text(at)) {
        (Some(oid), _) => Ok((oid == objects::DATABASE_OID).then_some(true).into()),
        (None, Some(DATABASE)) => Ok(true.into()),
        (None, name) => Err(Error::user(
            SqlState::INVALID_CATALOG_NAME,
            format!("database \"{}\" does not exist", name.unwrap_or_default()),
        )),
    }
}
