//! `EXPLAIN [ANALYZE]`: the operators as lines of text, with their counts after running.

use super::Output;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::error::from_datafusion;
use alcedo_sql::Statement;
use alcedo_sql::statement::Explain;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use futures::StreamExt;

/// Explains a query; with ANALYZE it is run and its rows are thrown away.
pub(crate) async fn run(ctx: &Context, explain: &Explain) -> Result<Output> {
    let Statement::Query(query) = explain.statement.as_ref() else {
        return Err(Error::unsupported("EXPLAIN of this statement is not implemented")
            .hint("EXPLAIN takes SELECT, VALUES, TABLE and WITH."));
    };
    if explain.json {
        return Err(Error::unsupported("EXPLAIN (FORMAT JSON) is not implemented")
            .hint("Leave FORMAT out for text."));
    }
    let plan = ctx.plan_query(query).await?;
    let state = ctx.state()?;
    let physical = ctx.physical_plan(&state, &plan).await?;
    let text = if explain.analyze {
        let mut rows = ctx.run(&state, physical.clone())?;
        while let Some(batch) = rows.next().await {
            batch.map_err(from_datafusion)?;
        }
        drop(rows);
        DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(explain.verbose).to_string()
    } else if explain.verbose {
        let logical = state.optimize(&plan).map_err(from_datafusion)?;
        format!(
            "{}\n\n{}",
            logical.display_indent_schema(),
            DisplayableExecutionPlan::new(physical.as_ref()).indent(true)
        )
    } else {
        DisplayableExecutionPlan::new(physical.as_ref()).indent(false).to_string()
    };
    let lines = text.lines().map(|l| Some(l.to_owned())).collect();
    Output::texts(vec![("QUERY PLAN", lines)], "EXPLAIN")
}
