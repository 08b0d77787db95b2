//! `DROP` of every kind of object.

use super::{Name, ObjectKind, Statement};
use crate::cursor::Cursor;
use crate::error::Result;

/// `DROP TABLE | VIEW | SOURCE | STREAMING TABLE | SCHEMA | MODEL | SECRET [IF EXISTS] n, … [CASCADE | RESTRICT]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Drop {
    pub kind: ObjectKind,
    pub if_exists: bool,
    pub names: Vec<Name>,
    pub cascade: bool,
}

impl Cursor<'_> {
    pub(crate) fn drop_statement(&mut self) -> Result<Statement> {
        self.expect_word("drop")?;
        let Some(kind) = self.object_kind() else {
            return Err(self.unknown_kind("DROP"));
        };
        let if_exists = self.words(&["if", "exists"]);
        let names = self.names()?;
        let cascade = self.one_of(&["cascade", "restrict"]) == Some("cascade");
        Ok(Statement::Drop(Drop {
            kind,
            if_exists,
            names,
            cascade,
        }))
    }
}
