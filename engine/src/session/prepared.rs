//! Prepare, bind and execute: one path for every statement, however it came.
//!
//! A prepared query keeps its analysed plan. The plan runs as it is when nothing in it can have moved: it reads no
//! table, or it was made for the statement that runs now. Otherwise tables, models and parameters are bound anew.

use super::kept::{self, Kept, Settings};
use super::{Session, Status, lock, panicked, transaction};
use crate::error::{Error, Result};
use crate::exec::{self, Output, OutputField, Rows};
use crate::query::Context;
use crate::query::planning::Planned;
use crate::types::{arrow_field, sql_type};
use alcedo_sql::ast::Query;
use alcedo_sql::statement::Discard;
use alcedo_sql::types::SqlType;
use alcedo_sql::{Parsed, SqlState, Statement};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

/// A statement whose parameters and result are known. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parsed: Parsed,
    made: Made,
    /// Whether the plan may be kept as operators.
    may_keep: bool,
    kept: Mutex<Option<Arc<Kept>>>,
}

/// What preparing finds out.
#[derive(Debug)]
struct Made {
    parameters: Vec<SqlType>,
    parameter_types: Vec<FieldRef>,
    fields: Option<Vec<OutputField>>,
    planned: Option<Planned>,
    /// What the plan depends on beside tables.
    search_path: Vec<String>,
    version: u64,
    /// The statement it was planned for.
    statement: u64,
}

impl Prepared {
    /// Types of `$1`, `$2`, …
    pub fn parameters(&self) -> &[SqlType] {
        &self.0.made.parameters
    }

    /// Columns of the result; `None` when there are no rows.
    pub fn fields(&self) -> Option<&[OutputField]> {
        self.0.made.fields.as_deref()
    }

    /// What was asked.
    pub fn statement(&self) -> &Statement {
        &self.0.parsed.statement
    }

    /// The statement's own text.
    pub fn text(&self) -> &str {
        &self.0.parsed.text
    }
}

/// A prepared statement with its values.
#[derive(Debug, Clone)]
pub struct Bound {
    prepared: Prepared,
    values: Vec<ScalarValue>,
}

impl Bound {
    /// The statement.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }
}

