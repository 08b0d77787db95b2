//! `EXPORT MODEL`: a version as the text that the original library loads.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;

/// `EXPORT MODEL m [VERSION n] TO 'url' [(FORMAT lightgbm)]`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ExportModel {
    pub name: Name,
    pub version: Option<u64>,
    pub url: String,
}

impl Cursor<'_> {
    pub(crate) fn export_model(&mut self) -> Result<Statement> {
        self.expect_word("export")?;
        self.expect_word("model")?;
        let name = self.name()?;
        let version = if self.word("version") {
            Some(self.integer()?)
        } else {
            None
        };
        self.expect_word("to")?;
        let url = self.string()?;
        if self.peek_symbol(&Token::LParen) {
            let at = self.here();
            let mut options = self.options()?;
            let format = options
                .take_text(&["format"])?
                .unwrap_or_else(|| "lightgbm".into());
            options.finish("export", &["format"])?;
            if !format.eq_ignore_ascii_case("lightgbm") {
                let text = format!("export format \"{format}\" is not supported");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                    .hint("FORMAT lightgbm is.")
                    .at(at));
            }
        }
        Ok(Statement::ExportModel(ExportModel { name, version, url }))
    }
}
