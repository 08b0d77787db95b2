//! `BEGIN`, `COMMIT`, `ROLLBACK` and savepoints.

use super::Statement;
use crate::cursor::Cursor;
use crate::error::Result;
use sqlparser::tokenizer::Token;

/// A transaction statement; `chain` starts the next block at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Transaction {
    Begin { read_only: bool },
    Commit { chain: bool },
    Rollback { chain: bool },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

impl Cursor<'_> {
    pub(crate) fn transaction(&mut self) -> Result<Statement> {
        let first = self.one_of(&[
            "begin",
            "start",
            "commit",
            "end",
            "rollback",
            "abort",
            "savepoint",
            "release",
        ]);
        let transaction = match first {
            Some("start") => {
                self.expect_word("transaction")?;
                self.begin_modes()?
            }
            Some("begin") => {
                self.one_of(&["work", "transaction"]);
                self.begin_modes()?
            }
            Some("savepoint") => Transaction::Savepoint(self.ident()?),
            Some("release") => {
                self.word("savepoint");
                Transaction::Release(self.ident()?)
            }
            Some(word @ ("commit" | "end")) => {
                if word == "commit" && self.peek_word("prepared") {
                    return Err(self.unsupported("two-phase commit is not supported"));
                }
                self.one_of(&["work", "transaction"]);
                Transaction::Commit {
                    chain: self.chain()?,
                }
            }
            _ => {
                if self.peek_word("prepared") {
                    return Err(self.unsupported("two-phase commit is not supported"));
                }
                self.one_of(&["work", "transaction"]);
                if self.word("to") {
                    self.word("savepoint");
                    Transaction::RollbackTo(self.ident()?)
                } else {
                    Transaction::Rollback {
                        chain: self.chain()?,
                    }
                }
            }
        };
        Ok(Statement::Transaction(transaction))
    }

    fn begin_modes(&mut self) -> Result<Transaction> {
        let mut read_only = false;
        while !self.at_end() {
            if self.words(&["isolation", "level"]) {
                self.isolation_level()?;
            } else if self.words(&["read", "only"]) {
                read_only = true;
            } else if self.words(&["read", "write"]) {
                read_only = false;
            } else if !self.words(&["not", "deferrable"]) && !self.word("deferrable") {
                return Err(self.syntax_error(&["isolation", "read"]));
            }
            self.symbol(&Token::Comma);
        }
        Ok(Transaction::Begin { read_only })
    }

    fn chain(&mut self) -> Result<bool> {
        if !self.word("and") {
            return Ok(false);
        }
        let no = self.word("no");
        self.expect_word("chain")?;
        Ok(!no)
    }
}
