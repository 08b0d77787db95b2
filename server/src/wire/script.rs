//! The simple protocol: each statement of a script is prepared, bound to nothing and executed, until one fails.

use super::connection::Connection;
use super::portal::Cursor;
use super::{Fault, describe, rows};
use crate::encode::Format;
use alcedo_engine::Error;
use alcedo_engine::session::{Output, Status};
use alcedo_sql::{Parsed, SqlState};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::EmptyQueryResponse;

impl Connection {
    /// Runs a script; the caller says ReadyForQuery, also after an error.
    pub(super) async fn script(&mut self, text: &str) -> Result<(), Fault> {
        let statements = self.session.parse(text)?;
        if statements.is_empty() {
            self.out.message(PgWireBackendMessage::EmptyQueryResponse(
                EmptyQueryResponse::new(),
            ));
            return Ok(());
        }
        for parsed in statements {
            self.one(parsed).await?;
        }
        Ok(())
    }

    async fn one(&mut self, parsed: Parsed) -> Result<(), Fault> {
        let style = self.style()?;
        let running = self.session.begin();
        let mut attendance = self.attendance();
        let session = attendance.session;
        let prepared = attendance
            .wait(&running, session.prepare(parsed, &[]))
            .await?;
        if !prepared.parameters().is_empty() {
            return Err(
                Error::user(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1").into(),
            );
        }
        let bound = session.bind(&prepared, Vec::new())?;
        let output = attendance.wait(&running, session.execute(bound)).await?;
        let tag = match output {
            Output::Done(tag) => tag,
            Output::Rows(result) => {
                self.settle();
                let formats = vec![Format::Text; result.fields.len()];
                let columns = describe::columns(Some(&result.fields), &formats)?;
                self.out.message(columns);
                let mut cursor = Cursor::new(result);
                let mut attendance = self.attendance();
                rows::send(&mut attendance, &running, &mut cursor, &formats, &style, 0).await?;
                cursor.tag()
            }
        };
        self.forget(prepared.statement())?;
        if self.session.status() == Status::Idle {
            self.portals.clear();
        }
        self.complete(tag);
        Ok(())
    }
}
