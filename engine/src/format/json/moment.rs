//! Dates, times and intervals: ISO 8601 to and from microseconds, and numbers that are timestamps.

use super::lexer::{Kind, Raw};
use super::number::{Decimal, not};
use super::text::unescaped;
use crate::format::Fault;
use datafusion::arrow::datatypes::IntervalMonthDayNano;
use std::borrow::Cow;

/// Names of the modes, as `timestamptz.handling.mode` takes them.
pub const MODES: &[&str] = &[
    "guess_number_to_timestamptz",
    "milli",
    "micro",
    "utc_string",
    "utc_without_suffix",
];

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What numbers mean as timestamps, and whether texts need an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Seconds, milliseconds, microseconds or nanoseconds, by their size.
    Guess,
    /// Milliseconds.
    Milli,
    /// Microseconds.
    Micro,
    /// No numbers; texts need their offset.
    WithOffset,
    /// No numbers; texts without offset are UTC.
    Refuse,
}

impl Numbers {
    /// The mode of a name in [`MODES`].
    pub fn of(mode: &str) -> Option<Self> {
        Some(match mode {
            "guess_number_to_timestamptz" => Self::Guess,
            "milli" => Self::Milli,
            "micro" => Self::Micro,
            "utc_string" => Self::WithOffset,
            "utc_without_suffix" => Self::Refuse,
            _ => return None,
        })
    }

    /// Digits to shift a number by so that it is microseconds.
    fn shift(self, number: Decimal) -> Option<i32> {
        match self {
            Self::Milli => Some(3),
            Self::Micro => Some(0),
            Self::WithOffset | Self::Refuse => None,
            Self::Guess => {
                let (whole, _) = number.scaled(0)?;
                Some(match whole.unsigned_abs() {
                    ..100_000_000_000 => 6,
                    100_000_000_000..100_000_000_000_000 => 3,
                    100_000_000_000_000..100_000_000_000_000_000 => 0,
                    _ => -3,
                })
            }
        }
    }
}

fn text<'a>(bytes: &'a [u8], raw: Raw, wanted: &str) -> Result<Cow<'a, str>, Fault> {
    if raw.is_text() {
        unescaped(bytes, raw)
    } else {
        Err(not(wanted, bytes, raw))
    }
}

/// A timestamp in microseconds since 1970. With `zoned` an offset counts and UTC is meant without one; else an offset
/// is left out, as PostgreSQL does.
pub(super) fn timestamp(
    bytes: &[u8],
    raw: Raw,
    numbers: Numbers,
    zoned: bool,
) -> Result<i64, Fault> {
    if raw.kind == Kind::Number {
        let number = Decimal::parse(raw.of(bytes));
        let micros = number
            .and_then(|n| n.scaled(numbers.shift(n)?))
            .and_then(|(v, _)| i64::try_from(v).ok());
        return micros.ok_or_else(|| not("a timestamp", bytes, raw));
    }
    let text = text(bytes, raw, "a timestamp")?;
    let moment = Moment::parse(text.trim().as_bytes())
        .ok_or_else(|| not("a timestamp in ISO 8601", bytes, raw))?;
    match moment.offset {
        None if zoned && numbers == Numbers::WithOffset => {
            Err(not("a timestamp with an offset", bytes, raw))
        }
        Some(seconds) if zoned => Ok(moment.micros - seconds * SECOND),
        _ => Ok(moment.micros),
    }
}

/// A date in days since 1970; of a timestamp its date.
pub(super) fn date(bytes: &[u8], raw: Raw) -> Result<i32, Fault> {
    let text = text(bytes, raw, "a date")?;
    let days = Moment::parse(text.trim().as_bytes())
        .and_then(|m| i32::try_from(m.micros.div_euclid(DAY)).ok());
    days.ok_or_else(|| not("a date in ISO 8601", bytes, raw))
}

/// A time of day in microseconds.
pub(super) fn time(bytes: &[u8], raw: Raw) -> Result<i64, Fault> {
    let text = text(bytes, raw, "a time")?;
    let mut rest = text.trim().as_bytes();
    let micros = clock(&mut rest).filter(|_| rest.is_empty() || offset(rest).is_some());
    micros.ok_or_else(|| not("a time in ISO 8601", bytes, raw))
}

/// An interval: ISO 8601 with designators, or as PostgreSQL shows it.
pub(super) fn interval(bytes: &[u8], raw: Raw) -> Result<IntervalMonthDayNano, Fault> {
    use datafusion::arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
    let text = text(bytes, raw, "an interval")?;
    let trimmed = text.trim();
    let value = match trimmed.trim_start_matches(['-', '+']).starts_with('P') {
        true => designated(trimmed),
        false => parse_interval_month_day_nano(trimmed).ok(),
    };
    value.ok_or_else(|| not("an interval in ISO 8601", bytes, raw))
}

/// A date with a time, and its offset from UTC in seconds.
struct Moment {
    micros: i64,
    offset: Option<i64>,
}

impl Moment {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut rest = text;
        let year = number(&mut rest, 4, 6)?;
        take(&mut rest, b'-')?;
        let month = number(&mut rest, 2, 2)?;
        take(&mut rest, b'-')?;
        let day = number(&mut rest, 2, 2)?;
        let midnight = days(year, month, day)? * DAY;
        let Some((separator, mut rest)) = rest.split_first() else {
            return Some(Self {
                micros: midnight,
                offset: None,
            });
        };
        if !matches!(separator, b'T' | b't' | b' ') {
            return None;
        }
        let micros = midnight.checked_add(clock(&mut rest)?)?;
        let offset = if rest.is_empty() {
            None
        } else {
            Some(offset(rest)?)
        };
        Some(Self { micros, offset })
    }
}

