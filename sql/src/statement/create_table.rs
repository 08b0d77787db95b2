//! `CREATE TABLE`: a managed table, declared or filled from a query.

use super::{ColumnDef, Name, Statement};
use crate::cursor::{Cursor, is_word};
use crate::error::Result;
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// `CREATE TABLE [IF NOT EXISTS] n (columns, CHECK (…))` or `… [(names)] AS query`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub columns: Vec<ColumnDef>,
    /// Name (given or made as Postgres makes it) and condition.
    pub checks: Vec<(String, ast::Expr)>,
    pub query: Option<Box<ast::Query>>,
    /// Column names before AS, when given.
    pub query_columns: Vec<String>,
}

impl Cursor<'_> {
    pub(crate) fn create_table(&mut self, or_replace: bool) -> Result<Statement> {
        self.expect_word("table")?;
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let mut table = CreateTable {
            name,
            if_not_exists,
            or_replace,
            columns: Vec::new(),
            checks: Vec::new(),
            query: None,
            query_columns: Vec::new(),
        };
        if self.peek_words(&["partition", "of"]) {
            return Err(self.unsupported("partitioned tables are not supported"));
        }
        let only_names = matches!(self.peek_at(2).token, Token::Comma | Token::RParen);
        if self.peek_symbol(&Token::LParen)
            && only_names
            && !is_word(&self.peek_at(1).token, "table")
        {
            table.query_columns = self.parenthesized(Self::ident)?;
            if !self.peek_word("as") {
                return Err(self.syntax_error(&["as"]));
            }
        } else if self.peek_symbol(&Token::LParen) {
            let mut list = self.column_list()?;
            table.columns = std::mem::take(&mut list.columns);
            table.checks = list.checks(&table.name.name)?;
        }
        self.refuse_table_clauses()?;
        if self.word("as") {
            if !table.columns.is_empty() {
                return Err(self
                    .unsupported("CREATE TABLE AS takes column names without types")
                    .hint("Cast the columns in the query."));
            }
            if self.peek_word("execute") {
                return Err(self.unsupported("CREATE TABLE AS EXECUTE is not supported"));
            }
            table.query = Some(self.query()?);
            if self.peek_words(&["with", "no", "data"]) {
                return Err(self
                    .unsupported("WITH NO DATA is not supported")
                    .hint("Use a query with WHERE false."));
            }
            self.words(&["with", "data"]);
        } else if table.columns.is_empty() {
            return Err(self.syntax_error(&["as"]));
        }
        Ok(Statement::CreateTable(table))
    }

    fn refuse_table_clauses(&self) -> Result<()> {
        let (what, hint) = if self.peek_word("inherits") {
            ("inheritance is not supported", "Declare the columns again.")
        } else if self.peek_words(&["partition", "by"]) || self.peek_words(&["partitioned", "by"]) {
            (
                "partitioned managed tables are not supported",
                "CREATE EXTERNAL TABLE … PARTITIONED BY reads partition folders.",
            )
        } else if self.peek_word("with") {
            (
                "storage parameters of tables are not supported",
                "Leave WITH (…) out.",
            )
        } else if self.peek_word("tablespace") {
            ("tablespaces are not supported", "Leave TABLESPACE out.")
        } else {
            return Ok(());
        };
        Err(self.unsupported(what).hint(hint))
    }
}
