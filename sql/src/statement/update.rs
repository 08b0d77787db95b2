//! `UPDATE` of one table.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// `UPDATE t [[AS] a] SET c = expression | DEFAULT, … [WHERE condition]`; `None` is `DEFAULT`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Update {
    pub table: Name,
    pub alias: Option<String>,
    pub assignments: Vec<(String, Option<ast::Expr>)>,
    pub selection: Option<ast::Expr>,
}

impl Cursor<'_> {
    pub(crate) fn update(&mut self) -> Result<Statement> {
        self.expect_word("update")?;
        self.word("only");
        let table = self.name()?;
        self.symbol(&Token::Mul);
        let alias = self.table_alias(&["set"])?;
        self.expect_word("set")?;
        let mut assignments: Vec<(String, Option<ast::Expr>)> = Vec::new();
        loop {
            let at = self.here();
            let (column, value) = self.assignment()?;
            if assignments.iter().any(|(c, _)| *c == column) {
                let text = format!("multiple assignments to same column \"{column}\"");
                return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(at));
            }
            assignments.push((column, value));
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        if self.peek_word("from") {
            return Err(self.unsupported("UPDATE … FROM is not supported").hint(
                "Use a subquery: UPDATE t SET c = (SELECT … WHERE …) WHERE id IN (SELECT …).",
            ));
        }
        let selection = self.selection()?;
        self.refuse_returning()?;
        Ok(Statement::Update(Update {
            table,
            alias,
            assignments,
            selection,
        }))
    }

    fn assignment(&mut self) -> Result<(String, Option<ast::Expr>)> {
        if self.peek_symbol(&Token::LParen) {
            return Err(self
                .unsupported("assignment of several columns at once is not supported")
                .hint("Write one assignment per column."));
        }
        let column = self.ident()?;
        if matches!(self.peek().token, Token::Period | Token::LBracket) {
            return Err(self.unsupported("UPDATE of a part of a column is not supported"));
        }
        self.expect_symbol(&Token::Eq)?;
        let value = if self.word("default") {
            None
        } else {
            Some(self.expr()?)
        };
        Ok((column, value))
    }

    /// `[AS] alias`, unless one of the words comes next.
    pub(crate) fn table_alias(&mut self, before: &[&str]) -> Result<Option<String>> {
        if self.word("as") {
            return self.ident().map(Some);
        }
        let next = self.peek().token;
        let is_alias = matches!(next, Token::Word(_)) && !before.iter().any(|w| self.peek_word(w));
        if is_alias {
            self.ident().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `[WHERE condition]`
    pub(crate) fn selection(&mut self) -> Result<Option<ast::Expr>> {
        if !self.word("where") {
            return Ok(None);
        }
        if self.peek_words(&["current", "of"]) {
            return Err(self.unsupported("WHERE CURRENT OF is not supported"));
        }
        self.expr().map(Some)
    }
}
