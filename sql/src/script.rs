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
