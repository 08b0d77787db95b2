//! `CREATE SOURCE`: the topic is looked at once, for where the source begins; each query looks for its end.

use super::{Output, relation_exists};
use crate::catalog::{Column, Property};
use crate::catalog::{MetadataColumn, MetadataRole, ObjectName, Relation, RelationKind, Source};
use crate::error::{Error, Result};
use crate::query::Context;
use crate::source::kafka::client::{Cluster, Deadline};
use crate::source::kafka::column_of;
use crate::source::kafka::options::{Declared, Start, shown, timestamptz_mode};
use crate::source::kafka::topic::Topic;
use alcedo_sql::SqlState;
use alcedo_sql::statement::{CreateSource, IncludeRole, Name};
use std::collections::BTreeMap;

/// Makes a source.
pub(crate) async fn run(ctx: &Context, s: &CreateSource) -> Result<Output> {
    let name = ctx.name_for_create(&s.name)?;
    let done = Output::done("CREATE SOURCE");
    if let Some(old) = ctx.snapshot.relations.get(&name) {
        if s.if_not_exists {
            ctx.notices.notice(format!(
                "relation \"{}\" already exists, skipping",
                name.name
            ));
            return Ok(done);
        }
        replaceable(s, old, &name)?;
    }
    let source = source(ctx, s, &name).await?;
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.schemas.contains_key(&name.schema) {
                return Err(ctx.no_schema(&name.schema));
            }
            for property in source.properties.values() {
                if let Property::Secret(secret) = property {
                    if !snapshot.secrets.contains_key(secret) {
                        return Err(crate::catalog::store::no_secret(snapshot, secret));
                    }
                }
            }
            if let Some(old) = snapshot.relations.get(&name) {
                replaceable(s, old, &name)?;
                // Another source under the same name: the dead letters of the former one go.
                snapshot.remove_relation(&name, ctx.services.clock.now_us());
            }
            let relation = Relation {
                oid: snapshot.take_oid(),
                owner: ctx.user.clone(),
                created_at_us: ctx.services.clock.now_us(),
                kind: RelationKind::Source(source.clone()),
            };
            snapshot.relations.insert(name.clone(), relation);
            Ok(())
        })
        .await?;
    Ok(done)
}

/// Only a source takes the place of another.
fn replaceable(s: &CreateSource, old: &Relation, name: &ObjectName) -> Result<()> {
    match (&old.kind, s.or_replace) {
        (RelationKind::Source(_), true) => Ok(()),
        (_, true) => Err(Error::user(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a source", name.name),
        )
        .hint("Drop it first, or take another name.")),
        (_, false) => Err(relation_exists(name)),
    }
}

async fn source(ctx: &Context, s: &CreateSource, name: &ObjectName) -> Result<Source> {
    let declared = Declared::of(s.with.clone())?;
    let mode = timestamptz_mode(s.encode_options.clone())?;
    let (columns, metadata) = columns(s)?;
    let cluster = Cluster::of(&ctx.services.catalog, &ctx.snapshot, &declared.properties)?;
    let (topic, start) = (declared.topic.clone(), declared.start.clone());
    let looking = tokio::task::spawn_blocking(move || look(&cluster, &topic, &start));
    let looked = ctx.or_canceled(looking).await?;
    let (start, topic_id) =
        looked.map_err(|e| Error::internal(format!("looking at a topic ended: {e}")))??;
    let shown = CreateSource {
        name: Name {
            schema: Some(name.schema.clone()),
            name: name.name.clone(),
        },
        with: shown(&s.with),
        ..s.clone()
    };
    Ok(Source {
        columns,
        metadata,
        topic: declared.topic,
        topic_id,
        properties: declared.properties,
        start,
        on_error: declared.on_error,
        timestamptz_mode: mode,
        text: shown.to_string(),
    })
}

/// Where the source begins in each partition, and the id of this life of its topic.
fn look(cluster: &Cluster, topic: &str, start: &Start) -> Result<(BTreeMap<i32, i64>, String)> {
    let consumer = cluster.consumer()?;
    let topic = Topic::new(cluster, &consumer, topic, Deadline::connect());
    Ok((topic.start(start)?, topic.id()))
}

fn columns(s: &CreateSource) -> Result<(Vec<Column>, Vec<MetadataColumn>)> {
    let declared = s.columns.iter().map(|c| Column {
        name: c.name.clone(),
        ty: c.ty.clone(),
        nullable: c.nullable,
        default: None,
    });
    let mut columns: Vec<Column> = declared.collect();
    let mut metadata = Vec::new();
    for include in &s.include {
        let role = match &include.role {
            IncludeRole::Key => MetadataRole::Key,
            IncludeRole::Partition => MetadataRole::Partition,
            IncludeRole::Offset => MetadataRole::Offset,
            IncludeRole::Timestamp => MetadataRole::Timestamp,
            IncludeRole::Headers => MetadataRole::Headers,
            IncludeRole::Header(key) => MetadataRole::Header(key.clone()),
        };
        let column = column_of(&role, include.alias.as_deref());
        if columns.iter().any(|c| c.name == column.name) {
            let text = format!("column \"{}\" specified more than once", column.name);
            return Err(Error::user(SqlState::DUPLICATE_COLUMN, text)
                .hint("Give it another name: INCLUDE … AS name."));
        }
        metadata.push(MetadataColumn {
            name: column.name.clone(),
            role,
        });
        columns.push(column);
    }
    if columns.is_empty() {
        return Err(
            Error::user(SqlState::INVALID_TABLE_DEFINITION, "a source needs columns")
                .hint("Declare the fields of its records: CREATE SOURCE name (field type, …) …"),
        );
    }
    Ok((columns, metadata))
}
