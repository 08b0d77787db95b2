//! `DROP`: objects by name with what depends on them.
//!
//! Views that need a dropped object go with CASCADE. A model that was trained on a dropped table stays and
//! only loses its training query: what it has learnt does not depend on the table.

use super::Output;
use crate::catalog::store::no_secret;
use crate::catalog::{ObjectName, Property, Relation, RelationKind, Snapshot};
use crate::error::{Error, Result};
use crate::lake::stores::secret_of;
use crate::query::{Context, system};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::statement::{Drop, Name, ObjectKind};

/// Drops all that is named, or nothing.
pub(crate) async fn run(ctx: &Context, s: &Drop) -> Result<Output> {
    let now_us = ctx.services.clock.now_us();
    let notices = ctx
        .services
        .catalog
        .update(|snapshot| {
            let mut doomed = Doomed::default();
            let mut notices = Vec::new();
            for name in &s.names {
                match find(ctx, snapshot, s.kind, name) {
                    Ok(target) => doomed.add(target),
                    Err(error) if s.if_exists && missing(&error) => {
                        notices.push(format!(
                            "{} \"{}\" does not exist, skipping",
                            word(s.kind),
                            name.name
                        ));
                    }
                    Err(error) => return Err(error),
                }
            }
            notices.extend(doomed.follow(snapshot, s.cascade)?);
            doomed.remove(snapshot, now_us);
            Ok(notices)
        })
        .await?;
    for notice in notices {
        ctx.notices.notice(notice);
    }
    Ok(Output::done(format!(
        "DROP {}",
        word(s.kind).to_uppercase()
    )))
}

fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::View => "view",
        ObjectKind::Source => "source",
        ObjectKind::Schema => "schema",
        ObjectKind::Model => "model",
        ObjectKind::Secret => "secret",
    }
}

/// The word for a relation: external tables are tables to those who drop them.
fn kind_of(relation: &Relation) -> ObjectKind {
    match relation.kind {
        RelationKind::Table(_) | RelationKind::External(_) => ObjectKind::Table,
        RelationKind::View(_) => ObjectKind::View,
        RelationKind::Source(_) => ObjectKind::Source,
    }
}

fn missing(error: &Error) -> bool {
    [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_SCHEMA_NAME,
    ]
    .contains(&error.state())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Relation(ObjectName),
    Model(ObjectName),
    Schema(String),
    Secret(String),
}

fn find(ctx: &Context, snapshot: &Snapshot, kind: ObjectKind, name: &Name) -> Result<Target> {
    let ctx = Context {
        snapshot: snapshot.clone().into(),
        ..ctx.clone()
    };
    match kind {
        ObjectKind::Schema => {
            if name.schema.is_some() {
                return Err(Error::user(
                    SqlState::INVALID_NAME,
                    "a schema's name has one part",
                ));
            }
            if system::SCHEMAS.contains(&name.name.as_str()) {
                let text = format!(
                    "cannot drop schema {} because it is required by the database system",
                    name.name
                );
                return Err(Error::user(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, text));
            }
            if !snapshot.schemas.contains_key(&name.name) {
                return Err(ctx.no_schema(&name.name));
            }
            Ok(Target::Schema(name.name.clone()))
        }
        ObjectKind::Secret if snapshot.secrets.contains_key(&name.name) => {
            Ok(Target::Secret(name.name.clone()))
        }
        ObjectKind::Secret => Err(no_secret(snapshot, &name.name)),
        ObjectKind::Model => ctx.model(name).map(|(found, _)| Target::Model(found)),
        ObjectKind::Table | ObjectKind::View | ObjectKind::Source => {
            let Ok((found, relation)) = ctx.relation(name) else {
                let text = format!("{} \"{}\" does not exist", word(kind), name.name);
                let error = Error::user(SqlState::UNDEFINED_TABLE, text);
                let known = snapshot
                    .relations
                    .iter()
                    .filter(|(_, r)| kind_of(r) == kind);
                return Err(
                    match closest(&name.name, known.map(|(n, _)| n.name.as_str())) {
                        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
                        None => error,
                    },
                );
            };
            let is = kind_of(&relation);
            if is != kind {
                return Err(Error::user(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not a {}", name.name, word(kind)),
                )
                .hint(format!(
                    "Use DROP {} to remove a {}.",
                    word(is).to_uppercase(),
                    word(is)
                )));
            }
            Ok(Target::Relation(found))
        }
    }
}

/// What goes, in the order it was found.
#[derive(Debug, Default)]
struct Doomed {
    targets: Vec<Target>,
    /// Models that lose their training query.
    detached: Vec<Target>,
}

