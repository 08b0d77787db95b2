//! Names to oids and back: `to_regclass`, the conversions behind `::regclass` and its like, visibility.

use super::{Args, Def, lax, strict};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::system::columns::Cell;
use crate::query::system::objects::{self, Object};
use crate::query::system::types;
use alcedo_sql::{SqlState, quote_ident};

pub(super) const FUNCTIONS: &[Def] = &[
    strict("to_regclass", (1, 1), "oid", |ctx, args| {
        Ok(args.text(0).and_then(|t| relation_oid(ctx, t)).into())
    }),
    strict("to_regtype", (1, 1), "oid", |_, args| {
        Ok(args.text(0).and_then(type_oid).into())
    }),
    strict("to_regnamespace", (1, 1), "oid", |ctx, args| {
        Ok(args.text(0).and_then(|t| schema_oid(ctx, t)).into())
    }),
    strict("to_regrole", (1, 1), "oid", |ctx, args| {
        Ok(args.text(0).and_then(|t| role_oid(ctx, t)).into())
    }),
    strict("to_regproc", (1, 1), "text", |_, args| {
        Ok(args.text(0).map(function_name).into())
    }),
    strict("regclassin", (1, 1), "oid", |ctx, args| {
        read(
            args,
            |t| relation_oid(ctx, t),
            SqlState::UNDEFINED_TABLE,
            "relation",
        )
    }),
    strict("regtypein", (1, 1), "oid", |_, args| {
        read(args, type_oid, SqlState::UNDEFINED_OBJECT, "type")
    }),
    strict("regnamespacein", (1, 1), "oid", |ctx, args| {
        read(
            args,
            |t| schema_oid(ctx, t),
            SqlState::INVALID_SCHEMA_NAME,
            "schema",
        )
    }),
    strict("regrolein", (1, 1), "oid", |ctx, args| {
        read(
            args,
            |t| role_oid(ctx, t),
            SqlState::UNDEFINED_OBJECT,
            "role",
        )
    }),
    strict("regprocin", (1, 1), "text", |_, args| {
        Ok(args.text(0).map(function_name).into())
    }),
    strict("regclassout", (1, 1), "text", |ctx, args| {
        show(args, |oid| relation_name(ctx, oid))
    }),
    strict("regtypeout", (1, 1), "text", |_, args| {
        show(args, |oid| Some(types::format(oid, None)))
    }),
    strict("regnamespaceout", (1, 1), "text", |ctx, args| {
        show(args, |oid| objects::schema_name(ctx, oid).map(quote_ident))
    }),
    strict("regroleout", (1, 1), "text", |ctx, args| {
        show(args, |oid| {
            objects::role_name(ctx, oid).map(|n| quote_ident(&n))
        })
    }),
    lax("format_type", (2, 2), "text", format_type),
    strict("pg_get_userbyid", (1, 1), "name", user_by_id),
    strict("pg_table_is_visible", (1, 1), "bool", table_is_visible),
    strict("pg_type_is_visible", (1, 1), "bool", |_, args| {
        Ok(args.oid(0).and_then(types::by_oid).map(|_| true).into())
    }),
    strict("pg_function_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_operator_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_collation_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_conversion_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_opclass_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_opfamily_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_statistics_obj_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_ts_config_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_ts_dict_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_ts_parser_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
    strict("pg_ts_template_is_visible", (1, 1), "bool", |_, _| {
        Ok(true.into())
    }),
];

/// An oid as it is, a name looked up; a name that is not there is an error.
fn read(
    args: &Args<'_>,
    find: impl Fn(&str) -> Option<u32>,
    state: SqlState,
    what: &str,
) -> Result<Cell> {
    if let Some(oid) = args.oid(0) {
        return Ok(oid.into());
    }
    let Some(name) = args.text(0) else {
        return Ok(Cell::Null);
    };
    if name == "-" {
        return Ok(0_u32.into());
    }
    let missing = || {
        Error::user(
            state,
            format!("{what} \"{}\" does not exist", split(name).join(".")),
        )
    };
    Ok(find(name).ok_or_else(missing)?.into())
}

/// The name of an oid, else the number itself; `-` for none.
fn show(args: &Args<'_>, name: impl Fn(u32) -> Option<String>) -> Result<Cell> {
    let Some(oid) = args.oid(0) else {
        return Ok(Cell::Null);
    };
    if oid == 0 {
        return Ok("-".into());
    }
    Ok(name(oid).unwrap_or_else(|| oid.to_string()).into())
}

/// The parts of a name as it is written: folded unless quoted.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.trim().chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let part = parts.last_mut().expect("there is always a part");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => part.extend(chars.next()),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c if quoted => part.push(c),
            c => part.extend(c.to_lowercase()),
        }
    }
    parts
}

/// The relation that a written name means; numbers are oids.
pub(in crate::query::system) fn relation_oid(ctx: &Context, text: &str) -> Option<u32> {
    if let Ok(oid) = text.trim().parse() {
        return Some(oid);
    }
    let mut parts = split(text);
    let name = parts.pop()?;
    let schema = parts.pop();
    objects::lookup(ctx, schema.as_deref(), &name).map(|o| o.oid)
}

fn type_oid(text: &str) -> Option<u32> {
    let text = text.trim();
    let text = text.strip_prefix("pg_catalog.").unwrap_or(text);
    if let Ok(oid) = text.parse() {
        return Some(oid);
    }
    types::by_name(text)
        .map(|t| t.oid)
        .or_else(|| alcedo_sql::parse_type(text).ok().map(|t| t.oids().0))
}

fn schema_oid(ctx: &Context, text: &str) -> Option<u32> {
    objects::schema_oid(ctx, &split(text).pop()?)
}

fn role_oid(ctx: &Context, text: &str) -> Option<u32> {
    let name = split(text).pop()?;
    objects::roles(ctx)
        .into_iter()
        .find(|(_, n)| *n == name)
        .map(|(oid, _)| oid)
}

/// Columns of type regproc hold names.
fn function_name(text: &str) -> String {
    text.strip_prefix("pg_catalog.").unwrap_or(text).to_owned()
}

/// As `::regclass::text` shows it: qualified unless it is visible.
fn relation_name(ctx: &Context, oid: u32) -> Option<String> {
    let object = objects::by_oid(ctx, oid)?;
    let name = quote_ident(object.name);
    Some(if visible(ctx, &object) {
        name
    } else {
        format!("{}.{name}", quote_ident(object.schema))
    })
}

fn visible(ctx: &Context, object: &Object<'_>) -> bool {
    objects::lookup(ctx, None, object.name).is_some_and(|found| found.oid == object.oid)
}

fn table_is_visible(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let object = args.oid(0).and_then(|oid| objects::by_oid(ctx, oid));
    Ok(object.map(|o| visible(ctx, &o)).into())
}

fn format_type(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(oid) = args.oid(0) else {
        return Ok(Cell::Null);
    };
    let typmod = args
        .int(1)
        .and_then(|t| i32::try_from(t).ok())
        .filter(|t| *t >= 0);
    Ok(types::format(oid, typmod).into())
}

fn user_by_id(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(oid) = args.oid(0) else {
        return Ok(Cell::Null);
    };
    Ok(objects::role_name(ctx, oid)
        .unwrap_or_else(|| format!("unknown (OID={oid})"))
        .into())
}
