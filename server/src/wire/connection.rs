//! The loop over a client's messages.

use super::frame::{Frame, Reader, violation};
use super::output::Output;
use super::portal::Portal;
use super::{Control, End, Fault};
use crate::encode::Style;
use crate::errors::{error_response, notice_response, wanted};
use alcedo_engine::session::{Notice, Prepared, Running, Session, Status};
use alcedo_engine::{Error, Kind, Result};
use alcedo_sql::SqlState;
use alcedo_sql::statement::{Discard, Statement};
use pgwire::messages::response::{CommandComplete, ReadyForQuery, TransactionStatus};
use pgwire::messages::startup::ParameterStatus;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

/// A client with its session.
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) reader: Reader,
    pub(super) out: Output,
    pub(super) control: Control,
    /// Prepared statements by name; `None` is the empty one.
    pub(super) statements: HashMap<String, Option<Prepared>>,
    pub(super) portals: HashMap<String, Portal>,
    /// The statement that Parse began, until its Execute or until the client may pause.
    pub(super) begun: Option<Running>,
    /// After an error in the extended protocol everything up to Sync is skipped.
    skipping: bool,
}

/// What looks after a client while its statement runs.
pub(super) struct Attendance<'a> {
    pub(super) session: &'a Session,
    pub(super) reader: &'a mut Reader,
    pub(super) out: &'a mut Output,
    pub(super) control: &'a Control,
}

impl Attendance<'_> {
    /// Waits for the work of a statement. Notices are sent as they come; a client that leaves, or the end of the
    /// server, ends the statement.
    pub(super) async fn wait<T>(
        &mut self,
        running: &Running,
        work: impl Future<Output = Result<T>>,
    ) -> std::result::Result<T, Fault> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done?),
                notice = self.session.next_notice() => {
                    tell(self.session, self.out, &notice);
                    self.flush(running).await?;
                }
                () = self.control.kill.cancelled() => {
                    running.cancel().token.cancel();
                    return Err(Fault::End(End::Shutdown));
                }
                end = self.reader.gone() => {
                    running.cancel().token.cancel();
                    return Err(Fault::End(end));
                }
            }
        }
    }

    /// Sends what is buffered, unless the statement is cancelled, the client leaves or the server goes down first.
    pub(super) async fn flush(&mut self, running: &Running) -> std::result::Result<(), Fault> {
        let cancel = running.cancel();
        tokio::select! {
            biased;
            sent = self.out.flush() => Ok(sent.map_err(End::from)?),
            () = cancel.token.cancelled() => Err(Fault::Error(cancel.error())),
            () = self.control.kill.cancelled() => Err(Fault::End(End::Shutdown)),
            end = self.reader.gone() => Err(Fault::End(end)),
        }
    }
}

/// Sends a notice to a client that wants it.
fn tell(session: &Session, out: &mut Output, notice: &Notice) {
    let least = session
        .vars()
        .lock()
        .map(|vars| vars.client_min_messages())
        .unwrap_or_default();
    if wanted(notice.severity, &least) {
        out.message(notice_response(notice));
    }
}

impl Connection {
    pub(super) fn new(session: Session, reader: Reader, out: Output, control: Control) -> Self {
        Self {
            session,
            reader,
            out,
            control,
            statements: HashMap::new(),
            portals: HashMap::new(),
            begun: None,
            skipping: false,
        }
    }

    /// Serves the client to its end.
    pub(super) async fn run(mut self) -> (Output, End) {
        let end = self.serve().await;
        (self.out, end)
    }

