//! What of the session decides how values look: time zone, float digits, bytea and interval style.

use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use arrow::array::timezone::Tz;
use chrono::{DateTime, Offset, TimeZone};

/// The session's settings for output.
#[derive(Debug, Clone)]
pub struct Style {
    pub(super) zone: Zone,
    /// Significant digits beyond the type's own, when not the shortest text that reads back the same.
    pub(super) digits: Option<i32>,
    pub(super) bytea_escape: bool,
    pub(super) interval: IntervalStyle,
}

/// `IntervalStyle`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntervalStyle {
    Postgres,
    Verbose,
    Iso,
    Sql,
}

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(Option<Tz>);

impl Zone {
    /// By name of the zone database or as an offset.
    pub fn parse(name: &str) -> Result<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Zone(None));
        }
        let tz = name.parse().map_err(|_| {
            let text = format!("time zone \"{name}\" not recognized");
            Error::user(SqlState::INVALID_PARAMETER_VALUE, text)
        })?;
        Ok(Zone(Some(tz)))
    }

    /// Seconds east of Greenwich at an instant in microseconds.
    pub(super) fn offset(&self, micros: i64) -> i32 {
        let Some(tz) = &self.0 else { return 0 };
        // Beyond chrono's range of years there are no rules; Greenwich is as right as any.
        DateTime::from_timestamp_micros(micros).map_or(0, |t| {
            tz.offset_from_utc_datetime(&t.naive_utc())
                .fix()
                .local_minus_utc()
        })
    }

    /// Seconds east of Greenwich at a local time in microseconds; of two, the earlier instant, in a gap
    /// the offset before it.
    pub(super) fn offset_of_local(&self, micros: i64) -> i32 {
        let Some(tz) = &self.0 else { return 0 };
        let Some(local) = DateTime::from_timestamp_micros(micros) else {
            return 0;
        };
        match tz.offset_from_local_datetime(&local.naive_utc()).earliest() {
            Some(offset) => offset.fix().local_minus_utc(),
            None => self.offset(micros.saturating_sub(86_400_000_000)),
        }
    }
}

impl Style {
    /// From the session's variables by name.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut style = Self::in_zone(&variable("TimeZone").unwrap_or_else(|| "UTC".to_owned()))?;
        let digits = variable("extra_float_digits")
            .and_then(|v| v.parse().ok())
            .unwrap_or(1);
        style.digits = (digits <= 0).then_some(digits);
        style.bytea_escape = variable("bytea_output").as_deref() == Some("escape");
        style.interval = match variable("IntervalStyle").as_deref() {
            Some("postgres_verbose") => IntervalStyle::Verbose,
            Some("iso_8601") => IntervalStyle::Iso,
            Some("sql_standard") => IntervalStyle::Sql,
            _ => IntervalStyle::Postgres,
        };
        Ok(style)
    }

    /// The defaults in a time zone.
    pub fn in_zone(name: &str) -> Result<Self> {
        Ok(Self {
            zone: Zone::parse(name)?,
            digits: None,
            bytea_escape: false,
            interval: IntervalStyle::Postgres,
        })
    }
}
