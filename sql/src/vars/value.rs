//! What values a variable takes, and the one text each is kept and shown as.

use super::VarDef;
use crate::error::{Result, SqlError};
use crate::options::{closest, parse_bool};
use crate::quote::quote_ident;
use crate::sqlstate::SqlState;

/// The values of a variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `on` or `off`
    Bool,
    /// A whole number within bounds.
    Integer(i64, i64),
    /// A finite number within bounds.
    Number(f64, f64),
    /// Milliseconds, written with or without a unit; 0 is off.
    DurationMs,
    /// Kilobytes, written with or without a unit.
    MemoryKb,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// These words only, because nothing else is implemented; others are 0A000.
    Only(&'static [&'static str]),
    /// Any text.
    Text,
    /// Identifiers, as in `search_path`.
    Names,
    /// Output style and field order of dates.
    DateStyle,
    /// A zone of the zone database, or an offset.
    Zone,
    /// A character encoding: UTF8.
    Encoding,
}

/// The canonical text of a value, or 22023.
pub(super) fn check(def: &VarDef, values: &[String]) -> Result<String> {
    match def.kind {
        Kind::Names => names(values),
        Kind::DateStyle => date_style(values),
        _ => match values {
            [value] => single(def, value.trim()),
            _ => {
                let text = format!("SET {} takes only one argument", def.name);
                Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text))
            }
        },
    }
}

fn single(def: &VarDef, value: &str) -> Result<String> {
    match def.kind {
        Kind::Bool => match parse_bool(value) {
            Some(on) => Ok(if on { "on" } else { "off" }.to_owned()),
            None => {
                let text = format!("parameter \"{}\" requires a Boolean value", def.name);
                Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text))
            }
        },
        Kind::Integer(low, high) => {
            let n: i64 = value.parse().map_err(|_| invalid(def, value))?;
            bounded(def, n, low, high, n.to_string())
        }
        Kind::Number(low, high) => {
            let n: f64 = value.parse().map_err(|_| invalid(def, value))?;
            bounded(def, n, low, high, n.to_string())
        }
        Kind::DurationMs => {
            let ms = parse_duration_ms(value).ok_or_else(|| unit(def, value, DURATION_UNITS))?;
            bounded(
                def,
                ms,
                0,
                i64::from(i32::MAX),
                show_with_unit(ms, DURATIONS),
            )
        }
        Kind::MemoryKb => {
            let kb = parse_with_unit(value, MEMORIES).filter(|kb| *kb >= 64);
            let kb = kb.ok_or_else(|| unit(def, value, MEMORY_UNITS))?;
            Ok(show_with_unit(kb, MEMORIES))
        }
        Kind::OneOf(words) => one_of(def, value, words),
        Kind::Only(words) => only(def, value, words),
        Kind::Zone => zone(value).ok_or_else(|| invalid(def, value)),
        Kind::Encoding => encoding(value),
        Kind::Text | Kind::Names | Kind::DateStyle => Ok(value.to_owned()),
    }
}

/// `text`, if the number it shows lies within the bounds.
fn bounded<N: PartialOrd + std::fmt::Display>(
    def: &VarDef,
    number: N,
    low: N,
    high: N,
    text: String,
) -> Result<String> {
    if low <= number && number <= high {
        return Ok(text);
    }
    let text = format!(
        "{text} is outside the valid range for parameter \"{}\" ({low} .. {high})",
        def.name
    );
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text))
}

/// A word of a list.
fn one_of(def: &VarDef, value: &str, words: &[&str]) -> Result<String> {
    let found = words.iter().find(|w| w.eq_ignore_ascii_case(value));
    found.map(|w| (*w).to_owned()).ok_or_else(|| {
        let hint = match closest(value, words.iter().copied()) {
            Some(word) => format!("Did you mean \"{word}\"?"),
            None => format!("Available values: {}.", words.join(", ")),
        };
        invalid(def, value).hint(hint)
    })
}

/// A word of the list that we honour; a switch that is fixed takes every spelling of its position.
fn only(def: &VarDef, value: &str, words: &[&str]) -> Result<String> {
    let found = words.iter().find(|w| w.eq_ignore_ascii_case(value));
    let found = found.or_else(|| {
        let wanted = parse_bool(value)?;
        words.iter().find(|w| parse_bool(w) == Some(wanted))
    });
    found.map(|w| (*w).to_owned()).ok_or_else(|| {
        let text = format!("{} = {value} is not supported", def.name);
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
            .hint(format!("Supported: {}.", words.join(", ")))
    })
}

fn unit(def: &VarDef, value: &str, units: &str) -> SqlError {
    invalid(def, value).hint(format!("Valid units for this parameter are {units}."))
}

fn invalid(def: &VarDef, value: &str) -> SqlError {
    let text = format!("invalid value for parameter \"{}\": \"{value}\"", def.name);
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text)
}

/// Units with their factor over the first one, ascending; the base unit is the one of factor 1.
type Units = &'static [(&'static str, i64)];

const DURATION_UNITS: &str = "\"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"";
const MEMORY_UNITS: &str = "\"kB\", \"MB\", \"GB\", and \"TB\"";

