//! `SET` and `RESET` of session variables.

use super::Statement;
use crate::cursor::{Cursor, string_value};
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// Values of `SET` as text, as Postgres keeps them; several (`search_path = a, b`) keep their order; empty = DEFAULT.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Set {
    pub name: String,
    pub values: Vec<String>,
    pub local: bool,
}

impl Cursor<'_> {
    /// `SET [SESSION | LOCAL] name {= | TO} value`, `SET TIME ZONE …`, `SET TRANSACTION …`,
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION …`, `SET NAMES …`, `SET SCHEMA …`
    pub(crate) fn set(&mut self) -> Result<Statement> {
        self.expect_word("set")?;
        if self.words(&["session", "characteristics", "as", "transaction"]) {
            return self.transaction_modes(false, "default_transaction");
        }
        if self.word("transaction") {
            return self.transaction_modes(true, "transaction");
        }
        if self.peek_words(&["session", "authorization"]) || self.peek_word("role") {
            return Err(self
                .unsupported("roles are not supported yet")
                .hint("Connect as the user you want to be."));
        }
        let local = self.one_of(&["session", "local"]) == Some("local");
        if self.word("constraints") {
            return Err(self.unsupported("deferred constraints are not supported"));
        }
        let (name, values) = if self.words(&["time", "zone"]) {
            let local_zone = self.one_of(&["default", "local"]).is_some();
            let values = if local_zone {
                Vec::new()
            } else {
                vec![self.time_zone_value()?]
            };
            ("timezone".to_owned(), values)
        } else if self.word("names") {
            let values = if self.word("default") {
                Vec::new()
            } else {
                vec![self.set_value()?]
            };
            ("client_encoding".to_owned(), values)
        } else if self.word("schema") {
            ("search_path".to_owned(), vec![self.string()?])
        } else {
            let name = self.variable_name()?;
            if !self.symbol(&Token::Eq) && !self.word("to") {
                return Err(self.syntax_error(&["to"]));
            }
            let default = self.word("default");
            (
                name,
                if default {
                    Vec::new()
                } else {
                    self.list(Self::set_value)?
                },
            )
        };
        Ok(Statement::Set(Set {
            name,
            values,
            local,
        }))
    }

    /// `RESET name | ALL | TIME ZONE`
    pub(crate) fn reset(&mut self) -> Result<Statement> {
        self.expect_word("reset")?;
        if self.word("all") {
            return Ok(Statement::Reset(None));
        }
        Ok(Statement::Reset(Some(self.variable_name()?)))
    }

    /// `name`, `prefix.name`, and the spellings of the standard.
    pub(crate) fn variable_name(&mut self) -> Result<String> {
        if self.words(&["time", "zone"]) {
            return Ok("timezone".to_owned());
        }
        if self.words(&["transaction", "isolation", "level"]) {
            return Ok("transaction_isolation".to_owned());
        }
        if self.words(&["session", "authorization"]) {
            return Ok("session_authorization".to_owned());
        }
        let mut name = self.ident()?.to_lowercase();
        while self.symbol(&Token::Period) {
            name = format!("{name}.{}", self.ident()?.to_lowercase());
        }
        Ok(name)
    }

    /// One value: a string, a signed number or a word.
    fn set_value(&mut self) -> Result<String> {
        let token = self.peek().token;
        if let Some(text) = string_value(&token) {
            self.next();
            return Ok(text);
        }
        let sign = match token {
            Token::Minus => "-",
            Token::Plus => "",
            Token::Number(digits, _) => {
                self.next();
                return Ok(digits);
            }
            Token::Word(w) => {
                self.next();
                return Ok(if w.quote_style.is_some() {
                    w.value
                } else {
                    w.value.to_lowercase()
                });
            }
            _ => return Err(self.syntax_error(&[])),
        };
        self.next();
        match self.next().token {
            Token::Number(digits, _) => Ok(format!("{sign}{digits}")),
            _ => Err(self.syntax_error(&[])),
        }
    }

    /// `'Europe/Berlin'`, `+02`, `INTERVAL '+02:00' HOUR TO MINUTE`
    fn time_zone_value(&mut self) -> Result<String> {
        if !self.word("interval") {
            return self.set_value();
        }
        let value = self.string()?;
        if self.words(&["hour", "to"]) {
            self.expect_word("minute")?;
        }
        Ok(value)
    }

    /// `ISOLATION LEVEL …`, `READ ONLY | READ WRITE`, `[NOT] DEFERRABLE` as a variable's assignment.
    fn transaction_modes(&mut self, local: bool, prefix: &str) -> Result<Statement> {
        let mut set = None;
        loop {
            if self.words(&["isolation", "level"]) {
                let level = self.isolation_level()?;
                set = set.or(Some((format!("{prefix}_isolation"), level.to_owned())));
            } else if self.words(&["read", "only"]) {
                set = Some((format!("{prefix}_read_only"), "on".to_owned()));
            } else if self.words(&["read", "write"]) {
                set = Some((format!("{prefix}_read_only"), "off".to_owned()));
            } else if self.words(&["not", "deferrable"]) || self.word("deferrable") {
                set = set.or(Some((format!("{prefix}_deferrable"), "off".to_owned())));
            } else {
                return Err(self.syntax_error(&["isolation", "read"]));
            }
            self.symbol(&Token::Comma);
            if self.at_end() {
                break;
            }
        }
        let Some((name, value)) = set else {
            return Err(self.syntax_error(&[]));
        };
        Ok(Statement::Set(Set {
            name,
            values: vec![value],
            local,
        }))
    }

    pub(crate) fn isolation_level(&mut self) -> Result<&'static str> {
        if self.words(&["read", "committed"]) {
            Ok("read committed")
        } else if self.words(&["read", "uncommitted"]) {
            Ok("read uncommitted")
        } else if self.words(&["repeatable", "read"]) {
            Ok("repeatable read")
        } else if self.word("serializable") {
            Ok("serializable")
        } else {
            Err(self.syntax_error(&["read", "repeatable", "serializable"]))
        }
    }
}
