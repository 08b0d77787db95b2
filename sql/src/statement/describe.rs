//! `DESCRIBE MODEL m`: inputs, versions and figures of a model.

use super::Statement;
use crate::cursor::Cursor;
use crate::error::Result;

impl Cursor<'_> {
    pub(crate) fn describe(&mut self) -> Result<Statement> {
        self.next();
        if self.word("model") {
            return Ok(Statement::DescribeModel(self.name()?));
        }
        Err(self
            .unsupported("DESCRIBE takes a model only")
            .hint("Write DESCRIBE MODEL m; columns of a table are in information_schema.columns."))
    }
}
