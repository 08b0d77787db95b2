//! `ALTER TABLE`: another name, or one more column.

use super::Output;
use super::assign::{Rules, project};
use super::change::target;
use super::create_table::columns;
use super::insert::{still_there, write};
use crate::catalog::{Column, ObjectName, RelationKind, Snapshot, Table};
use crate::error::{Error, Result};
use crate::lake::managed::{self, Change};
use crate::lake::scan::ManagedScan;
use crate::query::{Context, TARGET};
use alcedo_sql::statement::{AlterTable, AlterTableAction, ColumnDef, Name};
use alcedo_sql::{SqlState, Statement, quote_ident};
use std::sync::Arc;

/// Changes a table.
pub(crate) async fn run(ctx: &Context, s: &AlterTable) -> Result<Output> {
    if s.if_exists && ctx.relation(&s.name).is_err() {
        ctx.notices.notice(format!(
            "relation \"{}\" does not exist, skipping",
            s.name.name
        ));
        return Ok(Output::done("ALTER TABLE"));
    }
    match &s.action {
        AlterTableAction::Rename(to) => rename(ctx, s, to).await?,
        AlterTableAction::AddColumn {
            if_not_exists,
            column,
            ..
        } => {
            let (name, table) = target(ctx, &s.name, "alter")?;
            if table.columns.iter().any(|c| c.name == column.name) {
                let text = format!(
                    "column \"{}\" of relation \"{}\" already exists",
                    column.name, name.name
                );
                if !if_not_exists {
                    return Err(Error::user(SqlState::DUPLICATE_COLUMN, text));
                }
                ctx.notices.notice(format!("{text}, skipping"));
                return Ok(Output::done("ALTER TABLE"));
            }
            add_column(ctx, &name, &table, column).await?;
        }
    }
    Ok(Output::done("ALTER TABLE"))
}

async fn rename(ctx: &Context, s: &AlterTable, to: &str) -> Result<()> {
    let (name, relation) = ctx.relation(&s.name)?;
    let what = match relation.kind {
        RelationKind::Table(_) | RelationKind::External(_) => None,
        RelationKind::View(_) => Some("view"),
        RelationKind::Source(_) => Some("source"),
    };
    if let Some(what) = what {
        let text = format!("\"{}\" is not a table", name.name);
        return Err(Error::user(SqlState::WRONG_OBJECT_TYPE, text)
            .hint(format!("Make the {what} again under the new name.")));
    }
    let new = ObjectName {
        schema: name.schema.clone(),
        name: to.to_owned(),
    };
    ctx.services
        .catalog
        .update(|snapshot| {
            if snapshot.relations.contains_key(&new) {
                return Err(super::relation_exists(&new));
            }
            // Stored queries name their tables by text.
            unneeded(snapshot, &name)?;
            let Some(mut relation) = snapshot.relations.remove(&name) else {
                let text = format!("relation \"{name}\" does not exist");
                return Err(Error::user(SqlState::UNDEFINED_TABLE, text));
            };
            if let RelationKind::External(external) = &mut relation.kind {
                external.text = renamed(&external.text, &new)?;
            }
            snapshot.relations.insert(new.clone(), relation);
            Ok(())
        })
        .await
}

/// The DDL of an external table under another name.
fn renamed(text: &str, new: &ObjectName) -> Result<String> {
    let parsed = alcedo_sql::parse(text)?
        .into_iter()
        .next()
        .map(|p| p.statement);
    let Some(Statement::CreateExternalTable(mut statement)) = parsed else {
        return Err(Error::internal(
            "the text of an external table makes something else",
        ));
    };
    statement.name = Name {
        schema: Some(new.schema.clone()),
        name: new.name.clone(),
    };
    Ok(statement.to_string())
}

/// 2BP01 when a view or a model's training query names the table.
fn unneeded(snapshot: &Snapshot, name: &ObjectName) -> Result<()> {
    let views = snapshot
        .relations
        .iter()
        .filter(|(_, r)| matches!(&r.kind, RelationKind::View(v) if v.relations.contains(name)));
    let views = views.map(|(n, _)| format!("view {n} reads table {name}"));
    let models = snapshot
        .models
        .iter()
        .filter(|(_, m)| m.query.is_some() && m.relations.contains(name));
    let needed: Vec<String> = views
        .chain(models.map(|(n, _)| format!("model {n} is trained on table {name}")))
        .collect();
    if needed.is_empty() {
        return Ok(());
    }
    Err(Error::user(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot rename table {name} because other objects depend on it"),
    )
    .detail(format!("{}.", needed.join("; ")))
    .hint("They name it in their queries: make a view with the new name, or drop them first."))
}

/// Adds a column; rows that are there get its default, as files with the value when it is not NULL.
async fn add_column(
    ctx: &Context,
    name: &ObjectName,
    table: &Table,
    column: &ColumnDef,
) -> Result<()> {
    let added = columns(std::slice::from_ref(column))?.remove(0);
    let access = ctx.lake();
    let _alone = ctx.or_canceled(managed::writer(&access, table)).await?;
    still_there(ctx, name, table)?;
    let mut wider = table.clone();
    wider.columns.push(added.clone());
    let rules = Rules::of(ctx, &name.name, &wider.columns, &wider.checks).await?;
    let left_over = managed::newest(&access, table)
        .await?
        .add_column(&access, &wider.columns)
        .await?;
    let version = managed::newest(&access, table).await?;
    let files = version.files();
    if !files.is_empty() && (added.default.is_some() || !added.nullable || left_over) {
        let removed: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
        let scan = ManagedScan::new(&table.columns, files, false);
        let over = Context {
            target: Some(Arc::new(scan)),
            ..ctx.clone()
        };
        let all = alcedo_sql::parse_query(&format!("SELECT * FROM {}", quote_ident(TARGET)))?;
        let plan = over.plan_query(&all).await?;
        let mut sources: Vec<Option<usize>> = (0..table.columns.len()).map(Some).collect();
        sources.push(None);
        let plan = project(&over, plan, &wider.columns, &sources).await?;
        let rows = over.stream(plan).await?;
        let files = write(&over, &table.path, &wider.columns, &rules, rows).await?;
        if let Err(error) = version
            .commit(&access, &removed, &files, Change::Update)
            .await
        {
            managed::undo(&access, table, &files).await;
            return Err(error);
        }
    }
    publish(ctx, name, table, added).await
}

async fn publish(ctx: &Context, name: &ObjectName, table: &Table, added: Column) -> Result<()> {
    ctx.services
        .catalog
        .update(|snapshot| {
            let known = snapshot.relations.get_mut(name).map(|r| &mut r.kind);
            match known {
                Some(RelationKind::Table(known)) if known.path == table.path => {
                    if !known.columns.iter().any(|c| c.name == added.name) {
                        known.columns.push(added.clone());
                    }
                    Ok(())
                }
                _ => Err(Error::user(
                    SqlState::UNDEFINED_TABLE,
                    format!("relation \"{name}\" was dropped meanwhile"),
                )),
            }
        })
        .await
}
