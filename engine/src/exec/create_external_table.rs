//! `CREATE EXTERNAL TABLE`: the files are looked at once, for their columns.

use super::create_table::columns as declared_columns;
use super::Output;
use crate::catalog::{External, Relation, RelationKind};
use crate::error::{Error, Result};
use crate::lake::external::{Declaration, columns, options};
use crate::query::Context;
use alcedo_sql::SqlState;
use alcedo_sql::statement::CreateExternalTable;

/// Makes an external table.
pub(crate) async fn run(ctx: &Context, s: &CreateExternalTable) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    if ctx.snapshot.relations.contains_key(&name) && !s.or_replace {
        if s.if_not_exists {
            ctx.notices.notice(format!("relation \"{}\" already exists, skipping", name.name));
            return Ok(Output::done("CREATE EXTERNAL TABLE"));
        }
        return Err(super::relation_exists(&name));
    }
    let format = s.format.to_string().to_lowercase();
    let given = options(&format, &s.options)?;
    let declared = Declaration {
        format: &format,
        location: &s.location,
        columns: declared_columns(&s.columns)?,
        partitioned_by: &s.partitioned_by,
        options: &given,
    };
    let (columns, partitioned_by) = ctx.or_canceled(columns(&ctx.lake(), &declared, &ctx.state()?)).await??;
    let external = External {
        columns,
        format: format.clone(),
        location: s.location.clone(),
        partitioned_by,
        options: given.clone(),
        text: s.to_string(),
    };
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.schemas.contains_key(&name.schema) {
                return Err(ctx.no_schema(&name.schema));
            }
            match snapshot.relations.get(&name).map(|r| &r.kind) {
                None => {}
                Some(RelationKind::External(_)) if s.or_replace => {}
                Some(_) if s.or_replace => {
                    let text = format!("\"{}\" is not an external table", name.name);
                    return Err(Error::user(SqlState::WRONG_OBJECT_TYPE, text));
                }
                Some(_) => return Err(super::relation_exists(&name)),
            }
            let oid = snapshot.take_oid();
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
    Ok(Output::done("CREATE EXTERNAL TABLE"))
}
