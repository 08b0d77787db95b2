//! `EXPLAIN [ANALYZE]`: the operators as lines of text or as JSON, with their counts after running.

use super::{Output, create_table, delete, insert, update};
use crate::catalog::ObjectName;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::error::from_datafusion;
use alcedo_sql::Statement;
use alcedo_sql::statement::Explain;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use futures::StreamExt;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex};

/// Explains a statement; with ANALYZE it is carried out, and the rows of a query are thrown away.
pub(crate) async fn run(ctx: &Context, explain: &Explain) -> Result<Output> {
    let state = ctx.state()?;
    let (change, logical) = ctx.or_canceled(plan(ctx, &explain.statement)).await??;
    let mut change = change.map(|(verb, name)| Change {
        verb,
        name,
        rows: None,
    });
    let plans = if !explain.analyze {
        vec![ctx.physical_plan(&state, &logical).await?]
    } else if let Some(change) = &mut change {
        let (plans, rows) = carried_out(ctx, &explain.statement).await?;
        change.rows = rows;
        plans
    } else {
        let physical = ctx.physical_plan(&state, &logical).await?;
        let mut rows = ctx.run(&state, Arc::clone(&physical))?;
        while let Some(batch) = rows.next().await {
            batch.map_err(from_datafusion)?;
        }
        vec![physical]
    };
    if explain.json {
        let mut nodes: Vec<Value> = plans
            .iter()
            .map(|plan| node(plan.as_ref(), explain.analyze))
            .collect();
        if let Some(change) = change {
            nodes = vec![change.node(nodes)];
        }
        let shown: Vec<Value> = nodes.into_iter().map(|n| json!({ "Plan": n })).collect();
        let text = format!("{:#}", Value::Array(shown));
        return Output::texts(vec![("QUERY PLAN", vec![Some(text)])], "EXPLAIN");
    }
    let mut text = String::new();
    if explain.verbose {
        let logical = state.optimize(&logical).map_err(from_datafusion)?;
        text = format!("{}\n\n", logical.display_indent_schema());
    }
    let indent = if let Some(change) = &change {
        text += &format!("{change}\n");
        "  "
    } else {
        ""
    };
    for plan in &plans {
        let shown = if explain.analyze {
            DisplayableExecutionPlan::with_metrics(plan.as_ref())
        } else {
            DisplayableExecutionPlan::new(plan.as_ref())
        };
        for line in shown.indent(explain.verbose).to_string().lines() {
            text += &format!("{indent}{line}\n");
        }
    }
    let lines = text.lines().map(|l| Some(printed(l))).collect();
    Output::texts(vec![("QUERY PLAN", lines)], "EXPLAIN")
}

/// Names of our own carry a mark that is not for the eye.
fn printed(text: &str) -> String {
    text.replace('\u{1}', "")
}

/// The query of a statement, and for one that changes a table how and which.
async fn plan(
    ctx: &Context,
    statement: &Statement,
) -> Result<(Option<(&'static str, ObjectName)>, LogicalPlan)> {
    Ok(match statement {
        Statement::Query(query) => (None, ctx.plan_query(query).await?),
        Statement::Insert(s) => {
            let incoming = insert::plan(ctx, s).await?;
            (Some(("Insert", incoming.name)), incoming.plan)
        }
        Statement::Update(s) => {
            let (name, plan) = update::plan(ctx, s).await?;
            (Some(("Update", name)), plan)
        }
        Statement::Delete(s) => {
            let (name, plan) = delete::plan(ctx, s).await?;
            (Some(("Delete", name)), plan)
        }
        Statement::CreateTable(s) => {
            let Some(query) = &s.query else {
                return Err(Error::internal("EXPLAIN of a table without a query"));
            };
            let name = ctx.name_for_create(&s.name)?;
            let (_, plan) = create_table::plan(ctx, s, query).await?;
            (Some(("Create", name)), plan)
        }
        _ => {
            return Err(Error::unsupported(
                "EXPLAIN of this statement is not implemented",
            ));
        }
    })
}

/// Carries out a statement; gives the plans that it ran and how many rows it was about.
async fn carried_out(
    ctx: &Context,
    statement: &Statement,
) -> Result<(Vec<Arc<dyn ExecutionPlan>>, Option<u64>)> {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let watched = Context {
        ran: Some(Arc::clone(&ran)),
        ..ctx.clone()
    };
    let Output::Done(tag) = Box::pin(super::run(&watched, statement)).await? else {
        return Err(Error::internal("a statement that changes gave rows"));
    };
    let rows = tag.rsplit(' ').next().and_then(|n| n.parse().ok());
    let plans = ran
        .lock()
        .map_err(|_| Error::internal("the plans of a statement are poisoned"))?;
    Ok((plans.clone(), rows))
}

/// What stands above the plan of a statement that changes a table.
struct Change {
    verb: &'static str,
    name: ObjectName,
    /// Rows changed, once it has been done.
    rows: Option<u64>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.verb, self.name)?;
        match self.rows {
            Some(rows) => write!(f, " (actual rows={rows})"),
            None => Ok(()),
        }
    }
}

impl Change {
    /// As PostgreSQL's JSON has it.
    fn node(&self, below: Vec<Value>) -> Value {
        let mut node = json!({
            "Node Type": "ModifyTable",
            "Operation": self.verb,
            "Relation Name": self.name.name,
            "Schema": self.name.schema,
            "Plans": below,
        });
        if let Some(rows) = self.rows {
            node["Actual Rows"] = json!(rows);
        }
        node
    }
}

/// An operator with those below it, in the shape of PostgreSQL's JSON.
fn node(plan: &dyn ExecutionPlan, counts: bool) -> Value {
    let mut node = json!({
        "Node Type": plan.name(),
        "Details": printed(DisplayableExecutionPlan::new(plan).one_line().to_string().trim()),
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