impl Doomed {
    fn add(&mut self, target: Target) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    /// Adds what depends on the targets and says so, or refuses when CASCADE was not said.
    fn follow(&mut self, snapshot: &Snapshot, cascade: bool) -> Result<Vec<String>> {
        let named = self.targets.clone();
        let (mut notices, mut blockers) = (Vec::new(), Vec::new());
        let mut blocked = None;
        let mut fixed = false;
        let mut at = 0;
        while let Some(target) = self.targets.get(at).cloned() {
            at += 1;
            for dependent in dependents(snapshot, &target) {
                let known = self.targets.contains(&dependent.target);
                if known || dependent.detaches && self.detached.contains(&dependent.target) {
                    continue;
                }
                let (name, needed) = (shown(snapshot, &dependent.target), shown(snapshot, &target));
                blockers.push(format!("{name} depends on {needed}"));
                fixed = fixed || dependent.fixed;
                if blocked.is_none() {
                    blocked = Some(
                        named
                            .iter()
                            .find(|n| **n == target)
                            .map_or(shown(snapshot, &named[0]), |_| needed),
                    );
                }
                if dependent.detaches {
                    notices.push(format!("{name} loses its training query"));
                    self.detached.push(dependent.target);
                } else {
                    notices.push(format!("drop cascades to {name}"));
                    self.targets.push(dependent.target);
                }
            }
        }
        match blocked {
            Some(what) if !cascade || fixed => {
                let text = format!("cannot drop {what} because other objects depend on it");
                let error = Error::user(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, text)
                    .detail(blockers.join("\n"));
                Err(error.hint(match fixed {
                    true => "Drop the dependent objects first.",
                    false => "Use DROP ... CASCADE to drop the dependent objects too.",
                }))
            }
            _ => Ok(notices),
        }
    }

    fn remove(&self, snapshot: &mut Snapshot, now_us: i64) {
        for target in &self.targets {
            match target {
                Target::Relation(name) => snapshot.remove_relation(name, now_us),
                Target::Model(name) => snapshot.remove_model(name, now_us),
                Target::Schema(name) => {
                    snapshot.schemas.remove(name);
                }
                Target::Secret(name) => {
                    snapshot.secrets.remove(name);
                }
            }
        }
        for target in &self.detached {
            let Target::Model(name) = target else {
                continue;
            };
            if let Some(model) = snapshot.models.get_mut(name) {
                model.query = None;
                model.relations.clear();
            }
        }
    }
}

struct Dependent {
    target: Target,
    /// A model that stays without its training query.
    detaches: bool,
    /// CASCADE does not drop it.
    fixed: bool,
}

fn dependents(snapshot: &Snapshot, target: &Target) -> Vec<Dependent> {
    let dependent = |target| Dependent {
        target,
        detaches: false,
        fixed: false,
    };
    let views = |needs: &dyn Fn(&crate::catalog::View) -> bool| -> Vec<Dependent> {
        let found = snapshot
            .relations
            .iter()
            .filter(|(_, r)| matches!(&r.kind, RelationKind::View(v) if needs(v)));
        found
            .map(|(name, _)| dependent(Target::Relation(name.clone())))
            .collect()
    };
    match target {
        Target::Relation(name) => {
            let mut found = views(&|v| v.relations.contains(name));
            let models = snapshot
                .models
                .iter()
                .filter(|(_, m)| m.query.is_some() && m.relations.contains(name));
            found.extend(models.map(|(model, _)| Dependent {
                target: Target::Model(model.clone()),
                detaches: true,
                fixed: false,
            }));
            found
        }
        Target::Model(name) => views(&|v| v.models.contains(name)),
        Target::Schema(schema) => {
            let relations = snapshot.relations.keys().filter(|n| n.schema == *schema);
            let models = snapshot.models.keys().filter(|n| n.schema == *schema);
            let relations = relations.map(|n| dependent(Target::Relation(n.clone())));
            relations
                .chain(models.map(|n| dependent(Target::Model(n.clone()))))
                .collect()
        }
        Target::Secret(secret) => {
            let uses = |r: &Relation| match &r.kind {
                RelationKind::Source(s) => s
                    .properties
                    .values()
                    .any(|p| matches!(p, Property::Secret(n) if n == secret)),
                RelationKind::External(e) => secret_of(snapshot, &e.location) == Some(secret),
                _ => false,
            };
            let found = snapshot.relations.iter().filter(|(_, r)| uses(r));
            found
                .map(|(n, _)| Dependent {
                    target: Target::Relation(n.clone()),
                    detaches: false,
                    fixed: true,
                })
                .collect()
        }
    }
}

fn shown(snapshot: &Snapshot, target: &Target) -> String {
    match target {
        Target::Relation(name) => {
            let kind = snapshot
                .relations
                .get(name)
                .map_or(ObjectKind::Table, kind_of);
            format!("{} {name}", word(kind))
        }
        Target::Model(name) => format!("model {name}"),
        Target::Schema(name) => format!("schema {name}"),
        Target::Secret(name) => format!("secret {name}"),
    }
}
