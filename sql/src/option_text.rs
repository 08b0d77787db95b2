//! Option lists as text: reading `(key = value, …)` and writing the canonical form that reads back the same.
//!
//! Values are literals only, never expressions: numbers, strings, booleans, NULL, `[…]`, `ARRAY[…]`,
//! `{'k': v}`, `SECRET name`, bare words and calls such as `hparam_range(0.1, 0.3)`.

use crate::cursor::{Cursor, bare, is_word, string_value};
use crate::error::{Result, SqlError};
use crate::options::{OptionEntry, Options, Value};
use crate::quote::{quote_ident, quote_literal};
use crate::script::{Script, split};
use crate::sqlstate::SqlState;
use sqlparser::tokenizer::Token;
use std::fmt;

/// Parses an option list, with or without its parentheses.
pub fn parse_options(text: &str) -> Result<Options> {
    let script = Script::new(text);
    let tokens = split(script.tokens()?)
        .into_iter()
        .next()
        .unwrap_or_default();
    let mut cursor = Cursor::new(&script, tokens);
    if cursor.at_end() {
        return Ok(Options::default());
    }
    let options = if cursor.peek_symbol(&Token::LParen) {
        cursor.options()?
    } else {
        let entries = cursor.list(Cursor::option)?;
        no_duplicates(entries)?
    };
    cursor.expect_end()?;
    Ok(options)
}

impl Cursor<'_> {
    /// `(key = value, …)`; may be empty.
    pub(crate) fn options(&mut self) -> Result<Options> {
        self.expect_symbol(&Token::LParen)?;
        if self.symbol(&Token::RParen) {
            return Ok(Options::default());
        }
        let entries = self.list(Self::option)?;
        self.expect_symbol(&Token::RParen)?;
        no_duplicates(entries)
    }

    /// `key = value`, `key => value` or `key value`.
    fn option(&mut self) -> Result<OptionEntry> {
        let position = self.here();
        let key = self.option_key()?;
        if !self.symbol(&Token::Eq) {
            self.symbol(&Token::RArrow);
        }
        Ok(OptionEntry {
            key,
            value: self.option_value()?,
            position,
        })
    }

    /// `word.word.word`, `"Any Key"` or `'any key'`, in lower case.
    fn option_key(&mut self) -> Result<String> {
        if let Some(text) = string_value(&self.peek().token) {
            self.next();
            return Ok(text.to_lowercase());
        }
        let mut key = self.option_word()?;
        loop {
            let joint = if self.symbol(&Token::Period) {
                '.'
            } else if matches!(self.peek_at(1).token, Token::Word(_)) && self.symbol(&Token::Minus)
            {
                '-'
            } else {
                return Ok(key);
            };
            key = format!("{key}{joint}{}", self.option_word()?);
        }
    }

    /// One word of a key: keywords are words here.
    fn option_word(&mut self) -> Result<String> {
        match self.peek().token {
            Token::Word(w) => {
                self.next();
                Ok(w.value.to_lowercase())
            }
            _ => Err(self.syntax_error(&[])),
        }
    }

    pub(crate) fn option_value(&mut self) -> Result<Value> {
        let token = self.peek().token;
        if let Some(text) = string_value(&token) {
            self.next();
            return Ok(Value::String(text));
        }
        match &token {
            Token::Number(digits, _) => {
                self.next();
                Ok(Value::Number(digits.clone()))
            }
            Token::Minus | Token::Plus => {
                self.next();
                let sign = if token == Token::Minus { "-" } else { "" };
                match self.next_number() {
                    Some(digits) => Ok(Value::Number(format!("{sign}{digits}"))),
                    None => Err(self.syntax_error(&[])),
                }
            }
            Token::LBracket => Ok(Value::List(self.option_list()?)),
            Token::LBrace => self.option_map(),
            Token::Word(_) => self.option_from_word(),
            _ => Err(self.syntax_error(&[])),
        }
    }

    fn next_number(&mut self) -> Option<String> {
        match self.peek().token {
            Token::Number(digits, _) => {
                self.next();
                Some(digits)
            }
            _ => None,
        }
    }

    fn option_from_word(&mut self) -> Result<Value> {
        let token = self.next().token;
        let next = self.peek().token;
        if is_word(&token, "array") && next == Token::LBracket {
            return Ok(Value::List(self.option_list()?));
        }
        if is_word(&token, "secret") && matches!(next, Token::Word(_)) {
            return Ok(Value::Secret(self.ident()?));
        }
        let Token::Word(word) = &token else {
            return Err(self.syntax_error(&[]));
        };
        let folded = word.value.to_lowercase();
        if next == Token::LParen && bare(&token).is_some() {
            self.next();
            let mut arguments = Vec::new();
            if !self.symbol(&Token::RParen) {
                arguments = self.list(Self::option_value)?;
                self.expect_symbol(&Token::RParen)?;
            }
            return Ok(Value::Call(folded, arguments));
        }
        Ok(match (bare(&token).is_some(), folded.as_str()) {
            (true, "true") => Value::Bool(true),
            (true, "false") => Value::Bool(false),
            (true, "null") => Value::Null,
            (true, _) => Value::Word(folded),
            (false, _) => Value::Word(word.value.clone()),
        })
    }

    fn option_list(&mut self) -> Result<Vec<Value>> {
        self.expect_symbol(&Token::LBracket)?;
        if self.symbol(&Token::RBracket) {
            return Ok(Vec::new());
        }
        let items = self.list(Self::option_value)?;
        self.expect_symbol(&Token::RBracket)?;
        Ok(items)
    }

    /// `{'key': value, …}`
    fn option_map(&mut self) -> Result<Value> {
        self.expect_symbol(&Token::LBrace)?;
        if self.symbol(&Token::RBrace) {
            return Ok(Value::Map(Vec::new()));
        }
        let entries = self.list(|c| {
            let key = match c.option_value()?.as_text() {
                Some(key) => key,
                None => return Err(c.syntax_error(&[])),
            };
            c.expect_symbol(&Token::Colon)?;
            Ok((key, c.option_value()?))
        })?;
        self.expect_symbol(&Token::RBrace)?;
        Ok(Value::Map(entries))
    }
}

