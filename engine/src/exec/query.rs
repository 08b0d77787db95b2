//! `SELECT`, `VALUES`, `WITH`, `TABLE`: a plan that streams.

use super::{Output, OutputField, Rows, output_fields};
use crate::error::Result;
use crate::query::Context;
use alcedo_sql::ast;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;

/// Plans and runs a query.
pub(crate) async fn run(ctx: &Context, query: &ast::Query) -> Result<Output> {
    let plan = ctx.plan_query(query).await?;
    execute(ctx, plan).await
}

/// Runs a plan that has its values.
pub(crate) async fn execute(ctx: &Context, plan: LogicalPlan) -> Result<Output> {
    Ok(Output::Rows(rows(ctx.stream(plan).await?)))
}

/// Rows of a running query.
pub(crate) fn rows(stream: SendableRecordBatchStream) -> Rows {
    let fields = output_fields(&stream.schema());
    Rows {
        fields,
        stream,
        tag: "SELECT".to_owned(),
        counted: true,
    }
}

/// The columns a plan gives.
pub(crate) fn planned_fields(plan: &LogicalPlan) -> Vec<OutputField> {
    output_fields(plan.schema().as_arrow())
}
