//! The data directory: where it is, its object store, and who holds it.
//!
//! A local directory belongs to one process: a lock file names it. On `s3://` several processes share a directory,
//! and conditional puts decide between them.

use super::synced::Synced;
use crate::config::Config;
use crate::error::{Error, Kind, Result, from_store};
use alcedo_sql::SqlState;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// Name of the lock file in a local data directory.
const LOCK_FILE: &str = "alcedo.lock";

/// Where the catalog, managed tables and models live.
#[derive(Debug)]
pub struct DataDir {
    /// Rooted at the data directory; a finished put is on disk.
    pub store: Arc<dyn ObjectStore>,
    /// The folder, when it is local.
    pub local: Option<PathBuf>,
    /// Where it is, with a slash at the end.
    pub url: Url,
    /// Held while the directory is in use.
    lock: Mutex<Option<File>>,
    /// Whether the directory goes with the engine.
    temporary: bool,
}

impl DataDir {
    /// Opens or makes the directory; `None` in the configuration is a temporary one.
    ///
    /// # Errors
    /// 55006 when another process holds a local directory.
    pub async fn open(config: &Config) -> Result<Self> {
        match &config.data_dir {
            Some(text) if text.starts_with("s3://") => Self::open_s3(text),
            Some(text) => {
                let path = match text.strip_prefix("file://") {
                    Some(_) => Url::parse(text)
                        .ok()
                        .and_then(|u| u.to_file_path().ok())
                        .ok_or_else(|| {
                            Error::user(
                                SqlState::INVALID_PARAMETER_VALUE,
                                format!("not a data directory: \"{text}\""),
                            )
                            .hint("Use a path, file:///path or s3://bucket/prefix.")
                        })?,
                    None if text.contains("://") => {
                        return Err(Error::unsupported(format!(
                            "data directories at \"{text}\" are not supported"
                        ))
                        .hint("Use a path, file:///path or s3://bucket/prefix."));
                    }
                    None => PathBuf::from(text),
                };
                Self::open_local(&path, false)
            }
            None => {
                let base = config.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
                Self::open_local(&base.join(format!("alcedo-{}", uuid::Uuid::new_v4())), true)
            }
        }
    }

    fn open_local(path: &FilePath, temporary: bool) -> Result<Self> {
        let unusable = |e: std::io::Error| {
            let state = match e.kind() {
                std::io::ErrorKind::StorageFull => SqlState::DISK_FULL,
                _ => SqlState::IO_ERROR,
            };
            let text = format!(
                "the data directory \"{}\" cannot be used: {e}",
                path.display()
            );
            Error::new(Kind::Unavailable, state, text)
        };
        std::fs::create_dir_all(path).map_err(unusable)?;
        let path = std::fs::canonicalize(path).map_err(unusable)?;
        let lock = lock(&path).map_err(unusable)??;
        let url = Url::from_directory_path(&path)
            .map_err(|()| Error::internal(format!("no URL of the path \"{}\"", path.display())))?;
        let store = Synced::new(&path).map_err(|e| from_store(&e))?;
        Ok(Self {
            store: Arc::new(store),
            local: Some(path),
            url,
            lock: Mutex::new(Some(lock)),
            temporary,
        })
    }

    fn open_s3(text: &str) -> Result<Self> {
        let invalid = |e: &dyn std::fmt::Display| {
            Error::user(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("the data directory \"{text}\" cannot be used: {e}"),
            )
            .hint("Use s3://bucket/prefix and the standard AWS variables for credentials.")
        };
        let mut url = Url::parse(text).map_err(|e| invalid(&e))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let bucket = url
            .host_str()
            .ok_or_else(|| invalid(&"it has no bucket"))?
            .to_owned();
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .build()
            .map_err(|e| invalid(&e))?;
        let prefix = Path::from_url_path(url.path()).map_err(|e| invalid(&e))?;
        let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(store, prefix));
        Ok(Self {
            store,
            local: None,
            url,
            lock: Mutex::new(None),
            temporary: false,
        })
    }

    /// Whether writes are still ours to make.
    ///
    /// # Errors
    /// 57P01 once the directory was given up.
    pub fn check_open(&self) -> Result<()> {
        let held = self.local.is_none()
            || self
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_some();
        if held {
            Ok(())
        } else {
            Err(Error::new(
                Kind::Canceled,
                SqlState::ADMIN_SHUTDOWN,
                "the engine is closed",
            ))
        }
    }

    /// Removes the empty folders that deleted objects leave on a local disk.
    pub(super) fn remove_folder(&self, path: &str) {
        if let Some(root) = &self.local {
            if let Err(error) = std::fs::remove_dir_all(root.join(path)) {
                tracing::debug!(%error, path, "an empty folder stays");
            }
        }
    }

    /// Gives the directory up; a temporary one is removed.
    pub fn close(&self) {
        let held = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let (Some(_), true, Some(path)) = (&held, self.temporary, &self.local) {
            if let Err(error) = std::fs::remove_dir_all(path) {
                tracing::warn!(%error, path = %path.display(), "a temporary directory could not be removed");
            }
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes the lock of a directory, or says whose it is.
fn lock(path: &FilePath) -> std::io::Result<Result<File>> {
    let file_path = path.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file_path)?;
    // SAFETY: the descriptor is open for the whole call, and flock touches no memory of ours.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let refused = std::io::Error::last_os_error();
        if refused.kind() != std::io::ErrorKind::WouldBlock {
            return Err(refused);
        }
        let mut holder = String::new();
        file.read_to_string(&mut holder)?;
        let (pid, place) = holder.trim().split_once(' ').unwrap_or((holder.trim(), ""));
        let error = Error::new(
            Kind::Unavailable,
            SqlState::OBJECT_IN_USE,
            format!(
                "the data directory \"{}\" is in use by the process with pid {pid}",
                path.display()
            ),
        );
        return Ok(Err(match place {
            "" => error.hint("Stop that process, or use another directory."),
            address => error.hint(format!("A server has it: {}", psql_line(address))),
        }));
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    Ok(Ok(file))
}

fn psql_line(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) => format!("psql \"host={host} port={port} user=alcedo\""),
        None => address.to_owned(),
    }
}

impl DataDir {
    /// Notes where the server that holds the directory listens, for the error that others get.
    pub fn announce(&self, address: &str) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = lock.as_mut() {
            let written = file.set_len(0).and_then(|()| file.rewind());
            if let Err(error) =
                written.and_then(|()| write!(file, "{} {address}", std::process::id()))
            {
                tracing::warn!(%error, "the lock file could not be written");
            }
        }
    }
}
