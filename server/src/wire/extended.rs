//! The extended protocol: Parse, Bind, Describe, Execute and Close.

use super::connection::{Connection, no_statement};
use super::frame::violation;
use super::portal::{Cursor, Portal, State};
use super::{Fault, describe, rows};
use crate::encode::parameter::{decode, type_of_oid};
use crate::encode::{Format, Zone};
use alcedo_engine::session::{Output, Prepared, ScalarValue, Status};
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete,
    PortalSuspended,
};
use pgwire::messages::response::EmptyQueryResponse;

impl Connection {
    pub(super) async fn parse(&mut self, message: Parse) -> std::result::Result<(), Fault> {
        let name = message.name.unwrap_or_default();
        if name.is_empty() {
            self.statements.remove("");
        } else if self.statements.contains_key(&name) {
            let text = format!("prepared statement \"{name}\" already exists");
            return Err(Error::user(SqlState::DUPLICATE_PREPARED_STATEMENT, text).into());
        }
        let mut statements = self.session.parse(&message.query)?;
        let prepared = match (statements.pop(), statements.is_empty()) {
            (None, _) => None,
            (Some(parsed), true) => {
                let types = message.type_oids.iter().map(|oid| type_of_oid(*oid));
                let types = types.collect::<Result<Vec<_>>>()?;
                let running = self.session.begin();
                let mut attendance = self.attendance();
                let session = attendance.session;
                let work = session.prepare(parsed, &types);
                let prepared = attendance.wait(&running, work).await?;
                self.begun = Some(running);
                Some(prepared)
            }
            (Some(_), false) => {
                let text = "cannot insert multiple commands into a prepared statement";
                return Err(Error::user(SqlState::SYNTAX_ERROR, text).into());
            }
        };
        self.statements.insert(name, prepared);
        self.out
            .message(PgWireBackendMessage::ParseComplete(ParseComplete::new()));
        Ok(())
    }

    pub(super) fn bind(&mut self, mut message: Bind) -> std::result::Result<(), Fault> {
        let statement = message.statement_name.take().unwrap_or_default();
        let prepared = self
            .statements
            .get(&statement)
            .ok_or_else(|| no_statement(&statement))?
            .clone();
        let name = message.portal_name.take().unwrap_or_default();
        if !name.is_empty() && self.portals.contains_key(&name) {
            let text = format!("cursor \"{name}\" already exists");
            return Err(Error::user(SqlState::DUPLICATE_CURSOR, text).into());
        }
        let values = self.values(&message, &statement, prepared.as_ref())?;
        let formats = match prepared.as_ref().and_then(|p| p.fields()) {
            Some(fields) => {
                describe::formats(&message.result_column_format_codes, fields.len(), "result")?
            }
            None => Vec::new(),
        };
        let bound = match &prepared {
            Some(prepared) => Some(self.session.bind(prepared, values)?),
            None => None,
        };
        self.portals.insert(
            name,
            Portal {
                prepared,
                formats,
                state: State::Ready(bound),
            },
        );
        self.out
            .message(PgWireBackendMessage::BindComplete(BindComplete::new()));
        Ok(())
    }

