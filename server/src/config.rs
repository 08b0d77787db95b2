//! Settings of a server: the file, over which the environment goes, over which flags go. Unknown keys are errors.
//!
//! ```toml
//! data_dir = "/var/lib/alcedo"        # ALCEDO_DATA_DIR, --data-dir
//! listen = "127.0.0.1:5433"           # ALCEDO_LISTEN, --listen
//! http = "127.0.0.1:8433"             # ALCEDO_HTTP, --http
//! max_connections = 100               # ALCEDO_MAX_CONNECTIONS, --max-connections
//! owner = "alcedo"                    # for whom two of them are kept
//! allowed_roots = ["/data/lake"]      # ALCEDO_ALLOWED_ROOTS (a:b), --allowed-root
//! time_zone = "Europe/Vienna"         # TZ
//! secret_key = "64 hexadecimal digits" # ALCEDO_SECRET_KEY
//!
//! [memory]
//! max = "8GB"                         # for queries; 60 % of the machine's without it
//! spill_dir = "/var/tmp"              # where queries spill what is larger
//!
//! [log]
//! filter = "info"                     # ALCEDO_LOG
//! ```

use alcedo_engine::{Config, Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::vars::Vars;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where Postgres clients are served unless something else is said: 5432 is PostgreSQL's.
pub const LISTEN: &str = "127.0.0.1:5433";
/// Where health checks are answered.
pub const HTTP: &str = "127.0.0.1:8433";
/// The data directory of a server that names none.
const DATA_DIR: &str = "alcedo-data";
/// The user for whom connections are kept.
const OWNER: &str = "alcedo";
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
    /// Which events are logged, as tracing's filters say it.
    pub log: Option<String>,
}

impl Settings {
    /// What holds when nothing is said, around an engine's configuration.
    pub fn around(engine: Config) -> Self {
        Self {
            engine,
            listen: LISTEN.to_owned(),
            http: HTTP.to_owned(),
            connections_max: CONNECTIONS_MAX,
            owner: OWNER.to_owned(),
            log: None,
        }
    }
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
    max_connections: Option<usize>,
    owner: Option<String>,
    allowed_roots: Vec<PathBuf>,
    time_zone: Option<String>,
    secret_key: Option<String>,
    memory: Memory,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Memory {
    max: Option<String>,
    spill_dir: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    filter: Option<String>,
}

impl Settings {
    /// Reads the file and the environment and lets flags win.
    ///
    /// # Errors
    /// 58P01 when the file is not there, 22023 when a key or value is wrong.
    pub fn load(path: Option<&Path>, flags: Flags) -> Result<Self> {
        let file = path.map(read).transpose()?.unwrap_or_default();
        let roots = match variable("ALCEDO_ALLOWED_ROOTS") {
            _ if !flags.allowed_roots.is_empty() => flags.allowed_roots,
            Some(list) => std::env::split_paths(&list)
                .filter(|p| !p.as_os_str().is_empty())
                .collect(),
            None => file.allowed_roots,
        };
        let connections_max = match (flags.connections_max, variable("ALCEDO_MAX_CONNECTIONS")) {
            (Some(given), _) => Some(given),
            (None, Some(text)) => Some(text.parse().map_err(|_| {
                wrong("ALCEDO_MAX_CONNECTIONS", &text).hint("It takes a whole number.")
            })?),
            (None, None) => file.max_connections,
        };
        let text = |flag: Option<String>, name: &str, file: Option<String>| {
            flag.or_else(|| variable(name)).or(file)
        };
        let data_dir = text(flags.data_dir, "ALCEDO_DATA_DIR", file.data_dir);
        let usual = Self::around(Config {
            data_dir: Some(data_dir.unwrap_or_else(|| DATA_DIR.to_owned())),
            allowed_roots: roots,
            memory_bytes_max: file.memory.max.as_deref().map(bytes).transpose()?,
            temp_dir: file.memory.spill_dir,
            secret_key: text(None, "ALCEDO_SECRET_KEY", file.secret_key),
            time_zone: time_zone(file.time_zone)?,
        });
        Ok(Self {
            listen: text(flags.listen, "ALCEDO_LISTEN", file.listen).unwrap_or(usual.listen),
            http: text(flags.http, "ALCEDO_HTTP", file.http).unwrap_or(usual.http),
            owner: file.owner.unwrap_or(usual.owner),
            connections_max: connections_max.unwrap_or(usual.connections_max),
            log: text(None, "ALCEDO_LOG", file.log.filter),
            engine: usual.engine,
        })
    }
}

/// The zone of sessions that name none: TZ, or what the file says.
///
/// # Errors
/// 22023 for a zone that is not known.
pub fn time_zone(file: Option<String>) -> Result<Option<String>> {
    let from_environment = variable("TZ").map(|zone| zone.trim_start_matches(':').to_owned());
    let (name, zone) = match (from_environment, file) {
        // The path of a file is how some systems write "as this machine has it".
        (Some(path), file) if path.starts_with('/') => ("time_zone", file),
        (Some(zone), _) => ("TZ", Some(zone)),
        (None, file) => ("time_zone", file),
    };
    let Some(zone) = zone else { return Ok(None) };
    match Vars::new().start("TimeZone", &zone) {
        Ok(()) => Ok(Some(zone)),
        Err(_) => Err(wrong(name, &zone).hint("Name a zone as Europe/Vienna or UTC.")),
    }
}

/// An environment variable that says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn wrong(name: &str, value: &str) -> Error {
    Error::user(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for {name}: \"{value}\""),
    )
}

/// A size as PostgreSQL writes it: a number and one of B, kB, MB, GB and TB, each 1024 of the one before.
fn bytes(text: &str) -> Result<u64> {
    let digits = text
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.trim()[digits.len()..].to_ascii_lowercase();
    let shift = ["b", "kb", "mb", "gb", "tb"]
        .iter()
        .position(|u| *u == unit);
    let number: Option<u64> = digits.trim().parse().ok();
    let size = number
        .zip(shift)
        .and_then(|(n, shift)| n.checked_mul(1 << (10 * shift)));
    size.filter(|n| *n > 0).ok_or_else(|| {
        wrong("memory.max", text).hint("Write a number and a unit, as 512MB or 8GB.")
    })
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let text = format!(
            "configuration file \"{}\" cannot be read: {e}",
            path.display()
        );
        Error::user(SqlState::UNDEFINED_FILE, text)
    })?;
    toml::from_str(&text).map_err(|e| {
        let place = e.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "configuration file \"{}\", line {place}: {}",
                path.display(),
                e.message().trim()
            ),
        )
    })
}
