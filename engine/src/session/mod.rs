//! The one door to the engine: prepare, bind, execute. The wire, the shell and embedding programs use it alike.
//!
//! `engine` opens and shares, `prepared` plans and runs, `kept` runs again what cannot have moved, `transaction`
//! keeps blocks, `running` is a statement's time.
//! A session has its own variables and shares no DataFusion state with others.

mod engine;
mod kept;
mod prepared;
mod running;
mod transaction;

pub use crate::exec::{Output, OutputField, Rows};
pub use crate::query::{Cancel, Notice, Severity};
pub use datafusion::common::ScalarValue;
pub use engine::Engine;
pub use prepared::{Bound, Prepared};
pub use running::Running;
pub use transaction::Status;

use crate::error::{Error, Result};
use crate::query::{Context, Notices, variables};
use alcedo_sql::Parsed;
use alcedo_sql::vars::Vars;
use arrow::record_batch::RecordBatch;
use engine::Shared;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::UnboundedReceiver;
use transaction::Block;

/// Who opens a session, and with what.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Any name; there are no roles yet.
    pub user: String,
    /// `alcedo`
    pub database: String,
    /// Start-up values of variables: what RESET goes back to.
    pub parameters: Vec<(String, String)>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        let owner = crate::catalog::DATABASE.to_owned();
        Self {
            user: owner.clone(),
            database: owner,
            parameters: Vec::new(),
        }
    }
}

/// A result that was collected: columns, batches and command tag.
pub type Collected = (Vec<OutputField>, Vec<RecordBatch>, String);

/// One user's conversation with the engine.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    user: String,
    pid: i32,
    secret: i32,
    vars: Arc<Mutex<Vars>>,
    block: Mutex<Block>,
    current: Arc<Mutex<Cancel>>,
    /// Counts statements, so that a plan knows whether it was made for the one that runs.
    statement: AtomicU64,
    started_us: AtomicI64,
    notices: Notices,
    inbox: Mutex<UnboundedReceiver<Notice>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    fn new(shared: Arc<Shared>, options: SessionOptions, pid: i32, secret: i32) -> Result<Self> {
        let mut vars = Vars::new();
        if let Some(zone) = &shared.services.config.time_zone {
            vars.start("TimeZone", zone)?;
        }
        for (name, value) in &options.parameters {
            vars.start(name, value)?;
        }
        variables::check(&vars)?;
        vars.fix("session_authorization", &options.user);
        let (sender, inbox) = tokio::sync::mpsc::unbounded_channel();
        Ok(Self {
            shared,
            user: options.user,
            pid,
            secret,
            vars: Arc::new(Mutex::new(vars)),
            block: Mutex::new(Block::new()),
            current: Arc::default(),
            statement: AtomicU64::new(0),
            started_us: AtomicI64::new(0),
            notices: Notices(sender),
            inbox: Mutex::new(inbox),
        })
    }

    /// The session's number, as `pg_backend_pid()` shows it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What a cancel request must know.
    pub fn secret(&self) -> i32 {
        self.secret
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The session's variables.
    pub fn vars(&self) -> &Arc<Mutex<Vars>> {
        &self.vars
    }

    /// Reported variables that have changed since they were last taken; at first, all of them.
    pub fn take_parameter_changes(&self) -> Vec<(String, String)> {
        lock(&self.vars).take_reported_changes()
    }

    /// Whether a block is open, and how it is.
    pub fn status(&self) -> Status {
        lock(&self.block).status
    }

    /// A statement failed, perhaps while its rows were sent: an open block is aborted.
    pub fn fail(&self) {
        lock(&self.block).fail();
    }

    fn current(&self) -> Arc<Mutex<Cancel>> {
        Arc::clone(&self.current)
    }

    /// Starts a statement's time: its cancel token, its timer, `now()`.
    pub fn begin(&self) -> Running {
        let cancel = Cancel::default();
        *lock(&self.current) = cancel.clone();
        self.statement.fetch_add(1, Ordering::Relaxed);
        self.started_us
            .store(self.shared.services.clock.now_us(), Ordering::Relaxed);
        let timeout = lock(&self.vars).statement_timeout();
        Running::new(cancel, timeout)
    }

    /// Splits a script into statements.
    ///
    /// # Errors
    /// 42601 and others, with the position in the script.
    pub fn parse(&self, script: &str) -> Result<Vec<Parsed>> {
        Ok(alcedo_sql::parse(script)?)
    }

    /// Notices that have come since they were last taken.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut inbox = lock(&self.inbox);
        std::iter::from_fn(|| inbox.try_recv().ok()).collect()
    }

    /// Waits for the next notice: for sending it while a statement runs.
    pub async fn next_notice(&self) -> Notice {
        let next = std::future::poll_fn(|cx| lock(&self.inbox).poll_recv(cx)).await;
        match next {
            Some(notice) => notice,
            // The session itself holds a sender, so there is no end.
            None => std::future::pending().await,
        }
    }

    /// Runs a script to its end and collects the results: for embedding. It stops at the first error.
    ///
    /// # Errors
    /// What the failing statement says; those before it have taken effect.
    pub async fn run(&self, script: &str) -> Result<Vec<Collected>> {
        let mut results = Vec::new();
        for parsed in self.parse(script)? {
            let _running = self.begin();
            let prepared = self.prepare(parsed, &[]).await?;
            let bound = self.bind(&prepared, Vec::new())?;
            results.push(match self.execute(bound).await? {
                Output::Done(tag) => (Vec::new(), Vec::new(), tag),
                Output::Rows(mut rows) => {
                    let mut batches = Vec::new();
                    while let Some(batch) = rows.next().await {
                        batches.push(batch.inspect_err(|_| self.fail())?);
                    }
                    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
                    let tag = if rows.counted {
                        format!("{} {count}", rows.tag)
                    } else {
                        rows.tag
                    };
                    (rows.fields, batches, tag)
                }
            });
        }
        Ok(results)
    }

    /// What a statement sees from here.
    async fn context(&self) -> Result<Context> {
        self.shared.check_open()?;
        let snapshot = self.shared.services.catalog.refresh().await?;
        let block = lock(&self.block);
        let started_us = match block.status {
            Status::Idle => self.started_us.load(Ordering::Relaxed),
            Status::Block | Status::Failed => block.started_us,
        };
        Ok(Context {
            services: Arc::clone(&self.shared.services),
            snapshot,
            vars: Arc::clone(&self.vars),
            user: self.user.clone(),
            search_path: lock(&self.vars).search_path(&self.user),
            target: None,
            pins: crate::lake::managed::Pins::default(),
            view_depth: 0,
            parameter_types: Vec::new(),
            parameters: Vec::new(),
            notices: self.notices.clone(),
            cancel: lock(&self.current).clone(),
            pid: self.pid,
            started_us,
            ran: None,
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.forget(self.pid);
    }
}

/// What a panic inside a statement becomes.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(text, "a statement panicked");
    Error::internal(format!("the statement broke off: {text}"))
}
