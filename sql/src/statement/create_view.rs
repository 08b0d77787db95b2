//! `CREATE VIEW`: a query under a name.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] n [(columns)] AS query`; `text` is the query's own text.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateView {
    pub name: Name,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub columns: Vec<String>,
    pub query: Box<ast::Query>,
    pub text: String,
}

impl Cursor<'_> {
    pub(crate) fn create_view(&mut self, or_replace: bool) -> Result<Statement> {
        self.expect_word("view")?;
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let columns = if self.peek_symbol(&Token::LParen) {
            self.parenthesized(Self::ident)?
        } else {
            Vec::new()
        };
        if self.peek_word("with") {
            return Err(self.unsupported("options of views are not supported"));
        }
        self.expect_word("as")?;
        let (query, text) = self.query_to_end()?;
        let view = CreateView {
            name,
            or_replace,
            if_not_exists,
            columns,
            query,
            text,
        };
        Ok(Statement::CreateView(view))
    }
}
