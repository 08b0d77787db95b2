//! What an engine is opened with.

use crate::clock::{Clock, SystemClock};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// The engine's configuration; the server adds its own sections around it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where catalog, tables and models live: a path, `file://…` or `s3://bucket/prefix`. `None` is a
    /// temporary directory that goes with the engine.
    pub data_dir: Option<String>,
    /// Local folders that `file://` locations of external tables, models and exports may point into.
    pub allowed_roots: Vec<PathBuf>,
    /// Memory for queries, in bytes; `None` is 60 % of the machine's.
    pub memory_bytes_max: Option<u64>,
    /// Folder for spilled data; `None` is the system's temporary folder.
    pub temp_dir: Option<PathBuf>,
    /// Key for secrets on a shared data directory, 32 bytes as 64 hexadecimal digits; a local one keeps its own key file.
    pub secret_key: Option<String>,
    /// `TimeZone` of sessions that name none; `None` is UTC.
    pub time_zone: Option<String>,
}

/// Parts that tests replace.
#[derive(Debug, Clone)]
pub struct Components {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for Components {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
        }
    }
}
