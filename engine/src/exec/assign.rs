//! Values on their way into the columns of a table: assignment casts as PostgreSQL has them, defaults, and the rules
//! that rows must keep.

use super::insert_values::{is_text, value};
use crate::catalog::Column;
use crate::error::datafusion::{from_arrow, from_datafusion};
use crate::error::{Error, Result};
use crate::lake::stored::sql_schema;
use crate::query::{Context, text_forms};
use crate::types::{arrow_type, sql_type};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast as cast_expr,
};
use datafusion::physical_plan::PhysicalExpr;
use std::sync::Arc;

/// Projects a plan onto the columns of a table: `sources[i]` is the plan's column for table column i, or its default.
///
/// # Errors
/// 42804 for a value that no assignment cast brings into its column's type.
pub(super) async fn project(
    ctx: &Context,
    plan: LogicalPlan,
    columns: &[Column],
    sources: &[Option<usize>],
) -> Result<LogicalPlan> {
    let values = assigned(ctx, &plan, columns, sources).await?;
    LogicalPlanBuilder::from(plan)
        .project(values)
        .and_then(|b| b.build())
        .map_err(from_datafusion)
}

/// The values of [`project`].
pub(super) async fn assigned(
    ctx: &Context,
    plan: &LogicalPlan,
    columns: &[Column],
    sources: &[Option<usize>],
) -> Result<Vec<Expr>> {
    let mut values = Vec::with_capacity(columns.len());
    for (column, source) in columns.iter().zip(sources) {
        let value = match source {
            Some(index) => {
                let (qualifier, field) = plan.schema().qualified_field(*index);
                let from = sql_type(field);
                check(column, &from, field.data_type())?;
                Expr::from((qualifier, field))
            }
            None => default(ctx, column).await?,
        };
        values.push(cast_expr(value, arrow_type(&column.ty)).alias(&column.name));
    }
    Ok(values)
}

/// The value of a column that nobody gives.
///
/// # Errors
/// 42804 when no assignment cast brings it into the column's type.
pub(super) async fn default(ctx: &Context, column: &Column) -> Result<Expr> {
    let Some(text) = &column.default else {
        return Ok(Expr::Literal(ScalarValue::Null, None));
    };
    let mut expr = alcedo_sql::parse_expression(text).map_err(|e| Error::from(e).placeless())?;
    value(&mut expr, column, &mut Vec::new())?;
    let none = DFSchema::empty();
    let planned = ctx
        .plan_expr(&expr, &none)
        .await
        .map_err(Error::placeless)?;
    let (_, field) = planned.to_field(&none).map_err(from_datafusion)?;
    let from = sql_type(&field);
    check(column, &from, field.data_type())?;
    Ok(planned)
}

fn check(column: &Column, from: &SqlType, arrow: &DataType) -> Result<()> {
    if arrow.is_null() || assignable(from, &column.ty) {
        return Ok(());
    }
    Err(Error::user(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "column \"{}\" is of type {} but expression is of type {from}",
            column.name, column.ty
        ),
    )
    .hint("You will need to rewrite or cast the expression."))
}

/// Whether PostgreSQL has an assignment cast between two types.
fn assignable(from: &SqlType, to: &SqlType) -> bool {
    use SqlType as S;
    let number = |t: &S| {
        matches!(
            t,
            S::Int2 | S::Int4 | S::Int8 | S::Float4 | S::Float8 | S::Numeric(_) | S::Oid
        )
    };
    let moment = |t: &S| matches!(t, S::Date | S::Timestamp | S::Timestamptz);
    let json = |t: &S| matches!(t, S::Json | S::Jsonb);
    match (from, to) {
        (S::Array(from), S::Array(to)) => is_text(from) || assignable(from, to),
        (S::Struct(_), S::Struct(_)) | (S::Map(..), S::Map(..)) => true,
        (_, to) if is_text(to) => true,
        (S::Timestamp | S::Timestamptz, S::Time)
        | (S::Interval, S::Time)
        | (S::Time, S::Interval) => true,
        (S::Struct(_) | S::Map(..), to) if json(to) => true,
        (from, to) => {
            from == to
                || (number(from) && number(to))
                || (moment(from) && moment(to))
                || (json(from) && json(to))
        }
    }
}

