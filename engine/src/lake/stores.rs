//! Object stores by location: the data directory, local folders under allowed roots, and buckets with the keys
//! of the secret whose scope fits.
//!
//! DataFusion finds a store by scheme and host alone. So that two prefixes of one bucket can have different keys, a
//! store opened with a secret has a scheme of its own (`s3-<oid>://bucket`).

use crate::catalog::Snapshot;
use crate::catalog::store::Catalog;
use crate::config::Config;
use crate::error::{Error, Result, from_io};
use alcedo_sql::SqlState;
use datafusion::common::DataFusionError;
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// Where DataFusion finds the data directory.
pub const DATA_URL: &str = "alcedo://data/";

/// A store that does not answer is given up while somebody still waits for it.
const RETRY: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 5,
    retry_timeout: Duration::from_secs(20),
};

/// A store, and the sealed secret that opened it.
type Opened = (Arc<dyn ObjectStore>, String);

/// Stores that are open, and where local ones may point.
#[derive(Debug)]
pub struct Stores {
    catalog: Arc<Catalog>,
    allowed_roots: Vec<PathBuf>,
    /// By scheme and host.
    open: Mutex<HashMap<String, Opened>>,
    /// Delta states of managed tables and their writers' locks, by folder.
    pub(super) tables: Mutex<HashMap<String, super::managed::Shared>>,
}

impl Stores {
    /// The stores of a data directory.
    ///
    /// # Errors
    /// 58P01 when an allowed root does not exist.
    pub fn open(catalog: Arc<Catalog>, config: &Config) -> Result<Arc<Self>> {
        let roots = config.allowed_roots.iter().map(|root| {
            std::fs::canonicalize(root).map_err(|e| {
                let text = format!("allowed root \"{}\" cannot be used: {e}", root.display());
                Error::user(SqlState::UNDEFINED_FILE, text)
            })
        });
        let allowed_roots = roots.collect::<Result<_>>()?;
        let data = Arc::clone(&catalog.data().store);
        let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        let open = HashMap::from([
            (key_of(DATA_URL), (data, String::new())),
            (key_of("file:///"), (local, String::new())),
        ]);
        Ok(Arc::new(Self {
            catalog,
            allowed_roots,
            open: Mutex::new(open),
            tables: Mutex::default(),
        }))
    }

    /// The store of a URL that a user wrote, the URL that DataFusion finds it under, and the path within it.
    ///
    /// # Errors
    /// 42501 for local paths outside the allowed roots, 22023 for what is not a URL, 0A000 for other schemes.
    pub fn locate(&self, url: &str) -> Result<(Arc<dyn ObjectStore>, ObjectStoreUrl, Path)> {
        let invalid = |why: &dyn std::fmt::Display| {
            Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid location \"{url}\": {why}"),
            )
            .hint("Write file:///path or s3://bucket/prefix.")
        };
        let parsed = Url::parse(url).map_err(|e| invalid(&e))?;
        match parsed.scheme() {
            "file" => {
                let path = parsed
                    .to_file_path()
                    .map_err(|()| invalid(&"no absolute path"))?;
                let path = self.allowed(&path)?;
                let path = Path::from_absolute_path(&path).map_err(|e| invalid(&e))?;
                let base = ObjectStoreUrl::local_filesystem();
                Ok((self.registered(base.as_ref())?, base, path))
            }
            "s3" | "s3a" => {
                let bucket = parsed.host_str().ok_or_else(|| invalid(&"no bucket"))?;
                let path = Path::from_url_path(parsed.path()).map_err(|e| invalid(&e))?;
                let snapshot = self.catalog.snapshot();
                let (store, base) = self.bucket(&snapshot, bucket, url)?;
                Ok((store, base, path))
            }
            other => Err(Error::unsupported(format!(
                "locations of the kind {other}:// are not supported"
            ))
            .hint("Write file:///path or s3://bucket/prefix.")),
        }
    }

    /// A local path with links resolved, if it lies under an allowed root.
    fn allowed(&self, path: &std::path::Path) -> Result<PathBuf> {
        // What does not exist yet is judged by the nearest folder that does.
        let mut known = path;
        let mut rest = Vec::new();
        let resolved = loop {
            match std::fs::canonicalize(known) {
                Ok(found) => break found,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    match (known.parent(), known.file_name()) {
                        (Some(parent), Some(name)) => {
                            rest.push(name.to_owned());
                            known = parent;
                        }
                        _ => return Err(from_io(&e)),
                    }
                }
                Err(e) => return Err(from_io(&e)),
            }
        };
        let full = rest
            .iter()
            .rev()
            .fold(resolved, |path, name| path.join(name));
        if self.allowed_roots.iter().any(|root| full.starts_with(root)) {
            return Ok(full);
        }
        let error = Error::user(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("\"{}\" lies outside the allowed folders", path.display()),
        );
        Err(if self.allowed_roots.is_empty() {
            error.hint("Name the folders that files may be read from with --allowed-root or allowed_roots.")
        } else {
            let roots: Vec<String> = self
                .allowed_roots
                .iter()
                .map(|r| r.display().to_string())
                .collect();
            error.hint(format!("The allowed folders are: {}.", roots.join(", ")))
        })
    }

    fn bucket(
        &self,
        snapshot: &Snapshot,
        bucket: &str,
        url: &str,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectStoreUrl)> {
        let best = secret_of(snapshot, url).and_then(|name| snapshot.secrets.get_key_value(name));
        let (scheme, sealed) = match best {
            Some((_, secret)) => (format!("s3-{}", secret.oid), secret.sealed.clone()),
            None => ("s3".to_owned(), String::new()),
        };
        let key = format!("{scheme}://{bucket}/");
        let base = ObjectStoreUrl::parse(&key).map_err(|e| {
            Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid bucket \"{bucket}\": {e}"),
            )
        })?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((store, _)) = open
            .get(&key)
            .filter(|(_, opened_with)| *opened_with == sealed)
        {
            return Ok((Arc::clone(store), base));
        }
        let values = match best {
            Some((name, _)) => Some(self.catalog.secret_values(snapshot, name)?),
            None => None,
        };
        let store = open_bucket(bucket, values.as_ref())?;
        open.insert(key, (Arc::clone(&store), sealed));
        Ok((store, base))
    }

    fn registered(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let key = key_of(url.as_str());
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.get(&key).map(|(store, _)| Arc::clone(store));
        found.ok_or_else(|| Error::internal(format!("no object store is open for {key}")))
    }
}

