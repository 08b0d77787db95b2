//! Options of statements: `key = value` lists with typed pulls; what is left over is an error with a suggestion.

use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;

/// A literal in an option list.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    /// Digits as written: typed pulls decide what they are.
    Number(String),
    String(String),
    Bool(bool),
    Null,
    List(Vec<Value>),
    /// `{'k': v, …}`
    Map(Vec<(String, Value)>),
    /// A bare word, as in `TYPE s3`
    Word(String),
    /// `SECRET name`
    Secret(String),
    /// `hparam_range(…)` and friends
    Call(String, Vec<Value>),
}

/// One entry as written; keys are lower case (quoted keys too).
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct OptionEntry {
    pub key: String,
    pub value: Value,
    pub position: Option<usize>,
}

/// An option list in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// What was written, duplicates refused by the parser.
    pub entries: Vec<OptionEntry>,
}

impl Value {
    /// The value as plain text: strings as they are, numbers as written, booleans as words.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Value::Number(s) | Value::String(s) | Value::Word(s) => Some(s.clone()),
            Value::Bool(b) => Some(b.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Secret(_) | Value::Call(..) => {
                None
            }
        }
    }
}

impl Options {
    /// Takes an entry out by any of its names (the first is the canonical one).
    pub fn take(&mut self, names: &[&str]) -> Option<OptionEntry> {
        let at = self
            .entries
            .iter()
            .position(|e| names.contains(&e.key.as_str()))?;
        Some(self.entries.remove(at))
    }

    /// Takes text; anything that is not plain text is 22023.
    pub fn take_text(&mut self, names: &[&str]) -> Result<Option<String>> {
        self.take(names)
            .map(|e| e.value.as_text().ok_or_else(|| bad(&e, "a text value")))
            .transpose()
    }

    /// Takes a whole number.
    pub fn take_i64(&mut self, names: &[&str]) -> Result<Option<i64>> {
        self.take(names)
            .map(|e| {
                e.value
                    .as_text()
                    .and_then(|t| t.trim().parse().ok())
                    .ok_or_else(|| bad(&e, "a whole number"))
            })
            .transpose()
    }

    /// Takes a finite number.
    pub fn take_f64(&mut self, names: &[&str]) -> Result<Option<f64>> {
        self.take(names)
            .map(|e| {
                let number = e
                    .value
                    .as_text()
                    .and_then(|t| t.trim().parse::<f64>().ok())
                    .filter(|v| v.is_finite());
                number.ok_or_else(|| bad(&e, "a number"))
            })
            .transpose()
    }

    /// Takes a boolean, spelled as Postgres takes them.
    pub fn take_bool(&mut self, names: &[&str]) -> Result<Option<bool>> {
        self.take(names)
            .map(|e| {
                e.value
                    .as_text()
                    .and_then(|t| parse_bool(&t))
                    .ok_or_else(|| bad(&e, "a boolean"))
            })
            .transpose()
    }

    /// Takes a list of texts; a single text is a list of one.
    pub fn take_texts(&mut self, names: &[&str]) -> Result<Option<Vec<String>>> {
        self.take(names)
            .map(|e| match &e.value {
                Value::List(items) => items
                    .iter()
                    .map(|v| v.as_text().ok_or_else(|| bad(&e, "a list of texts")))
                    .collect(),
                single => single
                    .as_text()
                    .map(|t| vec![t])
                    .ok_or_else(|| bad(&e, "a list of texts")),
            })
            .transpose()
    }

    /// Ends the pulling: what is left is unknown (22023), with the closest of `known` as a hint.
    pub fn finish(self, what: &str, known: &[&str]) -> Result<()> {
        let Some(entry) = self.entries.into_iter().next() else {
            return Ok(());
        };
        let error = SqlError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unrecognized {what} option \"{}\"", entry.key),
        );
        let error = match closest(&entry.key, known.iter().copied()) {
            Some(name) => error.hint(format!("Did you mean \"{name}\"?")),
            None => error.hint(format!("Valid options are: {}.", known.join(", "))),
        };
        Err(error.at(entry.position))
    }
}

fn bad(entry: &OptionEntry, wanted: &str) -> SqlError {
    SqlError::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("option \"{}\" needs {wanted}", entry.key),
    )
    .at(entry.position)
}

/// A boolean as Postgres spells them.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The known name closest to `name`, if one is close enough to be meant (edit distance, a third of the length).
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|k| (distance(&name, &k.to_lowercase()), k))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Edit distance with transpositions of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
