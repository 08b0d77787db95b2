//! `CREATE EXTERNAL TABLE`: the files are looked at once, for their columns; each query lists them again.

use super::{Output, relation_exists};
use crate::catalog::{Column, External, Relation, RelationKind};
use crate::error::{Error, Result};
use crate::lake::external::{Declared, discover};
use crate::lake::file_options;
use crate::query::Context;
use alcedo_sql::SqlState;
use alcedo_sql::statement::{CreateExternalTable, Name};

/// Makes an external table.
pub(crate) async fn run(ctx: &Context, s: &CreateExternalTable) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    let done = Output::done("CREATE EXTERNAL TABLE");
    if let Some(old) = ctx.snapshot.relations.get(&name) {
        if s.if_not_exists {
            ctx.notices.notice(format!(
                "relation \"{}\" already exists, skipping",
                name.name
            ));
            return Ok(done);
        }
        replaceable(s, old, &name.name)?;
    }
    let external = external(
        ctx,
        s,
        &Name {
            schema: Some(name.schema.clone()),
            name: name.name.clone(),
        },
    )
    .await?;
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.schemas.contains_key(&name.schema) {
                return Err(ctx.no_schema(&name.schema));
            }
            let old = snapshot.relations.get(&name);
            if old.is_some() && !s.or_replace {
                return Err(relation_exists(&name));
            }
            old.map(|old| replaceable(s, old, &name.name)).transpose()?;
            let oid = old.map(|old| old.oid);
            let oid = oid.unwrap_or_else(|| snapshot.take_oid());
            let relation = Relation {
                oid,
                owner: ctx.user.clone(),
                created_at_us: ctx.services.clock.now_us(),
                kind: RelationKind::External(external.clone()),
            };
            snapshot.relations.insert(name.clone(), relation);
            Ok(())
        })
        .await?;
    Ok(done)
}

/// Only an external table takes the place of another.
fn replaceable(s: &CreateExternalTable, old: &Relation, name: &str) -> Result<()> {
    match (&old.kind, s.or_replace) {
        (RelationKind::External(_), true) => Ok(()),
        (_, true) => Err(Error::user(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{name}\" is not an external table"),
        )
        .hint("Drop it first, or take another name.")),
        (_, false) => Err(Error::user(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{name}\" already exists"),
        )),
    }
}

async fn external(ctx: &Context, s: &CreateExternalTable, qualified: &Name) -> Result<External> {
    let format = s.format.to_string().to_lowercase();
    let mut options = file_options::check(&format, s.options.clone())?;
    let mut columns = Vec::with_capacity(s.columns.len());
    for c in &s.columns {
        if !c.nullable || c.default.is_some() {
            return Err(Error::unsupported(format!(
                "NOT NULL and DEFAULT are not supported on external tables, as on column \"{}\"",
                c.name
            ))
            .hint("Others write the files: leave them out, or use coalesce() in a view."));
        }
        columns.push(Column {
            name: c.name.clone(),
            ty: c.ty.clone(),
            nullable: true,
            default: None,
        });
    }
    let declared = Declared {
        format: &format,
        location: &s.location,
        options: &mut options,
        columns,
        partitioned_by: s.partitioned_by.clone(),
    };
    let state = ctx.state()?;
    let access = ctx.lake();
    let (columns, partitioned_by) = ctx
        .or_canceled(discover(&access, &state, declared))
        .await??;
    let text = CreateExternalTable {
        name: qualified.clone(),
        ..s.clone()
    }
    .to_string();
    Ok(External {
        columns,
        format,
        location: s.location.clone(),
        partitioned_by,
        options,
        text,
    })
}