/// A bucket with the keys of a secret, or with those of the environment.
fn open_bucket(
    bucket: &str,
    values: Option<&BTreeMap<String, String>>,
) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = match values {
        Some(_) => AmazonS3Builder::new(),
        None => AmazonS3Builder::from_env(),
    }
    .with_bucket_name(bucket)
    .with_retry(RETRY);
    for (name, value) in values.into_iter().flatten() {
        let key = match name.as_str() {
            "key_id" => AmazonS3ConfigKey::AccessKeyId,
            "secret" => AmazonS3ConfigKey::SecretAccessKey,
            "region" => AmazonS3ConfigKey::Region,
            "endpoint" => AmazonS3ConfigKey::Endpoint,
            "session_token" => AmazonS3ConfigKey::Token,
            _ => continue,
        };
        builder = builder.with_config(key, value);
        if name == "endpoint" && value.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
    }
    let store = builder.build().map_err(|e| {
        Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("bucket \"{bucket}\" cannot be opened: {e}"),
        )
        .hint("Give keys with CREATE SECRET n (TYPE s3, KEY_ID '…', SECRET '…', REGION '…').")
    })?;
    Ok(Arc::new(store))
}

/// The secret of a location in a bucket: of those whose scope covers it, the one with the longest.
pub fn secret_of<'a>(snapshot: &'a Snapshot, url: &str) -> Option<&'a String> {
    if !url.starts_with("s3://") && !url.starts_with("s3a://") {
        return None;
    }
    let secrets = snapshot.secrets.iter().filter(|(_, s)| s.kind == "s3");
    let fitting = secrets.filter(|(_, s)| s.scope.as_deref().is_none_or(|s| covers(s, url)));
    let best = fitting.max_by_key(|(_, s)| s.scope.as_deref().map_or(0, str::len));
    best.map(|(name, _)| name)
}

/// Whether a location is a scope or lies below it: `s3://b/p` covers `s3://b/p/x`, but not `s3://b/private`.
fn covers(scope: &str, url: &str) -> bool {
    let plain = |url: &str| url.replacen("s3a://", "s3://", 1);
    let (scope, url) = (plain(scope), plain(url));
    url.strip_prefix(&scope)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || scope.ends_with('/'))
}

/// Scheme and host of a URL.
fn key_of(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => format!("{}://{}/", url.scheme(), url.host_str().unwrap_or_default()),
        Err(_) => url.to_owned(),
    }
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Ours stay: whoever registers a store got it from here.
        let key = key_of(url.as_str());
        if let Some((known, _)) = open.get(&key) {
            return Some(Arc::clone(known));
        }
        open.insert(key, (store, String::new()));
        None
    }

    fn get_store(&self, url: &Url) -> datafusion::common::Result<Arc<dyn ObjectStore>> {
        self.registered(url)
            .map_err(|e| DataFusionError::External(Box::new(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn scopes_end_at_folders() {
        assert!(covers("s3://b/p", "s3://b/p") && covers("s3://b/p", "s3a://b/p/x"));
        assert!(covers("s3://b/p/", "s3://b/p/x") && covers("s3://b", "s3://b/x"));
        assert!(!covers("s3://b/p", "s3://b/private") && !covers("s3://b", "s3://bc/x"));
    }
}
