//! Names of model versions as users write them: `m`, `schema.m`, `m@champion`, `schema.m@3`, `m@v3`.

use crate::catalog::{Model, ObjectName, Snapshot};
use crate::error::{Error, Result};
use alcedo_sql::options::closest;
use alcedo_sql::{SqlState, quote_ident};

/// A model and perhaps one of its versions, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The schema, when it was written.
    pub schema: Option<String>,
    /// The model's own name.
    pub name: String,
    /// What followed `@`: an alias or a number.
    pub version: Option<String>,
}

impl Reference {
    /// Reads a reference: unquoted parts fold to lower case, quoted ones stay.
    ///
    /// # Errors
    /// 42602 when the text is not a name.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::user(
                SqlState::INVALID_NAME,
                format!("invalid model name \"{text}\""),
            )
        };
        let (first, rest) = part(text.trim()).ok_or_else(bad)?;
        let (schema, name, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (name, rest) = part(rest).ok_or_else(bad)?;
                (Some(first), name, rest)
            }
            None => (None, first, rest),
        };
        let version = match rest.strip_prefix('@') {
            Some(rest) => {
                let (version, rest) = part(rest).ok_or_else(bad)?;
                if !rest.is_empty() {
                    return Err(bad());
                }
                Some(version)
            }
            None if rest.is_empty() => None,
            None => return Err(bad()),
        };
        Ok(Self {
            schema,
            name,
            version,
        })
    }
}

/// The text that [`Reference::parse`] reads as exactly this version.
pub fn pinned(name: &ObjectName, version: u64) -> String {
    format!(
        "{}.{}@{version}",
        quote_ident(&name.schema),
        quote_ident(&name.name)
    )
}

/// One part up to `.`, `@` or the end.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['.', '@']).unwrap_or(text.len());
        let name = text[..end].trim().to_lowercase();
        return (!name.is_empty() && !name.contains('"')).then(|| (name, &text[end..]));
    };
    let mut name = String::new();
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (!name.is_empty()).then_some((name, rest)),
        }
    }
}

/// Finds a model version through the search path: the default version unless one is named.
///
/// # Errors
/// 42704 for an unknown model, version or alias.
pub fn find(snapshot: &Snapshot, search_path: &[String], text: &str) -> Result<(ObjectName, u64)> {
    let reference = Reference::parse(text)?;
    let (name, model) = find_model(snapshot, search_path, &reference)?;
    let version = match &reference.version {
        None => model.default_version,
        Some(word) => version_named(&name, model, word)?,
    };
    Ok((name, version))
}

fn find_model<'a>(
    snapshot: &'a Snapshot,
    search_path: &[String],
    reference: &Reference,
) -> Result<(ObjectName, &'a Model)> {
    let schemas = match &reference.schema {
        Some(schema) => std::slice::from_ref(schema),
        None => search_path,
    };
    for schema in schemas {
        let name = ObjectName {
            schema: schema.clone(),
            name: reference.name.clone(),
        };
        if let Some(model) = snapshot.models.get(&name) {
            return Ok((name, model));
        }
    }
    let written = match &reference.schema {
        Some(schema) => format!("{schema}.{}", reference.name),
        None => reference.name.clone(),
    };
    let error = Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("model \"{written}\" does not exist"),
    );
    Err(
        match closest(
            &reference.name,
            snapshot.models.keys().map(|k| k.name.as_str()),
        ) {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error,
        },
    )
}

/// The version behind an alias, a number or `v` and a number.
fn version_named(name: &ObjectName, model: &Model, word: &str) -> Result<u64> {
    if let Some(version) = model.aliases.get(word) {
        return Ok(*version);
    }
    let digits = word.strip_prefix('v').unwrap_or(word);
    if let Ok(version) = digits.parse::<u64>() {
        if model.versions.contains_key(&version) {
            return Ok(version);
        }
        return Err(no_version(name, model, version));
    }
    let error = Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("model \"{name}\" has no alias \"{word}\""),
    );
    Err(
        match closest(word, model.aliases.keys().map(String::as_str)) {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None if model.aliases.is_empty() => error.hint(
                "Write @ and a version's number, or give it an alias with ALTER MODEL … SET ALIAS.",
            ),
            None => {
                let known: Vec<&str> = model.aliases.keys().map(String::as_str).collect();
                error.hint(format!("Its aliases are: {}.", known.join(", ")))
            }
        },
    )
}

/// 42704 for a version that is not there.
pub fn no_version(name: &ObjectName, model: &Model, version: u64) -> Error {
    let known: Vec<String> = model.versions.keys().map(u64::to_string).collect();
    Error::user(
        SqlState::UNDEFINED_OBJECT,
        format!("model \"{name}\" has no version {version}"),
    )
    .hint(format!("Its versions are: {}.", known.join(", ")))
}
