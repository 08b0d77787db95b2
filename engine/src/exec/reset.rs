//! `RESET` of session variables.

use super::Output;
use crate::error::{Error, Result};
use crate::query::Context;

/// Resets one variable, or all.
pub(crate) fn run(ctx: &Context, name: Option<&str>) -> Result<Output> {
    let mut vars = ctx
        .vars
        .lock()
        .map_err(|_| Error::internal("session variables are poisoned"))?;
    match name {
        Some(name) => vars.reset(name)?,
        None => vars.reset_all(),
    }
    Ok(Output::done("RESET"))
}
