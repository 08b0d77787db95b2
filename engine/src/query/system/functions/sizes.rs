//! Sizes and counts. What an object takes is not kept in the catalog, so sizes of relations are not known: NULL.

use super::{Args, Def, strict};
use crate::error::Result;
use crate::query::Context;
use crate::query::system::columns::Cell;

pub(super) const FUNCTIONS: &[Def] = &[
    strict("pg_relation_size", (1, 2), "int8", |_, _| Ok(Cell::Null)),
    strict("pg_table_size", (1, 1), "int8", |_, _| Ok(Cell::Null)),
    strict("pg_total_relation_size", (1, 1), "int8", |_, _| {
        Ok(Cell::Null)
    }),
    strict("pg_indexes_size", (1, 1), "int8", |_, _| Ok(0_i64.into())),
    strict("pg_database_size", (1, 1), "int8", |_, _| Ok(Cell::Null)),
    strict("pg_tablespace_size", (1, 1), "int8", |_, _| Ok(Cell::Null)),
    strict("pg_tablespace_location", (1, 1), "text", |_, _| {
        Ok("".into())
    }),
    strict("pg_size_pretty", (1, 1), "text", pretty),
];

/// As PostgreSQL prints it: the unit changes at ten times its size, halves are rounded.
fn pretty(_: &Context, args: &Args<'_>) -> Result<Cell> {
    let Some(bytes) = args.int(0) else {
        return Ok(Cell::Null);
    };
    if bytes.unsigned_abs() < 10 * 1024 {
        return Ok(format!("{bytes} bytes").into());
    }
    // Twice the value in the unit, so that halves are whole.
    let mut doubled = i128::from(bytes) / 512;
    for (i, unit) in ["kB", "MB", "GB", "TB", "PB"].iter().enumerate() {
        if doubled.unsigned_abs() < 20 * 1024 - 1 || i == 4 {
            return Ok(format!("{} {unit}", (doubled + doubled.signum()) / 2).into());
        }
        doubled /= 1024;
    }
    Ok(Cell::Null)
}