impl Session {
    /// Plans a statement; `types` are those of parameters that the client declared.
    ///
    /// # Errors
    /// Everything wrong with the statement, with SQLSTATE and position; a block is then aborted.
    pub async fn prepare(&self, parsed: Parsed, types: &[Option<SqlType>]) -> Result<Prepared> {
        let cancel = lock(&self.current).clone();
        // The state of planning is large: it is moved by its address.
        let making = Box::pin(self.make(&parsed.statement, types));
        // Preparing changes nothing, so it may end anywhere.
        let work = async {
            tokio::select! {
                biased;
                () = cancel.token.cancelled() => Err(cancel.error()),
                made = making => made,
            }
        };
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        let made = match outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))) {
            Ok(made) => made,
            Err(error) => return Err(self.failed(error, &parsed)),
        };
        let plan = made
            .planned
            .as_ref()
            .filter(|p| p.constant && p.parameters.is_empty());
        let may_keep = plan.is_some_and(|p| kept::may_keep(&p.plan));
        Ok(Prepared(Arc::new(Inner {
            parsed,
            made,
            may_keep,
            kept: Mutex::default(),
        })))
    }

    async fn make(&self, statement: &Statement, types: &[Option<SqlType>]) -> Result<Made> {
        lock(&self.block).admit(statement)?;
        let mut ctx = self.context().await?;
        ctx.parameter_types = types
            .iter()
            .map(|t| t.as_ref().map(|t| arrow_field("", t, true)))
            .collect();
        let mut planned = None;
        let (parameter_types, fields) = match statement {
            Statement::Query(query) => {
                let made = ctx.prepare_query(query).await?;
                let fields = exec::planned_fields(&made.plan);
                let parameters = made.parameters.clone();
                planned = Some(made);
                (parameters, Some(fields))
            }
            statement => (
                parameters(&ctx, statement).await?,
                fields_of(&ctx, statement).await?,
            ),
        };
        Ok(Made {
            parameters: parameter_types.iter().map(|f| sql_type(f)).collect(),
            parameter_types,
            fields,
            planned,
            search_path: ctx.search_path,
            version: ctx.snapshot.version,
            statement: self.statement.load(Ordering::Relaxed),
        })
    }

    /// Gives a statement its values.
    ///
    /// # Errors
    /// 08P01 when their number is wrong.
    pub fn bind(&self, prepared: &Prepared, values: Vec<ScalarValue>) -> Result<Bound> {
        let wanted = prepared.parameters().len();
        if values.len() != wanted {
            self.fail();
            return Err(Error::user(
                SqlState::PROTOCOL_VIOLATION,
                format!(
                    "the statement has {wanted} parameters, but {} values were given",
                    values.len()
                ),
            ));
        }
        Ok(Bound {
            prepared: prepared.clone(),
            values,
        })
    }

    /// Carries out a statement. Rows are made as they are taken.
    ///
    /// # Errors
    /// What the statement fails with; a block is then aborted.
    pub async fn execute(&self, bound: Bound) -> Result<Output> {
        let prepared = bound.prepared.clone();
        let _executing = self.shared.execute();
        let work = AssertUnwindSafe(self.execute_inner(bound)).catch_unwind();
        let outcome = work
            .await
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        outcome
            .map(guarded)
            .map_err(|error| self.failed(error, &prepared.0.parsed))
    }

    async fn execute_inner(&self, bound: Bound) -> Result<Output> {
        let inner = Arc::clone(&bound.prepared.0);
        let statement = &inner.parsed.statement;
        {
            let mut block = lock(&self.block);
            block.admit(statement)?;
            if let Some(what) = exec::writes(statement) {
                block.write(what, &lock(&self.vars), &self.notices)?;
                // What was planned before does not see what this writes.
                self.statement.fetch_add(1, Ordering::Relaxed);
            }
        }
        match statement {
            Statement::Transaction(s) => {
                let now_us = self.shared.services.clock.now_us();
                let tag = lock(&self.block).run(s, &mut lock(&self.vars), &self.notices, now_us)?;
                return Ok(Output::done(tag));
            }
            Statement::Discard(s) => return self.discard(*s),
            Statement::Deallocate(_) => return Ok(Output::done("DEALLOCATE")),
            Statement::Set(s) if s.local && self.status() == Status::Idle => {
                let text = "SET LOCAL can only be used in transaction blocks";
                transaction::warn(&self.notices, SqlState::NO_ACTIVE_SQL_TRANSACTION, text);
            }
            _ => {}
        }
        let mut ctx = self.context().await?;
        ctx.cancel.check()?;
        ctx.parameter_types = inner
            .made
            .parameter_types
            .iter()
            .cloned()
            .map(Some)
            .collect();
        ctx.parameters = bound.values;
        match (statement, &inner.made.planned) {
            (Statement::Query(query), Some(planned)) => {
                ctx.or_canceled(self.query(&ctx, &inner, query, planned))
                    .await?
            }
            _ if exec::writes(statement).is_none() => {
                ctx.or_canceled(Box::pin(exec::run(&ctx, statement)))
                    .await?
            }
            // A write decides itself where it may end.
            _ => Box::pin(exec::run(&ctx, statement)).await,
        }
    }

    /// Runs a query by the plan that was prepared, or by a new one when something has moved.
    async fn query(
        &self,
        ctx: &Context,
        inner: &Inner,
        query: &Query,
        planned: &Planned,
    ) -> Result<Output> {
        let made = &inner.made;
        let fresh = made.statement == self.statement.load(Ordering::Relaxed);
        let same = made.version == ctx.snapshot.version && made.search_path == ctx.search_path;
        let output = if same && inner.may_keep && !fresh {
            Output::Rows(self.again(ctx, inner, planned).await?)
        } else if same && !planned.provisional && (planned.constant || fresh) {
            let plan = ctx.with_values(planned.plan.clone())?;
            Box::pin(exec::execute(ctx, plan)).await?
        } else {
            let plan = Box::pin(ctx.plan_query(query)).await?;
            Box::pin(exec::execute(ctx, plan)).await?
        };
        as_told(inner, output)
    }

    /// Runs kept operators; chooses them first when there are none yet.
    async fn again(&self, ctx: &Context, inner: &Inner, planned: &Planned) -> Result<Rows> {
        let settings = Settings::of(&lock(&self.vars));
        let found = lock(&inner.kept).clone().filter(|k| k.fits(&settings));
        let kept = match found {
            Some(kept) => kept,
            None => {
                let made = Arc::new(Box::pin(Kept::make(ctx, settings, &planned.plan)).await?);
                *lock(&inner.kept) = Some(Arc::clone(&made));
                made
            }
        };
        let stream = kept.run(ctx)?;
        Ok(exec::rows(stream))
    }

    fn discard(&self, what: Discard) -> Result<Output> {
        Ok(Output::done(match what {
            Discard::All => {
                if self.status() != Status::Idle {
                    let text = "DISCARD ALL cannot run inside a transaction block";
                    return Err(Error::user(SqlState::ACTIVE_SQL_TRANSACTION, text));
                }
                lock(&self.vars).reset_all();
                "DISCARD ALL"
            }
            Discard::Plans => "DISCARD PLANS",
            Discard::Sequences => "DISCARD SEQUENCES",
            Discard::Temp => "DISCARD TEMP",
            Discard::CloseAll => "CLOSE CURSOR ALL",
            Discard::DeallocateAll => "DEALLOCATE ALL",
            Discard::Unlisten => "UNLISTEN",
        }))
    }

    fn failed(&self, error: Error, parsed: &Parsed) -> Error {
        self.fail();
        error.located(|line, column| parsed.position(line, column))
    }
}

