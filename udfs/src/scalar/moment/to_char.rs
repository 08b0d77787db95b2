//! `to_char(timestamp, format)`.
//!
//! ```sql
//! select to_char(timestamp '2024-02-29 13:14:15', 'Mon DD, YYYY HH12:MI AM'); -- Feb 29, 2024 01:14 PM
//! ```
//!
//! Source: `DCH_to_char` in PostgreSQL's `formatting.c`.

use super::format::{DAYS, Field, Letters, MONTHS, Piece, ROMAN, pieces};
use super::zone::local;
use crate::scalar::plain::answer;
use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};
use datafusion_common::{Result, plan_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::fmt::Write;
use std::sync::Arc;

/// The function of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let signature = Signature::user_defined(Volatility::Stable);
    vec![Arc::new(ScalarUDF::new_from_impl(ToChar { signature }))]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    signature: Signature,
}

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        "to_char"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let time = match types {
            [DataType::Timestamp(_, Some(_)), _] => Some("UTC".into()),
            [
                DataType::Timestamp(_, None) | DataType::Date32 | DataType::Null,
                _,
            ] => None,
            [other, _] => {
                return plan_err!(
                    "No function matches the given name and argument types 'to_char({other}, Utf8)'."
                );
            }
            _ => return plan_err!("No function matches to_char with these arguments"),
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, time);
        Ok(vec![time, DataType::Utf8])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let session = args.config_options.execution.time_zone.clone();
        answer(&args, |arrays| {
            let zone = match arrays[0].data_type() {
                DataType::Timestamp(_, Some(_)) => {
                    Some(session.as_deref().unwrap_or("UTC").parse::<Tz>()?)
                }
                _ => None,
            };
            let formats = cast(&arrays[1], &DataType::Utf8)?;
            let formats: &StringArray = formats.as_string();
            let times = arrays[0].as_primitive::<TimestampMicrosecondType>();
            let mut known: Option<(&str, Vec<Piece>)> = None;
            let texts = times.iter().zip(formats).map(|(time, format)| {
                let (micros, format) = (time?, format?);
                let pieces = match &mut known {
                    Some((text, pieces)) if *text == format => &*pieces,
                    known => &known.insert((format, pieces(format))).1,
                };
                written(micros, zone.as_ref(), pieces)
            });
            Ok(Arc::new(texts.collect::<StringArray>()) as ArrayRef)
        })
    }
}

/// One moment in a format.
fn written(micros: i64, zone: Option<&Tz>, pieces: &[Piece]) -> Option<String> {
    let utc = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let time = match zone {
        Some(zone) => local(zone, micros)?,
        None => utc,
    };
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Field {
                field,
                letters,
                tight,
                ordinal,
            } => {
                let start = out.len();
                // Writing to a string cannot fail.
                let _ = put(
                    &mut out,
                    *field,
                    *letters,
                    *tight,
                    time,
                    zone.map(|z| (z, utc)),
                );
                if let Some(ordinal) = ordinal {
                    let suffix = suffix(&out[start..]);
                    out.push_str(match ordinal {
                        Letters::Lower => suffix,
                        _ => match suffix {
                            "st" => "ST",
                            "nd" => "ND",
                            "rd" => "RD",
                            _ => "TH",
                        },
                    });
                }
            }
        }
    }
    Some(out)
}

