//! interval in the four styles of `IntervalStyle`.

use super::column::Values;
use super::datetime::put_fraction;
use super::style::IntervalStyle;
use alcedo_engine::Result;
use arrow::array::PrimitiveArray;
use arrow::datatypes::{IntervalMonthDayNano, IntervalMonthDayNanoType};
use bytes::{BufMut, BytesMut};
use std::fmt::Write;

/// interval
pub(super) struct Intervals {
    pub(super) array: PrimitiveArray<IntervalMonthDayNanoType>,
    pub(super) style: IntervalStyle,
}

impl Values for Intervals {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let parts = Parts::of(self.array.value(row));
        match self.style {
            IntervalStyle::Postgres => parts.postgres(out),
            IntervalStyle::Verbose => parts.verbose(out),
            IntervalStyle::Iso => parts.iso(out),
            IntervalStyle::Sql => parts.sql(out),
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let value = self.array.value(row);
        out.put_i64(value.nanoseconds / 1000);
        out.put_i32(value.days);
        out.put_i32(value.months);
        Ok(())
    }
}

/// An interval in the units that are written; hours and below share one sign.
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    negative: bool,
    hours: u64,
    minutes: u64,
    seconds: u64,
    micros: u32,
}

/// Writes into the buffer, which grows as needed.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        // Writing to a buffer in memory cannot fail.
        let _ = write!($out, $($arg)*);
    };
}

impl Parts {
    fn of(value: IntervalMonthDayNano) -> Self {
        let micros = value.nanoseconds / 1000;
        let size = micros.unsigned_abs();
        Self {
            years: value.months / 12,
            months: value.months % 12,
            days: value.days,
            negative: micros < 0,
            hours: size / 3_600_000_000,
            minutes: size / 60_000_000 % 60,
            seconds: size / 1_000_000 % 60,
            micros: (size % 1_000_000) as u32,
        }
    }

    fn has_time(&self) -> bool {
        self.hours + self.minutes + self.seconds + u64::from(self.micros) > 0
    }

    /// `1 year 2 mons 3 days 04:05:06.789`
    fn postgres(&self, out: &mut BytesMut) {
        let start = out.len();
        let mut before_negative = false;
        for (value, unit) in [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
        ] {
            if value == 0 {
                continue;
            }
            let space = if out.len() > start { " " } else { "" };
            let plus = if before_negative && value > 0 {
                "+"
            } else {
                ""
            };
            let plural = if value == 1 { "" } else { "s" };
            put!(out, "{space}{plus}{value} {unit}{plural}");
            before_negative = value < 0;
        }
        if out.len() > start && !self.has_time() {
            return;
        }
        let space = if out.len() > start { " " } else { "" };
        let sign = match (self.negative, before_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        put!(
            out,
            "{space}{sign}{:02}:{:02}:{:02}",
            self.hours,
            self.minutes,
            self.seconds
        );
        put_fraction(self.micros, out);
    }

    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs ago`
    fn verbose(&self, out: &mut BytesMut) {
        out.put_u8(b'@');
        let start = out.len();
        // The first part that is not zero decides between "ago" and not; others may contradict it by sign.
        let sign = if self.negative { -1 } else { 1 };
        let whole = [
            (i64::from(self.years), "year"),
            (i64::from(self.months), "mon"),
            (i64::from(self.days), "day"),
            (self.hours as i64 * sign, "hour"),
            (self.minutes as i64 * sign, "min"),
        ];
        let mut ago: Option<bool> = None;
        for (value, unit) in whole.into_iter().filter(|(value, _)| *value != 0) {
            let backwards = *ago.get_or_insert(value < 0);
            let value = if backwards { -value } else { value };
            put!(out, " {value} {unit}{}", if value == 1 { "" } else { "s" });
        }
        if self.seconds > 0 || self.micros > 0 {
            let backwards = *ago.get_or_insert(self.negative);
            let minus = if self.negative == backwards { "" } else { "-" };
            put!(out, " {minus}{}", self.seconds);
            put_fraction(self.micros, out);
            out.put_slice(if self.seconds == 1 && self.micros == 0 {
                b" sec"
            } else {
                b" secs"
            });
        }
        if out.len() == start {
            out.put_slice(b" 0");
        }
        if ago == Some(true) {
            out.put_slice(b" ago");
        }
    }

    /// `P1Y2M3DT4H5M6.789S`
    fn iso(&self, out: &mut BytesMut) {
        out.put_u8(b'P');
        for (value, unit) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if value != 0 {
                put!(out, "{value}{unit}");
            }
        }
        let empty = self.years == 0 && self.months == 0 && self.days == 0;
        if !self.has_time() {
            if empty {
                out.put_slice(b"T0S");
            }
            return;
        }
        out.put_u8(b'T');
        let minus = if self.negative { "-" } else { "" };
        for (value, unit) in [(self.hours, 'H'), (self.minutes, 'M')] {
            if value != 0 {
                put!(out, "{minus}{value}{unit}");
            }
        }
        if self.seconds > 0 || self.micros > 0 {
            put!(out, "{minus}{}", self.seconds);
            put_fraction(self.micros, out);
            out.put_u8(b'S');
        }
    }

    /// `1-2`, `3 4:05:06`, or both with a sign each.
    fn sql(&self, out: &mut BytesMut) {
        let year_month = self.years != 0 || self.months != 0;
        let day_time = self.days != 0 || self.has_time();
        let below = [self.years, self.months, self.days].iter().any(|v| *v < 0) || self.negative;
        let above = [self.years, self.months, self.days].iter().any(|v| *v > 0)
            || (self.has_time() && !self.negative);
        let (years, months, days) = (
            self.years.unsigned_abs(),
            self.months.unsigned_abs(),
            self.days.unsigned_abs(),
        );
        let (hours, minutes, seconds) = (self.hours, self.minutes, self.seconds);
        if !year_month && !day_time {
            out.put_u8(b'0');
            return;
        }
        if (below && above) || (year_month && day_time) {
            let sign = |negative: bool| if negative { '-' } else { '+' };
            let (y, d, t) = (
                sign(self.years < 0 || self.months < 0),
                sign(self.days < 0),
                sign(self.negative),
            );
            put!(
                out,
                "{y}{years}-{months} {d}{days} {t}{hours}:{minutes:02}:{seconds:02}"
            );
            return put_fraction(self.micros, out);
        }
        if below {
            out.put_u8(b'-');
        }
        if year_month {
            put!(out, "{years}-{months}");
            return;
        }
        if self.days != 0 {
            put!(out, "{days} ");
        }
        put!(out, "{hours}:{minutes:02}:{seconds:02}");
        put_fraction(self.micros, out);
    }
}
