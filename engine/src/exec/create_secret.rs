//! `CREATE SECRET`: one value under a name, or the credentials of object stores.

use super::Output;
use crate::catalog::Secret;
use crate::error::{Error, Result};
use crate::query::Context;
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_sql::statement::CreateSecret;
use std::collections::BTreeMap;

/// What a secret of type s3 may say; `scope` stands in the clear.
const S3_KEYS: &[&str] = &["key_id", "secret", "region", "endpoint", "session_token"];

/// Seals and stores a secret.
pub(crate) async fn run(ctx: &Context, s: &CreateSecret) -> Result<Output> {
    if ctx.snapshot.secrets.contains_key(&s.name) && !s.or_replace {
        if s.if_not_exists {
            ctx.notices
                .notice(format!("secret \"{}\" already exists, skipping", s.name));
            return Ok(Output::done("CREATE SECRET"));
        }
        return Err(exists(&s.name));
    }
    let content = Content::of(s)?;
    let sealed = ctx.services.catalog.seal(&content.values)?;
    ctx.services
        .catalog
        .update(|snapshot| {
            let known = snapshot.secrets.get(&s.name).map(|old| old.oid);
            if known.is_some() && !s.or_replace {
                return Err(exists(&s.name));
            }
            let oid = known.unwrap_or_else(|| snapshot.take_oid());
            let secret = Secret {
                oid,
                owner: ctx.user.clone(),
                kind: content.kind.to_owned(),
                scope: content.scope.clone(),
                sealed: sealed.clone(),
            };
            snapshot.secrets.insert(s.name.clone(), secret);
            Ok(())
        })
        .await?;
    Ok(Output::done("CREATE SECRET"))
}

fn exists(name: &str) -> Error {
    Error::user(
        SqlState::DUPLICATE_OBJECT,
        format!("secret \"{name}\" already exists"),
    )
    .hint("ALTER SECRET sets a new value.")
}

/// What a statement says of a secret.
pub(super) struct Content {
    pub(super) kind: &'static str,
    pub(super) scope: Option<String>,
    pub(super) values: BTreeMap<String, String>,
}

impl Content {
    /// Reads the value or the options; what is left over is an error.
    pub(super) fn of(s: &CreateSecret) -> Result<Self> {
        let mut options = s.options.clone();
        if let Some(value) = &s.value {
            // RisingWave's way of saying where secrets are kept: they are kept here.
            options.take_text(&["backend"])?;
            if let Some(entry) = options.entries.first() {
                return Err(unknown(&entry.key, &["backend"]).at(entry.position));
            }
            let values = BTreeMap::from([("value".to_owned(), value.clone())]);
            return Ok(Self {
                kind: "generic",
                scope: None,
                values,
            });
        }
        match options
            .take_text(&["type"])?
            .map(|t| t.to_lowercase())
            .as_deref()
        {
            Some("s3") => {}
            Some(other) => {
                return Err(Error::unsupported(format!(
                    "secrets of type {other} are not supported"
                ))
                .hint("There is TYPE s3; CREATE SECRET n AS 'value' keeps any text."));
            }
            None => {
                return Err(Error::user(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "a secret needs a value or a type",
                )
                .hint("Write CREATE SECRET n AS 'value' or CREATE SECRET n (TYPE s3, …)."));
            }
        }
        let scope = options.take_text(&["scope"])?;
        let mut values = BTreeMap::new();
        for key in S3_KEYS {
            if let Some(value) = options.take_text(&[key])? {
                values.insert((*key).to_owned(), value);
            }
        }
        if let Some(entry) = options.entries.first() {
            let mut known = S3_KEYS.to_vec();
            known.extend(["type", "scope"]);
            return Err(unknown(&entry.key, &known).at(entry.position));
        }
        Ok(Self {
            kind: "s3",
            scope,
            values,
        })
    }
}

fn unknown(key: &str, known: &[&str]) -> Error {
    let error = Error::user(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("unknown option \"{key}\" of a secret"),
    );
    match closest(key, known.iter().copied()) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error.hint(format!("Its options are: {}.", known.join(", "))),
    }
}
