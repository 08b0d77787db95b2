//! The options of `CREATE SOURCE … WITH (…)`.

use super::properties::{ALLOWED, HIDDEN};
use crate::catalog::{OnError, Property, Source};
use crate::error::{Error, Result};
use crate::format::json::MODES;
use alcedo_sql::SqlState;
use alcedo_sql::options::{OptionEntry, Options, Value, closest};
use std::collections::BTreeMap;

const SERVERS: &[&str] = &[
    "properties.bootstrap.server",
    "properties.bootstrap.servers",
];
const CONNECTOR: &str = "connector";
const TOPIC: &str = "topic";
const MODE: &str = "scan.startup.mode";
const MILLIS: &[&str] = &[
    "scan.startup.timestamp.millis",
    "scan.startup.timestamp_millis",
];
const OFFSETS: &str = "scan.startup.specific-offsets";
const GROUP_PREFIX: &str = "group.id.prefix";
const ON_ERROR: &str = "on_error";
const TIMESTAMPTZ: &str = "timestamptz.handling.mode";
/// The options that are not properties of the client.
const OWN: [&str; 8] = [
    CONNECTOR,
    TOPIC,
    SERVERS[0],
    MODE,
    MILLIS[0],
    OFFSETS,
    GROUP_PREFIX,
    ON_ERROR,
];

/// What stands in the place of a secret value.
const REDACTED: &str = "<redacted>";

/// Where a source begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At the first record there is.
    Earliest,
    /// Behind the last record there is.
    Latest,
    /// At the first record that is not older, in milliseconds since 1970 UTC.
    Timestamp(i64),
    /// At these offsets; other partitions at their first record.
    Offsets(BTreeMap<i32, i64>),
}

/// What WITH says.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Declared {
    pub topic: String,
    /// By librdkafka's names.
    pub properties: BTreeMap<String, Property>,
    pub start: Start,
    pub on_error: OnError,
}

impl Declared {
    /// Reads the options; what is left over is an error with the name that may be meant.
    ///
    /// # Errors
    /// 22023, and 0A000 for other connectors.
    pub fn of(mut options: Options) -> Result<Self> {
        let connector = options.take_text(&[CONNECTOR])?;
        let topic = options.take_text(&[TOPIC])?.filter(|t| !t.is_empty());
        let servers = options.take(SERVERS).map(property).transpose()?;
        let start = start(&mut options)?;
        let prefix = options.take_text(&[GROUP_PREFIX])?;
        let on_error = match options
            .take_text(&[ON_ERROR])?
            .map(|t| t.to_lowercase())
            .as_deref()
        {
            None | Some("dead_letter") => OnError::DeadLetter,
            Some("fail") => OnError::Fail,
            Some(other) => return Err(invalid(ON_ERROR, other, "'dead_letter' or 'fail'")),
        };
        let mut properties = BTreeMap::new();
        for name in ALLOWED {
            if let Some(entry) = options.take(&[&format!("properties.{name}")]) {
                properties.insert((*name).to_owned(), property(entry)?);
            }
        }
        refuse_rest(&options)?;
        // What is missing comes after what is wrong: a misspelled option is both.
        let connector = connector.ok_or_else(|| missing(CONNECTOR, "connector = 'kafka'"))?;
        if !connector.eq_ignore_ascii_case("kafka") {
            let error = Error::unsupported(format!("connector \"{connector}\" is not supported"));
            return Err(error.hint("The connector is 'kafka'."));
        }
        let topic = topic.ok_or_else(|| missing(TOPIC, "topic = 'name'"))?;
        let sasl = matches!(properties.get("security.protocol"), Some(Property::Plain(p)) if p.to_lowercase().starts_with("sasl"));
        if sasl
            && !properties.contains_key("sasl.mechanism")
            && !properties.contains_key("sasl.mechanisms")
        {
            let example = "properties.sasl.mechanism = 'PLAIN', or 'SCRAM-SHA-256'";
            return Err(missing("properties.sasl.mechanism", example));
        }
        let servers = servers
            .ok_or_else(|| missing(SERVERS[0], "properties.bootstrap.server = 'host:9092'"))?;
        properties.insert("bootstrap.servers".to_owned(), servers);
        if let Some(prefix) = prefix {
            let group = format!("{prefix}-{}", uuid::Uuid::new_v4());
            properties
                .entry("group.id".to_owned())
                .or_insert(Property::Plain(group));
        }
        Ok(Self {
            topic,
            properties,
            start,
            on_error,
        })
    }
}

/// Reads the options of ENCODE JSON: the mode of timestamps as numbers.
///
/// # Errors
/// 22023
pub fn timestamptz_mode(mut options: Options) -> Result<String> {
    let mode = options.take_text(&[TIMESTAMPTZ])?;
    options.finish("JSON", &[TIMESTAMPTZ])?;
    let mode = mode.unwrap_or_else(|| MODES[0].to_owned());
    if !MODES.contains(&mode.as_str()) {
        let known: Vec<String> = MODES.iter().map(|m| format!("'{m}'")).collect();
        return Err(invalid(
            TIMESTAMPTZ,
            &mode,
            &format!("one of {}", known.join(", ")),
        ));
    }
    Ok(mode)
}

