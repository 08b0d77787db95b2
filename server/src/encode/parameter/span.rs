//! Parameters that are intervals: `1 year 2 mons 3 days 04:05:06`, `P1Y2M3DT4H`, `1-2`, or binary.

use super::moment::fraction_micros;
use super::{Reading, exactly};
use crate::encode::Format;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use arrow::datatypes::IntervalMonthDayNano;

pub(super) fn interval(value: &[u8], how: Reading<'_>) -> Result<IntervalMonthDayNano> {
    let (months, days, micros) = match how.format {
        Format::Binary => {
            let bytes: [u8; 16] = exactly(value)?;
            let (micros, rest) = bytes.split_at(8);
            let (days, months) = rest.split_at(4);
            (
                i128::from(i32::from_be_bytes(exactly(months)?)),
                i128::from(i32::from_be_bytes(exactly(days)?)),
                i128::from(i64::from_be_bytes(exactly(micros)?)),
            )
        }
        Format::Text => {
            let text = super::scalar::text(value)?;
            let sum = parse(text).ok_or_else(|| {
                let text = format!("invalid input syntax for type interval: \"{text}\"");
                Error::user(SqlState::INVALID_DATETIME_FORMAT, text)
            })?;
            (sum.months, sum.days, sum.micros)
        }
    };
    let beyond = || {
        Error::user(SqlState::DATETIME_FIELD_OVERFLOW, "interval out of range")
            .detail("Time within an interval is kept in nanoseconds and ends at 292 years.")
    };
    let nanos = i64::try_from(micros * 1000).map_err(|_| beyond())?;
    let (Ok(months), Ok(days)) = (i32::try_from(months), i32::try_from(days)) else {
        return Err(beyond());
    };
    Ok(IntervalMonthDayNano::new(months, days, nanos))
}

/// What has been read so far.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    micros: i128,
}

/// A number with up to six decimals, in millionths.
#[derive(Clone, Copy)]
struct Amount(i128);

const ONE: i128 = 1_000_000;
const DAY: i128 = 86_400 * ONE;

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse::<u32>().ok()?.into()
        };
        let size = i128::from(whole) * ONE + i128::from(fraction_micros(fraction)?);
        Some(Amount(if negative { -size } else { size }))
    }
}

impl Sum {
    /// Adds months; what is left of one are days, what is left of a day is time.
    fn add_months(&mut self, amount: Amount, each: i128) {
        let total = amount.0 * each;
        self.months += total / ONE;
        self.add_days(Amount(total % ONE * 30), 1);
    }

    fn add_days(&mut self, amount: Amount, each: i128) {
        let total = amount.0 * each;
        self.days += total / ONE;
        self.micros += total % ONE * 86_400;
    }

    fn add_time(&mut self, amount: Amount, seconds: i128) {
        self.micros += amount.0 * seconds;
    }

    fn add(&mut self, amount: Amount, unit: &str) -> Option<()> {
        let unit = unit.to_ascii_lowercase();
        let singular = unit
            .strip_suffix('s')
            .filter(|u| u.len() > 1)
            .unwrap_or(&unit);
        match singular {
            "millennium" | "millennia" | "mil" => self.add_months(amount, 12_000),
            "century" | "centurie" | "c" | "cent" => self.add_months(amount, 1_200),
            "decade" | "dec" => self.add_months(amount, 120),
            "year" | "yr" | "y" => self.add_months(amount, 12),
            "month" | "mon" => self.add_months(amount, 1),
            "week" | "w" => self.add_days(amount, 7),
            "day" | "d" => self.add_days(amount, 1),
            "hour" | "hr" | "h" => self.add_time(amount, 3600),
            "minute" | "min" | "m" => self.add_time(amount, 60),
            "second" | "sec" | "s" => self.add_time(amount, 1),
            "millisecond" | "msec" | "m_s" => self.micros += amount.0 / 1000,
            "microsecond" | "usec" | "us" => self.micros += amount.0 / ONE,
            _ if unit == "ms" => self.micros += amount.0 / 1000,
            _ => return None,
        }
        Some(())
    }
}

fn parse(text: &str) -> Option<Sum> {
    let text = text.trim();
    if let Some(iso) = text.strip_prefix(['P', 'p']) {
        return parse_iso(iso);
    }
    let mut words: Vec<&str> = text
        .strip_prefix('@')
        .unwrap_or(text)
        .split_whitespace()
        .collect();
    let ago = words.last().is_some_and(|w| w.eq_ignore_ascii_case("ago"));
    if ago {
        words.pop();
    }
    if words.is_empty() {
        return None;
    }
    let mut sum = Sum::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if word.contains(':') {
            sum.micros += parse_clock(word)?;
            continue;
        }
        if let Some((years, months)) = year_month(word) {
            sum.months += years * 12 + months;
            continue;
        }
        let split = word
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(word.len());
        let amount = Amount::parse(&word[..split])?;
        if split < word.len() {
            sum.add(amount, &word[split..])?;
            continue;
        }
        match words.peek() {
            // `3 04:05:06`: days before a time.
            Some(next) if next.contains(':') => sum.add_days(amount, 1),
            Some(_) => sum.add(amount, words.next()?)?,
            None => sum.add_time(amount, 1),
        }
    }
    if ago {
        sum = Sum {
            months: -sum.months,
            days: -sum.days,
            micros: -sum.micros,
        };
    }
    Some(sum)
}

/// `[-]HH:MM[:SS[.f]]` with any number of hours.
fn parse_clock(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok().filter(|m| *m < 60)?;
    let seconds = match parts.next() {
        Some(seconds) => {
            Amount::parse(seconds)
                .filter(|s| (0..=60 * ONE).contains(&s.0))?
                .0
        }
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    Some(sign * ((i128::from(hours) * 60 + i128::from(minutes)) * 60 * ONE + seconds))
}

/// `[-]1-2`
fn year_month(text: &str) -> Option<(i128, i128)> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (years, months) = digits.split_once('-')?;
    let (years, months): (u32, u32) = (years.parse().ok()?, months.parse().ok()?);
    (months < 12).then_some((sign * i128::from(years), sign * i128::from(months)))
}

/// What follows the P of ISO 8601.
fn parse_iso(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut in_time = false;
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix(['T', 't']) {
            in_time = true;
            rest = time;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let amount = Amount::parse(&rest[..end])?;
        match (in_time, rest.as_bytes()[end].to_ascii_uppercase()) {
            (false, b'Y') => sum.add_months(amount, 12),
            (false, b'M') => sum.add_months(amount, 1),
            (false, b'W') => sum.add_days(amount, 7),
            (false, b'D') => sum.add_days(amount, 1),
            (true, b'H') => sum.add_time(amount, 3600),
            (true, b'M') => sum.add_time(amount, 60),
            (true, b'S') => sum.add_time(amount, 1),
            _ => return None,
        }
        parts += 1;
        rest = &rest[end + 1..];
    }
    if parts == 0 || sum.micros.abs() > i128::from(i64::MAX) * DAY {
        return None;
    }
    Some(sum)
}
