//! The versions of the catalog as files: each written once, with a conditional put.
//!
//! # Format
//!
//! `catalog/<version, 20 digits>.json` under the data directory, two lines:
//!
//! 1. `alcedo catalog <format, now 1> <SHA-256 of line 2 without its end, hexadecimal> <nonce of the writer>`
//! 2. the [`Snapshot`] as JSON
//!
//! The newest version is the catalog; a damaged newest version is an error, never a step back. A version is put
//! with `PutMode::Create`. A put that an unreliable network sent twice finds its own file; the nonce tells. About
//! [`KEPT`] versions stay; on a shared directory no young version goes, so that a slow writer never finds the place
//! of a version that has been there and gone.

use super::Snapshot;
use super::durable::DataDir;
use crate::error::{Error, Kind, Result, from_store};
use alcedo_sql::SqlState;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

const FOLDER: &str = "catalog";
const MAGIC: &str = "alcedo catalog ";
const FORMAT: &str = "1";
/// Versions that stay.
const KEPT: u64 = 20;
/// Age below which a version of a shared directory stays.
const YOUNG_SECONDS: i64 = 600;

fn file(version: u64) -> Path {
    Path::from(format!("{FOLDER}/{version:020}.json"))
}

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn version_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The newest version above one.
pub(super) async fn newer(data: &DataDir, known: u64) -> Result<Option<Snapshot>> {
    loop {
        let files = data
            .store
            .list_with_offset(Some(&Path::from(FOLDER)), &file(known));
        let versions = files.try_filter_map(|f| std::future::ready(Ok(version_of(&f.location))));
        let newest = versions
            .try_fold(known, |a, b| std::future::ready(Ok(a.max(b))))
            .await;
        let newest = newest.map_err(|e| from_store(&e))?;
        if newest == known {
            return Ok(None);
        }
        if let Some((snapshot, _)) = read(data, newest).await? {
            return Ok(Some(snapshot));
        }
        // Many were written and this one removed since the list was made.
    }
}

/// A version and its writer's nonce; `None` when it is not there.
async fn read(data: &DataDir, version: u64) -> Result<Option<(Snapshot, String)>> {
    let damaged = |what: &str| {
        Error::new(
            Kind::Data,
            SqlState::DATA_CORRUPTED,
            format!("catalog version {version} is damaged: {what}"),
        )
        .hint(format!(
            "Restore {} in the data directory, or remove it to go back one version.",
            file(version)
        ))
    };
    let bytes = match data.store.get(&file(version)).await {
        Ok(found) => found.bytes().await.map_err(|e| from_store(&e))?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(from_store(&error)),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
    let (head, json) = text
        .split_once('\n')
        .ok_or_else(|| damaged("it is cut short"))?;
    let json = json
        .strip_suffix('\n')
        .ok_or_else(|| damaged("it is cut short"))?;
    let rest = head
        .strip_prefix(MAGIC)
        .ok_or_else(|| damaged("it has no header"))?;
    let words: Vec<&str> = rest.split(' ').collect();
    let [format, checksum, nonce] = words[..] else {
        return Err(damaged("its header is incomplete"));
    };
    if format != FORMAT {
        return Err(
            Error::unsupported(format!("the catalog has the unknown format {format}"))
                .hint("A newer Alcedo has written it: use that one."),
        );
    }
    if digest(json.as_bytes()) != checksum {
        return Err(damaged("its checksum is wrong"));
    }
    let snapshot: Snapshot = serde_json::from_str(json).map_err(|e| damaged(&e.to_string()))?;
    if snapshot.version != version {
        return Err(damaged("it is a copy of another version"));
    }
    Ok(Some((snapshot, nonce.to_owned())))
}

/// Writes a version; `false` when there is one already that is not ours.
pub(super) async fn put(data: &DataDir, snapshot: &Snapshot) -> Result<bool> {
    let json = serde_json::to_string(snapshot)
        .map_err(|e| Error::internal(format!("the catalog cannot be written: {e}")))?;
    let nonce = uuid::Uuid::new_v4().to_string();
    let checksum = digest(json.as_bytes());
    let text = format!("{MAGIC}{FORMAT} {checksum} {nonce}\n{json}\n");
    let options = PutOptions::from(PutMode::Create);
    let path = file(snapshot.version);
    match data
        .store
        .put_opts(&path, PutPayload::from(text), options)
        .await
    {
        Ok(_) => Ok(true),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => {
            let found = read(data, snapshot.version).await?;
            Ok(found.is_some_and(|(_, theirs)| theirs == nonce))
        }
        Err(error) => Err(from_store(&error)),
    }
}

/// Removes old versions. What fails only takes space.
pub(super) async fn prune(data: &DataDir, newest: u64) {
    let files: Vec<ObjectMeta> = match data
        .store
        .list(Some(&Path::from(FOLDER)))
        .try_collect()
        .await
    {
        Ok(files) => files,
        Err(error) => {
            tracing::debug!(%error, "old catalog versions stay");
            return;
        }
    };
    let latest = files.iter().map(|f| f.last_modified).max();
    let gone = |f: &ObjectMeta| {
        let age = latest.map_or(0, |latest| (latest - f.last_modified).num_seconds());
        let young = data.local.is_none() && age < YOUNG_SECONDS;
        version_of(&f.location).is_some_and(|v| v + KEPT <= newest) && !young
    };
    for found in files.iter().filter(|f| gone(f)) {
        if let Err(error) = data.store.delete(&found.location).await {
            tracing::debug!(%error, path = %found.location, "an old catalog version stays");
        }
    }
}
