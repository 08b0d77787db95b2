//! The table functions of models: `ml.evaluate(MODEL m[, (query)])` and `ml.feature_importance(MODEL m)`.
//!
//! Each becomes a table that the planner finds under a name of its own, because DataFusion's table functions
//! take neither queries nor schema-qualified names. `ml.predict` is a subquery instead, see `predict`.

use super::Context;
use super::error::from_datafusion;
use super::predict::{Bound, classes, is_ml, over, reference, table_alias};
use crate::error::{Error, Kind, Result};
use crate::model::metrics::{self, Evaluation};
use alcedo_sql::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName as Path, Query, Spanned, TableFactor,
    Value, VisitMut, VisitorMut,
};
use alcedo_sql::{SqlState, quote_literal};
use alcedo_udfs::score::Task;
use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::TableReference;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Functions of the schema `ml` that are tables; `ml.predict` is bound elsewhere.
const FUNCTIONS: &[&str] = &["evaluate", "feature_importance"];

/// A call that was taken out of the query.
struct Call {
    function: &'static str,
    /// The name it is found under now.
    table: String,
    model: String,
    input: Option<Query>,
    line: u64,
    column: u64,
}

/// Replaces the table functions of models by tables, and gives these.
///
/// # Errors
/// 42704 for unknown models, 42883 for other arguments, 55000 when there is nothing to show.
pub async fn bind(
    ctx: &Context,
    query: &mut Query,
) -> Result<HashMap<TableReference, Arc<dyn TableSource>>> {
    let mut taker = Taker { calls: Vec::new() };
    if let ControlFlow::Break(error) = VisitMut::visit(query, &mut taker) {
        return Err(*error);
    }
    let mut tables: HashMap<TableReference, Arc<dyn TableSource>> = HashMap::new();
    for call in taker.calls {
        let (line, column) = (call.line, call.column);
        let name = TableReference::bare(call.table.clone());
        let provider = table(ctx, call)
            .await
            .map_err(|e| e.at_span(line, column))?;
        tables.insert(name, provider_as_source(provider));
    }
    Ok(tables)
}

struct Taker {
    calls: Vec<Call>,
}

impl VisitorMut for Taker {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Box<Error>> {
        match self.take(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

impl Taker {
    fn take(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table {
            name, alias, args, ..
        } = factor
        else {
            return Ok(());
        };
        let Some(function) = FUNCTIONS.iter().find(|f| is_ml(name, f)) else {
            return Ok(());
        };
        let Some(given) = args.take() else {
            return Ok(());
        };
        let start = name.span().start;
        let wrong = || {
            Error::user(
                SqlState::UNDEFINED_FUNCTION,
                format!("wrong arguments of ml.{function}"),
            )
            .hint(match *function {
                "evaluate" => "Write ml.evaluate(MODEL m) or ml.evaluate(MODEL m, (SELECT …)).",
                _ => "Write ml.feature_importance(MODEL m).",
            })
            .at_span(start.line, start.column)
        };
        let model = given.args.first().and_then(reference).ok_or_else(wrong)?;
        let input = match &given.args[1..] {
            [] => None,
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))]
                if *function == "evaluate" =>
            {
                Some((**query).clone())
            }
            _ => return Err(wrong()),
        };
        let table = format!("ml.{function} {}", self.calls.len() + 1);
        *name = Path::from(vec![Ident::with_quote('"', &table)]);
        if alias.is_none() {
            *alias = table_alias(function);
        }
        self.calls.push(Call {
            function,
            table,
            model,
            input,
            line: start.line,
            column: start.column,
        });
        Ok(())
    }
}

async fn table(ctx: &Context, call: Call) -> Result<Arc<dyn datafusion::catalog::TableProvider>> {
    let bound = Bound::load(ctx, &call.model).await?;
    if call.function == "feature_importance" {
        return importance(ctx, &bound).await;
    }
    let schema = schema(bound.model.task());
    let Some(input) = call.input else {
        let version = crate::model::version_of(&ctx.snapshot, &bound.name, bound.version)?;
        if version.metrics.is_empty() {
            return Err(Error::user(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "model \"{}\" has no held-out rows to evaluate with",
                    bound.name
                ),
            )
            .hint("Give the rows: ml.evaluate(MODEL m, (SELECT …))."));
        }
        return memory(row(&schema, &version.metrics)?);
    };
    let plan = plan(ctx, &bound, input).await?;
    let stream = EvaluationStream {
        ctx: ctx.clone(),
        bound,
        plan,
        schema: Arc::clone(&schema),
    };
    let table = StreamingTable::try_new(schema, vec![Arc::new(stream)]).map_err(from_datafusion)?;
    Ok(Arc::new(table))
}

fn memory(batch: RecordBatch) -> Result<Arc<dyn datafusion::catalog::TableProvider>> {
    let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(from_datafusion)?;
    Ok(Arc::new(table))
}

fn schema(task: Task) -> SchemaRef {
    let field = |name: &&str| Field::new(*name, DataType::Float64, true);
    Arc::new(Schema::new(
        metrics::names(task).iter().map(field).collect::<Vec<_>>(),
    ))
}

fn row(schema: &SchemaRef, figures: &BTreeMap<String, f64>) -> Result<RecordBatch> {
    let figure = |f: &Arc<Field>| {
        Arc::new(Float64Array::from(vec![figures.get(f.name()).copied()])) as ArrayRef
    };
    RecordBatch::try_new(
        Arc::clone(schema),
        schema.fields().iter().map(figure).collect(),
    )
    .map_err(|e| Error::internal(format!("a row of figures does not fit: {e}")))
}

