//! `TRUNCATE [TABLE] t, … [RESTART | CONTINUE IDENTITY] [CASCADE | RESTRICT]`

use super::Statement;
use crate::cursor::Cursor;
use crate::error::Result;

impl Cursor<'_> {
    pub(crate) fn truncate(&mut self) -> Result<Statement> {
        self.expect_word("truncate")?;
        self.word("table");
        self.word("only");
        let names = self.names()?;
        // There are no identity columns and no foreign keys: nothing to restart, nothing to cascade to.
        if self.one_of(&["restart", "continue"]).is_some() {
            self.expect_word("identity")?;
        }
        self.one_of(&["cascade", "restrict"]);
        Ok(Statement::Truncate(names))
    }
}
