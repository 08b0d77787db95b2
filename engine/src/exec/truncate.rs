//! `TRUNCATE`: a version of each table without files.

use super::Output;
use super::change::{Rows, run as change, target};
use crate::error::Result;
use crate::query::Context;
use alcedo_sql::statement::Name;

/// Empties the tables, one after the other once all are known to be there.
pub(crate) async fn run(ctx: &Context, names: &[Name]) -> Result<Output> {
    let targets = names
        .iter()
        .map(|n| target(ctx, n, "truncate"))
        .collect::<Result<Vec<_>>>()?;
    for ((name, table), written) in targets.iter().zip(names) {
        let all = Rows {
            table: written,
            alias: None,
            condition: None,
            values: &[],
        };
        change(ctx, name, table, all).await?;
    }
    Ok(Output::done("TRUNCATE TABLE"))
}
