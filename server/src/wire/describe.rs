//! What a client is told of a statement: its columns and parameters.

use crate::encode::Format;
use alcedo_engine::session::OutputField;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{FieldDescription, NoData, ParameterDescription, RowDescription};

/// PostgreSQL's limit.
const COLUMNS_MAX: usize = 1600;

/// `RowDescription`, or `NoData` when there are no rows.
///
/// # Errors
/// 54011 beyond 1600 columns.
pub(super) fn columns(
    fields: Option<&[OutputField]>,
    formats: &[Format],
) -> Result<PgWireBackendMessage> {
    let Some(fields) = fields else {
        return Ok(PgWireBackendMessage::NoData(NoData::new()));
    };
    if fields.len() > COLUMNS_MAX {
        let text = format!("results can have at most {COLUMNS_MAX} columns");
        return Err(Error::user(SqlState("54011"), text).hint("Select fewer columns."));
    }
    let described = fields.iter().zip(formats).map(|(field, format)| {
        // Columns come from expressions as far as the client is told, so they belong to no table.
        FieldDescription::new(
            field.name.clone(),
            0,
            0,
            field.ty.oids().0,
            field.ty.typlen(),
            field.ty.typmod(),
            format.code(),
        )
    });
    Ok(PgWireBackendMessage::RowDescription(RowDescription::new(
        described.collect(),
    )))
}

/// `ParameterDescription`
pub(super) fn parameters(types: &[SqlType]) -> PgWireBackendMessage {
    let oids = types.iter().map(|ty| ty.oids().0).collect();
    PgWireBackendMessage::ParameterDescription(ParameterDescription::new(oids))
}

/// One format per item from the codes of Bind: none is text for all, one counts for all.
///
/// # Errors
/// 08P01 for another number of codes, 22023 for an unknown one.
pub(super) fn formats(codes: &[i16], count: usize, what: &str) -> Result<Vec<Format>> {
    let formats = codes
        .iter()
        .map(|code| Format::from_code(*code))
        .collect::<Result<Vec<_>>>()?;
    match formats.as_slice() {
        [] => Ok(vec![Format::Text; count]),
        [one] => Ok(vec![*one; count]),
        _ if formats.len() == count => Ok(formats),
        _ => {
            let text = format!(
                "bind message has {} {what} formats but there are {count} of them",
                formats.len()
            );
            Err(Error::user(SqlState::PROTOCOL_VIOLATION, text))
        }
    }
}
