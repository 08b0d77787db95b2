//! `CREATE SCHEMA`

use super::Statement;
use crate::cursor::Cursor;
use crate::error::Result;

/// `CREATE SCHEMA [IF NOT EXISTS] name`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSchema {
    pub name: String,
    pub if_not_exists: bool,
}

impl Cursor<'_> {
    pub(crate) fn create_schema(&mut self) -> Result<Statement> {
        self.expect_word("schema")?;
        let if_not_exists = self.if_not_exists();
        let name = self.ident()?;
        if self.peek_word("authorization") {
            return Err(self
                .unsupported("schema owners are not supported")
                .hint("There are no roles yet: leave AUTHORIZATION out."));
        }
        Ok(Statement::CreateSchema(CreateSchema {
            name,
            if_not_exists,
        }))
    }
}
