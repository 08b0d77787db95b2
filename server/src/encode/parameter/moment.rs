//! Parameters that are dates, times or timestamps, in ISO form or binary.

use super::{Reading, exactly};
use crate::encode::Format;
use crate::encode::datetime::{DAY_US, EPOCH_DAYS, EPOCH_US, days_from_civil};
use crate::encode::style::Zone;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;

/// Days from 1970-01-01.
pub(super) fn date(value: &[u8], how: Reading<'_>) -> Result<i32> {
    if how.format == Format::Binary {
        return Ok(match i32::from_be_bytes(exactly(value)?) {
            edge @ (i32::MAX | i32::MIN) => edge,
            days => days
                .checked_add(EPOCH_DAYS)
                .ok_or_else(|| out_of_range("binary date"))?,
        });
    }
    let text = super::scalar::text(value)?;
    match edge(text) {
        Some(true) => return Ok(i32::MAX),
        Some(false) => return Ok(i32::MIN),
        None => {}
    }
    let moment = parse(text).ok_or_else(|| invalid("date", text))?;
    let days = moment
        .date
        .ok_or_else(|| invalid("date", text))?
        .days()
        .ok_or_else(|| out_of_range(text))?;
    i32::try_from(days).map_err(|_| out_of_range(text))
}

/// Microseconds from midnight.
pub(super) fn time(value: &[u8], how: Reading<'_>) -> Result<i64> {
    let micros = match how.format {
        Format::Binary => i64::from_be_bytes(exactly(value)?),
        Format::Text => {
            let text = super::scalar::text(value)?;
            let moment = parse(text).ok_or_else(|| invalid("time", text))?;
            moment.time.ok_or_else(|| invalid("time", text))?
        }
    };
    if !(0..=DAY_US).contains(&micros) {
        return Err(out_of_range("time"));
    }
    // Arrow has no 24:00:00; it is the same moment of the day as 00:00:00.
    Ok(micros % DAY_US)
}

/// Microseconds from 1970; with a zone, an instant: by the offset in the text, else in the session's zone.
pub(super) fn timestamp(value: &[u8], how: Reading<'_>, with_zone: bool) -> Result<i64> {
    if how.format == Format::Binary {
        return Ok(match i64::from_be_bytes(exactly(value)?) {
            edge @ (i64::MAX | i64::MIN) => edge,
            micros => micros
                .checked_add(EPOCH_US)
                .ok_or_else(|| out_of_range("binary timestamp"))?,
        });
    }
    let ty = if with_zone {
        "timestamp with time zone"
    } else {
        "timestamp"
    };
    let text = super::scalar::text(value)?;
    match edge(text) {
        Some(true) => return Ok(i64::MAX),
        Some(false) => return Ok(i64::MIN),
        None => {}
    }
    if text.trim().eq_ignore_ascii_case("epoch") {
        return Ok(0);
    }
    let moment = parse(text).ok_or_else(|| invalid(ty, text))?;
    let days = moment
        .date
        .ok_or_else(|| invalid(ty, text))?
        .days()
        .ok_or_else(|| out_of_range(text))?;
    let micros = i128::from(days) * i128::from(DAY_US) + i128::from(moment.time.unwrap_or(0));
    let local = i64::try_from(micros).map_err(|_| out_of_range(text))?;
    if !with_zone {
        return Ok(local);
    }
    let offset = match moment.zone {
        Some(Offset::Seconds(seconds)) => seconds,
        Some(Offset::Name(name)) => Zone::parse(name)?.offset_of_local(local),
        None => how.zone.offset_of_local(local),
    };
    local
        .checked_sub(i64::from(offset) * 1_000_000)
        .ok_or_else(|| out_of_range(text))
}

/// True for `infinity`, false for `-infinity`.
fn edge(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => Some(true),
        "-infinity" => Some(false),
        _ => None,
    }
}

fn invalid(ty: &str, text: &str) -> Error {
    let text = format!("invalid input syntax for type {ty}: \"{text}\"");
    Error::user(SqlState::INVALID_DATETIME_FORMAT, text)
}

fn out_of_range(text: &str) -> Error {
    let text = format!("date/time field value out of range: \"{text}\"");
    Error::user(SqlState::DATETIME_FIELD_OVERFLOW, text)
}

/// A text in its parts.
struct Moment<'a> {
    date: Option<Date>,
    time: Option<i64>,
    zone: Option<Offset<'a>>,
}

struct Date {
    year: i64,
    month: u32,
    day: u32,
}

enum Offset<'a> {
    Seconds(i32),
    Name(&'a str),
}

