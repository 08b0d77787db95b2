//! What connection pools send before they hand a connection on.

use super::Statement;
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;

/// `DISCARD ALL | PLANS | SEQUENCES | TEMP`, `CLOSE ALL`, `DEALLOCATE ALL`, `UNLISTEN *`
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
    CloseAll,
    DeallocateAll,
    Unlisten,
}

impl Cursor<'_> {
    pub(crate) fn discard(&mut self) -> Result<Statement> {
        if self.word("discard") {
            let what = match self.one_of(&["all", "plans", "sequences", "temp", "temporary"]) {
                Some("all") => Discard::All,
                Some("plans") => Discard::Plans,
                Some("sequences") => Discard::Sequences,
                Some(_) => Discard::Temp,
                None => return Err(self.syntax_error(&["all", "plans", "sequences", "temp"])),
            };
            return Ok(Statement::Discard(what));
        }
        if self.word("close") {
            if self.word("all") {
                return Ok(Statement::Discard(Discard::CloseAll));
            }
            let at = self.here();
            let text = format!("cursor \"{}\" does not exist", self.ident()?);
            return Err(SqlError::new(SqlState::INVALID_CURSOR_NAME, text).at(at));
        }
        if self.word("deallocate") {
            self.word("prepare");
            if self.word("all") {
                return Ok(Statement::Discard(Discard::DeallocateAll));
            }
            return Ok(Statement::Deallocate(self.ident()?));
        }
        self.expect_word("unlisten")?;
        if !self.symbol(&sqlparser::tokenizer::Token::Mul) {
            self.ident()?;
        }
        Ok(Statement::Discard(Discard::Unlisten))
    }
}
