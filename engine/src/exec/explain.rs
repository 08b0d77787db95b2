//! `EXPLAIN [ANALYZE]`: the operators as lines of text or as JSON, with their counts after running.

use super::Output;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::error::from_datafusion;
use alcedo_sql::Statement;
use alcedo_sql::statement::Explain;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use futures::StreamExt;
use serde_json::{Value, json};

/// Explains a query; with ANALYZE it is run and its rows are thrown away.
pub(crate) async fn run(ctx: &Context, explain: &Explain) -> Result<Output> {
    let Statement::Query(query) = explain.statement.as_ref() else {
        return Err(
            Error::unsupported("EXPLAIN of this statement is not implemented")
                .hint("So far EXPLAIN shows queries: SELECT, VALUES, TABLE and WITH."),
        );
    };
    let plan = ctx.plan_query(query).await?;
    let state = ctx.state()?;
    let physical = ctx.physical_plan(&state, &plan).await?;
    if explain.analyze {
        let mut rows = ctx.run(&state, physical.clone())?;
        while let Some(batch) = rows.next().await {
            batch.map_err(from_datafusion)?;
        }
    }
    if explain.json {
        let plan = json!([{ "Plan": node(physical.as_ref(), explain.analyze) }]);
        return Output::texts(
            vec![("QUERY PLAN", vec![Some(format!("{plan:#}"))])],
            "EXPLAIN",
        );
    }
    let text = if explain.analyze {
        DisplayableExecutionPlan::with_metrics(physical.as_ref())
            .indent(explain.verbose)
            .to_string()
    } else if explain.verbose {
        let logical = state.optimize(&plan).map_err(from_datafusion)?;
        format!(
            "{}\n\n{}",
            logical.display_indent_schema(),
            DisplayableExecutionPlan::new(physical.as_ref()).indent(true)
        )
    } else {
        DisplayableExecutionPlan::new(physical.as_ref())
            .indent(false)
            .to_string()
    };
    let lines = text.lines().map(|l| Some(l.to_owned())).collect();
    Output::texts(vec![("QUERY PLAN", lines)], "EXPLAIN")
}

/// An operator with those below it, in the shape of PostgreSQL's JSON.
fn node(plan: &dyn ExecutionPlan, counts: bool) -> Value {
    let mut node = json!({
        "Node Type": plan.name(),
        "Details": DisplayableExecutionPlan::new(plan).one_line().to_string().trim(),
    });
    let metrics = plan.metrics().filter(|_| counts);
    if let Some(metrics) = metrics {
        node["Actual Rows"] = json!(metrics.output_rows());
        node["Actual Total Time"] = json!(metrics.elapsed_compute().map(|ns| ns as f64 / 1e6));
    }
    let below: Vec<Value> = plan
        .children()
        .into_iter()
        .map(|child| self::node(child.as_ref(), counts))
        .collect();
    if !below.is_empty() {
        node["Plans"] = Value::Array(below);
    }
    node
}