/// The true label and the model's answer for every row of a query.
async fn plan(ctx: &Context, bound: &Bound, input: Query) -> Result<LogicalPlan> {
    if has_parameters(&input) {
        return Err(Error::unsupported(
            "parameters inside ml.evaluate are not supported",
        ));
    }
    let Some(label) = &bound.label else {
        return Err(Error::user(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!(
                "model \"{}\" does not know the name of its label",
                bound.name
            ),
        )
        .hint("Register it with OPTIONS (label = '…')."));
    };
    let label = format!("t.\"{}\"", label.replace('"', "\"\""));
    let model = quote_literal(&bound.reference());
    let items = match bound.model.task() {
        Task::Regression => {
            format!("CAST({label} AS double precision) AS y, predict({model} USING t.*) AS p")
        }
        Task::Binary | Task::Multiclass { .. } => {
            format!("CAST({label} AS text) AS y, predict_proba({model} USING t.*) AS p")
        }
    };
    let query = over(&items, input)?;
    Box::pin(ctx.plan_query(&query)).await
}

fn has_parameters(query: &Query) -> bool {
    struct Looker;
    impl VisitorMut for Looker {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Value(v) if matches!(v.value, Value::Placeholder(_)) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    VisitMut::visit(&mut query.clone(), &mut Looker).is_break()
}

/// One row of figures, computed when it is asked for.
#[derive(Debug)]
struct EvaluationStream {
    ctx: Context,
    bound: Bound,
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl PartitionStream for EvaluationStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (ctx, bound) = (self.ctx.clone(), self.bound.clone());
        let (plan, schema) = (self.plan.clone(), Arc::clone(&self.schema));
        let row = async move {
            let figures = evaluate(&ctx, &bound, plan)
                .await
                .map_err(super::error::into_datafusion)?;
            row(&schema, &figures).map_err(super::error::into_datafusion)
        };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            futures::stream::once(row),
        ))
    }
}

async fn evaluate(
    ctx: &Context,
    bound: &Bound,
    plan: LogicalPlan,
) -> Result<BTreeMap<String, f64>> {
    let mut rows = ctx.stream(plan).await?;
    let codes: HashMap<String, f64> = classes(&bound.model)
        .into_iter()
        .enumerate()
        .map(|(code, label)| (label, code as f64))
        .collect();
    let mut evaluation = Evaluation::new(bound.model.task());
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(from_datafusion)?;
        add(&mut evaluation, &bound.model.task(), &codes, &batch)?;
    }
    if evaluation.rows() == 0 {
        return Err(Error::user(
            SqlState::DATA_EXCEPTION,
            "there are no rows with a label to evaluate with",
        ));
    }
    Ok(evaluation.finish())
}

/// Adds the labelled rows of a batch.
fn add(
    evaluation: &mut Evaluation,
    task: &Task,
    codes: &HashMap<String, f64>,
    batch: &RecordBatch,
) -> Result<()> {
    let broken = |what: &str| {
        Error::new(
            Kind::Internal,
            SqlState::INTERNAL_ERROR,
            format!("an evaluation has no {what}"),
        )
    };
    if *task == Task::Regression {
        let (truth, predicted) = (batch.column(0), batch.column(1));
        let truth = truth
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| broken("numbers"))?;
        let predicted = predicted
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| broken("predictions"))?;
        for (t, p) in truth.iter().zip(predicted) {
            if let (Some(t), Some(p)) = (t.filter(|t| !t.is_nan()), p) {
                evaluation.push(t, &[p]);
            }
        }
        return Ok(());
    }
    let truth = datafusion::arrow::compute::cast(batch.column(0), &DataType::Utf8)
        .map_err(|_| broken("labels"))?;
    let lists = batch
        .column(1)
        .as_list_opt::<i32>()
        .ok_or_else(|| broken("probabilities"))?;
    for (row, text) in truth.as_string::<i32>().iter().enumerate() {
        let Some(text) = text else { continue };
        let code = codes.get(text).copied().ok_or_else(|| {
            Error::user(
                SqlState::DATA_EXCEPTION,
                format!("\"{text}\" is no class of the model"),
            )
            .hint("Leave such rows out of the query.")
        })?;
        let list = lists.value(row);
        let list = list
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| broken("probabilities"))?;
        match task {
            Task::Binary => evaluation.push(code, &list.values()[list.len() - 1..]),
            _ => evaluation.push(code, list.values()),
        }
    }
    Ok(())
}

/// What each feature gained over all splits, and in how many it is.
async fn importance(
    ctx: &Context,
    bound: &Bound,
) -> Result<Arc<dyn datafusion::catalog::TableProvider>> {
    let version = crate::model::version_of(&ctx.snapshot, &bound.name, bound.version)?;
    let manifest = ctx.services.models.manifest(version).await?;
    let names: Vec<&str> = manifest.features.iter().map(|f| f.name.as_str()).collect();
    let known = manifest.importance.len() == names.len();
    let values = |pick: fn(&(f64, f64)) -> f64| -> ArrayRef {
        let of = |i: usize| known.then(|| pick(&manifest.importance[i]));
        Arc::new(Float64Array::from(
            (0..names.len()).map(of).collect::<Vec<_>>(),
        ))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("feature", Arc::new(StringArray::from(names.clone()))),
        ("gain", values(|i| i.0)),
        ("splits", values(|i| i.1)),
    ];
    let batch = RecordBatch::try_from_iter(columns)
        .map_err(|e| Error::internal(format!("a table of importances does not fit: {e}")))?;
    memory(batch)
}