fn take(rest: &mut &[u8], wanted: u8) -> Option<()> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    (*first == wanted).then_some(())
}

/// Takes a number of so many digits.
#[inline]
fn number(rest: &mut &[u8], least: usize, most: usize) -> Option<i64> {
    let count = rest
        .iter()
        .take(most)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if count < least {
        return None;
    }
    let (digits, after) = rest.split_at(count);
    *rest = after;
    Some(digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')))
}

/// Takes `HH:MM[:SS[.f…]]`, in microseconds; `24:00` and a second 60 are as in PostgreSQL.
fn clock(rest: &mut &[u8]) -> Option<i64> {
    let hour = number(rest, 2, 2)?;
    take(rest, b':')?;
    let minute = number(rest, 2, 2)?;
    let mut second = 0;
    let mut micros = 0;
    if rest.first() == Some(&b':') {
        take(rest, b':')?;
        second = number(rest, 2, 2)?;
        if matches!(rest.first(), Some(b'.' | b',')) {
            *rest = &rest[1..];
            micros = fraction(rest)?;
        }
    }
    let total = ((hour * 60 + minute) * 60 + second) * SECOND + micros;
    (minute < 60 && second <= 60 && total <= DAY).then_some(total)
}

/// Takes the digits of a fraction of a second, rounded to microseconds.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(count);
    *rest = after;
    let digit = |i: usize| digits.get(i).map_or(0, |b| i64::from(b - b'0'));
    let micros = (0..6).fold(0, |n, i| n * 10 + digit(i));
    (count > 0).then_some(micros + i64::from(digit(6) >= 5))
}

/// `Z`, `±HH`, `±HHMM` or `±HH:MM`, in seconds east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, mut rest) = match text.trim_ascii_start().split_first()? {
        (b'Z' | b'z', []) => return Some(0),
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let hours = number(&mut rest, 2, 2)?;
    let minutes = match rest.first() {
        None => 0,
        Some(b':') => {
            take(&mut rest, b':')?;
            number(&mut rest, 2, 2)?
        }
        Some(_) => number(&mut rest, 2, 2)?,
    };
    (rest.is_empty() && hours < 16 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Days from 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// `[-]PnYnMnWnDTnHnMnS`, each number with its own sign; seconds may have a fraction.
fn designated(text: &str) -> Option<IntervalMonthDayNano> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut rest = rest.strip_prefix('P')?;
    let (mut months, mut days, mut nanos) = (0i64, 0i64, 0i64);
    let (mut timed, mut any) = (false, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            if std::mem::replace(&mut timed, true) {
                return None;
            }
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let amount = Decimal::parse(&rest.as_bytes()[..end])?;
        let whole = || {
            amount
                .scaled(0)
                .filter(|(_, exact)| *exact)
                .and_then(|(v, _)| i64::try_from(v).ok())
        };
        let nano = |unit: i64| {
            let (value, _) = amount.scaled(9)?;
            i64::try_from(value.checked_mul(i128::from(unit))?).ok()
        };
        match (timed, rest.as_bytes()[end]) {
            (false, b'Y') => months = months.checked_add(whole()?.checked_mul(12)?)?,
            (false, b'M') => months = months.checked_add(whole()?)?,
            (false, b'W') => days = days.checked_add(whole()?.checked_mul(7)?)?,
            (false, b'D') => days = days.checked_add(whole()?)?,
            (true, b'H') => nanos = nanos.checked_add(nano(3600)?)?,
            (true, b'M') => nanos = nanos.checked_add(nano(60)?)?,
            (true, b'S') => nanos = nanos.checked_add(nano(1)?)?,
            _ => return None,
        }
        any = true;
        rest = &rest[end + 1..];
    }
    let (months, days) = (
        i32::try_from(sign * months).ok()?,
        i32::try_from(sign * days).ok()?,
    );
    any.then_some(IntervalMonthDayNano {
        months,
        days,
        nanoseconds: sign * nanos,
    })
}

/// Appends an interval in ISO 8601.
pub(super) fn write_interval(value: IntervalMonthDayNano, out: &mut String) {
    use std::fmt::Write;
    let part = |out: &mut String, amount: i64, unit: char| {
        if amount != 0 {
            let _ = write!(out, "{amount}{unit}");
        }
    };
    out.push('P');
    part(out, i64::from(value.months / 12), 'Y');
    part(out, i64::from(value.months % 12), 'M');
    part(out, i64::from(value.days), 'D');
    if value.nanoseconds != 0 || out.ends_with('P') {
        let sign = if value.nanoseconds < 0 { "-" } else { "" };
        let nanos = value.nanoseconds.unsigned_abs();
        let _ = write!(out, "T{sign}{}", nanos / 1_000_000_000);
        write_fraction(nanos % 1_000_000_000 / 1_000, out);
        out.push('S');
    }
}

/// Appends a date.
pub(super) fn write_date(days: i64, out: &mut String) {
    use std::fmt::Write;
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

/// Appends a time of day.
pub(super) fn write_time(micros: i64, out: &mut String) {
    use std::fmt::Write;
    let seconds = micros / SECOND;
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    write_fraction((micros % SECOND).unsigned_abs(), out);
}

/// Appends a timestamp without an offset.
pub(super) fn write_timestamp(micros: i64, out: &mut String) {
    write_date(micros.div_euclid(DAY), out);
    out.push('T');
    write_time(micros.rem_euclid(DAY), out);
}

fn write_fraction(micros: u64, out: &mut String) {
    if micros > 0 {
        let digits = format!(".{micros:06}");
        out.push_str(digits.trim_end_matches('0'));
    }
}
