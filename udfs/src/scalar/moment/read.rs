//! `to_date(text, format)` and `to_timestamp(text, format)`: moments out of texts in any form.
//!
//! ```sql
//! select to_date('29.02.2024', 'DD.MM.YYYY');
//! ```
//!
//! Source: `do_to_timestamp` in PostgreSQL's `formatting.c`. Plans call these functions `to_date_by` and
//! `to_timestamp_by`, since `to_timestamp` of one argument is another function.

use super::MICROS_PER_DAY;
use super::format::{Field, MONTHS, Piece, ROMAN, pieces};
use super::make::days;
use super::zone::moment;
use crate::error::sql_error;
use crate::scalar::plain::answer;
use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, Weekday};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The functions of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    [false, true]
        .into_iter()
        .map(|date| {
            let text = vec![DataType::Utf8; 2];
            Arc::new(ScalarUDF::new_from_impl(Read {
                date,
                signature: Signature::exact(text, Volatility::Stable),
            }))
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Read {
    date: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Read {
    fn name(&self) -> &str {
        if self.date {
            "to_date_by"
        } else {
            "to_timestamp_by"
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.date {
            true => DataType::Date32,
            false => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let session = args.config_options.execution.time_zone.clone();
        answer(&args, |arrays| {
            let zone: Tz = session.as_deref().unwrap_or("UTC").parse()?;
            let texts = cast(&arrays[0], &DataType::Utf8)?;
            let formats = cast(&arrays[1], &DataType::Utf8)?;
            let (texts, formats): (&StringArray, &StringArray) =
                (texts.as_string(), formats.as_string());
            let mut known: Option<(&str, Vec<Piece>)> = None;
            let read = texts.iter().zip(formats).map(|(text, format)| {
                let (Some(text), Some(format)) = (text, format) else {
                    return Ok(None);
                };
                let pieces = match &mut known {
                    Some((written, pieces)) if *written == format => &*pieces,
                    known => &known.insert((format, pieces(format))).1,
                };
                Parts::read(text, pieces).map(|parts| Some((parts, text)))
            });
            if self.date {
                let days = read.map(|parts| parts?.map(|(p, text)| p.day(text)).transpose());
                return Ok(Arc::new(days.collect::<Result<Date32Array>>()?) as ArrayRef);
            }
            let moments =
                read.map(|parts| parts?.map(|(p, text)| p.moment(text, &zone)).transpose());
            let moments = moments.collect::<Result<TimestampMicrosecondArray>>()?;
            Ok(Arc::new(moments.with_timezone("UTC")) as ArrayRef)
        })
    }
}

/// What a text has told.
#[derive(Debug, Default)]
struct Parts {
    year: Option<i32>,
    before_christ: bool,
    month: Option<i32>,
    day: Option<i32>,
    day_of_year: Option<i32>,
    iso_year: Option<i32>,
    iso_week: Option<i32>,
    iso_day: Option<i32>,
    julian: Option<i32>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    /// East of Greenwich, minutes.
    zone: Option<i64>,
}

fn invalid(value: &str, field: &str) -> DataFusionError {
    sql_error(
        "22007",
        format!("invalid value \"{value}\" for \"{field}\""),
    )
}

impl Parts {
    fn read(text: &str, pieces: &[Piece]) -> Result<Self> {
        let mut parts = Self::default();
        let mut rest = text;
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Text(between) => {
                    // Separators match any separators; other characters match one each.
                    for c in between.chars() {
                        let mut chars = rest.chars();
                        match chars.next() {
                            Some(first) if c.is_alphanumeric() || !first.is_alphanumeric() => {
                                if !matches!(first, '+' | '-') || !c.is_whitespace() {
                                    rest = chars.as_str();
                                }
                            }
                            _ => {}
                        }
                    }
                }
                Piece::Field { field, .. } => {
                    rest = rest.trim_start();
                    if rest.is_empty() {
                        break;
                    }
                    // A field that stands alone takes all digits, one before another only its own.
                    let alone = !matches!(pieces.get(at + 1), Some(Piece::Field { .. }));
                    rest = parts.field(*field, rest, alone)?;
                }
            }
        }
        Ok(parts)
    }

    fn field<'a>(&mut self, field: Field, rest: &'a str, alone: bool) -> Result<&'a str> {
        let width = |n: usize| if alone { 10 } else { n };
        let (value, after) = match field {
            Field::MonthName | Field::MonthAbbreviation => return self.month_name(rest),
            Field::DayName | Field::DayAbbreviation => {
                let end = rest
                    .find(|c: char| !c.is_alphabetic())
                    .unwrap_or(rest.len());
                return Ok(&rest[end..]);
            }
            Field::Meridiem(_) => {
                let (text, after) = letters(rest);
                self.afternoon = match text.as_str() {
                    "am" => Some(false),
                    "pm" => Some(true),
                    _ => return Err(invalid(&text, "AM")),
                };
                return Ok(after);
            }
            Field::Era(_) => {
                let (text, after) = letters(rest);
                self.before_christ = text == "bc";
                return Ok(after);
            }
            Field::RomanMonth => {
                let (text, after) = letters(rest);
                let month = ROMAN.iter().position(|r| r.eq_ignore_ascii_case(&text));
                let month = month.ok_or_else(|| invalid(&text, "RM"))?;
                self.month = i32::try_from(month + 1).ok();
                return Ok(after);
            }
            Field::Year(0) => {
                let (thousands, after) = digits(rest, 3, "Y,YYY")?;
                let after = after.strip_prefix(',').unwrap_or(after);
                let (value, after) = digits(after, 3, "Y,YYY")?;
                (thousands * 1000 + value, after)
            }
            Field::Year(n) | Field::IsoYear(n) => {
                let (value, after) = digits(rest, width(n.into()), "YYYY")?;
                let short = n < 4 && rest.len() - after.len() < 4;
                // Two digits are years from 1970 to 2069.
                let full = match (short, value) {
                    (true, 0..70) => value + 2000,
                    (true, 70..100) => value + 1900,
                    (true, 100..520) => value + 2000,
                    (true, 520..1000) => value + 1000,
                    _ => value,
                };
                (full, after)
            }
            Field::DayOfYear | Field::Millisecond | Field::IsoDayOfYear => {
                digits(rest, width(3), "DDD")?
            }
            Field::DayOfWeek | Field::IsoDayOfWeek | Field::Quarter | Field::WeekOfMonth => {
                digits(rest, 1, "D")?
            }
            Field::Microsecond => digits(rest, width(6), "US")?,
            Field::Fraction(n) => digits(rest, n.into(), "FF")?,
            Field::SecondsOfDay | Field::Julian => digits(rest, 10, "J")?,
            Field::ZoneHours | Field::ZoneOffset | Field::ZoneName => return self.zone(rest),
            _ => digits(rest, width(2), name_of(field))?,
        };
        self.set(field, value, rest.len() - after.len())?;
        Ok(after)
    }

    fn set(&mut self, field: Field, value: i64, width: usize) -> Result<()> {
        let small = i32::try_from(value).unwrap_or(i32::MAX);
        // A fraction's digits count from the left.
        let fraction = || {
            value
                .saturating_mul(10_i64.pow(6_u32.saturating_sub(u32::try_from(width).unwrap_or(6))))
        };
        match field {
            Field::Year(_) => self.year = Some(small),
            Field::IsoYear(_) => self.iso_year = Some(small),
            Field::Month => self.month = Some(small),
            Field::Day => self.day = Some(small),
            Field::DayOfYear => self.day_of_year = Some(small),
            Field::IsoWeek => self.iso_week = Some(small),
            Field::IsoDayOfWeek => self.iso_day = Some(small),
            Field::Julian => self.julian = Some(small),
            Field::Hour24 => self.hour = within(value, 0, 23)?,
            Field::Hour12 => self.hour = within(value, 1, 12)?,
            Field::Minute => self.minute = within(value, 0, 59)?,
            Field::Second => self.second = within(value, 0, 59)?,
            Field::SecondsOfDay => self.second = within(value, 0, 86_399)?,
            Field::Millisecond | Field::Microsecond | Field::Fraction(_) => {
                self.micros = within(fraction(), 0, 999_999)?;
            }
            Field::ZoneMinutes => {
                let hours = self.zone.unwrap_or(0);
                self.zone = Some(hours + if hours < 0 { -value } else { value });
            }
            _ => {}
        }
        Ok(())
    }

    fn month_name<'a>(&mut self, rest: &'a str) -> Result<&'a str> {
        let starts = |name: &str| {
            rest.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        for (at, month) in MONTHS.iter().enumerate() {
            for name in [month, &&month[..3]] {
                if starts(name) {
                    self.month = i32::try_from(at + 1).ok();
                    return Ok(&rest[name.len()..]);
                }
            }
        }
        let word = rest.split_whitespace().next().unwrap_or(rest);
        Err(invalid(word, "Month"))
    }

    fn zone<'a>(&mut self, rest: &'a str) -> Result<&'a str> {
        let (sign, after) = match rest.as_bytes().first() {
            Some(b'-') => (-1, &rest[1..]),
            Some(b'+') => (1, &rest[1..]),
            _ => (1, rest),
        };
        let (hours, mut after) = digits(after, 2, "TZH")?;
        let mut minutes = 0;
        if let Some(more) = after.strip_prefix(':') {
            (minutes, after) = digits(more, 2, "TZM")?;
        }
        self.zone = Some(sign * (hours * 60 + minutes));
        Ok(after)
    }

    /// Days since 1970; what was not told is the first.
    fn day(&self, text: &str) -> Result<i32> {
        let outside = || {
            let text = format!("date/time field value out of range: \"{text}\"");
            sql_error("22008", text)
        };
        if let Some(julian) = self.julian {
            let day = julian.checked_sub(2_440_588);
            return day.filter(|_| julian < JULIAN_END).ok_or_else(outside);
        }
        if let (Some(year), Some(week)) = (self.iso_year, self.iso_week) {
            let weekday =
                Weekday::try_from(u8::try_from(self.iso_day.unwrap_or(1) - 1).unwrap_or(0));
            let date = weekday.ok().zip(u32::try_from(week).ok());
            let date = date.and_then(|(day, week)| NaiveDate::from_isoywd_opt(year, week, day));
            let epoch = NaiveDate::default();
            return date
                .and_then(|d| i32::try_from((d - epoch).num_days()).ok())
                .ok_or_else(outside);
        }
        let year = self.year.or(self.iso_year).unwrap_or(-1);
        let year = if self.before_christ && year > 0 {
            -year
        } else {
            year
        };
        if let Some(day) = self.day_of_year {
            let (first, next) = (days(year, 1, 1)?, days(year, 12, 31)? + 1);
            return match day {
                1..=366 if first + day <= next => Ok(first + day - 1),
                _ => Err(outside()),
            };
        }
        days(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).map_err(|_| outside())
    }

    fn moment(&self, text: &str, zone: &Tz) -> Result<i64> {
        let hour = match self.afternoon {
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        let local = i64::from(self.day(text)?)
            .checked_mul(MICROS_PER_DAY)
            .and_then(|day| day.checked_add(seconds * 1_000_000 + self.micros));
        let moment = local.and_then(|local| match self.zone {
            Some(minutes) => local.checked_sub(minutes * 60_000_000),
            None => {
                DateTime::from_timestamp_micros(local).and_then(|t| moment(zone, t.naive_utc()))
            }
        });
        moment.ok_or_else(|| sql_error("22008", "timestamp out of range"))
    }
}

