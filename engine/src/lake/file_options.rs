//! How the files of an external table are read: options as written are checked once and kept as text.

use crate::error::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::options::{Options, parse_bool};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::execution::session_state::SessionState;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ending of the names of the files that belong to the table.
pub const FILE_EXTENSION: &str = "file_extension";

const CSV: &[&str] = &[
    "header",
    "delimiter",
    "quote",
    "escape",
    "comment",
    "null",
    "newlines_in_values",
    "sample_rows",
    FILE_EXTENSION,
];
const JSON: &[&str] = &["sample_rows", FILE_EXTENSION];
const PARQUET: &[&str] = &[FILE_EXTENSION];

/// Endings that a format's files usually have.
pub fn usual_extensions(format: &str) -> &'static [&'static str] {
    match format {
        "parquet" => &[".parquet"],
        "csv" => &[".csv", ".tsv", ".txt"],
        _ => &[".json", ".ndjson", ".jsonl"],
    }
}

/// Options as the catalog keeps them.
///
/// # Errors
/// 22023 for options that the format does not have, and for values that do not fit.
pub fn check(format: &str, mut options: Options) -> Result<BTreeMap<String, String>> {
    let known: &[&str] = match format {
        "csv" => CSV,
        "json" => JSON,
        "parquet" => PARQUET,
        _ => &[],
    };
    let mut kept = BTreeMap::new();
    for name in known {
        let position = options
            .entries
            .iter()
            .find(|e| e.key == *name)
            .and_then(|e| e.position);
        let value = match *name {
            "header" | "newlines_in_values" => options.take_bool(&[name])?.map(|v| v.to_string()),
            "sample_rows" => options.take_i64(&[name])?.map(|v| v.to_string()),
            _ => options.take_text(&[name])?,
        };
        let Some(value) = value else { continue };
        let wrong = match *name {
            "delimiter" | "quote" | "escape" | "comment" => {
                byte(&value).is_none().then_some("one character")
            }
            "sample_rows" => value
                .parse::<u32>()
                .map_or(true, |n| n == 0)
                .then_some("a number of rows above 0"),
            _ => None,
        };
        if let Some(wanted) = wrong {
            let text = format!("option \"{name}\" needs {wanted}");
            return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text).at(position));
        }
        kept.insert((*name).to_owned(), value);
    }
    if known.is_empty() && !options.entries.is_empty() {
        let entry = &options.entries[0];
        let text = format!("unrecognized external table option \"{}\"", entry.key);
        return Err(Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint(format!("Tables stored as {format} have no options."))
            .at(entry.position));
    }
    options.finish("external table", known)?;
    Ok(kept)
}

/// The reader of a format with its options.
pub fn format(
    format: &str,
    options: &BTreeMap<String, String>,
    state: &SessionState,
) -> Result<Arc<dyn FileFormat>> {
    let flag = |name: &str| options.get(name).and_then(|v| parse_bool(v));
    let one = |name: &str| options.get(name).and_then(|v| byte(v));
    let sample = options
        .get("sample_rows")
        .and_then(|v| v.parse::<usize>().ok());
    Ok(match format {
        "csv" => {
            let mut csv = CsvFormat::default()
                .with_has_header(flag("header").unwrap_or(true))
                .with_newlines_in_values(flag("newlines_in_values").unwrap_or(false))
                .with_escape(one("escape"))
                .with_comment(one("comment"))
                .with_null_regex(
                    options
                        .get("null")
                        .map(|text| format!("^{}$", literally(text))),
                );
            if let Some(delimiter) = one("delimiter") {
                csv = csv.with_delimiter(delimiter);
            }
            if let Some(quote) = one("quote") {
                csv = csv.with_quote(quote);
            }
            if let Some(rows) = sample {
                csv = csv.with_schema_infer_max_rec(rows);
            }
            Arc::new(csv)
        }
        "json" => {
            let json = JsonFormat::default();
            Arc::new(match sample {
                Some(rows) => json.with_schema_infer_max_rec(rows),
                None => json,
            })
        }
        "parquet" => {
            let parquet =
                ParquetFormat::default().with_options(state.default_table_options().parquet);
            Arc::new(parquet.with_force_view_types(false))
        }
        other => {
            return Err(Error::internal(format!(
                "no reader of files stored as {other}"
            )));
        }
    })
}

/// One character as a byte; a tab may be written `\t`.
fn byte(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [b'\\', b't'] => Some(b'\t'),
        [one] if one.is_ascii() => Some(*one),
        _ => None,
    }
}

/// A regular expression that matches a text and nothing else.
fn literally(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
