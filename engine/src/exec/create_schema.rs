//! `CREATE SCHEMA`

use super::Output;
use crate::catalog::Schema;
use crate::error::{Error, Result};
use crate::query::{Context, system};
use alcedo_sql::SqlState;
use alcedo_sql::statement::CreateSchema;

/// Makes a schema.
pub(crate) async fn run(ctx: &Context, s: &CreateSchema) -> Result<Output> {
    if s.name.starts_with("pg_") || system::SCHEMAS.contains(&s.name.as_str()) {
        return Err(Error::user(
            SqlState("42939"),
            format!("unacceptable schema name \"{}\"", s.name),
        )
        .detail("The names of system schemas and the prefix \"pg_\" are reserved."));
    }
    let made = ctx.services.catalog.update(|snapshot| {
        if snapshot.schemas.contains_key(&s.name) {
            if s.if_not_exists {
                return Ok(false);
            }
            let text = format!("schema \"{}\" already exists", s.name);
            return Err(Error::user(SqlState::DUPLICATE_SCHEMA, text));
        }
        let oid = snapshot.take_oid();
        snapshot.schemas.insert(
            s.name.clone(),
            Schema {
                oid,
                owner: ctx.user.clone(),
            },
        );
        Ok(true)
    });
    if !made.await? {
        ctx.notices
            .notice(format!("schema \"{}\" already exists, skipping", s.name));
    }
    Ok(Output::done("CREATE SCHEMA"))
}
