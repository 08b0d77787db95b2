//! `TRAIN MODEL`: the stored query again, into the next version.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::Result;

/// `TRAIN MODEL m`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct TrainModel {
    pub name: Name,
}

impl Cursor<'_> {
    pub(crate) fn train_model(&mut self) -> Result<Statement> {
        self.expect_word("train")?;
        self.expect_word("model")?;
        let name = self.name()?;
        if self.peek_word("as") || self.peek_word("with") {
            return Err(self
                .unsupported("TRAIN MODEL with another query or other options is not supported")
                .hint("Use CREATE OR REPLACE MODEL."));
        }
        Ok(Statement::TrainModel(TrainModel { name }))
    }
}
