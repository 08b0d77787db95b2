//! `ALTER MODEL`: which version answers and under which names. Each is one change of the catalog.

use super::Output;
use crate::catalog::{Model, ObjectName, Snapshot};
use crate::error::{Error, Result};
use crate::model::name::no_version;
use crate::query::Context;
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::statement::{AlterModel, AlterModelAction};

/// Changes a model.
pub(crate) async fn run(ctx: &Context, s: &AlterModel) -> Result<Output> {
    let (name, _) = ctx.model(&s.name)?;
    ctx.services
        .catalog
        .update(|snapshot| change(snapshot, &name, &s.action))
        .await?;
    Ok(Output::done("ALTER MODEL"))
}

fn change(snapshot: &mut Snapshot, name: &ObjectName, action: &AlterModelAction) -> Result<()> {
    if let AlterModelAction::Rename(new) = action {
        return rename(snapshot, name, new);
    }
    let model = snapshot.models.get_mut(name).ok_or_else(|| missing(name))?;
    match action {
        AlterModelAction::SetDefaultVersion(version) => {
            exists(name, model, *version)?;
            if model.default_version != *version {
                model.former_defaults.push(model.default_version);
                model.default_version = *version;
            }
        }
        AlterModelAction::Rollback => {
            let former = model.former_defaults.pop().ok_or_else(|| {
                Error::user(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("model \"{name}\" has no earlier default version"),
                )
            })?;
            model.default_version = former;
        }
        AlterModelAction::SetAlias { alias, version } => {
            exists(name, model, *version)?;
            let digits = alias.strip_prefix('v').unwrap_or(alias);
            if digits.parse::<u64>().is_ok() {
                return Err(Error::user(
                    SqlState::INVALID_NAME,
                    format!("alias \"{alias}\" would read as a version's number"),
                ));
            }
            model.aliases.insert(alias.clone(), *version);
        }
        AlterModelAction::DropAlias(alias) => {
            if model.aliases.remove(alias).is_none() {
                return Err(no_alias(name, model, alias));
            }
        }
        AlterModelAction::DropVersion(version) => drop_version(name, model, *version)?,
        AlterModelAction::Rename(_) => {}
    }
    Ok(())
}

fn missing(name: &ObjectName) -> Error {
    Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("model \"{name}\" does not exist"),
    )
}

fn exists(name: &ObjectName, model: &Model, version: u64) -> Result<()> {
    if model.versions.contains_key(&version) {
        Ok(())
    } else {
        Err(no_version(name, model, version))
    }
}

fn no_alias(name: &ObjectName, model: &Model, alias: &str) -> Error {
    let error = Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("model \"{name}\" has no alias \"{alias}\""),
    );
    match closest(alias, model.aliases.keys().map(String::as_str)) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error,
    }
}

/// The version's files stay: a running statement may hold it, and nothing names them any more.
fn drop_version(name: &ObjectName, model: &mut Model, version: u64) -> Result<()> {
    exists(name, model, version)?;
    let in_use = |what: String| {
        Error::user(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop version {version} of model \"{name}\" because {what}"),
        )
    };
    if model.default_version == version {
        return Err(in_use("it is the default".to_owned())
            .hint("Make another version the default first: ALTER MODEL … SET DEFAULT VERSION n."));
    }
    let aliases: Vec<&str> = model
        .aliases
        .iter()
        .filter(|(_, v)| **v == version)
        .map(|(alias, _)| alias.as_str())
        .collect();
    if !aliases.is_empty() {
        return Err(in_use(format!("it has the alias {}", aliases.join(", ")))
            .hint("Drop the alias first: ALTER MODEL … DROP ALIAS a."));
    }
    model.versions.remove(&version);
    model.former_defaults.retain(|v| *v != version);
    Ok(())
}

fn rename(snapshot: &mut Snapshot, name: &ObjectName, new: &str) -> Result<()> {
    let target = ObjectName {
        schema: name.schema.clone(),
        name: new.to_owned(),
    };
    if snapshot.models.contains_key(&target) {
        return Err(Error::user(
            SqlState::DUPLICATE_OBJECT,
            format!("model \"{target}\" already exists"),
        ));
    }
    // A view keeps the model's name in its text.
    let views: Vec<String> = snapshot
        .relations
        .iter()
        .filter(|(_, r)| match &r.kind {
            crate::catalog::RelationKind::View(view) => view.models.contains(name),
            _ => false,
        })
        .map(|(view, _)| format!("view {view}"))
        .collect();
    if !views.is_empty() {
        return Err(Error::user(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot rename model \"{name}\" because other objects name it"),
        )
        .detail(format!("Its dependants are: {}.", views.join(", "))));
    }
    let model = snapshot.models.remove(name).ok_or_else(|| missing(name))?;
    snapshot.models.insert(target, model);
    Ok(())
}
