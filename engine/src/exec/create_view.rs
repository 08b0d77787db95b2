//! `CREATE VIEW`: the query is planned once, for its columns and for what it needs.

use super::{Output, output_fields};
use crate::catalog::{Column, ObjectName, Relation, RelationKind, Snapshot, View};
use crate::error::{Error, Kind, Result};
use crate::query::{Context, dependencies};
use alcedo_sql::SqlState;
use alcedo_sql::statement::CreateView;

/// Makes or replaces a view.
pub(crate) async fn run(ctx: &Context, s: &CreateView) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    if s.if_not_exists && ctx.snapshot.relations.contains_key(&name) {
        ctx.notices.notice(format!(
            "relation \"{}\" already exists, skipping",
            name.name
        ));
        return Ok(Output::done("CREATE VIEW"));
    }
    let planned = ctx.or_canceled(ctx.prepare_query(&s.query)).await??;
    if !planned.parameters.is_empty() {
        return Err(Error::user(
            SqlState::UNDEFINED_PARAMETER,
            "views cannot have parameters",
        ));
    }
    let columns = columns(s, &output_fields(planned.plan.schema().as_arrow()))?;
    let needed = dependencies::of(ctx, &s.query)?;
    let view = View {
        columns,
        text: s.text.clone(),
        search_path: ctx.search_path.clone(),
        relations: needed.relations,
        models: needed.models,
    };
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.schemas.contains_key(&name.schema) {
                return Err(ctx.no_schema(&name.schema));
            }
            still_there(snapshot, &name, &view)?;
            let old = match snapshot.relations.get(&name) {
                None => None,
                Some(Relation {
                    kind: RelationKind::View(old),
                    oid,
                    created_at_us,
                    ..
                }) if s.or_replace => {
                    compatible(old, &view)?;
                    Some((*oid, *created_at_us))
                }
                Some(_) if s.or_replace => {
                    let text = format!("\"{}\" is not a view", name.name);
                    return Err(Error::user(SqlState::WRONG_OBJECT_TYPE, text));
                }
                Some(_) => return Err(super::relation_exists(&name)),
            };
            let (oid, created_at_us) =
                old.unwrap_or_else(|| (snapshot.take_oid(), ctx.services.clock.now_us()));
            let kind = RelationKind::View(view.clone());
            let relation = Relation {
                oid,
                owner: ctx.user.clone(),
                created_at_us,
                kind,
            };
            snapshot.relations.insert(name.clone(), relation);
            Ok(())
        })
        .await?;
    Ok(Output::done("CREATE VIEW"))
}

fn columns(s: &CreateView, fields: &[super::OutputField]) -> Result<Vec<Column>> {
    if s.columns.len() > fields.len() {
        return Err(Error::user(
            SqlState::SYNTAX_ERROR,
            "CREATE VIEW specifies more column names than columns",
        ));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(fields.len());
    for (i, field) in fields.iter().enumerate() {
        let name = s.columns.get(i).unwrap_or(&field.name).clone();
        if columns.iter().any(|c| c.name == name) {
            return Err(Error::user(
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            )
            .hint("Give the columns names of their own with AS."));
        }
        columns.push(Column {
            name,
            ty: field.ty.clone(),
            nullable: true,
            default: None,
        });
    }
    Ok(columns)
}

/// What the view needs is there as it was when its query was planned, and does not need the view in turn.
fn still_there(snapshot: &Snapshot, name: &ObjectName, view: &View) -> Result<()> {
    let mut needed = view.relations.clone();
    let gone = |what: &ObjectName| {
        let text = format!("\"{what}\", which the view needs, was dropped at the same time");
        Error::new(Kind::Conflict, SqlState::SERIALIZATION_FAILURE, text)
            .hint("Run the statement again.")
    };
    if let Some(model) = view
        .models
        .iter()
        .find(|m| !snapshot.models.contains_key(m))
    {
        return Err(gone(model));
    }
    let mut at = 0;
    while let Some(relation) = needed.get(at).cloned() {
        at += 1;
        if relation == *name {
            let text = format!("view \"{}\" cannot read itself", name.name);
            return Err(Error::user(SqlState::INVALID_TABLE_DEFINITION, text));
        }
        let found = snapshot
            .relations
            .get(&relation)
            .ok_or_else(|| gone(&relation))?;
        if let RelationKind::View(inner) = &found.kind {
            let new = inner
                .relations
                .iter()
                .filter(|r| !needed.contains(r))
                .cloned()
                .collect::<Vec<_>>();
            needed.extend(new);
        }
    }
    Ok(())
}

/// As in PostgreSQL, a replaced view keeps its columns and may only add to them.
fn compatible(old: &View, new: &View) -> Result<()> {
    for (i, column) in old.columns.iter().enumerate() {
        let Some(now) = new.columns.get(i) else {
            return Err(Error::user(
                SqlState::INVALID_TABLE_DEFINITION,
                "cannot drop columns from view",
            ));
        };
        if now.name != column.name {
            return Err(Error::user(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "cannot change name of view column \"{}\" to \"{}\"",
                    column.name, now.name
                ),
            )
            .hint("Drop the view first, or give the column its old name."));
        }
        if now.ty != column.ty {
            return Err(Error::user(
                SqlState::INVALID_TABLE_DEFINITION,
                format!(
                    "cannot change data type of view column \"{}\" from {} to {}",
                    column.name, column.ty, now.ty
                ),
            ));
        }
    }
    Ok(())
}
