//! `ALTER SECRET`: a new value under an old name.

use super::Output;
use super::create_secret::Content;
use crate::catalog::store::no_secret;
use crate::error::Result;
use crate::query::Context;
use alcedo_sql::statement::CreateSecret;

/// Seals the new value.
pub(crate) async fn run(ctx: &Context, s: &CreateSecret) -> Result<Output> {
    let content = Content::of(s)?;
    let sealed = ctx.services.catalog.seal(&content.values)?;
    ctx.services
        .catalog
        .update(|snapshot| {
            if !snapshot.secrets.contains_key(&s.name) {
                return Err(no_secret(snapshot, &s.name));
            }
            if let Some(secret) = snapshot.secrets.get_mut(&s.name) {
                content.kind.clone_into(&mut secret.kind);
                secret.scope.clone_from(&content.scope);
                secret.sealed.clone_from(&sealed);
            }
            Ok(())
        })
        .await?;
    Ok(Output::done("ALTER SECRET"))
}