impl Date {
    /// Days from 1970-01-01; `None` when there is no such day.
    fn days(&self) -> Option<i64> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let length = match self.month {
            2 => 28 + u32::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let known = (1..=length).contains(&self.day) && (-4713..=294_276).contains(&self.year);
        known.then(|| days_from_civil(self.year, self.month, self.day))
    }
}

/// `[date][T or blank][time][zone][ BC]`
fn parse(text: &str) -> Option<Moment<'_>> {
    let mut rest = text.trim();
    let mut bc = false;
    for (suffix, before) in [(" bc", true), (" ad", false)] {
        let head = rest
            .len()
            .checked_sub(3)
            .and_then(|at| rest.split_at_checked(at));
        if let Some((head, tail)) = head {
            if tail.eq_ignore_ascii_case(suffix) {
                bc = before;
                rest = head.trim_end();
                break;
            }
        }
    }
    let mut moment = Moment {
        date: None,
        time: None,
        zone: None,
    };
    let first_end = rest.find(['T', 't', ' ']).unwrap_or(rest.len());
    let first = &rest[..first_end];
    if !first.contains(':') {
        moment.date = Some(parse_date(first, bc)?);
        rest = rest
            .get(first_end..)?
            .trim_start_matches(['T', 't'])
            .trim_start();
    }
    if rest.is_empty() {
        return Some(moment);
    }
    let time_end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'))
        .unwrap_or(rest.len());
    if rest[..time_end].contains(':') {
        moment.time = Some(parse_time(&rest[..time_end])?);
        rest = rest[time_end..].trim_start();
    }
    if !rest.is_empty() {
        moment.zone = Some(parse_zone(rest)?);
    }
    Some(moment)
}

/// `2024-05-06` or `20240506`
fn parse_date(text: &str, bc: bool) -> Option<Date> {
    let (year, month, day) = if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        (&text[..4], &text[4..6], &text[6..])
    } else {
        let mut parts = text.splitn(3, '-');
        (parts.next()?, parts.next()?, parts.next()?)
    };
    let digits = |t: &str| {
        (!t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse().ok())?
    };
    let year: u32 = if year.len() >= 3 {
        digits(year)?
    } else {
        return None;
    };
    if year == 0 {
        return None;
    }
    let year = if bc {
        1 - i64::from(year)
    } else {
        i64::from(year)
    };
    Some(Date {
        year,
        month: digits(month)?,
        day: digits(day)?,
    })
}

/// `HH:MM[:SS[.ffffff]]` in microseconds; `24:00:00` is the end of the day.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let number = |t: &str, most: i64| -> Option<i64> {
        let fits = (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        let value: i64 = if fits { t.parse().ok()? } else { return None };
        (value <= most).then_some(value)
    };
    let hours = number(parts.next()?, 24)?;
    let minutes = number(parts.next()?, 59)?;
    let (seconds, micros) = match parts.next() {
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            (number(whole, 60)?, fraction_micros(fraction)?)
        }
        None => (0, 0),
    };
    if parts.next().is_some() {
        return None;
    }
    let total = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros;
    (total <= DAY_US).then_some(total)
}

/// Digits behind the point in microseconds, rounded.
pub(super) fn fraction_micros(digits: &str) -> Option<i64> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    for i in 0..6 {
        micros = micros * 10 + digits.as_bytes().get(i).map_or(0, |d| i64::from(d - b'0'));
    }
    Some(micros + i64::from(digits.as_bytes().get(6).is_some_and(|d| *d >= b'5')))
}

/// `Z`, `+02`, `+0230`, `+02:30[:15]`, or the name of a zone.
fn parse_zone(text: &str) -> Option<Offset<'_>> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Offset::Seconds(0));
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        b if b.is_ascii_alphabetic() => return Some(Offset::Name(text)),
        _ => return None,
    };
    let digits = &text[1..];
    let number = |t: &str, most: i32| t.parse::<i32>().ok().filter(|v| (0..=most).contains(v));
    let seconds = if digits.len() == 4 && !digits.contains(':') && digits.is_ascii() {
        number(&digits[..2], 15)? * 3600 + number(&digits[2..], 59)? * 60
    } else {
        let mut parts = digits.split(':');
        let mut seconds = number(parts.next()?, 15)? * 3600;
        for factor in [60, 1] {
            if let Some(part) = parts.next() {
                seconds += number(part, 59)? * factor;
            }
        }
        if parts.next().is_some() {
            return None;
        }
        seconds
    };
    Some(Offset::Seconds(sign * seconds))
}
