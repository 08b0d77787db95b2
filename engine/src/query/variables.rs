//! Setting session variables: the part of a check that needs more than the value's text.

use crate::error::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::vars::Vars;
use arrow::array::timezone::Tz;

/// Sets a variable; nothing is set when the value does not do.
///
/// # Errors
/// Those of [`Vars::set`], and 22023 for a zone that the zone database does not know.
pub fn set(vars: &mut Vars, name: &str, values: &[String], local: bool) -> Result<()> {
    if !name.eq_ignore_ascii_case("timezone") {
        return Ok(vars.set(name, values, local)?);
    }
    let before = vars.clone();
    vars.set(name, values, local)?;
    check(vars).inspect_err(|_| *vars = before)
}

/// Whether the zone database knows the session's zone.
pub fn check(vars: &Vars) -> Result<()> {
    let zone = vars.time_zone();
    match zone.parse::<Tz>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::user(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"TimeZone\": \"{zone}\""),
        )
        .hint("Write a name such as Europe/Berlin, or an offset such as +02:00.")),
    }
}
