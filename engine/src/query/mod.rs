//! Planning and running queries: what a statement sees ([`Context`]) and what the engine keeps ([`Services`]).

use crate::catalog::Snapshot;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Result;
use alcedo_sql::SqlState;
use alcedo_sql::ast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Severity of a [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity { Debug, Log, Info, Notice, Warning }

/// A message beside the result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Notice { pub severity: Severity, pub state: SqlState, pub message: String, pub detail: Option<String>, pub hint: Option<String> }

/// Where notices of a session go; cheap to clone.
#[derive(Debug, Clone)]
pub struct Notices(pub tokio::sync::mpsc::UnboundedSender<Notice>);

impl Notices {
    /// Sends a NOTICE.
    pub fn notice(&self, message: impl Into<String>) {
        self.send(Severity::Notice, SqlState::SUCCESSFUL_COMPLETION, message.into());
    }

    /// Sends a WARNING.
    pub fn warning(&self, message: impl Into<String>) {
        self.send(Severity::Warning, SqlState::WARNING, message.into());
    }

    fn send(&self, severity: Severity, state: SqlState, message: String) {
        // A client that is gone reads no notices.
        let _ = self.0.send(Notice { severity, state, message, detail: None, hint: None });
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
    pub trainings: Arc<crate::train::runs::Runs>,
    /// The table of records that did not decode.
    pub dead_letters: Arc<crate::source::dead_letters::DeadLetters>,
    pub runtime: Arc<RuntimeEnv>,
    /// A SessionState with every function registered; cloned per statement.
    pub template: SessionState,
}

/// What one statement sees: one catalog snapshot, its session's variables, its parameters, its cancel token.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Context {
    pub services: Arc<Services>,
    pub snapshot: Arc<Snapshot>,
    pub vars: Arc<Mutex<alcedo_sql::vars::Vars>>,
    pub user: String,
    pub search_path: Vec<String>,
    pub parameters: Vec<ScalarValue>,
    pub notices: Notices,
    pub cancel: CancellationToken,
}
