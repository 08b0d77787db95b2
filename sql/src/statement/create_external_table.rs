//! `CREATE EXTERNAL TABLE`: files that others write, read where they lie.

use super::{ColumnDef, Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::options::{Options, closest};
use crate::quote::{quote_ident, quote_literal};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;
use std::fmt;

/// `CREATE EXTERNAL TABLE [IF NOT EXISTS] n [(columns)] STORED AS format [PARTITIONED BY (c, …)] LOCATION 'url' [OPTIONS (…)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateExternalTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    pub format: ExternalFormat,
    /// Names; types come from `columns` when declared there, else text or inferred from the folders.
    pub partitioned_by: Vec<String>,
    pub location: String,
    pub options: Options,
}

/// The format of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ExternalFormat {
    Parquet,
    Csv,
    Json,
    Delta,
}

impl fmt::Display for ExternalFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExternalFormat::Parquet => "PARQUET",
            ExternalFormat::Csv => "CSV",
            ExternalFormat::Json => "JSON",
            ExternalFormat::Delta => "DELTA",
        })
    }
}

/// The canonical DDL.
impl fmt::Display for CreateExternalTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE EXTERNAL TABLE {}", self.name)?;
        write_columns(f, &self.columns)?;
        write!(f, "\nSTORED AS {}", self.format)?;
        if !self.partitioned_by.is_empty() {
            let names: Vec<String> = self.partitioned_by.iter().map(|n| quote_ident(n)).collect();
            write!(f, "\nPARTITIONED BY ({})", names.join(", "))?;
        }
        write!(f, "\nLOCATION {}", quote_literal(&self.location))?;
        if !self.options.entries.is_empty() {
            write!(f, "\nOPTIONS ({})", self.options)?;
        }
        Ok(())
    }
}

/// ` (column, …)`, one a line; nothing when there are none.
pub(super) fn write_columns(f: &mut fmt::Formatter<'_>, columns: &[ColumnDef]) -> fmt::Result {
    for (i, column) in columns.iter().enumerate() {
        write!(f, "{}\n  {column}", if i == 0 { " (" } else { "," })?;
    }
    f.write_str(if columns.is_empty() { "" } else { "\n)" })
}

impl Cursor<'_> {
    pub(crate) fn create_external_table(&mut self, or_replace: bool) -> Result<Statement> {
        self.expect_word("external")?;
        self.expect_word("table")?;
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let mut columns = Vec::new();
        if self.peek_symbol(&Token::LParen) {
            let mut list = self.column_list()?;
            columns = std::mem::take(&mut list.columns);
            if !list.checks(&name.name)?.is_empty() {
                return Err(self
                    .unsupported("CHECK constraints on external tables are not supported")
                    .hint("Others write the files: filter in a view."));
            }
        }
        let (mut format, mut location, mut options, mut partitioned_by) = (None, None, None, None);
        while !self.at_end() {
            if format.is_none() && self.words(&["stored", "as"]) {
                format = Some(self.external_format()?);
            } else if partitioned_by.is_none() && self.words(&["partitioned", "by"]) {
                partitioned_by = Some(self.partition_columns(&mut columns)?);
            } else if location.is_none() && self.word("location") {
                location = Some(self.string()?);
            } else if options.is_none() && self.one_of(&["options", "with"]).is_some() {
                options = Some(self.options()?);
            } else {
                return Err(self.syntax_error(&["stored", "partitioned", "location", "options"]));
            }
        }
        let missing = |what: &str| {
            SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!("CREATE EXTERNAL TABLE needs {what}"),
            )
            .at(self.here())
        };
        Ok(Statement::CreateExternalTable(CreateExternalTable {
            name,
            if_not_exists,
            or_replace,
            columns,
            format: format.ok_or_else(|| missing("STORED AS"))?,
            partitioned_by: partitioned_by.unwrap_or_default(),
            location: location.ok_or_else(|| missing("LOCATION"))?,
            options: options.unwrap_or_default(),
        }))
    }

    fn external_format(&mut self) -> Result<ExternalFormat> {
        let at = self.here();
        let word = match self.next().token {
            Token::Word(w) => w.value.to_lowercase(),
            _ => return Err(self.syntax_error(&[]).at(at)),
        };
        let text = match word.as_str() {
            "parquet" => return Ok(ExternalFormat::Parquet),
            "csv" => return Ok(ExternalFormat::Csv),
            "json" | "ndjson" | "jsonl" => return Ok(ExternalFormat::Json),
            "delta" | "deltatable" => return Ok(ExternalFormat::Delta),
            "iceberg" | "avro" | "orc" => {
                let text = format!("external tables stored as {word} are not supported");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                    .hint("PARQUET, CSV, JSON and DELTA are.")
                    .at(at));
            }
            _ => format!("unrecognized format \"{word}\""),
        };
        let hint = match closest(&word, ["parquet", "csv", "json", "delta"]) {
            Some(known) => format!("Did you mean \"{known}\"?"),
            None => "Formats are PARQUET, CSV, JSON and DELTA.".to_owned(),
        };
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text)
            .hint(hint)
            .at(at))
    }

    /// `(name [type], …)`; a type declares the column as well.
    fn partition_columns(&mut self, columns: &mut Vec<ColumnDef>) -> Result<Vec<String>> {
        self.parenthesized(|c| {
            let at = c.here();
            let name = c.ident()?;
            if !matches!(c.peek().token, Token::Comma | Token::RParen) {
                let ty = c.sql_type()?;
                if columns.iter().any(|d| d.name == name) {
                    let text = format!("column \"{name}\" specified more than once");
                    return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, text).at(at));
                }
                columns.push(ColumnDef {
                    name: name.clone(),
                    ty,
                    nullable: true,
                    default: None,
                });
            }
            Ok(name)
        })
    }
}
