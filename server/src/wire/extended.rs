//! The extended protocol: Parse, Bind, Describe, Execute and Close.

use super::connection::{Connection, no_statement};
use super::portal::{Cursor, Portal, State};
use super::script::tag;
use super::{Fault, describe, rows};
use crate::encode::Format;
use crate::encode::parameter::{decode, type_of_oid};
use alcedo_engine::session::{Output, Status};
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use crate::encode::Zone;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};

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
                let types = message.type_oids.iter().map(|oid| type_of_oid(*oid)).collect::<Result<Vec<Option<SqlType>>>>()?;
                let running = self.session.begin();
                let mut attendance = self.attendance();
                let session = attendance.session;
                Some(attendance.wait(&running, session.prepare(parsed, &types)).await?)
            }
            (Some(_), false) => {
                let text = "cannot insert multiple commands into a prepared statement";
                return Err(Error::user(SqlState::SYNTAX_ERROR, text).into());
            }
        };
        self.statements.insert(name, prepared);
        self.out.message(PgWireBackendMessage::ParseComplete(ParseComplete::new()));
        Ok(())
    }

    pub(super) fn bind(&mut self, message: Bind) -> std::result::Result<(), Fault> {
        let statement = message.statement_name.unwrap_or_default();
        let prepared = self.statements.get(&statement).ok_or_else(|| no_statement(&statement))?.clone();
        let name = message.portal_name.unwrap_or_default();
        if !name.is_empty() && self.portals.contains_key(&name) {
            let text = format!("cursor \"{name}\" already exists");
            return Err(Error::user(SqlState::DUPLICATE_CURSOR, text).into());
        }
        let types = prepared.as_ref().map_or(&[][..], |p| p.parameters());
        if message.parameters.len() != types.len() {
            let text = format!(
                "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                message.parameters.len(),
                types.len()
            );
            return Err(Error::user(SqlState::PROTOCOL_VIOLATION, text).into());
        }
        let given = describe::formats(&message.parameter_format_codes, types.len(), "parameter")?;
        let zone = match types.is_empty() {
            true => None,
            false => Some(self.zone()?),
        };
        let mut values = Vec::with_capacity(types.len());
        for ((ty, format), value) in types.iter().zip(given).zip(&message.parameters) {
            if let Some(zone) = &zone {
                values.push(decode(ty, format, value.as_deref(), zone)?);
            }
        }
        let fields = prepared.as_ref().and_then(|p| p.fields()).map(<[_]>::to_vec);
        let count = fields.as_ref().map_or(0, Vec::len);
        let formats = match &fields {
            Some(_) => describe::formats(&message.result_column_format_codes, count, "result")?,
            None => Vec::new(),
        };
        let bound = match &prepared {
            Some(prepared) => Some(self.session.bind(prepared, values)?),
            None => None,
        };
        self.portals.insert(name, Portal { fields, formats, state: State::Ready(bound) });
        self.out.message(PgWireBackendMessage::BindComplete(BindComplete::new()));
        Ok(())
    }

    fn zone(&self) -> Result<Zone> {
        let vars = self.session.vars().lock().map_err(|_| Error::internal("session variables are poisoned"))?;
        Zone::parse(&vars.time_zone())
    }

    pub(super) fn describe(&mut self, message: &Describe) -> std::result::Result<(), Fault> {
        let name = message.name.as_deref().unwrap_or_default();
        if message.target_type == b'S' {
            let prepared = self.statements.get(name).ok_or_else(|| no_statement(name))?;
            let types = prepared.as_ref().map_or(&[][..], |p| p.parameters());
            let fields = prepared.as_ref().and_then(|p| p.fields());
            let formats = vec![Format::Text; fields.map_or(0, <[_]>::len)];
            let columns = describe::columns(fields, &formats)?;
            self.out.message(describe::parameters(types));
            self.out.message(columns);
        } else {
            let portal = self.portals.get(name).ok_or_else(|| no_portal(name))?;
            let columns = describe::columns(portal.fields.as_deref(), &portal.formats)?;
            self.out.message(columns);
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, message: Execute) -> std::result::Result<(), Fault> {
        let name = message.name.unwrap_or_default();
        // Taken out while it runs: an error leaves no half-run portal.
        let mut portal = self.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let max = u64::try_from(message.max_rows).unwrap_or(0);
        let suspended = self.run_portal(&mut portal, max).await?;
        if suspended || matches!(portal.state, State::Done) {
            self.portals.insert(name, portal);
        }
        Ok(())
    }

    /// Runs a portal for some rows; says whether there may be more.
    async fn run_portal(&mut self, portal: &mut Portal, max: u64) -> std::result::Result<bool, Fault> {
        let style = self.style()?;
        let running = self.session.begin();
        let mut statement = None;
        if let State::Ready(bound) = &mut portal.state {
            let Some(bound) = bound.take() else {
                self.out.message(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new()));
                return Ok(true);
            };
            statement = Some(bound.prepared().clone());
            let mut attendance = self.attendance();
            let session = attendance.session;
            match attendance.wait(&running, session.execute(bound)).await? {
                Output::Rows(result) => portal.state = State::Open(Cursor::new(result)),
                Output::Done(tag) => {
                    portal.state = State::Done;
                    if let Some(prepared) = &statement {
                        self.forget(prepared.statement())?;
                    }
                    if self.session.status() == Status::Idle {
                        self.portals.clear();
                    }
                    self.settle();
                    self.out.message(PgWireBackendMessage::CommandComplete(CommandComplete::new(tag)));
                    return Ok(false);
                }
            }
        }
        let State::Open(cursor) = &mut portal.state else {
            let text = "portal cannot be run again: its statement has ended";
            return Err(Error::user(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, text).into());
        };
        let before = cursor.sent;
        let mut attendance = self.attendance();
        let ended = rows::send(&mut attendance, &running, cursor, &portal.formats, &style, max).await?;
        if !ended {
            self.out.message(PgWireBackendMessage::PortalSuspended(PortalSuspended::new()));
            return Ok(true);
        }
        // The tag counts the rows of this Execute, as in PostgreSQL.
        cursor.sent -= before;
        let tag = tag(cursor);
        self.settle();
        self.out.message(PgWireBackendMessage::CommandComplete(CommandComplete::new(tag)));
        // An Execute after the end finds no more rows.
        cursor.sent = 0;
        Ok(true)
    }

    pub(super) fn close(&mut self, message: &Close) -> std::result::Result<(), Fault> {
        let name = message.name.as_deref().unwrap_or_default();
        // Closing what is not there is no error.
        if message.target_type == b'S' {
            self.statements.remove(name);
        } else {
            self.portals.remove(name);
        }
        self.out.message(PgWireBackendMessage::CloseComplete(CloseComplete::new()));
        Ok(())
    }
}

/// 34000
fn no_portal(name: &str) -> Error {
    Error::user(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
