//! `ALTER TABLE`: rename it, or give it a column.

use super::column::ColumnList;
use super::{ColumnDef, Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// `ALTER TABLE [IF EXISTS] n action`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AlterTable {
    pub name: Name,
    pub if_exists: bool,
    pub action: AlterTableAction,
}

/// `RENAME TO n | ADD [COLUMN] [IF NOT EXISTS] column`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, clippy::large_enum_variant)] // one per statement, never in bulk
pub enum AlterTableAction {
    Rename(String),
    AddColumn {
        column: ColumnDef,
        if_not_exists: bool,
    },
}

impl Cursor<'_> {
    pub(crate) fn alter_table(&mut self) -> Result<Statement> {
        self.expect_word("table")?;
        let if_exists = self.words(&["if", "exists"]);
        self.word("only");
        let name = self.name()?;
        let action = if self.words(&["rename", "to"]) {
            AlterTableAction::Rename(self.ident()?)
        } else if self.word("add") {
            if ["constraint", "check", "primary", "unique", "foreign"]
                .iter()
                .any(|w| self.peek_word(w))
            {
                return Err(self
                    .unsupported("constraints cannot be added to a table")
                    .hint("Declare NOT NULL and CHECK in CREATE TABLE."));
            }
            self.word("column");
            let if_not_exists = self.if_not_exists();
            let mut list = ColumnList::default();
            let column = self.column(&mut list)?;
            if !list.checks(&name.name)?.is_empty() {
                return Err(self.unsupported("CHECK on an added column is not supported"));
            }
            AlterTableAction::AddColumn {
                column,
                if_not_exists,
            }
        } else {
            return Err(self.alter_table_refusal());
        };
        if self.peek_symbol(&Token::Comma) {
            return Err(self
                .unsupported("ALTER TABLE takes one action at a time")
                .hint("Write one ALTER TABLE per action."));
        }
        Ok(Statement::AlterTable(AlterTable {
            name,
            if_exists,
            action,
        }))
    }

    fn alter_table_refusal(&self) -> crate::SqlError {
        let known = [
            "alter", "drop", "owner", "set", "rename", "enable", "disable", "cluster", "attach",
            "detach", "inherit", "no", "reset", "validate", "replica",
        ];
        if known.iter().any(|w| self.peek_word(w)) {
            return self
                .unsupported("this form of ALTER TABLE is not supported")
                .hint("RENAME TO and ADD COLUMN are.");
        }
        self.syntax_error(&["rename", "add"])
    }
}
