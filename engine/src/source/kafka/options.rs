//! The options of `CREATE SOURCE … WITH (…) FORMAT PLAIN ENCODE JSON (…)`.
//!
//! `connector = 'kafka'`, `topic`, `properties.bootstrap.server` and further `properties.…` of librdkafka (secrets as
//! `SECRET name`), `scan.startup.mode` with `scan.startup.timestamp.millis` or `scan.startup.specific-offsets`,
//! `group.id.prefix`, `on_error`; of the encoding `timestamptz.handling.mode`.

use super::properties;
use crate::catalog::{OnError, Property};
use crate::error::{Error, Result};
use crate::format::json::TimestamptzMode;
use alcedo_sql::SqlState;
use alcedo_sql::options::{Options, Value, closest};
use std::collections::BTreeMap;

const PREFIX: &str = "properties.";
const WITH: &[&str] = &[
    "connector",
    "topic",
    "properties.bootstrap.server",
    "scan.startup.mode",
    "scan.startup.timestamp.millis",
    "scan.startup.specific-offsets",
    "group.id.prefix",
    "on_error",
];
const MODES: &[&str] = &["earliest", "latest", "timestamp", "specific-offsets"];

/// Where a source begins, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Earliest,
    /// With the next record.
    Latest,
    /// With the first record that is not older than these milliseconds since 1970.
    Timestamp(i64),
    /// With these offsets by partition.
    Offsets(BTreeMap<i32, i64>),
}

/// What was written.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Declared {
    pub topic: String,
    pub start: Start,
    pub properties: BTreeMap<String, Property>,
    pub on_error: OnError,
    pub timestamptz_mode: String,
    /// Options that hold a secret in the clear, by their key.
    pub clear_secrets: Vec<String>,
}

/// Checks the options.
///
/// # Errors
/// 22023 for what is missing, wrong or not known.
pub fn declare(mut with: Options, mut encode: Options) -> Result<Declared> {
    match with.take_text(&["connector"])? {
        Some(name) if name.eq_ignore_ascii_case("kafka") => {}
        Some(name) => {
            return Err(Error::unsupported(format!("connector \"{name}\" is not supported"))
                .hint("The connector is 'kafka'."));
        }
        None => return Err(missing("connector").hint("Add connector = 'kafka'.")),
    }
    let topic = with.take_text(&["topic"])?.ok_or_else(|| missing("topic"))?;
    let start = start(&mut with)?;
    let on_error = match with.take_text(&["on_error"])?.as_deref() {
        None | Some("dead_letter") => OnError::DeadLetter,
        Some("fail") => OnError::Fail,
        Some(other) => return Err(choice("on_error", other, &["dead_letter", "fail"])),
    };
    let prefix = with.take_text(&["group.id.prefix"])?;
    let (mut properties, clear_secrets) = take_properties(&mut with)?;
    with.finish("source", WITH)?;
    if !properties.contains_key("bootstrap.servers") {
        return Err(missing("properties.bootstrap.server").hint("Add properties.bootstrap.server = 'host:port'."));
    }
    if let Some(prefix) = prefix {
        properties.insert("group.id".to_owned(), Property::Plain(format!("{prefix}-alcedo")));
    }
    let mode = encode.take_text(&["timestamptz.handling.mode"])?;
    let timestamptz_mode = mode.unwrap_or_else(|| TimestamptzMode::NAMES[0].to_owned());
    if TimestamptzMode::named(&timestamptz_mode).is_none() {
        return Err(choice("timestamptz.handling.mode", &timestamptz_mode, TimestamptzMode::NAMES));
    }
    encode.finish("JSON", &["timestamptz.handling.mode"])?;
    Ok(Declared { topic, start, properties, on_error, timestamptz_mode, clear_secrets })
}

fn take_properties(with: &mut Options) -> Result<(BTreeMap<String, Property>, Vec<String>)> {
    let (mut properties, mut clear) = (BTreeMap::new(), Vec::new());
    let all = std::mem::take(&mut with.entries);
    for entry in all {
        let Some(name) = entry.key.strip_prefix(PREFIX) else {
            with.entries.push(entry);
            continue;
        };
        let name = properties::canonical(name).map_err(|e| e.at(entry.position))?;
        let value = match &entry.value {
            Value::Secret(secret) => Property::Secret(secret.clone()),
            other => {
                let text = other.as_text().ok_or_else(|| {
                    let text = format!("option \"{}\" needs a text value", entry.key);
                    Error::user(SqlState::INVALID_PARAMETER_VALUE, text).at(entry.position)
                })?;
                if properties::is_secret(name) {
                    clear.push(entry.key.clone());
                }
                Property::Plain(text)
            }
        };
        if properties.insert(name.to_owned(), value).is_some() {
            let text = format!("option \"{PREFIX}{name}\" specified more than once");
            return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text).at(entry.position));
        }
    }
    Ok((properties, clear))
}

fn start(with: &mut Options) -> Result<Start> {
    let mode = with.take_text(&["scan.startup.mode"])?;
    let millis = with.take_i64(&["scan.startup.timestamp.millis"])?;
    let offsets = with.take_text(&["scan.startup.specific-offsets"])?;
    let mode = mode.as_deref().unwrap_or("earliest").to_lowercase();
    let extra = |key: &str, mode: &str| {
        let text = format!("option \"{key}\" needs scan.startup.mode = '{mode}'");
        Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text))
    };
    if millis.is_some() && mode != "timestamp" {
        return extra("scan.startup.timestamp.millis", "timestamp");
    }
    if offsets.is_some() && mode != "specific-offsets" {
        return extra("scan.startup.specific-offsets", "specific-offsets");
    }
    Ok(match mode.as_str() {
        "earliest" | "earliest-offset" => Start::Earliest,
        "latest" | "latest-offset" => Start::Latest,
        "timestamp" => Start::Timestamp(millis.ok_or_else(|| missing("scan.startup.timestamp.millis"))?),
        "specific-offsets" => {
            let text = offsets.ok_or_else(|| missing("scan.startup.specific-offsets"))?;
            Start::Offsets(parse_offsets(&text).ok_or_else(|| {
                let text = format!("option \"scan.startup.specific-offsets\" cannot be read: \"{text}\"");
                Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
                    .hint("It reads 'partition:0,offset:42;partition:1,offset:7'.")
            })?)
        }
        other => return Err(choice("scan.startup.mode", other, MODES)),
    })
}

/// `partition:0,offset:42;partition:1,offset:7`
fn parse_offsets(text: &str) -> Option<BTreeMap<i32, i64>> {
    let mut offsets = BTreeMap::new();
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        let (partition, offset) = part.split_once(',')?;
        let partition = partition.trim().strip_prefix("partition:")?.trim().parse::<i32>().ok()?;
        let offset = offset.trim().strip_prefix("offset:")?.trim().parse::<i64>().ok()?;
        if partition < 0 || offset < 0 || offsets.insert(partition, offset).is_some() {
            return None;
        }
    }
    Some(offsets).filter(|o| !o.is_empty())
}

fn missing(key: &str) -> Error {
    Error::user(SqlState::INVALID_PARAMETER_VALUE, format!("option \"{key}\" is missing"))
}

fn choice(key: &str, given: &str, known: &[&str]) -> Error {
    let text = format!("invalid value for option \"{key}\": \"{given}\"");
    let error = Error::user(SqlState::INVALID_PARAMETER_VALUE, text);
    match closest(given, known.iter().copied()) {
        Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
        None => error.hint(format!("Valid values are: {}.", known.join(", "))),
    }
}
