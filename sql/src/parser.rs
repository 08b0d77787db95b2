//! From a script to statements: the first words choose the reader of each.

use crate::cursor::{Cursor, bare};
use crate::error::{Result, SqlError};
use crate::rewrite;
use crate::script::{Script, split};
use crate::statement::{ObjectKind, Parsed, Statement, refused};
use sqlparser::ast;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// First words of statements, for the hint of an unknown one.
const LEADING: &[&str] = &[
    "abort",
    "alter",
    "begin",
    "close",
    "commit",
    "create",
    "deallocate",
    "delete",
    "describe",
    "discard",
    "drop",
    "end",
    "explain",
    "export",
    "insert",
    "release",
    "reset",
    "rollback",
    "savepoint",
    "select",
    "set",
    "show",
    "start",
    "table",
    "train",
    "truncate",
    "unlisten",
    "update",
    "values",
    "with",
];

/// Parses a script into its statements; an empty script gives none.
pub fn parse(sql: &str) -> Result<Vec<Parsed>> {
    let script = Script::new(sql);
    split(script.tokens()?)
        .into_iter()
        .map(|tokens| parse_one(&script, tokens))
        .collect()
}

/// Parses one query, rewritten as [`rewrite`] says.
pub fn parse_query(text: &str) -> Result<Box<ast::Query>> {
    whole(text, |c| c.query())
}

/// Parses one expression, rewritten as [`rewrite`] says.
pub fn parse_expression(text: &str) -> Result<ast::Expr> {
    whole(text, |c| c.expr())
}

fn whole<T>(text: &str, read: impl FnOnce(&mut Cursor<'_>) -> Result<T>) -> Result<T> {
    let script = Script::new(text);
    let mut tokens = script.tokens()?;
    tokens.retain(|t| t.token != Token::EOF);
    while tokens.last().is_some_and(|t| t.token == Token::SemiColon) {
        tokens.pop();
    }
    let mut cursor = Cursor::new(&script, rewrite::tokens(&script, tokens)?);
    let value = read(&mut cursor)?;
    cursor.expect_end()?;
    Ok(value)
}

fn parse_one(script: &Script<'_>, tokens: Vec<TokenWithSpan>) -> Result<Parsed> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Err(SqlError::new(
            crate::SqlState::SYNTAX_ERROR,
            "empty statement",
        ));
    };
    let (start, end) = (first.span.start, last.span.end);
    let text = script.slice(start, end).to_owned();
    let mut cursor = Cursor::new(script, rewrite::tokens(script, tokens)?);
    let statement = cursor.statement()?;
    cursor.expect_end()?;
    let offset = script.offset(start);
    Ok(Parsed {
        statement,
        text,
        offset,
        line: start.line,
        column: start.column,
    })
}

impl Cursor<'_> {
    /// One statement.
    pub(crate) fn statement(&mut self) -> Result<Statement> {
        let token = self.peek().token;
        let first = bare(&token)
            .map(str::to_ascii_lowercase)
            .unwrap_or_default();
        match first.as_str() {
            "" if token == Token::LParen => Ok(Statement::Query(self.query()?)),
            "select" | "with" | "values" | "table" => self.query_statement(),
            "explain" => self.explain(),
            "insert" => self.insert(),
            "update" => self.update(),
            "delete" => self.delete(),
            "truncate" => self.truncate(),
            "create" => self.create(),
            "alter" => self.alter(),
            "drop" => self.drop_statement(),
            "train" => self.train_model(),
            "export" => self.export_model(),
            "describe" | "desc" => self.describe(),
            "show" => self.show(),
            "set" => self.set(),
            "reset" => self.reset(),
            "discard" | "close" | "deallocate" | "unlisten" => self.discard(),
            "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint"
            | "release" => self.transaction(),
            _ => match refused::leading(&first) {
                Some(refusal) => Err(refusal.at(self.here())),
                None => Err(self.syntax_error(LEADING)),
            },
        }
    }

    fn query_statement(&mut self) -> Result<Statement> {
        Ok(Statement::Query(self.query()?))
    }

    fn create(&mut self) -> Result<Statement> {
        self.expect_word("create")?;
        let or_replace = self.words(&["or", "replace"]);
        let temporary = self.one_of(&["temporary", "temp"]).is_some();
        if temporary && ["table", "view"].iter().any(|w| self.peek_word(w)) {
            return Err(self.unsupported("temporary relations are not supported"));
        }
        if self.peek_words(&["external", "table"]) {
            return self.create_external_table(or_replace);
        }
        if self.peek_words(&["streaming", "table"]) || self.peek_word("source") {
            return self.create_source(or_replace);
        }
        let kinds = ["table", "view", "model", "secret", "schema"];
        match kinds.into_iter().find(|k| self.peek_word(k)) {
            Some("table") => self.create_table(or_replace),
            Some("view") => self.create_view(or_replace),
            Some("model") => self.create_model(or_replace),
            Some("secret") => self.create_secret(or_replace),
            Some(_) if !or_replace => self.create_schema(),
            _ => Err(self.unknown_kind("CREATE")),
        }
    }

    fn alter(&mut self) -> Result<Statement> {
        self.expect_word("alter")?;
        match ["table", "model", "secret"]
            .into_iter()
            .find(|k| self.peek_word(k))
        {
            Some("table") => self.alter_table(),
            Some("model") => self.alter_model(),
            Some(_) => self.alter_secret(),
            None => Err(self.unknown_kind("ALTER")),
        }
    }

    /// Reads the kind of a named object; `STREAMING TABLE` is a source.
    pub(crate) fn object_kind(&mut self) -> Option<ObjectKind> {
        if self.words(&["streaming", "table"]) {
            return Some(ObjectKind::Source);
        }
        if self.words(&["external", "table"]) {
            return Some(ObjectKind::Table);
        }
        let word = self.one_of(&["table", "view", "source", "schema", "model", "secret"])?;
        Some(match word {
            "table" => ObjectKind::Table,
            "view" => ObjectKind::View,
            "source" => ObjectKind::Source,
            "schema" => ObjectKind::Schema,
            "model" => ObjectKind::Model,
            _ => ObjectKind::Secret,
        })
    }

    /// The error for a kind of object that CREATE, ALTER or DROP does not take.
    pub(crate) fn unknown_kind(&self, verb: &str) -> SqlError {
        let (first, second) = (self.peek().token, self.peek_at(1).token);
        let words = [&first, &second].map(|t| bare(t).unwrap_or_default().to_ascii_lowercase());
        match refused::object(verb, &words[0], &words[1]) {
            Some(refusal) => refusal.at(self.here()),
            None => self.syntax_error(&[
                "table",
                "view",
                "source",
                "schema",
                "model",
                "secret",
                "external",
                "streaming",
            ]),
        }
    }
}

#[cfg(test)]
mod tests;
