//! `DELETE` from one table.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// `DELETE FROM t [[AS] a] [WHERE condition]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Delete {
    pub table: Name,
    pub alias: Option<String>,
    pub selection: Option<ast::Expr>,
}

impl Cursor<'_> {
    pub(crate) fn delete(&mut self) -> Result<Statement> {
        self.expect_word("delete")?;
        self.expect_word("from")?;
        self.word("only");
        let table = self.name()?;
        self.symbol(&Token::Mul);
        let alias = self.table_alias(&["where", "using", "returning"])?;
        if self.peek_word("using") {
            return Err(self
                .unsupported("DELETE … USING is not supported")
                .hint("Use a subquery: DELETE FROM t WHERE id IN (SELECT …)."));
        }
        let selection = self.selection()?;
        self.refuse_returning()?;
        Ok(Statement::Delete(Delete {
            table,
            alias,
            selection,
        }))
    }
}
