//! `EXPORT MODEL`: a version as the file that the original library loads.

use super::{Name, Statement};
use crate::cursor::Cursor;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;

/// `EXPORT MODEL m [VERSION n] TO 'url' [(FORMAT {lightgbm | onnx})]`
///
/// A LightGBM model, trained or imported, is written as LightGBM's text. An imported ONNX model is written as it came
/// in. One is not turned into the other: FORMAT only checks which it is.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ExportModel {
    pub name: Name,
    pub version: Option<u64>,
    pub url: String,
    /// In lower case.
    pub format: Option<String>,
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
        let mut format = None;
        if self.peek_symbol(&Token::LParen) {
            let at = self.here();
            let mut options = self.options()?;
            format = options
                .take_text(&["format"])?
                .map(|f| f.to_ascii_lowercase());
            options.finish("export", &["format"])?;
            if let Some(format) = &format
                && !["lightgbm", "onnx"].contains(&format.as_str())
            {
                let text = format!("export format \"{format}\" is not supported");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                    .hint("FORMAT lightgbm and FORMAT onnx are.")
                    .at(at));
            }
        }
        Ok(Statement::ExportModel(ExportModel {
            name,
            version,
            url,
            format,
        }))
    }
}
