//! Carrying out statements: one line per statement here, one file per statement beside.

mod alter_model;
mod alter_secret;
mod alter_table;
mod assign;
mod change;
mod create_external_table;
mod create_model;
mod create_schema;
mod create_secret;
mod create_source;
mod create_table;
mod create_view;
pub(crate) mod delete;
mod describe_model;
mod drop;
mod explain;
mod export_model;
pub(crate) mod insert;
mod insert_values;
mod query;
mod reset;
mod set;
mod show;
mod show_create;
mod show_models;
mod train_model;
mod truncate;
pub(crate) mod update;

use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::error::from_datafusion;
use crate::query::names;
use crate::types::sql_type;
use alcedo_sql::Statement;
use alcedo_sql::statement::ObjectKind;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{ArrayRef, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::sync::Arc;

/// A column of a result as the client sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputField {
    /// As PostgreSQL would name it; names may repeat.
    pub name: String,
    /// The SQL type to announce.
    pub ty: SqlType,
    /// The Arrow type of the batches.
    pub data_type: DataType,
}

/// What a statement gives back.
pub enum Output {
    /// Rows, as they come.
    Rows(Rows),
    /// Nothing but the complete command tag, as `INSERT 0 5`.
    Done(String),
}

/// A result that streams.
pub struct Rows {
    /// One per column of the stream's batches.
    pub fields: Vec<OutputField>,
    /// The rows; dropping it ends the query.
    pub stream: SendableRecordBatchStream,
    /// The command tag.
    pub tag: String,
    /// Whether the number of rows follows the tag.
    pub counted: bool,
}

impl Rows {
    /// The next batch; `None` at the end. After an error nothing more comes.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        self.stream
            .next()
            .await
            .map(|batch| batch.map_err(from_datafusion))
    }
}

impl Output {
    /// A command tag alone.
    pub(crate) fn done(tag: impl Into<String>) -> Self {
        Output::Done(tag.into())
    }

    /// A tag with its number of rows: `UPDATE 3`.
    pub(crate) fn rows_tag(tag: &str, rows: u64) -> Self {
        Output::Done(format!("{tag} {rows}"))
    }

    /// Rows that are there already.
    pub(crate) fn batches(schema: SchemaRef, batches: Vec<RecordBatch>, tag: &str) -> Self {
        let fields = output_fields(&schema);
        let rows = futures::stream::iter(batches.into_iter().map(Ok));
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        Output::Rows(Rows {
            fields,
            stream,
            tag: tag.to_owned(),
            counted: false,
        })
    }

    /// Columns of text under their names, one vector per column.
    pub(crate) fn texts(columns: Vec<(&str, Vec<Option<String>>)>, tag: &str) -> Result<Self> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, _)| Field::new(*name, DataType::Utf8, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns
            .into_iter()
            .map(|(_, v)| Arc::new(StringArray::from(v)) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
            .map_err(|e| Error::internal(format!("columns of a result differ in length: {e}")))?;
        Ok(Self::batches(schema, vec![batch], tag))
    }
}

/// 42P07
pub(crate) fn relation_exists(name: &crate::catalog::ObjectName) -> Error {
    Error::user(
        alcedo_sql::SqlState::DUPLICATE_TABLE,
        format!("relation \"{}\" already exists", name.name),
    )
}

/// Columns as announced for a schema.
pub fn output_fields(schema: &Schema) -> Vec<OutputField> {
    let fields = schema.fields().iter();
    fields
        .map(|f| OutputField {
            name: names::shown(f.name()).to_owned(),
            ty: sql_type(f),
            data_type: f.data_type().clone(),
        })
        .collect()
}

/// Carries out a statement; queries of prepared statements come with their plan by [`query::execute`].
pub(crate) async fn run(ctx: &Context, statement: &Statement) -> Result<Output> {
    match statement {
        Statement::Query(s) => query::run(ctx, s).await,
        Statement::Explain(s) => explain::run(ctx, s).await,
        Statement::Insert(s) => insert::run(ctx, s).await,
        Statement::Update(s) => update::run(ctx, s).await,
        Statement::Delete(s) => delete::run(ctx, s).await,
        Statement::Truncate(s) => truncate::run(ctx, s).await,
        Statement::CreateSchema(s) => create_schema::run(ctx, s).await,
        Statement::CreateTable(s) => create_table::run(ctx, s).await,
        Statement::CreateExternalTable(s) => create_external_table::run(ctx, s).await,
        Statement::CreateView(s) => create_view::run(ctx, s).await,
        Statement::CreateSource(s) => create_source::run(ctx, s).await,
        Statement::CreateSecret(s) => create_secret::run(ctx, s).await,
        Statement::CreateModel(s) => create_model::run(ctx, s).await,
        Statement::AlterTable(s) => alter_table::run(ctx, s).await,
        Statement::AlterModel(s) => alter_model::run(ctx, s).await,
        Statement::AlterSecret(s) => alter_secret::run(ctx, s).await,
        Statement::Drop(s) => drop::run(ctx, s).await,
        Statement::TrainModel(s) => train_model::run(ctx, s).await,
        Statement::ExportModel(s) => export_model::run(ctx, s).await,
        Statement::ShowModels(s) => show_models::run(ctx, s).await,
        Statement::DescribeModel(s) => describe_model::run(ctx, s).await,
        Statement::ShowCreate(kind, name) => show_create::run(ctx, *kind, name).await,
        Statement::Set(s) => set::run(ctx, s),
        Statement::Show(s) => show::run(ctx, s.as_deref()),
        Statement::Reset(s) => reset::run(ctx, s.as_deref()),
        Statement::Discard(_) | Statement::Deallocate(_) | Statement::Transaction(_) => Err(
            Error::internal("a statement about the session reached the engine"),
        ),
    }
}

pub(crate) use query::{execute, planned_fields, rows};

/// The name of a statement that writes, for what a transaction block and a read-only session say of it; `None` when
/// it only reads.
pub(crate) fn writes(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
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
        Statement::Explain(s) if s.analyze => return writes(&s.statement),
        Statement::Explain(_)
        | Statement::Query(_)
        | Statement::ShowModels(_)
        | Statement::DescribeModel(_)
        | Statement::ShowCreate(..)
        | Statement::Set(_)
        | Statement::Show(_)
        | Statement::Reset(_)
        | Statement::Discard(_)
        | Statement::Deallocate(_)
        | Statement::Transaction(_) => return None,
    })
}
