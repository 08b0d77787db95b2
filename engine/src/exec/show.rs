//! `SHOW` of session variables.

use super::Output;
use crate::error::{Error, Result};
use crate::query::Context;

/// One variable under its name, or all with their descriptions.
pub(crate) fn run(ctx: &Context, name: Option<&str>) -> Result<Output> {
    let vars = ctx
        .vars
        .lock()
        .map_err(|_| Error::internal("session variables are poisoned"))?;
    let Some(name) = name else {
        let (mut names, mut values, mut docs) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value, doc) in vars.show_all() {
            names.push(Some(name));
            values.push(Some(value));
            docs.push(Some(doc));
        }
        return Output::texts(
            vec![("name", names), ("setting", values), ("description", docs)],
            "SHOW",
        );
    };
    let value = vars.show(name)?;
    // The column has the variable's own spelling, as in PostgreSQL.
    let defined = alcedo_sql::vars::VARS
        .iter()
        .find(|d| d.name.eq_ignore_ascii_case(name));
    let shown = defined.map_or(name, |d| d.name);
    Output::texts(vec![(shown, vec![Some(value)])], "SHOW")
}