    async fn serve(&mut self) -> End {
        self.ready();
        let mut answered = true;
        loop {
            // Answers to messages that came together leave together.
            if answered || self.out.full() || !self.reader.has_frame() {
                if let Err(error) = self.out.flush().await {
                    return error.into();
                }
            }
            let step = match self.next().await {
                Ok(frame) => {
                    answered = matches!(frame.kind, b'Q' | b'S' | b'H');
                    self.handle(frame).await
                }
                Err(end) => Err(end),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// The next message of an idle client.
    async fn next(&mut self) -> std::result::Result<Frame, End> {
        let limit = match self.session.status() {
            Status::Idle => None,
            Status::Block | Status::Failed => self
                .session
                .vars()
                .lock()
                .ok()
                .and_then(|v| v.idle_in_transaction_session_timeout()),
        };
        tokio::select! {
            biased;
            () = self.control.drain.cancelled() => Err(End::Shutdown),
            frame = self.reader.frame() => frame,
            () = after(limit) => Err(End::Fatal(Error::new(
                Kind::Canceled,
                SqlState("25P03"),
                "terminating connection due to idle-in-transaction timeout",
            ))),
        }
    }

    async fn handle(&mut self, frame: Frame) -> std::result::Result<(), End> {
        let kind = frame.kind;
        // What is left of a COPY that was refused is skipped as well.
        if matches!(kind, b'd' | b'c' | b'f') || (self.skipping && !matches!(kind, b'S' | b'X')) {
            return Ok(());
        }
        let extended = matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C');
        let done = match frame.message() {
            Ok(message) => self.message(message).await,
            Err(error) => Err(Fault::Error(error)),
        };
        match done {
            Ok(()) => Ok(()),
            Err(Fault::End(end)) => Err(end),
            Err(Fault::Error(error)) => {
                self.failed(&error);
                if extended {
                    self.skipping = true;
                } else {
                    self.ready();
                }
                Ok(())
            }
        }
    }

    async fn message(&mut self, message: PgWireFrontendMessage) -> std::result::Result<(), Fault> {
        match message {
            PgWireFrontendMessage::Query(query) => {
                // The simple protocol uses the unnamed statement and portal.
                self.begun = None;
                self.statements.remove("");
                self.portals.remove("");
                self.script(&query.query).await?;
                self.ready();
                Ok(())
            }
            PgWireFrontendMessage::Parse(message) => self.parse(message).await,
            PgWireFrontendMessage::Bind(message) => self.bind(message),
            PgWireFrontendMessage::Describe(message) => self.describe(&message),
            PgWireFrontendMessage::Execute(message) => self.execute(message).await,
            PgWireFrontendMessage::Close(message) => self.close(&message),
            PgWireFrontendMessage::Flush(_) => {
                self.begun = None;
                Ok(())
            }
            PgWireFrontendMessage::Sync(_) => {
                self.begun = None;
                self.skipping = false;
                if self.session.status() == Status::Idle {
                    self.portals.clear();
                }
                self.ready();
                Ok(())
            }
            PgWireFrontendMessage::Terminate(_) => Err(Fault::End(End::Client)),
            _ => Err(Fault::End(End::Fatal(violation(
                "unexpected message from the client",
            )))),
        }
    }

    /// Tells of an error; a block is aborted.
    pub(super) fn failed(&mut self, error: &Error) {
        self.session.fail();
        self.settle();
        self.out.message(error_response(error));
    }

    /// Sends what goes beside results: notices, and variables that have changed.
    pub(super) fn settle(&mut self) {
        for notice in self.session.take_notices() {
            tell(&self.session, &mut self.out, &notice);
        }
        for (name, value) in self.session.take_parameter_changes() {
            self.out
                .message(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(
                    name, value,
                )));
        }
    }

    /// Ends a statement's answer.
    pub(super) fn complete(&mut self, tag: String) {
        self.settle();
        self.out
            .message(PgWireBackendMessage::CommandComplete(CommandComplete::new(
                tag,
            )));
    }

    fn ready(&mut self) {
        self.settle();
        let status = match self.session.status() {
            Status::Idle => TransactionStatus::Idle,
            Status::Block => TransactionStatus::Transaction,
            Status::Failed => TransactionStatus::Error,
        };
        self.out
            .message(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(
                status,
            )));
    }

    /// The session and what looks after its client, apart from statements and portals.
    pub(super) fn attendance(&mut self) -> Attendance<'_> {
        Attendance {
            session: &self.session,
            reader: &mut self.reader,
            out: &mut self.out,
            control: &self.control,
        }
    }

    /// How values look now.
    pub(super) fn style(&self) -> Result<Style> {
        let vars = self
            .session
            .vars()
            .lock()
            .map_err(|_| Error::internal("session variables are poisoned"))?;
        Style::of(|name| vars.get(name))
    }

    /// Forgets what a statement of this kind lets go of in the protocol.
    ///
    /// # Errors
    /// 26000 when DEALLOCATE names an unknown statement.
    pub(super) fn forget(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::Deallocate(name) => {
                if self.statements.remove(name).is_none() {
                    return Err(no_statement(name));
                }
            }
            Statement::Discard(Discard::All) => {
                self.statements.clear();
                self.portals.clear();
            }
            Statement::Discard(Discard::DeallocateAll) => self.statements.clear(),
            Statement::Discard(Discard::CloseAll) => self.portals.clear(),
            _ => {}
        }
        Ok(())
    }
}

/// 26000
pub(super) fn no_statement(name: &str) -> Error {
    let text = match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    Error::user(SqlState::INVALID_SQL_STATEMENT_NAME, text)
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
