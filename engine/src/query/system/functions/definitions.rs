//! How objects are defined and described: views, defaults, constraints, comments.

use super::names::relation_oid;
use super::{Args, Def, lax, strict};
use crate::catalog::RelationKind;
use crate::error::Result;
use crate::query::Context;
use crate::query::system::columns::Cell;
use crate::query::system::objects;

pub(super) const FUNCTIONS: &[Def] = &[
    strict("pg_get_viewdef", (1, 2), "text", viewdef),
    strict("pg_get_expr", (2, 3), "text", |_, args| {
        Ok(args.text(0).into())
    }),
    strict("pg_get_constraintdef", (1, 2), "text", constraintdef),
    strict("pg_get_indexdef", (1, 3), "text", |_, _| Ok(Cell::Null)),
    strict("pg_get_ruledef", (1, 2), "text", |_, _| Ok(Cell::Null)),
    strict("pg_get_triggerdef", (1, 2), "text", |_, _| Ok(Cell::Null)),
    strict("pg_get_partkeydef", (1, 1), "text", |_, _| Ok(Cell::Null)),
    strict("pg_get_partition_constraintdef", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_get_statisticsobjdef", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_get_statisticsobjdef_columns", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_get_serial_sequence", (2, 2), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_get_functiondef", (1, 1), "text", |_, _| Ok(Cell::Null)),
    strict("pg_get_function_result", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_get_function_arguments", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    strict(
        "pg_get_function_identity_arguments",
        (1, 1),
        "text",
        |_, _| Ok(Cell::Null),
    ),
    strict("pg_get_function_sqlbody", (1, 1), "text", |_, _| {
        Ok(Cell::Null)
    }),
    // Nothing is partitioned by declaration, so nothing has ancestors.
    strict("pg_partition_ancestors", (1, 1), "oid", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_partition_root", (1, 1), "oid", |_, _| Ok(Cell::Null)),
    strict("pg_relation_is_publishable", (1, 1), "bool", |_, _| {
        Ok(false.into())
    }),
    strict("pg_relation_is_updatable", (2, 2), "int4", updatable),
    strict("pg_column_is_updatable", (3, 3), "bool", |ctx, args| {
        Ok(args
            .oid(0)
            .and_then(|oid| objects::by_oid(ctx, oid))
            .map(|o| o.kind == "r" && o.is_user())
            .into())
    }),
    // There are no comments yet.
    lax("obj_description", (1, 2), "text", |_, _| Ok(Cell::Null)),
    lax("col_description", (2, 2), "text", |_, _| Ok(Cell::Null)),
    lax("shobj_description", (2, 2), "text", |_, _| Ok(Cell::Null)),
];

fn viewdef(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let oid = args
        .oid(0)
        .or_else(|| args.text(0).and_then(|name| relation_oid(ctx, name)));
    let relation = ctx.snapshot.relations.values().find(|r| Some(r.oid) == oid);
    Ok(match relation.map(|r| &r.kind) {
        Some(RelationKind::View(view)) => {
            format!("{};", view.text.trim().trim_end_matches(';')).into()
        }
        _ => Cell::Null,
    })
}

fn constraintdef(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let found = objects::checks(ctx)
        .into_iter()
        .find(|c| Some(c.oid) == args.oid(0));
    Ok(found.map(|c| format!("CHECK ({})", c.text)).into())
}

/// Bits of PostgreSQL: 4 UPDATE, 8 INSERT, 16 DELETE.
fn updatable(ctx: &Context, args: &Args<'_>) -> Result<Cell> {
    let object = args.oid(0).and_then(|oid| objects::by_oid(ctx, oid));
    Ok(object
        .map_or(0, |o| if o.kind == "r" && o.is_user() { 28 } else { 0 })
        .into())
}