fn no_duplicates(entries: Vec<OptionEntry>) -> Result<Options> {
    for (i, entry) in entries.iter().enumerate() {
        if entries[..i].iter().any(|e| e.key == entry.key) {
            let text = format!("option \"{}\" is given twice", entry.key);
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, text).at(entry.position));
        }
    }
    Ok(Options { entries })
}

/// `key = value, …` without parentheses; secrets by name. [`parse_options`] reads it back.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.entries.iter().enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            write!(f, "{} = {}", quote_key(&entry.key), entry.value)?;
        }
        Ok(())
    }
}

fn quote_key(key: &str) -> String {
    let plain = |part: &str| {
        let mut chars = part.chars();
        chars
            .next()
            .is_some_and(|c| c.is_ascii_lowercase() || c == '_')
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if key.split('.').all(plain) {
        key.to_owned()
    } else {
        quote_literal(key)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Value]| {
            items
                .iter()
                .enumerate()
                .try_for_each(|(i, v)| write!(f, "{}{v}", if i > 0 { ", " } else { "" }))
        };
        match self {
            Value::Number(digits) => f.write_str(digits),
            Value::String(text) => f.write_str(&quote_literal(text)),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Null => f.write_str("null"),
            Value::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Value::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{}: {value}", quote_literal(key))?;
                }
                f.write_str("}")
            }
            // A quoted word keeps its case; words that mean values are quoted to stay words.
            Value::Word(word) if matches!(word.as_str(), "true" | "false" | "null") => {
                write!(f, "\"{word}\"")
            }
            Value::Word(word) => f.write_str(&quote_ident(word)),
            Value::Secret(name) => write!(f, "SECRET {}", quote_ident(name)),
            Value::Call(name, arguments) => {
                write!(f, "{name}(")?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}
