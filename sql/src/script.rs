//! A script as text and tokens: splitting at semicolons, and from line and column to character positions.

use crate::dialect::DIALECT;
use crate::error::{Result, SqlError};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, TokenizerError};

/// Text with the start of each of its lines.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    text: &'a str,
    /// Byte and character offset of each line.
    lines: Vec<(usize, usize)>,
}

impl<'a> Script<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut lines = vec![(0, 0)];
        for (chars, (bytes, c)) in text.char_indices().enumerate() {
            if c == '\n' {
                lines.push((bytes + 1, chars + 1));
            }
        }
        Self { text, lines }
    }

    /// Characters before a location.
    pub(crate) fn offset(&self, at: Location) -> usize {
        let Some((line, column)) = self.place(at) else {
            return 0;
        };
        self.lines[line].1 + column
    }

    /// 1-based character position of a location, as error messages count.
    pub(crate) fn position(&self, at: Location) -> usize {
        self.offset(at) + 1
    }

    /// The text between two locations.
    pub(crate) fn slice(&self, from: Location, to: Location) -> &'a str {
        let (from, to) = (self.byte(from), self.byte(to));
        self.text.get(from..to.max(from)).unwrap_or_default()
    }

    fn byte(&self, at: Location) -> usize {
        let Some((line, column)) = self.place(at) else {
            return self.text.len();
        };
        let start = self.lines[line].0;
        let rest = &self.text[start..];
        start
            + rest
                .char_indices()
                .nth(column)
                .map_or(rest.len(), |(bytes, _)| bytes)
    }

    /// Zero-based line and column, when the location is known and within the text.
    fn place(&self, at: Location) -> Option<(usize, usize)> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        (line < self.lines.len()).then_some((line, column))
    }

    /// Tokens without blanks and comments.
    pub(crate) fn tokens(&self) -> Result<Vec<TokenWithSpan>> {
        let mut tokens = Tokenizer::new(&DIALECT, self.text)
            .tokenize_with_location()
            .map_err(|e| self.lexical_error(&e))?;
        tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        Ok(tokens)
    }

    /// A tokenizer's error in PostgreSQL's words.
    fn lexical_error(&self, error: &TokenizerError) -> SqlError {
        let message = error.message.to_lowercase();
        let what = if message.contains("dollar-quoted") {
            "unterminated dollar-quoted string"
        } else if message.contains("comment") {
            "unterminated /* comment"
        } else if message.contains("close delimiter") {
            "unterminated quoted identifier"
        } else if message.contains("unterminated") {
            "unterminated quoted string"
        } else {
            "syntax error"
        };
        let rest = &self.text[self.byte(error.location)..];
        let near = rest.lines().next().unwrap_or_default();
        let text = if near.is_empty() {
            format!("{what} at end of input")
        } else {
            format!("{what} at or near \"{near}\"")
        };
        SqlError::new(SqlState::SYNTAX_ERROR, text).at(Some(self.position(error.location)))
    }
}

/// Whether a script's last statement is complete, so that a shell need not ask for another line: it ends with a
/// semicolon, or it has a fault that no further line can mend.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    match Script::new(text).tokens() {
        Ok(tokens) => {
            let last = tokens.iter().rfind(|t| t.token != Token::EOF);
            last.is_none_or(|t| t.token == Token::SemiColon)
        }
        Err(error) => !error.message.starts_with("unterminated"),
    }
}

/// The statements of a script as runs of tokens; empty ones are dropped.
pub(crate) fn split(tokens: Vec<TokenWithSpan>) -> Vec<Vec<TokenWithSpan>> {
    let mut statements = Vec::new();
    let mut current = Vec::new();
    for token in tokens {
        match token.token {
            Token::SemiColon => statements.push(std::mem::take(&mut current)),
            Token::EOF => {}
            _ => current.push(token),
        }
    }
    statements.push(current);
    statements.retain(|s: &Vec<TokenWithSpan>| !s.is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn statements_end_outside_of_quotes() {
        for whole in [
            "",
            "select 1;",
            "select ';'; -- the end",
            "select 1; /* ; */ ",
            "do $$ a; $$;",
            " -- nothing",
        ] {
            assert!(is_complete(whole), "{whole}");
        }
        for open in [
            "select 1",
            "select ';",
            "select \"a;",
            "select 1; select 2",
            "select 1 /* ;",
            "select $$ ;",
            "select 1 -- ;",
        ] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
