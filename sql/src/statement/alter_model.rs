//! `ALTER MODEL`: which version answers, and under which names.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// `ALTER MODEL m action`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AlterModel {
    pub name: Name,
    pub action: AlterModelAction,
}

/// `SET DEFAULT VERSION n | ROLLBACK | SET ALIAS a = VERSION n | DROP ALIAS a | DROP VERSION n | RENAME TO n`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum AlterModelAction {
    SetDefaultVersion(u64),
    Rollback,
    SetAlias { alias: String, version: u64 },
    DropAlias(String),
    DropVersion(u64),
    Rename(String),
}

const ACTIONS: &[&str] = &["set", "rollback", "drop", "rename", "unset"];

impl Cursor<'_> {
    pub(crate) fn alter_model(&mut self) -> Result<Statement> {
        self.expect_word("model")?;
        let name = self.name()?;
        let action = if self.words(&["set", "default", "version"]) {
            AlterModelAction::SetDefaultVersion(self.integer()?)
        } else if self.words(&["set", "alias"]) {
            let alias = self.ident()?;
            self.expect_symbol(&Token::Eq)?;
            self.expect_word("version")?;
            AlterModelAction::SetAlias {
                alias,
                version: self.integer()?,
            }
        } else if self.word("rollback") {
            AlterModelAction::Rollback
        } else if self.words(&["drop", "alias"]) || self.words(&["unset", "alias"]) {
            AlterModelAction::DropAlias(self.ident()?)
        } else if self.words(&["drop", "version"]) {
            AlterModelAction::DropVersion(self.integer()?)
        } else if self.words(&["rename", "to"]) {
            AlterModelAction::Rename(self.ident()?)
        } else if self.peek_words(&["add", "version"]) {
            return Err(self
                .unsupported("ADD VERSION is not supported yet")
                .hint("Use CREATE OR REPLACE MODEL … FROM, or TRAIN MODEL."));
        } else {
            if self.peek_word("set") || self.peek_word("drop") {
                self.next();
            }
            return Err(self.syntax_error(&[ACTIONS, &["default", "alias", "version"]].concat()));
        };
        Ok(Statement::AlterModel(AlterModel { name, action }))
    }
}
