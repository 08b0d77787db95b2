//! `CREATE SECRET` and `ALTER SECRET`: credentials under a name. Their values are never printed.

use super::Statement;
use crate::cursor::Cursor;
use crate::error::Result;
use crate::options::Options;
use sqlparser::tokenizer::Token;

/// `CREATE SECRET [IF NOT EXISTS] n [WITH (…)] AS 'value'` or `CREATE SECRET n (TYPE s3, KEY_ID '…', …)`
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct CreateSecret {
    pub name: String,
    pub if_not_exists: bool,
    pub or_replace: bool,
    pub value: Option<String>,
    pub options: Options,
}

impl std::fmt::Debug for CreateSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreateSecret {{ name: {:?}, <redacted> }}", self.name)
    }
}

impl Cursor<'_> {
    pub(crate) fn create_secret(&mut self, or_replace: bool) -> Result<Statement> {
        self.expect_word("secret")?;
        let if_not_exists = self.if_not_exists();
        let name = self.ident()?;
        self.secret(name, if_not_exists, or_replace)
            .map(Statement::CreateSecret)
    }

    /// `ALTER SECRET n AS 'value'`, or the same list of options as CREATE takes.
    pub(crate) fn alter_secret(&mut self) -> Result<Statement> {
        self.expect_word("secret")?;
        let name = self.ident()?;
        self.secret(name, false, true).map(Statement::AlterSecret)
    }

    fn secret(
        &mut self,
        name: String,
        if_not_exists: bool,
        or_replace: bool,
    ) -> Result<CreateSecret> {
        let mut options = Options::default();
        if self.word("with") || self.peek_symbol(&Token::LParen) {
            options = self.options()?;
        }
        let value = if self.word("as") {
            Some(self.string()?)
        } else {
            None
        };
        if value.is_none() && options.entries.is_empty() {
            return Err(self.syntax_error(&["as"]));
        }
        Ok(CreateSecret {
            name,
            if_not_exists,
            or_replace,
            value,
            options,
        })
    }
}
