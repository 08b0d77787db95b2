//! `pg_settings`: the table of session variables as PostgreSQL shows its own.

use super::columns::{Cell, Row, row};
use crate::error::{Error, Result};
use crate::query::Context;
use alcedo_sql::vars::{Kind, VARS, Vars};
use std::sync::MutexGuard;

/// The session's variables.
pub(super) fn vars(ctx: &Context) -> Result<MutexGuard<'_, Vars>> {
    ctx.vars
        .lock()
        .map_err(|_| Error::internal("session variables are poisoned"))
}

pub(super) fn rows(ctx: &Context) -> Result<Vec<Row>> {
    let shown = vars(ctx)?.show_all();
    let rows = shown.into_iter().map(|(name, value, doc)| {
        let def = VARS.iter().find(|d| d.name == name);
        let (kind, choices, least, most) = kind(def.map(|d| d.kind));
        let boot = def.map_or_else(|| value.clone(), |d| d.default.to_owned());
        let source = if boot == value { "default" } else { "session" };
        row![
            "name" => name,
            "setting" => value,
            "category" => "Alcedo",
            "short_desc" => doc,
            "context" => if def.is_some_and(|d| d.read_only) { "internal" } else { "user" },
            "vartype" => kind,
            "source" => source,
            "min_val" => least,
            "max_val" => most,
            "enumvals" => choices,
            "boot_val" => boot.clone(),
            "reset_val" => boot,
            "pending_restart" => false,
        ]
    });
    Ok(rows.collect())
}

/// Type, choices, least and greatest value.
fn kind(kind: Option<Kind>) -> (&'static str, Cell, Cell, Cell) {
    match kind {
        Some(Kind::Bool) => ("bool", Cell::Null, Cell::Null, Cell::Null),
        Some(Kind::Integer(least, most)) => (
            "integer",
            Cell::Null,
            least.to_string().into(),
            most.to_string().into(),
        ),
        Some(Kind::OneOf(names)) => {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            ("enum", Cell::Texts(names), Cell::Null, Cell::Null)
        }
        _ => ("string", Cell::Null, Cell::Null, Cell::Null),
    }
}