    /// The values of a Bind, of the types that its statement was prepared with.
    fn values(
        &self,
        message: &Bind,
        statement: &str,
        prepared: Option<&Prepared>,
    ) -> Result<Vec<ScalarValue>> {
        let types = prepared.map_or(&[][..], Prepared::parameters);
        if message.parameters.len() != types.len() {
            return Err(violation(format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                message.parameters.len(),
                types.len()
            )));
        }
        let formats = describe::formats(&message.parameter_format_codes, types.len(), "parameter")?;
        if types.is_empty() {
            return Ok(Vec::new());
        }
        let zone = self.zone()?;
        let given = types.iter().zip(formats).zip(&message.parameters);
        given
            .map(|((ty, format), value)| decode(ty, format, value.as_deref(), &zone))
            .collect()
    }

    fn zone(&self) -> Result<Zone> {
        let vars = self
            .session
            .vars()
            .lock()
            .map_err(|_| Error::internal("session variables are poisoned"))?;
        Zone::parse(&vars.time_zone())
    }

    pub(super) fn describe(&mut self, message: &Describe) -> std::result::Result<(), Fault> {
        let name = message.name.as_deref().unwrap_or_default();
        if message.target_type == b'S' {
            let prepared = self
                .statements
                .get(name)
                .ok_or_else(|| no_statement(name))?;
            let types = prepared.as_ref().map_or(&[][..], |p| p.parameters());
            let fields = prepared.as_ref().and_then(|p| p.fields());
            let formats = vec![Format::Text; fields.map_or(0, <[_]>::len)];
            let columns = describe::columns(fields, &formats)?;
            self.out.message(describe::parameters(types));
            self.out.message(columns);
        } else {
            let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
            let fields = portal.prepared.as_ref().and_then(|p| p.fields());
            let columns = describe::columns(fields, &portal.formats)?;
            self.out.message(columns);
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, message: Execute) -> std::result::Result<(), Fault> {
        let name = message.name.unwrap_or_default();
        // Taken out while it runs: an error leaves no half-run portal.
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let before = self.session.status();
        self.run_portal(&mut portal, u64::try_from(message.max_rows).unwrap_or(0))
            .await?;
        if before != Status::Idle && self.session.status() == Status::Idle {
            // The block has ended, and its portals with it.
            self.portals.clear();
        } else {
            self.portals.insert(name, portal);
        }
        Ok(())
    }

    /// Runs a portal for some rows, or for all (0).
    async fn run_portal(
        &mut self,
        portal: &mut Portal,
        max: u64,
    ) -> std::result::Result<(), Fault> {
        // Planned and run at one go it is one statement, which is planned once.
        let begun = self.begun.take();
        let running = begun.unwrap_or_else(|| self.session.begin());
        if let State::Ready(bound) = &mut portal.state {
            let Some(bound) = bound.take() else {
                self.out.message(PgWireBackendMessage::EmptyQueryResponse(
                    EmptyQueryResponse::new(),
                ));
                return Ok(());
            };
            let prepared = bound.prepared().clone();
            let mut attendance = self.attendance();
            let session = attendance.session;
            let output = attendance.wait(&running, session.execute(bound)).await?;
            match output {
                Output::Rows(result) => {
                    self.settle();
                    portal.state = State::Open(Cursor::new(result));
                }
                Output::Done(tag) => {
                    portal.state = State::Done;
                    self.forget(prepared.statement())?;
                    self.complete(tag);
                    return Ok(());
                }
            }
        }
        let tag = match &mut portal.state {
            State::Open(cursor) => {
                let style = self.style()?;
                cursor.sent = 0;
                let mut attendance = self.attendance();
                if !rows::send(
                    &mut attendance,
                    &running,
                    cursor,
                    &portal.formats,
                    &style,
                    max,
                )
                .await?
                {
                    self.out
                        .message(PgWireBackendMessage::PortalSuspended(PortalSuspended::new()));
                    return Ok(());
                }
                let tag = cursor.tag();
                // Who asks again finds no more rows.
                cursor.sent = 0;
                portal.state = State::Sent(cursor.tag());
                tag
            }
            State::Sent(tag) => tag.clone(),
            State::Ready(_) | State::Done => {
                let text = "portal cannot be run again: its statement has ended";
                return Err(Error::user(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).into());
            }
        };
        self.complete(tag);
        Ok(())
    }

    pub(super) fn close(&mut self, message: &Close) -> std::result::Result<(), Fault> {
        let name = message.name.as_deref().unwrap_or_default();
        // Closing what is not there is no error.
        if message.target_type == b'S' {
            self.statements.remove(name);
        } else {
            self.portals.remove(name);
        }
        self.out
            .message(PgWireBackendMessage::CloseComplete(CloseComplete::new()));
        Ok(())
    }
}

/// 34000
fn no_portal(name: &str) -> Error {
    Error::user(
        SqlState::INVALID_CURSOR_NAME,
        format!("portal \"{name}\" does not exist"),
    )
}
