//! `INSERT`: rows of a query into a table or a source.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// `INSERT INTO t [(columns)] query`; `query == None` means `DEFAULT VALUES`. A `DEFAULT` among the
/// values stands in the AST as the bare identifier `default`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Insert {
    pub table: Name,
    pub columns: Vec<String>,
    pub query: Option<Box<ast::Query>>,
}

impl Cursor<'_> {
    pub(crate) fn insert(&mut self) -> Result<Statement> {
        self.expect_word("insert")?;
        self.expect_word("into")?;
        let table = self.name()?;
        if self.word("as") {
            self.ident()?;
        }
        let columns = if self.peek_symbol(&Token::LParen) && !self.peek_parenthesized_query() {
            self.parenthesized(Self::insert_column)?
        } else {
            Vec::new()
        };
        if self.word("overriding") {
            return Err(self
                .unsupported("OVERRIDING is not supported")
                .hint("There are no identity columns: leave the clause out."));
        }
        let query = if self.words(&["default", "values"]) {
            None
        } else {
            Some(self.query()?)
        };
        if self.peek_words(&["on", "conflict"]) {
            return Err(self
                .unsupported("ON CONFLICT is not supported")
                .hint("Delete the old rows first, or insert only rows that are not there yet."));
        }
        self.refuse_returning()?;
        Ok(Statement::Insert(Insert {
            table,
            columns,
            query,
        }))
    }

    fn insert_column(&mut self) -> Result<String> {
        let column = self.ident()?;
        if matches!(self.peek().token, Token::Period | Token::LBracket) {
            return Err(self.unsupported("INSERT into a part of a column is not supported"));
        }
        Ok(column)
    }

    /// Whether the parenthesis ahead opens a query rather than a list of columns.
    fn peek_parenthesized_query(&self) -> bool {
        let depth = (0..)
            .take_while(|i| self.peek_at(*i).token == Token::LParen)
            .count();
        let inside = self.peek_at(depth).token;
        ["select", "with", "values", "table"]
            .iter()
            .any(|w| crate::cursor::is_word(&inside, w))
    }

    pub(crate) fn refuse_returning(&self) -> Result<()> {
        if self.peek_word("returning") {
            return Err(self
                .unsupported("RETURNING is not supported")
                .hint("Read the rows with a SELECT of its own."));
        }
        Ok(())
    }
}
