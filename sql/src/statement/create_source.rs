//! `CREATE SOURCE`: a Kafka topic as a table.

use super::create_external_table::write_columns;
use super::{ColumnDef, Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::options::Options;
use crate::quote::{quote_ident, quote_literal};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;
use std::fmt;

/// `CREATE {SOURCE | STREAMING TABLE} [IF NOT EXISTS] n (columns) [INCLUDE …] WITH (…) FORMAT PLAIN ENCODE JSON [(…)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSource {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    pub include: Vec<Include>,
    pub with: Options,
    /// Upper case, as `PLAIN`.
    pub format: String,
    /// Upper case, as `JSON`.
    pub encode: String,
    pub encode_options: Options,
    /// Canonical DDL with secrets by name, for `SHOW CREATE SOURCE`.
    pub text: String,
}

/// `INCLUDE role [AS name]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Include {
    pub role: IncludeRole,
    pub alias: Option<String>,
}

/// What of a record beside its value becomes a column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum IncludeRole {
    Key,
    Partition,
    Offset,
    Timestamp,
    Headers,
    Header(String),
}

const ROLES: &[&str] = &[
    "key",
    "partition",
    "offset",
    "timestamp",
    "headers",
    "header",
];

impl fmt::Display for Include {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("INCLUDE ")?;
        match &self.role {
            IncludeRole::Key => f.write_str("KEY")?,
            IncludeRole::Partition => f.write_str("PARTITION")?,
            IncludeRole::Offset => f.write_str("OFFSET")?,
            IncludeRole::Timestamp => f.write_str("TIMESTAMP")?,
            IncludeRole::Headers => f.write_str("HEADERS")?,
            IncludeRole::Header(key) => write!(f, "HEADER {}", quote_literal(key))?,
        }
        match &self.alias {
            Some(alias) => write!(f, " AS {}", quote_ident(alias)),
            None => Ok(()),
        }
    }
}

/// The canonical DDL.
impl fmt::Display for CreateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE SOURCE {}", self.name)?;
        write_columns(f, &self.columns)?;
        for include in &self.include {
            write!(f, "\n{include}")?;
        }
        f.write_str("\nWITH (")?;
        for (i, entry) in self.with.entries.iter().enumerate() {
            let one = Options {
                entries: vec![entry.clone()],
            };
            write!(f, "{}\n  {one}", if i > 0 { "," } else { "" })?;
        }
        write!(f, "\n) FORMAT {} ENCODE {}", self.format, self.encode)?;
        if !self.encode_options.entries.is_empty() {
            write!(f, " ({})", self.encode_options)?;
        }
        Ok(())
    }
}

impl Cursor<'_> {
    pub(crate) fn create_source(&mut self, or_replace: bool) -> Result<Statement> {
        if !self.word("source") {
            self.expect_word("streaming")?;
            self.expect_word("table")?;
        }
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let mut columns = Vec::new();
        if self.peek_symbol(&Token::LParen) {
            let mut list = self.column_list()?;
            columns = std::mem::take(&mut list.columns);
            if !list.checks(&name.name)?.is_empty() {
                return Err(self
                    .unsupported("CHECK constraints on sources are not supported")
                    .hint("Others write the topic: filter in a view."));
            }
            if let Some(column) = columns.iter().find(|c| c.default.is_some()) {
                let text = format!(
                    "column \"{}\" of a source cannot have a default",
                    column.name
                );
                return Err(self.unsupported(text));
            }
        }
        let mut source = CreateSource {
            name,
            if_not_exists,
            or_replace,
            columns,
            include: self.includes()?,
            with: Options::default(),
            format: String::new(),
            encode: String::new(),
            encode_options: Options::default(),
            text: String::new(),
        };
        self.refuse_source_clauses()?;
        self.expect_word("with")?;
        source.with = self.options()?;
        source.include.extend(self.includes()?);
        self.expect_word("format")?;
        source.format =
            self.format_word(&["plain"], &["upsert", "debezium", "maxwell", "canal"])?;
        self.expect_word("encode")?;
        source.encode = self.format_word(
            &["json"],
            &["avro", "protobuf", "csv", "bytes", "parquet", "text"],
        )?;
        if self.peek_symbol(&Token::LParen) {
            source.encode_options = self.options()?;
        }
        source.text = source.to_string();
        Ok(Statement::CreateSource(source))
    }

    fn refuse_source_clauses(&self) -> Result<()> {
        if self.peek_word("append") {
            return Err(self
                .unsupported("APPEND ONLY is implied by sources")
                .hint("Leave it out."));
        }
        Ok(())
    }

    fn includes(&mut self) -> Result<Vec<Include>> {
        let mut includes = Vec::new();
        while self.word("include") {
            loop {
                includes.push(self.include()?);
                if !self.symbol(&Token::Comma) {
                    break;
                }
            }
        }
        Ok(includes)
    }

    fn include(&mut self) -> Result<Include> {
        let role = match self.one_of(&["key", "partition", "offset", "timestamp", "headers"]) {
            Some("key") => IncludeRole::Key,
            Some("partition") => IncludeRole::Partition,
            Some("offset") => IncludeRole::Offset,
            Some("timestamp") => IncludeRole::Timestamp,
            Some(_) => IncludeRole::Headers,
            None if self.word("header") => IncludeRole::Header(self.string()?),
            None => return Err(self.syntax_error(ROLES)),
        };
        let alias = if self.word("as") {
            Some(self.ident()?)
        } else {
            None
        };
        Ok(Include { role, alias })
    }

    /// A word of FORMAT or ENCODE, in upper case.
    fn format_word(&mut self, known: &[&str], later: &[&str]) -> Result<String> {
        let at = self.here();
        let Token::Word(word) = self.peek().token else {
            return Err(self.syntax_error(known));
        };
        let folded = word.value.to_lowercase();
        if later.contains(&folded.as_str()) {
            let text = format!("format {} is not supported yet", folded.to_uppercase());
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("FORMAT PLAIN ENCODE JSON is.")
                .at(at));
        }
        if !known.contains(&folded.as_str()) {
            return Err(self.syntax_error(known));
        }
        self.next();
        Ok(folded.to_uppercase())
    }
}
