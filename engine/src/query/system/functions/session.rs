//! What a session is and has: user, database, schemas, settings, the time.

use super::{Args, Def, lax, strict};
use crate::catalog::DATABASE;
use crate::error::{Error, Result};
use crate::query::system::columns::Cell;
use crate::query::system::objects;
use crate::query::system::settings::vars;
use crate::query::{Context, variables};
use alcedo_sql::SqlState;

pub(super) const FUNCTIONS: &[Def] = &[
    strict("current_user", (0, 0), "name", |ctx, _| {
        Ok(ctx.user.as_str().into())
    }),
    strict("session_user", (0, 0), "name", |ctx, _| {
        Ok(ctx.user.as_str().into())
    }),
    strict("current_role", (0, 0), "name", |ctx, _| {
        Ok(ctx.user.as_str().into())
    }),
    strict("user", (0, 0), "name", |ctx, _| {
        Ok(ctx.user.as_str().into())
    }),
    strict("current_database", (0, 0), "name", |_, _| {
        Ok(DATABASE.into())
    }),
    strict(
        "current_catalog",
        (0, 0),
        "name",
        |_, _| Ok(DATABASE.into()),
    ),
    strict("current_schema", (0, 0), "name", |ctx, _| {
        Ok(existing(ctx).into_iter().next().into())
    }),
    strict("current_schemas", (1, 1), "name[]", current_schemas),
    strict("version", (0, 0), "text", version),
    strict("pg_backend_pid", (0, 0), "int4", |ctx, _| {
        Ok(ctx.pid.into())
    }),
    strict("pg_is_in_recovery", (0, 0), "bool", |_, _| Ok(false.into())),
    strict("pg_is_other_temp_schema", (1, 1), "bool", |_, _| {
        Ok(false.into())
    }),
    strict("pg_my_temp_schema", (0, 0), "oid", |_, _| Ok(0_u32.into())),
    strict("inet_server_addr", (0, 0), "text", |_, _| Ok(Cell::Null)),
    strict("inet_server_port", (0, 0), "int4", |_, _| Ok(Cell::Null)),
    strict("inet_client_addr", (0, 0), "text", |_, _| Ok(Cell::Null)),
    strict("inet_client_port", (0, 0), "int4", |_, _| Ok(Cell::Null)),
    strict("current_setting", (1, 2), "text", current_setting),
    Def {
        volatile: true,
        ..lax("set_config", (3, 3), "text", set_config)
    },
    Def {
        volatile: true,
        ..strict("clock_timestamp", (0, 0), "timestamptz", |ctx, _| {
            Ok(Cell::Int(ctx.services.clock.now_us()))
        })
    },
    strict("statement_timestamp", (0, 0), "timestamptz", |ctx, _| {
        Ok(Cell::Int(ctx.started_us))
    }),
    strict("transaction_timestamp", (0, 0), "timestamptz", |ctx, _| {
        Ok(Cell::Int(ctx.started_us))
    }),
    strict("getdatabaseencoding", (0, 0), "name", |_, _| {
        Ok("UTF8".into())
    }),
    strict("pg_client_encoding", (0, 0), "name", |_, _| {
        Ok("UTF8".into())
    }),
    strict("pg_encoding_to_char", (1, 1), "name", encoding_name),
    strict("pg_char_to_encoding", (1, 1), "int4", |_, args| {
        Ok(encoding_number(args.text(0)).into())
    }),
    strict("pg_advisory_unlock_all", (0, 0), "text", |_, _| {
        Ok("".into())
    }),
    lax("pg_typeof", (1, 1), "text", pg_typeof),
];

/// Schemas of the search path that exist.
fn existing(ctx: &Context) -> Vec<String> {
    ctx.search_path
        .iter()
        .filter(|s| objects::schema_oid(ctx, s).is_some())
        .cloned()
        .collect()
}

fn current_schemas(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let mut schemas = existing(ctx);
    if args.bool(0) == Some(true) && !schemas.iter().any(|s| s == objects::PG_CATALOG) {
        schemas.insert(0, objects::PG_CATALOG.to_owned());
    }
    Ok(Cell::Texts(schemas))
}

fn version(_: &Context, _: &Args<'_>) -> Result<Cell> {
    let version = concat!("PostgreSQL 15.0 (Alcedo ", env!("CARGO_PKG_VERSION"), ")");
    Ok(format!(
        "{version} on {}-{}",
        std::env::consts::ARCH,
        std::env::consts::OS
    )
    .into())
}

fn current_setting(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(name) = args.text(0) else {
        return Ok(Cell::Null);
    };
    let vars = vars(ctx)?;
    if args.bool(1) == Some(true) {
        return Ok(vars.get(name).into());
    }
    Ok(vars.show(name)?.into())
}

fn set_config(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(name) = args.text(0) else {
        return Err(Error::user(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            "SET requires parameter name",
        ));
    };
    let values: Vec<String> = args.text(1).map(str::to_owned).into_iter().collect();
    let mut vars = vars(ctx)?;
    variables::set(&mut vars, name, &values, args.bool(2) == Some(true))?;
    Ok(vars.show(name)?.into())
}

/// The encodings that clients ask about.
const ENCODINGS: &[(i64, &str)] = &[
    (0, "SQL_ASCII"),
    (6, "UTF8"),
    (8, "LATIN1"),
    (24, "WIN1252"),
];

fn encoding_name(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let found = ENCODINGS
        .iter()
        .find(|(number, _)| Some(*number) == args.int(0));
    Ok(found.map_or("", |(_, name)| *name).into())
}

fn encoding_number(name: Option<&str>) -> i32 {
    let name = name.unwrap_or_default().replace('-', "");
    let found = ENCODINGS
        .iter()
        .find(|(_, n)| n.eq_ignore_ascii_case(&name));
    found
        .and_then(|(number, _)| i32::try_from(*number).ok())
        .unwrap_or(-1)
}

fn pg_typeof(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(field) = args.fields.first() else {
        return Ok(Cell::Null);
    };
    if field.data_type().is_null() {
        return Ok("unknown".into());
    }
    let oid = crate::types::sql_type(field).oids().0;
    Ok(crate::query::system::types::format(oid, None).into())
}
