//! `timezone(zone, timestamp)`, which `timestamp AT TIME ZONE zone` means: local time of a moment, or the moment of a
//! local time.

use crate::error::sql_error;
use crate::scalar::plain::answer;
use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The function of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let signature = Signature::user_defined(Volatility::Immutable);
    vec![Arc::new(ScalarUDF::new_from_impl(Timezone { signature }))]
}

/// A time zone by its name; 22023 when there is none.
pub(super) fn zone(name: &str) -> Result<Tz> {
    // PostgreSQL reads a bare offset as POSIX does: hours west of Greenwich are positive.
    let turned = match name.as_bytes().first() {
        Some(b'+') => name.replacen('+', "-", 1),
        Some(b'-') => name.replacen('-', "+", 1),
        _ => name.to_owned(),
    };
    let known = turned
        .parse()
        .or_else(|_| match turned.to_ascii_uppercase().as_str() {
            upper @ ("UTC" | "GMT") => upper.parse(),
            "Z" | "ZULU" => "UTC".parse(),
            _ => turned.parse(),
        });
    known.map_err(|_| sql_error("22023", format!("time zone \"{name}\" not recognized")))
}

/// The local time of a moment.
pub(super) fn local(zone: &Tz, micros: i64) -> Option<NaiveDateTime> {
    let utc = DateTime::from_timestamp_micros(micros)?.naive_utc();
    utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
}

/// The moment of a local time: the later of two, and as before the jump for one that a clock jumped over.
pub(super) fn moment(zone: &Tz, local: NaiveDateTime) -> Option<i64> {
    let utc = match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => local.checked_sub_offset(offset.fix())?,
        LocalResult::Ambiguous(_, later) => local.checked_sub_offset(later.fix())?,
        LocalResult::None => {
            let before = local.checked_sub_signed(Duration::hours(3))?;
            let offset = zone.offset_from_local_datetime(&before).earliest()?.fix();
            local.checked_sub_offset(offset)?
        }
    };
    Some(utc.and_utc().timestamp_micros())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Timezone {
    signature: Signature,
}

fn plain() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

fn zoned() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

impl ScalarUDFImpl for Timezone {
    fn name(&self) -> &str {
        "timezone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let time = match types {
            [_, DataType::Timestamp(_, None)] => plain(),
            [
                _,
                DataType::Timestamp(..) | DataType::Utf8 | DataType::Date32 | DataType::Null,
            ] => zoned(),
            _ => return plan_err!("No function matches timezone"),
        };
        Ok(vec![DataType::Utf8, time])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types {
            [_, DataType::Timestamp(_, None)] => zoned(),
            _ => plain(),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to_local = args.return_field.data_type() == &plain();
        answer(&args, |arrays| {
            let names = cast(&arrays[0], &DataType::Utf8)?;
            let names: &StringArray = names.as_string();
            let times = arrays[1].as_primitive::<TimestampMicrosecondType>();
            let mut last: Option<(&str, Tz)> = None;
            let result = names.iter().zip(times).map(|(name, time)| {
                let (Some(name), Some(time)) = (name, time) else {
                    return Ok(None);
                };
                let tz = match last {
                    Some((known, tz)) if known == name => tz,
                    _ => zone(name)?,
                };
                last = Some((name, tz));
                let moved = if to_local {
                    local(&tz, time).map(|t| t.and_utc().timestamp_micros())
                } else {
                    DateTime::from_timestamp_micros(time).and_then(|t| moment(&tz, t.naive_utc()))
                };
                moved
                    .map(Some)
                    .ok_or_else(|| sql_error("22008", "timestamp out of range"))
            });
            let result = result.collect::<Result<TimestampMicrosecondArray>>()?;
            Ok(match to_local {
                true => Arc::new(result) as ArrayRef,
                false => Arc::new(result.with_timezone("UTC")),
            })
        })
    }
}