fn suffix(digits: &str) -> &'static str {
    let n: u64 = digits.trim().parse().unwrap_or(0);
    match (n % 100, n % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

fn put(
    out: &mut String,
    field: Field,
    letters: Letters,
    tight: bool,
    t: NaiveDateTime,
    zone: Option<(&Tz, NaiveDateTime)>,
) -> std::fmt::Result {
    // A number with its zeros, without them when tight.
    let mut number = |value: i64, width: usize| {
        let width = if tight { 0 } else { width };
        write!(out, "{value:0width$}")
    };
    let hour = i64::from(t.hour());
    let micros = i64::from(t.nanosecond() / 1000);
    let week = t.iso_week();
    match field {
        Field::Hour24 => number(hour, 2),
        Field::Hour12 => number((hour + 11) % 12 + 1, 2),
        Field::Minute => number(t.minute().into(), 2),
        Field::Second => number(t.second().into(), 2),
        Field::Millisecond => number(micros / 1000, 3),
        Field::Microsecond => number(micros, 6),
        Field::Fraction(n) => {
            let kept = micros / 10_i64.pow(6 - u32::from(n.clamp(1, 6)));
            write!(out, "{kept:0width$}", width = usize::from(n))
        }
        Field::SecondsOfDay => number(t.num_seconds_from_midnight().into(), 0),
        Field::Year(digits) => year(out, t.year(), digits, tight),
        Field::IsoYear(digits) => year(out, week.year(), digits, tight),
        Field::Month => number(t.month().into(), 2),
        Field::Day => number(t.day().into(), 2),
        Field::DayOfYear => number(t.ordinal().into(), 3),
        Field::IsoDayOfYear => {
            let day = i64::from(week.week0()) * 7 + i64::from(t.weekday().number_from_monday());
            number(day, 3)
        }
        Field::DayOfWeek => number(t.weekday().number_from_sunday().into(), 1),
        Field::IsoDayOfWeek => number(t.weekday().number_from_monday().into(), 1),
        Field::WeekOfMonth => number(i64::from(t.day0() / 7) + 1, 1),
        Field::WeekOfYear => number(i64::from(t.ordinal0() / 7) + 1, 2),
        Field::IsoWeek => number(week.week().into(), 2),
        Field::Century => {
            let year = i64::from(t.year());
            number(
                if year > 0 {
                    (year + 99) / 100
                } else {
                    year / 100 - 1
                },
                2,
            )
        }
        Field::Julian => number(i64::from(t.num_days_from_ce()) + 1_721_425, 0),
        Field::Quarter => number(i64::from(t.month0() / 3) + 1, 1),
        _ => word(out, field, letters, tight, t, zone),
    }
}

fn year(out: &mut String, year: i32, digits: u8, tight: bool) -> std::fmt::Result {
    // Before Christ there is no year zero.
    let year = if year > 0 { year } else { 1 - year };
    if digits == 0 {
        return write!(out, "{},{:03}", year / 1000, year % 1000);
    }
    let shown = match digits {
        4 => year,
        n => year % 10_i32.pow(n.into()),
    };
    let width = if tight { 0 } else { usize::from(digits) };
    write!(out, "{shown:0width$}")
}

/// One of two abbreviations, perhaps with points.
fn half(first: &'static str, second: &'static str, is_first: bool, points: bool) -> &'static str {
    match (if is_first { first } else { second }, points) {
        ("AM", true) => "A.M.",
        ("PM", true) => "P.M.",
        ("AD", true) => "A.D.",
        ("BC", true) => "B.C.",
        (plain, _) => plain,
    }
}

/// The fields that are words or belong to the zone.
fn word(
    out: &mut String,
    field: Field,
    letters: Letters,
    tight: bool,
    t: NaiveDateTime,
    zone: Option<(&Tz, NaiveDateTime)>,
) -> std::fmt::Result {
    let month = usize::try_from(t.month0()).unwrap_or(0).min(11);
    let day = usize::try_from(t.weekday().num_days_from_sunday())
        .unwrap_or(0)
        .min(6);
    let offset = zone.map_or(0, |(zone, utc)| {
        zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
    });
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    // Names are padded to the longest of their kind.
    let (text, width) = match field {
        Field::Meridiem(points) => (half("AM", "PM", t.hour() < 12, points), 0),
        Field::Era(points) => (half("AD", "BC", t.year() > 0, points), 0),
        Field::MonthName => (MONTHS[month], 9),
        Field::MonthAbbreviation => (&MONTHS[month][..3], 0),
        Field::DayName => (DAYS[day], 9),
        Field::DayAbbreviation => (&DAYS[day][..3], 0),
        Field::RomanMonth => (ROMAN[month], 4),
        Field::ZoneHours => return write!(out, "{sign}{:02}", minutes / 60),
        Field::ZoneMinutes => return write!(out, "{:02}", minutes % 60),
        Field::ZoneOffset => {
            write!(out, "{sign}{:02}", minutes / 60)?;
            return match minutes % 60 {
                0 => Ok(()),
                rest => write!(out, ":{rest:02}"),
            };
        }
        Field::ZoneName => {
            let Some((zone, utc)) = zone else {
                return Ok(());
            };
            let name = match zone.from_utc_datetime(&utc).format("%Z").to_string() {
                name if name == "+00:00" => "UTC".to_owned(),
                name => name,
            };
            return out.write_str(&match letters {
                Letters::Lower => name.to_lowercase(),
                _ => name,
            });
        }
        _ => ("", 0),
    };
    let text = match letters {
        Letters::Upper => text.to_uppercase(),
        Letters::Lower => text.to_lowercase(),
        Letters::Capital => text.to_owned(),
    };
    let width = if tight { 0 } else { width };
    write!(out, "{text:width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_as_postgres() {
        let micros = 1_709_212_455_250_000; // 2024-02-29 13:14:15.25
        for (format, text) in [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2024-02-29 13:14:15.250"),
            ("Mon DD, YYYY HH12:MI AM", "Feb 29, 2024 01:14 PM"),
            ("Day|FMDay|DAY|dy", "Thursday |Thursday|THURSDAY |thu"),
            ("DDD IW IYYY Q J", "060 09 2024 1 2460370"),
            ("DDth FMDDth", "29th 29th"),
            ("Y,YYY CC US", "2,024 21 250000"),
        ] {
            assert_eq!(
                written(micros, None, &pieces(format)).unwrap(),
                text,
                "{format}"
            );
        }
    }
}
