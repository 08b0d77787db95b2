//! Planning and running queries: what a statement sees ([`Context`]) and what the engine keeps ([`Services`]).
//!
//! `context` finds names, `planning` makes plans, `parameters` finds their parameters, `run` runs them, `stoppable` lets
//! them be stopped; `state` is the one place that sets DataFusion up. `call` writes calls; `names`, `numbers`, `literals`,
//! `spellings`, `operators`, `arithmetic`, `casts`, `float_comparisons`, `days`, `text_forms`, `multisets`, `sole`, `correlated`,
//! `short_circuit` and `sql_types` make it answer as PostgreSQL does; `error` turns its errors into ours, `missing` names
//! functions that are not there. `predict` and `table_functions` bind models, `scoring` looks into them; `system` holds the catalog's tables;
//! `variables` sets session variables.

mod arithmetic;
mod call;
mod casts;
mod context;
mod correlated;
mod days;
pub mod dependencies;
pub use crate::error::datafusion as error;
mod float_comparisons;
mod json_arrow;
mod literals;
mod missing;
mod multisets;
pub mod names;
mod numbers;
mod operators;
mod parameters;
mod plain_type;
pub mod planning;
pub mod predict;
mod run;
mod scoring;
mod short_circuit;
mod sole;
mod spellings;
mod sql_types;
pub mod state;
mod stoppable;
pub mod system;
pub mod table_functions;
pub mod text_forms;
pub mod variables;

use crate::catalog::Snapshot;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use alcedo_sql::SqlState;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::ScalarValue;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// The name under which a query finds [`Context::target`]; no identifier looks like it.
pub const TARGET: &str = "\u{1}target";

/// Severity of a [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity {
    Debug,
    Log,
    Info,
    Notice,
    Warning,
}

/// A message beside the result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Notice {
    pub severity: Severity,
    pub state: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Where notices of a session go; cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices(pub tokio::sync::mpsc::UnboundedSender<Notice>);

impl Notices {
    /// Sends a NOTICE.
    pub fn notice(&self, message: impl Into<String>) {
        self.send(
            Severity::Notice,
            SqlState::SUCCESSFUL_COMPLETION,
            message.into(),
        );
    }

    /// Sends a WARNING.
    pub fn warning(&self, message: impl Into<String>) {
        self.send(Severity::Warning, SqlState::WARNING, message.into());
    }

    /// Sends a notice of any kind.
    pub fn push(&self, notice: Notice) {
        // A client that is gone reads no notices.
        let _ = self.0.send(notice);
    }

    fn send(&self, severity: Severity, state: SqlState, message: String) {
        self.push(Notice {
            severity,
            state,
            message,
            detail: None,
            hint: None,
        });
    }
}

/// What lives as long as the engine.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct Services {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub catalog: Arc<crate::catalog::store::Catalog>,
    /// Object stores by location, with credentials from secrets; knows the allowed roots.
    pub stores: Arc<crate::lake::stores::Stores>,
    /// Loaded model versions, shared by all statements.
    pub models: Arc<crate::model::Registry>,
    /// Running and ended trainings.
    pub trainings: Arc<crate::model::runs::Runs>,
    /// The table of records that did not decode.
    pub dead_letters: Arc<crate::source::dead_letters::DeadLetters>,
    /// A SessionState with every function registered; cloned per statement.
    pub template: SessionState,
}

/// Plans that were run, in their order.
pub type Ran = Arc<Mutex<Vec<Arc<dyn ExecutionPlan>>>>;

/// What one statement sees: one catalog snapshot, its session's variables, its parameters, its cancel token.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Context {
    pub services: Arc<Services>,
    pub snapshot: Arc<Snapshot>,
    pub vars: Arc<Mutex<alcedo_sql::vars::Vars>>,
    pub user: String,
    pub search_path: Vec<String>,
    /// A table that stands outside the catalog: the files that UPDATE and DELETE work on.
    pub target: Option<Arc<dyn datafusion::catalog::TableProvider>>,
    /// Versions of managed tables that the statement has begun to read.
    pub pins: crate::lake::managed::Pins,
    /// How many views deep planning is.
    pub view_depth: usize,
    /// Types that the client gave or that preparing found, by position.
    pub parameter_types: Vec<Option<FieldRef>>,
    /// Values by position; empty while preparing.
    pub parameters: Vec<ScalarValue>,
    pub notices: Notices,
    pub cancel: Cancel,
    /// Id of the session, as `pg_backend_pid()` shows it.
    pub pid: i32,
    /// When the statement began, microseconds since 1970 UTC: `now()`.
    pub started_us: i64,
    /// Takes the plans that the statement runs, for EXPLAIN ANALYZE.
    pub ran: Option<Ran>,
}

/// The end of a statement before its time: a token, and whether the clock or somebody asked for it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    /// Cancelled when the statement shall end.
    pub token: CancellationToken,
    timed_out: Arc<AtomicBool>,
}

impl Cancel {
    /// Ends the statement because `statement_timeout` has passed.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    /// What the statement failed with, once it is cancelled.
    pub fn error(&self) -> Error {
        if self.timed_out.load(Ordering::Relaxed) {
            return Error::new(
                crate::error::Kind::Canceled,
                SqlState::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            );
        }
        Error::canceled()
    }

    /// An error of those who know of the cancel but not of its reason, with the reason.
    pub fn named(&self, error: Error) -> Error {
        if error.state() != SqlState::QUERY_CANCELED {
            return error;
        }
        match &error.fields().detail {
            Some(detail) => self.error().detail(detail.clone()),
            None => self.error(),
        }
    }

    /// An error once the statement is cancelled: for loops that do not wait.
    pub fn check(&self) -> Result<(), Error> {
        if self.token.is_cancelled() {
            Err(self.error())
        } else {
            Ok(())
        }
    }
}