/// What the rows of a table must keep: NOT NULL, lengths, forms and CHECK.
pub(super) struct Rules {
    table: String,
    columns: Vec<Column>,
    schema: SchemaRef,
    checks: Vec<(String, Arc<dyn PhysicalExpr>)>,
}

impl Rules {
    /// Plans the conditions of a table.
    pub(super) async fn of(
        ctx: &Context,
        table: &str,
        columns: &[Column],
        checks: &[(String, String)],
    ) -> Result<Self> {
        let schema = sql_schema(columns);
        let named = DFSchema::try_from(Arc::clone(&schema)).map_err(from_datafusion)?;
        let mut planned = Vec::with_capacity(checks.len());
        for (name, text) in checks {
            let expr =
                alcedo_sql::parse_expression(text).map_err(|e| Error::from(e).placeless())?;
            let expr = ctx
                .plan_expr(&expr, &named)
                .await
                .map_err(Error::placeless)?;
            planned.push((name.clone(), ctx.physical(&expr, &named)?));
        }
        Ok(Self {
            table: table.to_owned(),
            columns: columns.to_vec(),
            schema,
            checks: planned,
        })
    }

    /// The rows as they will be kept.
    ///
    /// # Errors
    /// 23502, 22001, 22P02 and 23514, as PostgreSQL.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let arrays = batch.columns().iter().zip(&self.columns);
        let arrays = arrays
            .map(|(array, column)| self.column(array, column))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(from_arrow)?;
        for (name, check) in &self.checks {
            let held = check
                .evaluate(&batch)
                .and_then(|v| v.into_array(batch.num_rows()))
                .map_err(from_datafusion)?;
            // NULL holds.
            let broken = held
                .as_boolean_opt()
                .and_then(|held| held.iter().position(|v| v == Some(false)));
            if let Some(row) = broken {
                return Err(Error::user(
                    SqlState::CHECK_VIOLATION,
                    format!(
                        "new row for relation \"{}\" violates check constraint \"{name}\"",
                        self.table
                    ),
                )
                .detail(failing(&batch, row)));
            }
        }
        Ok(batch)
    }

    fn column(&self, array: &ArrayRef, column: &Column) -> Result<ArrayRef> {
        if !column.nullable && array.null_count() > 0 {
            return Err(Error::user(
                SqlState::NOT_NULL_VIOLATION,
                format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    column.name, self.table
                ),
            ));
        }
        let array = match array.data_type() == &arrow_type(&column.ty) {
            true => Arc::clone(array),
            false => cast(array, &arrow_type(&column.ty)).map_err(from_arrow)?,
        };
        match &column.ty {
            SqlType::Varchar(Some(length)) | SqlType::Char(length) => {
                let longest = array
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .map(|t| t.chars().count())
                    .max();
                if longest.unwrap_or(0) > *length as usize {
                    let text = format!("value too long for type {}", column.ty);
                    return Err(Error::user(SqlState::STRING_DATA_RIGHT_TRUNCATION, text));
                }
                Ok(array)
            }
            SqlType::Uuid | SqlType::Json | SqlType::Jsonb => {
                text_forms::formed(&array, &column.ty)
            }
            _ => Ok(array),
        }
    }
}

fn failing(batch: &RecordBatch, row: usize) -> String {
    let cells = batch.columns().iter().map(|array| {
        if array.is_null(row) {
            return "null".to_owned();
        }
        datafusion::arrow::util::display::array_value_to_string(array, row)
            .unwrap_or_else(|_| "?".to_owned())
    });
    format!(
        "Failing row contains ({}).",
        cells.collect::<Vec<_>>().join(", ")
    )
}
