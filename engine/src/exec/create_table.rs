//! `CREATE TABLE`: a managed table, declared or filled from a query. Its files are there before the catalog names it.

use super::assign::{Rules, project};
use super::insert::write;
use super::{Output, output_fields};
use crate::catalog::{Column, ObjectName, Relation, RelationKind, Table};
use crate::error::{Error, Kind, Result};
use crate::lake::managed;
use crate::query::Context;
use crate::query::error::from_datafusion;
use alcedo_sql::SqlState;
use alcedo_sql::ast::Query;
use alcedo_sql::statement::{ColumnDef, CreateTable};
use alcedo_sql::types::SqlType;
use datafusion::logical_expr::LogicalPlan;
use futures::StreamExt;

/// Makes a table.
pub(crate) async fn run(ctx: &Context, s: &CreateTable) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    if ctx.snapshot.relations.contains_key(&name) && !s.or_replace {
        if s.if_not_exists {
            ctx.notices.notice(format!(
                "relation \"{}\" already exists, skipping",
                name.name
            ));
            return Ok(Output::done(if s.query.is_some() {
                "CREATE TABLE AS"
            } else {
                "CREATE TABLE"
            }));
        }
        return Err(super::relation_exists(&name));
    }
    let access = ctx.lake();
    let path = format!("tables/{}", uuid::Uuid::new_v4());
    let (columns, checks, files) = match &s.query {
        None => {
            let columns = columns(&s.columns)?;
            let checks: Vec<(String, String)> = s
                .checks
                .iter()
                .map(|(n, e)| (n.clone(), e.to_string()))
                .collect();
            validate(ctx, &name, &columns, &checks).await?;
            (columns, checks, None)
        }
        Some(query) => {
            let (columns, plan) = plan(ctx, s, query).await?;
            let rules = Rules::of(ctx, &name.name, &columns, &[]).await?;
            let rows = ctx.stream(plan).await?;
            let files = write(ctx, &path, &columns, &rules, rows).await?;
            (columns, Vec::new(), Some(files))
        }
    };
    let written = files.as_deref().unwrap_or_default();
    if let Err(error) = managed::create(&access, &path, &columns, written).await {
        managed::discard(&access, &path).await;
        return Err(error);
    }
    let table = Table {
        columns,
        checks,
        path: path.clone(),
    };
    if let Err(error) = publish(ctx, s, &name, table).await {
        // After another kind of failure the catalog may name the table.
        if matches!(error.fields().kind, Kind::User | Kind::Conflict) {
            managed::discard(&access, &path).await;
        }
        return Err(error);
    }
    Ok(match &files {
        Some(files) => Output::rows_tag("SELECT", files.iter().filter_map(|f| f.rows).sum()),
        None => Output::done("CREATE TABLE"),
    })
}

/// The columns of a declaration.
pub(super) fn columns(declared: &[ColumnDef]) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::with_capacity(declared.len());
    for column in declared {
        if columns.iter().any(|c| c.name == column.name) {
            let text = format!("column \"{}\" specified more than once", column.name);
            return Err(Error::user(SqlState::DUPLICATE_COLUMN, text));
        }
        columns.push(Column {
            name: column.name.clone(),
            ty: column.ty.clone(),
            nullable: column.nullable,
            default: column.default.as_ref().map(ToString::to_string),
        });
    }
    Ok(columns)
}

/// Whether defaults have values and conditions can be planned, before anybody relies on them.
async fn validate(
    ctx: &Context,
    name: &ObjectName,
    columns: &[Column],
    checks: &[(String, String)],
) -> Result<()> {
    let nothing = alcedo_sql::parse_query("SELECT 1")?;
    let plan = ctx.plan_query(&nothing).await?;
    let defaults = project(ctx, plan, columns, &vec![None; columns.len()]).await?;
    let mut values = ctx.stream(defaults).await?;
    while let Some(batch) = values.next().await {
        batch.map_err(from_datafusion)?;
    }
    Rules::of(ctx, &name.name, columns, checks)
        .await
        .map(|_| ())
}

/// Columns and plan of CREATE TABLE AS.
pub(super) async fn plan(
    ctx: &Context,
    s: &CreateTable,
    query: &Query,
) -> Result<(Vec<Column>, LogicalPlan)> {
    let plan = ctx.plan_query(query).await?;
    let fields = output_fields(plan.schema().as_arrow());
    if s.query_columns.len() > fields.len() {
        return Err(Error::user(
            SqlState::SYNTAX_ERROR,
            "too many column names were specified",
        ));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(fields.len());
    for (i, field) in fields.into_iter().enumerate() {
        let name = s.query_columns.get(i).cloned().unwrap_or(field.name);
        if columns.iter().any(|c| c.name == name) {
            let text = format!("column \"{name}\" specified more than once");
            return Err(Error::user(SqlState::DUPLICATE_COLUMN, text)
                .hint("Give the columns names of their own with AS."));
        }
        let ty = if field.data_type.is_null() {
            SqlType::Text
        } else {
            field.ty
        };
        columns.push(Column {
            name,
            ty,
            nullable: true,
            default: None,
        });
    }
    if columns.is_empty() {
        return Err(Error::unsupported(
            "tables without columns are not supported",
        ));
    }
    let sources: Vec<Option<usize>> = (0..columns.len()).map(Some).collect();
    let plan = project(ctx, plan, &columns, &sources).await?;
    Ok((columns, plan))
}

async fn publish(ctx: &Context, s: &CreateTable, name: &ObjectName, table: Table) -> Result<()> {
    let now_us = ctx.services.clock.now_us();
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.schemas.contains_key(&name.schema) {
                return Err(ctx.no_schema(&name.schema));
            }
            match snapshot.relations.get(name).map(|r| &r.kind) {
                None => {}
                Some(RelationKind::Table(_)) if s.or_replace => {
                    snapshot.remove_relation(name, now_us);
                }
                Some(_) if s.or_replace => {
                    let text = format!("\"{}\" is not a table", name.name);
                    return Err(Error::user(SqlState::WRONG_OBJECT_TYPE, text));
                }
                Some(_) => return Err(super::relation_exists(name)),
            }
            let oid = snapshot.take_oid();
            let kind = RelationKind::Table(table.clone());
            let relation = Relation {
                oid,
                owner: ctx.user.clone(),
                created_at_us: now_us,
                kind,
            };
            snapshot.relations.insert(name.clone(), relation);
            Ok(())
        })
        .await
}
