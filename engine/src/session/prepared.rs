//! Prepare, bind and execute: one path for every statement, however it came.
//!
//! A prepared query keeps its analysed plan. The plan runs as it is when nothing in it can have moved: it reads no
//! table, or it was made for the statement that runs now. Otherwise tables, models and `now()` are bound anew.

use super::{Session, Status, lock, panicked};
use crate::error::{Error, Result};
use crate::exec::{self, Output, OutputField, Rows};
use crate::query::Context;
use crate::query::planning::Planned;
use crate::types::{arrow_field, sql_type};
use alcedo_sql::statement::{Discard, ObjectKind};
use alcedo_sql::types::SqlType;
use alcedo_sql::{Parsed, SqlState, Statement};
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{FutureExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A statement whose parameters and result are known. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parsed: Parsed,
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
        &self.0.parameters
    }

    /// Columns of the result; `None` when there are no rows.
    pub fn fields(&self) -> Option<&[OutputField]> {
        self.0.fields.as_deref()
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
        let place = parsed.clone();
        let work = AssertUnwindSafe(self.prepare_inner(parsed, types)).catch_unwind();
        let outcome = work.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        outcome.map_err(|error| self.failed(error, &place))
    }

    async fn prepare_inner(&self, parsed: Parsed, types: &[Option<SqlType>]) -> Result<Prepared> {
        lock(&self.block).admit(&parsed.statement)?;
        let mut ctx = self.context().await?;
        ctx.parameter_types = types.iter().map(|t| t.as_ref().map(|t| arrow_field("", t, true))).collect();
        let mut planned = None;
        let (parameter_types, fields) = match &parsed.statement {
            Statement::Query(query) => {
                let made = ctx.or_canceled(ctx.prepare_query(query)).await??;
                let fields = exec::planned_fields(&made.plan);
                let parameters = made.parameters.clone();
                planned = Some(made);
                (parameters, Some(fields))
            }
            Statement::Insert(s) => (exec::insert::prepare(&ctx, s).await?, None),
            Statement::Update(s) => (exec::update::prepare(&ctx, s).await?, None),
            Statement::Delete(s) => (exec::delete::prepare(&ctx, s).await?, None),
            statement => (Vec::new(), self.fields_of(&ctx, statement).await?),
        };
        Ok(Prepared(Arc::new(Inner {
            parameters: parameter_types.iter().map(|f| sql_type(f)).collect(),
            parameter_types,
            fields,
            planned,
            search_path: ctx.search_path,
            version: ctx.snapshot.version,
            statement: self.statement.load(Ordering::Relaxed),
            parsed,
        })))
    }

    /// Columns of statements that are not queries. Those that only show something are asked.
    async fn fields_of(&self, ctx: &Context, statement: &Statement) -> Result<Option<Vec<OutputField>>> {
        let shown = match statement {
            Statement::Explain(_) => {
                let text = SqlType::Text;
                let data_type = crate::types::arrow_type(&text);
                return Ok(Some(vec![OutputField { name: "QUERY PLAN".to_owned(), ty: text, data_type }]));
            }
            Statement::Show(_) | Statement::ShowModels(_) | Statement::DescribeModel(_) | Statement::ShowCreate(..) => {
                exec::run(ctx, statement).await?
            }
            _ => return Ok(None),
        };
        Ok(match shown {
            Output::Rows(rows) => Some(rows.fields),
            Output::Done(_) => None,
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
                format!("the statement has {wanted} parameters, but {} values were given", values.len()),
            ));
        }
        Ok(Bound { prepared: prepared.clone(), values })
    }

    /// Carries out a statement. Rows are made as they are taken.
    ///
    /// # Errors
    /// What the statement fails with; a block is then aborted.
    pub async fn execute(&self, bound: Bound) -> Result<Output> {
        let prepared = bound.prepared.clone();
        let work = AssertUnwindSafe(self.execute_inner(bound)).catch_unwind();
        let outcome = work.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        outcome.map(guarded).map_err(|error| self.failed(error, &prepared.0.parsed))
    }

    async fn execute_inner(&self, bound: Bound) -> Result<Output> {
        let inner = &bound.prepared.0;
        let statement = &inner.parsed.statement;
        {
            let mut block = lock(&self.block);
            block.admit(statement)?;
            if exec::writes(statement) {
                block.write(verb(statement), &lock(&self.vars), &self.notices)?;
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
                self.notices.warning("SET LOCAL can only be used in transaction blocks");
            }
            _ => {}
        }
        let mut ctx = self.context().await?;
        ctx.cancel.check()?;
        ctx.parameter_types = inner.parameter_types.iter().cloned().map(Some).collect();
        ctx.parameters = bound.values;
        if let (Statement::Query(query), Some(planned)) = (statement, &inner.planned) {
            let fresh = inner.statement == self.statement.load(Ordering::Relaxed);
            let same = inner.version == ctx.snapshot.version && inner.search_path == ctx.search_path;
            let plan = if same && (planned.constant || fresh) {
                ctx.with_values(planned.plan.clone())?
            } else {
                ctx.or_canceled(ctx.plan_query(query)).await??
            };
            let output = ctx.or_canceled(exec::execute(&ctx, plan)).await??;
            return unchanged(inner, output);
        }
        exec::run(&ctx, statement).await
    }

    fn discard(&self, what: Discard) -> Result<Output> {
        Ok(Output::done(match what {
            Discard::All => {
                if self.status() != Status::Idle {
                    let text = "DISCARD ALL cannot run inside a transaction block";
                    return Err(Error::user(SqlState::ACTIVE_SQL_TRANSACTION, text));
                }
                self.vars().reset_all();
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
fn unchanged(inner: &Inner, output: Output) -> Result<Output> {
    if let (Output::Rows(rows), Some(told)) = (&output, &inner.fields) {
        let same = rows.fields.len() == told.len() && rows.fields.iter().zip(told).all(|(a, b)| a.ty == b.ty);
        if !same {
            return Err(Error::unsupported("cached plan must not change result type")
                .hint("Prepare the statement again: a table it reads has changed."));
        }
    }
    Ok(output)
}

/// A panic while rows are made ends the statement, not the connection.
fn guarded(output: Output) -> Output {
    let Output::Rows(rows) = output else { return output };
    let schema = rows.stream.schema();
    let stream = AssertUnwindSafe(rows.stream).catch_unwind().map(|item| {
        item.unwrap_or_else(|panic| Err(DataFusionError::External(Box::new(panicked(panic.as_ref())))))
    });
    Output::Rows(Rows { stream: Box::pin(RecordBatchStreamAdapter::new(schema, stream)), ..rows })
}

/// The statement's name in errors about writes.
fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Truncate(_) => "TRUNCATE TABLE",
        Statement::CreateSchema(_) => "CREATE SCHEMA",
        Statement::CreateTable(s) if s.query.is_some() => "CREATE TABLE AS",
        Statement::CreateTable(_) => "CREATE TABLE",
        Statement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
        Statement::CreateView(_) => "CREATE VIEW",
        Statement::CreateSource(_) => "CREATE SOURCE",
        Statement::CreateSecret(_) => "CREATE SECRET",
        Statement::CreateModel(_) => "CREATE MODEL",
        Statement::AlterTable(_) => "ALTER TABLE",
        Statement::AlterModel(_) => "ALTER MODEL",
        Statement::AlterSecret(_) => "ALTER SECRET",
        Statement::TrainModel(_) => "TRAIN MODEL",
        Statement::ExportModel(_) => "EXPORT MODEL",
        Statement::Drop(s) => match s.kind {
            ObjectKind::Table => "DROP TABLE",
            ObjectKind::View => "DROP VIEW",
            ObjectKind::Source => "DROP SOURCE",
            ObjectKind::Schema => "DROP SCHEMA",
            ObjectKind::Model => "DROP MODEL",
            ObjectKind::Secret => "DROP SECRET",
        },
        _ => "EXPLAIN",
    }
}
