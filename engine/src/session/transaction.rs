//! Transaction blocks: PostgreSQL's status and errors over statements that take effect one by one.
//!
//! A write in a block takes effect at once; the first one says so in a WARNING, or is refused when
//! `transaction_writes` is `error`.

use crate::error::{Error, Result};
use crate::query::{Notice, Notices, Severity};
use alcedo_sql::statement::Transaction;
use alcedo_sql::vars::{Savepoint, Vars};
use alcedo_sql::{SqlState, Statement};

/// What ReadyForQuery tells of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No block.
    Idle,
    /// In a block.
    Block,
    /// In a block that has failed.
    Failed,
}

/// The block of a session.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) status: Status,
    /// When the block began: `now()` within it.
    pub(super) started_us: i64,
    savepoints: Vec<(String, Savepoint)>,
    wrote: bool,
}

impl Block {
    pub(super) fn new() -> Self {
        Self {
            status: Status::Idle,
            started_us: 0,
            savepoints: Vec::new(),
            wrote: false,
        }
    }

    /// A statement failed.
    pub(super) fn fail(&mut self) {
        if self.status == Status::Block {
            self.status = Status::Failed;
        }
    }

    /// Whether a statement may run now.
    pub(super) fn admit(&self, statement: &Statement) -> Result<()> {
        let ends = matches!(
            statement,
            Statement::Transaction(
                Transaction::Commit { .. }
                    | Transaction::Rollback { .. }
                    | Transaction::RollbackTo(_)
            )
        );
        if self.status == Status::Failed && !ends {
            return Err(Error::user(
                SqlState::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// What a block and a read-only session say of a write.
    pub(super) fn write(&mut self, what: &str, vars: &Vars, notices: &Notices) -> Result<()> {
        if vars.read_only() {
            let text = format!("cannot execute {what} in a read-only transaction");
            return Err(Error::user(SqlState::READ_ONLY_SQL_TRANSACTION, text));
        }
        if self.status == Status::Idle {
            return Ok(());
        }
        if vars.transaction_writes_error() {
            return Err(
                Error::unsupported("writes in a transaction block are not atomic yet")
                    .detail("The session has transaction_writes = error.")
                    .hint("Write outside of a block, or set transaction_writes to warning."),
            );
        }
        if !self.wrote {
            self.wrote = true;
            notices.warning(
                "writes in a transaction block take effect at once and are not undone by ROLLBACK",
            );
        }
        Ok(())
    }

    /// Carries out BEGIN, COMMIT and their like; gives the command tag.
    pub(super) fn run(
        &mut self,
        statement: &Transaction,
        vars: &mut Vars,
        notices: &Notices,
        now_us: i64,
    ) -> Result<&'static str> {
        match statement {
            Transaction::Begin { read_only } => {
                if self.status == Status::Idle {
                    self.begin(vars, now_us);
                } else {
                    warn(
                        notices,
                        SqlState::ACTIVE_SQL_TRANSACTION,
                        "there is already a transaction in progress",
                    );
                }
                if *read_only {
                    vars.set("transaction_read_only", &["on".to_owned()], true)?;
                }
                Ok("BEGIN")
            }
            Transaction::Commit { chain } => {
                let good = self.status != Status::Failed;
                self.end(good, *chain, vars, notices, now_us)?;
                Ok(if good { "COMMIT" } else { "ROLLBACK" })
            }
            Transaction::Rollback { chain } => {
                self.end(false, *chain, vars, notices, now_us)?;
                Ok("ROLLBACK")
            }
            Transaction::Savepoint(name) => {
                self.inside("SAVEPOINT")?;
                self.savepoints.push((name.clone(), vars.savepoint()));
                Ok("SAVEPOINT")
            }
            Transaction::Release(name) => {
                self.inside("RELEASE SAVEPOINT")?;
                let at = self.savepoint(name)?;
                self.savepoints.truncate(at);
                Ok("RELEASE")
            }
            Transaction::RollbackTo(name) => {
                self.inside("ROLLBACK TO SAVEPOINT")?;
                let at = self.savepoint(name)?;
                self.savepoints.truncate(at + 1);
                vars.rollback_to(&self.savepoints[at].1);
                self.status = Status::Block;
                Ok("ROLLBACK")
            }
        }
    }

    fn begin(&mut self, vars: &mut Vars, now_us: i64) {
        *self = Self {
            status: Status::Block,
            started_us: now_us,
            ..Self::new()
        };
        vars.begin();
    }

    fn end(
        &mut self,
        good: bool,
        chain: bool,
        vars: &mut Vars,
        notices: &Notices,
        now_us: i64,
    ) -> Result<()> {
        if self.status == Status::Idle {
            if chain {
                let what = if good {
                    "COMMIT AND CHAIN"
                } else {
                    "ROLLBACK AND CHAIN"
                };
                return Err(outside(what));
            }
            warn(
                notices,
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "there is no transaction in progress",
            );
            return Ok(());
        }
        if good {
            vars.commit()
        } else {
            vars.rollback()
        }
        *self = Self::new();
        if chain {
            self.begin(vars, now_us);
        }
        Ok(())
    }

    fn inside(&self, what: &str) -> Result<()> {
        if self.status == Status::Idle {
            Err(outside(what))
        } else {
            Ok(())
        }
    }

    fn savepoint(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|(s, _)| s == name)
            .ok_or_else(|| {
                Error::user(
                    SqlState::INVALID_SAVEPOINT,
                    format!("savepoint \"{name}\" does not exist"),
                )
            })
    }
}

fn outside(what: &str) -> Error {
    Error::user(
        SqlState::NO_ACTIVE_SQL_TRANSACTION,
        format!("{what} can only be used in transaction blocks"),
    )
}

pub(super) fn warn(notices: &Notices, state: SqlState, message: &str) {
    notices.push(Notice {
        severity: Severity::Warning,
        state,
        message: message.to_owned(),
        detail: None,
        hint: None,
    });
}
