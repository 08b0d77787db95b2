//! Settings of a server: the file, over which the environment goes, over which flags go. Unknown keys are errors.
//!
//! ```toml
//! data_dir = "/var/lib/alcedo"
//! listen = "127.0.0.1:5433"
//! http = "127.0.0.1:8433"
//! connections_max = 100
//! owner = "alcedo"
//! allowed_roots = ["/data/lake"]
//! memory_bytes_max = 8000000000
//! temp_dir = "/var/tmp"
//! secret_key = "64 hexadecimal digits"
//! ```

use alcedo_engine::{Config, Error, Result};
use alcedo_sql::SqlState;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where Postgres clients are served unless something else is said: 5432 is PostgreSQL's.
pub const LISTEN: &str = "127.0.0.1:5433";
/// Where health checks are answered.
pub const HTTP: &str = "127.0.0.1:8433";
/// The data directory of a server that names none.
const DATA_DIR: &str = "alcedo-data";
const CONNECTIONS_MAX: usize = 100;

/// What a server runs with.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Settings {
    pub engine: Config,
    pub listen: String,
    pub http: String,
    pub connections_max: usize,
    pub owner: String,
}

/// What the command line says.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct Flags {
    pub data_dir: Option<String>,
    pub listen: Option<String>,
    pub http: Option<String>,
    pub connections_max: Option<usize>,
    pub allowed_roots: Vec<PathBuf>,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_dir: Option<String>,
    listen: Option<String>,
    http: Option<String>,
    connections_max: Option<usize>,
    owner: Option<String>,
    allowed_roots: Vec<PathBuf>,
    memory_bytes_max: Option<u64>,
    temp_dir: Option<PathBuf>,
    secret_key: Option<String>,
}

impl Settings {
    /// Reads the file and the environment and lets flags win.
    ///
    /// # Errors
    /// 58P01 when the file is not there, 22023 when a key or value is wrong.
    pub fn load(path: Option<&Path>, flags: Flags) -> Result<Self> {
        let file = path.map(read).transpose()?.unwrap_or_default();
        let roots = match (flags.allowed_roots, variable("ALCEDO_ALLOWED_ROOTS")) {
            (given, _) if !given.is_empty() => given,
            (_, Some(list)) => list.split(',').filter(|p| !p.is_empty()).map(PathBuf::from).collect(),
            _ => file.allowed_roots,
        };
        let connections_max = match (flags.connections_max, variable("ALCEDO_MAX_CONNECTIONS")) {
            (Some(given), _) => given,
            (None, Some(text)) => text.parse().map_err(|_| {
                let text = format!("invalid value for ALCEDO_MAX_CONNECTIONS: \"{text}\"");
                Error::user(SqlState::INVALID_PARAMETER_VALUE, text).hint("It takes a whole number.")
            })?,
            (None, None) => file.connections_max.unwrap_or(CONNECTIONS_MAX),
        };
        let text = |flag: Option<String>, name: &str, file: Option<String>| flag.or_else(|| variable(name)).or(file);
        let data_dir = text(flags.data_dir, "ALCEDO_DATA_DIR", file.data_dir);
        Ok(Self {
            listen: text(flags.listen, "ALCEDO_LISTEN", file.listen).unwrap_or_else(|| LISTEN.to_owned()),
            http: text(flags.http, "ALCEDO_HTTP", file.http).unwrap_or_else(|| HTTP.to_owned()),
            owner: file.owner.unwrap_or_else(|| "alcedo".to_owned()),
            connections_max,
            engine: Config {
                data_dir: Some(data_dir.unwrap_or_else(|| DATA_DIR.to_owned())),
                allowed_roots: roots,
                memory_bytes_max: file.memory_bytes_max,
                temp_dir: file.temp_dir,
                secret_key: text(None, "ALCEDO_SECRET_KEY", file.secret_key),
            },
        })
    }
}

/// An environment variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let text = format!("configuration file \"{}\" cannot be read: {e}", path.display());
        Error::user(SqlState::UNDEFINED_FILE, text)
    })?;
    toml::from_str(&text).map_err(|e| {
        let place = e.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("configuration file \"{}\", line {place}: {}", path.display(), e.message().trim()),
        )
    })
}
