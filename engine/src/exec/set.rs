//! `SET` of session variables.

use super::Output;
use crate::error::{Error, Result};
use crate::query::{Context, variables};
use alcedo_sql::statement::Set;

/// Sets a variable.
pub(crate) fn run(ctx: &Context, s: &Set) -> Result<Output> {
    let mut vars = ctx
        .vars
        .lock()
        .map_err(|_| Error::internal("session variables are poisoned"))?;
    variables::set(&mut vars, &s.name, &s.values, s.local)?;
    Ok(Output::done("SET"))
}