const DURATIONS: Units = &[
    ("ms", 1),
    ("s", 1000),
    ("min", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const MEMORIES: Units = &[("kB", 1), ("MB", 1024), ("GB", 1 << 20), ("TB", 1 << 30)];

/// Milliseconds of `500`, `1.5s`, `2 min` …
pub(super) fn parse_duration_ms(text: &str) -> Option<i64> {
    if let Some(us) = text.trim().strip_suffix("us") {
        return us.trim().parse::<i64>().ok().map(|us| us / 1000);
    }
    parse_with_unit(text, DURATIONS)
}

fn parse_with_unit(text: &str, units: Units) -> Option<i64> {
    let text = text.trim();
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    let factor = if unit.is_empty() {
        1
    } else {
        units.iter().find(|(u, _)| *u == unit)?.1
    };
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(factor);
    }
    let scaled = number.parse::<f64>().ok()? * factor as f64;
    (scaled.abs() < 1e15).then(|| scaled.round() as i64)
}

/// In the largest unit that divides it; 0 stands alone.
fn show_with_unit(value: i64, units: Units) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    let unit = units.iter().rev().find(|(_, factor)| value % factor == 0);
    unit.map_or_else(
        || value.to_string(),
        |(unit, factor)| format!("{}{unit}", value / factor),
    )
}

/// Identifiers as a list; one value may hold several, as drivers send them.
fn names(values: &[String]) -> Result<String> {
    let mut all = Vec::new();
    for value in values {
        // A single value from a client is text with commas; several were parsed one by one.
        match (values.len(), split_list(value)) {
            (1, Some(parts)) => all.extend(parts),
            (1, None) => {
                let text = format!("invalid value for parameter \"search_path\": \"{value}\"");
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text)
                    .detail("List syntax is invalid."));
            }
            _ => all.push(value.clone()),
        }
    }
    let quote = |n: &String| {
        if n.is_empty() {
            "\"\"".to_owned()
        } else {
            quote_ident(n)
        }
    };
    Ok(all.iter().map(quote).collect::<Vec<_>>().join(", "))
}

/// `a, "B c"` as its names; `None` when quotes do not close.
pub(super) fn split_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut chars = text.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut name = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next()? {
                    '"' if chars.peek() == Some(&'"') => {
                        chars.next();
                        name.push('"');
                    }
                    '"' => break,
                    c => name.push(c),
                }
            }
            while chars.peek().is_some_and(|c| c.is_whitespace()) {
                chars.next();
            }
            if !matches!(chars.next(), None | Some(',')) {
                return None;
            }
        } else {
            for c in chars.by_ref().take_while(|c| *c != ',') {
                name.push(c);
            }
            name = name.trim().to_lowercase();
        }
        names.push(name);
        while chars.peek().is_some_and(|c| c.is_whitespace()) {
            chars.next();
        }
    }
    Some(names)
}

/// `ISO, MDY`: the output style is always ISO, the order of fields in input may be chosen.
fn date_style(values: &[String]) -> Result<String> {
    let mut order = "MDY";
    for word in values
        .iter()
        .flat_map(|v| v.split(','))
        .map(|w| w.trim().to_lowercase())
    {
        match word.as_str() {
            "iso" | "default" => {}
            "mdy" | "us" | "noneuro" | "noneuropean" => order = "MDY",
            "dmy" | "euro" | "european" => order = "DMY",
            "ymd" => order = "YMD",
            "postgres" | "sql" | "german" => {
                let text = format!("DateStyle {word} is not supported");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                    .hint("Dates are written in ISO style."));
            }
            _ => {
                let text = format!("invalid value for parameter \"DateStyle\": \"{word}\"");
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text)
                    .detail(format!("Unrecognized key word: \"{word}\".")));
            }
        }
    }
    Ok(format!("ISO, {order}"))
}

/// A zone's name as given (the engine knows the zone database), or an offset as `+02:00`.
fn zone(value: &str) -> Option<String> {
    if matches!(
        value.to_lowercase().as_str(),
        "utc" | "z" | "zulu" | "universal"
    ) {
        return Some("UTC".to_owned());
    }
    let offset = value.trim_start_matches(['+', '-']);
    if offset.starts_with(|c: char| c.is_ascii_digit()) {
        return zone_offset(value, offset);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    (!value.is_empty() && value.chars().all(allowed)).then(|| value.to_owned())
}

/// `+2`, `-05:30`, `5.5` in hours east of Greenwich.
fn zone_offset(value: &str, digits: &str) -> Option<String> {
    let (hours, minutes) = match digits.split_once(':') {
        Some((h, m)) => (h.parse::<u32>().ok()?, m.parse::<u32>().ok()?),
        None if digits.len() == 4 && !digits.contains('.') => {
            (digits[..2].parse().ok()?, digits[2..].parse().ok()?)
        }
        None => {
            let hours: f64 = digits.parse().ok()?;
            (hours.trunc() as u32, (hours.fract() * 60.0).round() as u32)
        }
    };
    let sign = if value.starts_with('-') { '-' } else { '+' };
    (hours <= 15 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

/// Encodings are named by their letters and digits alone: asyncpg sends quotes as well.
fn encoding(value: &str) -> Result<String> {
    let name: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    match name.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" => Ok("UTF8".to_owned()),
        known if ENCODINGS.contains(&known) => {
            let text = format!("conversion between {value} and UTF8 is not supported");
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text))
        }
        _ => Err(SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"client_encoding\": \"{value}\""),
        )),
    }
}

/// Encodings of PostgreSQL that clients ask for now and then.
const ENCODINGS: &[&str] = &[
    "latin1", "latin2", "latin9", "iso88591", "win1250", "win1251", "win1252", "sqlascii", "eucjp",
    "sjis", "koi8r", "big5",
];