/// A table may have changed under a prepared statement, but not so that its result looks different.
fn as_told(inner: &Inner, output: Output) -> Result<Output> {
    let (Output::Rows(mut rows), Some(told)) = (output, &inner.made.fields) else {
        return Err(Error::internal("a query gave no rows"));
    };
    let alike = |(a, b): (&OutputField, &OutputField)| {
        a.ty.oids() == b.ty.oids() || a.data_type.equals_datatype(&b.data_type)
    };
    if let Some((now, told)) = rows.fields.iter().zip(told).find(|pair| !alike(*pair)) {
        return Err(changed(format!(
            "Column \"{}\" was of type {} and is of type {}.",
            told.name, told.ty, now.ty
        )));
    }
    if rows.fields.len() != told.len() {
        return Err(changed(format!(
            "There were {} columns, and there are {}.",
            told.len(),
            rows.fields.len()
        )));
    }
    // Operators forget SQL types that Arrow does not know; the plan has them.
    for (field, told) in rows.fields.iter_mut().zip(told) {
        field.name.clone_from(&told.name);
        field.ty.clone_from(&told.ty);
    }
    Ok(Output::Rows(rows))
}

/// 0A000
fn changed(detail: String) -> Error {
    Error::unsupported("cached plan must not change result type")
        .detail(detail)
        .hint("Prepare the statement again: a table it reads has changed.")
}

/// A panic while rows are made ends the statement, not the connection.
fn guarded(output: Output) -> Output {
    let Output::Rows(rows) = output else {
        return output;
    };
    let schema = rows.stream.schema();
    let stream = AssertUnwindSafe(rows.stream).catch_unwind().map(|item| {
        item.unwrap_or_else(|panic| {
            Err(DataFusionError::External(Box::new(panicked(
                panic.as_ref(),
            ))))
        })
    });
    Output::Rows(Rows {
        stream: Box::pin(RecordBatchStreamAdapter::new(schema, stream)),
        ..rows
    })
}

/// Types of a statement's parameters.
async fn parameters(ctx: &Context, statement: &Statement) -> Result<Vec<FieldRef>> {
    match statement {
        Statement::Query(query) => Ok(ctx.prepare_query(query).await?.parameters),
        Statement::Insert(s) => exec::insert::prepare(ctx, s).await,
        Statement::Update(s) => exec::update::prepare(ctx, s).await,
        Statement::Delete(s) => exec::delete::prepare(ctx, s).await,
        Statement::Explain(s) => Box::pin(parameters(ctx, &s.statement)).await,
        _ => Ok(Vec::new()),
    }
}

/// Columns of statements that are not queries. Those that only show something are asked.
async fn fields_of(ctx: &Context, statement: &Statement) -> Result<Option<Vec<OutputField>>> {
    let shown = match statement {
        Statement::Explain(_) => {
            let text = SqlType::Text;
            let data_type = crate::types::arrow_type(&text);
            return Ok(Some(vec![OutputField {
                name: "QUERY PLAN".to_owned(),
                ty: text,
                data_type,
            }]));
        }
        Statement::Show(_)
        | Statement::ShowModels(_)
        | Statement::DescribeModel(_)
        | Statement::ShowCreate(..) => exec::run(ctx, statement).await?,
        _ => return Ok(None),
    };
    Ok(match shown {
        Output::Rows(rows) => Some(rows.fields),
        Output::Done(_) => None,
    })
}