/// The first Julian day behind the last of PostgreSQL's dates.
const JULIAN_END: i32 = 2_147_483_494;

fn within(value: i64, least: i64, most: i64) -> Result<i64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(sql_error("22008", "date/time field value out of range"))
}

fn name_of(field: Field) -> &'static str {
    match field {
        Field::Month => "MM",
        Field::Day => "DD",
        Field::Hour24 => "HH24",
        Field::Hour12 => "HH12",
        Field::Minute => "MI",
        Field::Second => "SS",
        Field::IsoWeek => "IW",
        _ => "format",
    }
}

/// A number of at most `width` digits, and what comes after it.
fn digits<'a>(text: &'a str, width: usize, field: &str) -> Result<(i64, &'a str)> {
    let text = text.trim_start();
    let end = text
        .bytes()
        .take(width)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at(end);
    match number.parse() {
        Ok(number) => Ok((number, rest)),
        Err(_) => {
            let shown: String = text.chars().take(width.min(4)).collect();
            Err(invalid(&shown, field))
        }
    }
}

/// Two letters, points between them left out, in lower case.
fn letters(text: &str) -> (String, &str) {
    let end = text
        .find(|c: char| !c.is_alphabetic() && c != '.')
        .unwrap_or(text.len());
    let word = text[..end].replace('.', "").to_lowercase();
    (word, &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, format: &str) -> Result<Parts> {
        Parts::read(text, &pieces(format))
    }

    #[test]
    fn reads_dates() {
        let day = |text, format| read(text, format).unwrap().day(text).unwrap();
        assert_eq!(day("29.02.2024", "DD.MM.YYYY"), 19_782);
        assert_eq!(day("20240229", "YYYYMMDD"), 19_782);
        assert_eq!(day("Feb 29, 2024", "Mon DD, YYYY"), 19_782);
        assert_eq!(day("29 february 24", "DD Month YY"), 19_782);
        assert_eq!(day("2024-060", "YYYY-DDD"), 19_782);
        assert!(read("2024-02-30", "YYYY-MM-DD").unwrap().day("").is_err());
        assert!(read("x", "YYYY").is_err());
    }

    #[test]
    fn reads_moments() {
        let utc: Tz = "UTC".parse().unwrap();
        let at = |text, format| read(text, format).unwrap().moment(text, &utc).unwrap();
        assert_eq!(
            at("2024-02-29 13:14", "YYYY-MM-DD HH24:MI"),
            1_709_212_440_000_000
        );
        assert_eq!(
            at("2024-02-29 01:14 PM", "YYYY-MM-DD HH12:MI AM"),
            1_709_212_440_000_000
        );
        assert_eq!(
            at("1970-01-01 00:00:00.5", "YYYY-MM-DD HH24:MI:SS.MS"),
            500_000
        );
        assert_eq!(
            at("1970-01-01 00:00-01", "YYYY-MM-DD HH24:MITZH"),
            3_600_000_000
        );
    }
}
