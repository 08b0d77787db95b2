//! `EXPLAIN`: the plan of a statement, or what running it took.

use super::Statement;
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::options::parse_bool;
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;

/// `EXPLAIN [ANALYZE] [VERBOSE] statement` or `EXPLAIN (ANALYZE, VERBOSE, FORMAT TEXT | JSON) statement`
/// for queries, INSERT, UPDATE, DELETE and CREATE TABLE AS.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    pub json: bool,
    pub statement: Box<Statement>,
}

/// Options that change what PostgreSQL prints beside the plan and have no counterpart here.
const ACCEPTED: &[&str] = &[
    "costs",
    "buffers",
    "wal",
    "timing",
    "summary",
    "settings",
    "generic_plan",
];

impl Cursor<'_> {
    pub(crate) fn explain(&mut self) -> Result<Statement> {
        self.expect_word("explain")?;
        let (mut analyze, mut verbose, mut json) = (false, false, false);
        let is_query = ["select", "with", "values"]
            .iter()
            .any(|w| crate::cursor::is_word(&self.peek_at(1).token, w));
        if self.peek_symbol(&Token::LParen) && !is_query && self.peek_at(1).token != Token::LParen {
            for (name, value, at) in self.parenthesized(Self::explain_option)? {
                let flag = || {
                    value
                        .as_deref()
                        .map_or(Some(true), parse_bool)
                        .ok_or_else(|| {
                            let text = format!("{name} requires a Boolean value");
                            SqlError::new(SqlState::SYNTAX_ERROR, text).at(at)
                        })
                };
                match name.as_str() {
                    "analyze" => analyze = flag()?,
                    "verbose" => verbose = flag()?,
                    "format" => json = explain_format(value.as_deref(), at)?,
                    _ if ACCEPTED.contains(&name.as_str()) => {}
                    _ => {
                        let text = format!("unrecognized EXPLAIN option \"{name}\"");
                        return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(at));
                    }
                }
            }
        } else {
            analyze = self.one_of(&["analyze", "analyse"]).is_some();
            verbose = self.word("verbose");
        }
        let at = self.here();
        let statement = Box::new(self.statement()?);
        let explained = match statement.as_ref() {
            Statement::CreateTable(table) => table.query.is_some(),
            Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_) => true,
            _ => false,
        };
        if !explained {
            let text = "EXPLAIN takes a query, INSERT, UPDATE, DELETE or CREATE TABLE AS";
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(at));
        }
        Ok(Statement::Explain(Explain {
            analyze,
            verbose,
            json,
            statement,
        }))
    }

    fn explain_option(&mut self) -> Result<(String, Option<String>, Option<usize>)> {
        let at = self.here();
        let Token::Word(word) = self.peek().token else {
            return Err(self.syntax_error(&[]));
        };
        self.next();
        let value = match self.peek().token {
            Token::Comma | Token::RParen => None,
            _ => self.option_value()?.as_text(),
        };
        Ok((
            word.value.to_lowercase().replace("analyse", "analyze"),
            value,
            at,
        ))
    }
}

fn explain_format(value: Option<&str>, at: Option<usize>) -> Result<bool> {
    match value.map(str::to_lowercase).as_deref() {
        Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other @ ("xml" | "yaml")) => {
            let text = format!("EXPLAIN format {other} is not supported");
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("Use FORMAT TEXT or FORMAT JSON.")
                .at(at))
        }
        other => {
            let value = other.unwrap_or_default();
            let text = format!("unrecognized value for EXPLAIN option \"format\": \"{value}\"");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, text).at(at))
        }
    }
}
