//! `SHOW`: session variables, models and the DDL of objects.

use super::{ObjectKind, Statement};
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::tokenizer::Token;

impl Cursor<'_> {
    /// `SHOW name`, `SHOW ALL`, `SHOW MODELS [LIKE 'pattern']`, `SHOW CREATE kind name`
    pub(crate) fn show(&mut self) -> Result<Statement> {
        self.expect_word("show")?;
        if self.word("models") {
            let pattern = if self.word("like") {
                Some(self.string()?)
            } else {
                None
            };
            return Ok(Statement::ShowModels(pattern));
        }
        if self.word("create") {
            let at = self.here();
            return match self.object_kind() {
                Some(kind) if kind != ObjectKind::Secret && kind != ObjectKind::Schema => {
                    Ok(Statement::ShowCreate(kind, self.name()?))
                }
                Some(_) => Err(self
                    .unsupported("SHOW CREATE takes a table, view, source or model")
                    .at(at)),
                None => Err(self.syntax_error(&["table", "view", "source", "model"])),
            };
        }
        if [
            "tables",
            "columns",
            "databases",
            "schemas",
            "sources",
            "views",
        ]
        .iter()
        .any(|w| self.peek_word(w))
            && self.peek_at(1).token == Token::EOF
        {
            return Err(self
                .unsupported("SHOW lists models and variables only")
                .hint("Tables are in information_schema.tables, sources in streams.sources."));
        }
        if self.word("all") {
            return Ok(Statement::Show(None));
        }
        Ok(Statement::Show(Some(self.variable_name()?)))
    }
}