/// Topic and properties of a source as others may see them.
pub fn shown_properties(source: &Source) -> Vec<(String, String)> {
    let properties = source.properties.iter().map(|(name, property)| {
        let value = match property {
            Property::Secret(secret) => format!("SECRET {secret}"),
            Property::Plain(_) if HIDDEN.contains(&name.as_str()) => REDACTED.to_owned(),
            Property::Plain(text) => text.clone(),
        };
        (format!("properties.{name}"), value)
    });
    let topic = ("topic".to_owned(), source.topic.clone());
    std::iter::once(topic).chain(properties).collect()
}

/// The options as others may see them.
pub fn shown(options: &Options) -> Options {
    let hidden = |key: &str| {
        key.strip_prefix("properties.")
            .is_some_and(|k| HIDDEN.contains(&k))
    };
    let mut shown = options.clone();
    for entry in &mut shown.entries {
        if hidden(&entry.key) && !matches!(entry.value, Value::Secret(_)) {
            entry.value = Value::String(REDACTED.to_owned());
        }
    }
    shown
}

fn property(entry: OptionEntry) -> Result<Property> {
    match (&entry.value, entry.value.as_text()) {
        (Value::Secret(name), _) => Ok(Property::Secret(name.clone())),
        (_, Some(text)) => Ok(Property::Plain(text)),
        _ => {
            let text = format!("option \"{}\" needs a text value or SECRET name", entry.key);
            Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text).at(entry.position))
        }
    }
}

fn start(options: &mut Options) -> Result<Start> {
    let mode = options.take_text(&[MODE])?.map(|m| m.to_lowercase());
    let millis = options.take_i64(MILLIS)?;
    let offsets = options.take_text(&[OFFSETS])?;
    let unused = |name: &str, mode: &str| {
        let text = format!("option \"{name}\" needs {MODE} = '{mode}'");
        Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text))
    };
    match (mode.as_deref().unwrap_or("earliest"), millis, offsets) {
        ("timestamp", Some(millis), None) if millis >= 0 => Ok(Start::Timestamp(millis)),
        ("timestamp", Some(millis), None) => Err(invalid(
            MILLIS[0],
            &millis.to_string(),
            "milliseconds since 1970",
        )),
        ("timestamp", None, None) => Err(missing(MILLIS[0], "milliseconds since 1970")),
        ("specific-offsets", None, Some(text)) => Ok(Start::Offsets(specific(&text)?)),
        ("specific-offsets", None, None) => Err(missing(
            OFFSETS,
            "'partition:0,offset:42;partition:1,offset:7'",
        )),
        (_, Some(_), _) => unused(MILLIS[0], "timestamp"),
        (_, _, Some(_)) => unused(OFFSETS, "specific-offsets"),
        ("earliest" | "earliest-offset", ..) => Ok(Start::Earliest),
        ("latest" | "latest-offset", ..) => Ok(Start::Latest),
        (other, ..) => Err(invalid(
            MODE,
            other,
            "'earliest', 'latest', 'timestamp' or 'specific-offsets'",
        )),
    }
}

/// `partition:0,offset:42;partition:1,offset:7`
fn specific(text: &str) -> Result<BTreeMap<i32, i64>> {
    let one = |part: &str| {
        let (partition, offset) = part.split_once(',')?;
        let partition: i32 = partition
            .trim()
            .strip_prefix("partition:")?
            .trim()
            .parse()
            .ok()?;
        let offset: i64 = offset.trim().strip_prefix("offset:")?.trim().parse().ok()?;
        (partition >= 0 && offset >= 0).then_some((partition, offset))
    };
    let wrong = || {
        invalid(
            OFFSETS,
            text,
            "'partition:0,offset:42;partition:1,offset:7'",
        )
    };
    let mut offsets = BTreeMap::new();
    for part in text.split(';').filter(|p| !p.trim().is_empty()) {
        let (partition, offset) = one(part).ok_or_else(wrong)?;
        if offsets.insert(partition, offset).is_some() {
            return Err(wrong().detail(format!("Partition {partition} stands there twice.")));
        }
    }
    Ok(offsets)
}

fn refuse_rest(options: &Options) -> Result<()> {
    let Some(entry) = options.entries.first() else {
        return Ok(());
    };
    let text = format!("unrecognized source option \"{}\"", entry.key);
    let error = Error::user(SqlState::INVALID_PARAMETER_VALUE, text).at(entry.position);
    if entry.key == TIMESTAMPTZ {
        return Err(error.hint("It belongs to ENCODE JSON (…)."));
    }
    let known: Vec<String> = OWN
        .iter()
        .map(|o| (*o).to_owned())
        .chain(ALLOWED.iter().map(|p| format!("properties.{p}")))
        .collect();
    // A property without its prefix is what people forget first.
    let key = entry.key.strip_prefix("kafka.").unwrap_or(&entry.key);
    let prefixed = format!("properties.{key}");
    let near = |name: &str| closest(name, known.iter().map(String::as_str));
    let meant = known.iter().find(|k| **k == prefixed).map(String::as_str);
    Err(
        match meant.or_else(|| near(key)).or_else(|| near(&prefixed)) {
            Some(name) => error.hint(format!("Did you mean \"{name}\"?")),
            None => error.hint(format!(
                "Options are {}, and properties.… of the Kafka client.",
                OWN.join(", ")
            )),
        },
    )
}

fn missing(name: &str, example: &str) -> Error {
    Error::user(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("a source needs the option \"{name}\""),
    )
    .hint(format!("Write it into WITH (…): {example}."))
}

fn invalid(name: &str, value: &str, wanted: &str) -> Error {
    Error::user(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for option \"{name}\": \"{value}\""),
    )
    .hint(format!("It is {wanted}."))
}
