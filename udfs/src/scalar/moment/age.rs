//! `age(a, b)` in years, months and days, and the plain difference of two timestamps in days and hours.
//!
//! Source: `timestamp_age` and `timestamp_mi` in PostgreSQL's `timestamp.c`.

use super::MICROS_PER_DAY;
use super::interval::{INTERVAL, interval};
use crate::scalar::plain::Plain;
use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, NaiveDateTime};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// Two timestamps, with a zone or without.
fn pairs() -> Vec<Vec<DataType>> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![vec![plain.clone(), plain], vec![zoned.clone(), zoned]]
}

/// `age`
pub fn all() -> Vec<Arc<ScalarUDF>> {
    vec![Plain::udf("age", pairs(), INTERVAL, |args| {
        each(args, |later, earlier| {
            let later = DateTime::from_timestamp_micros(later)?.naive_utc();
            let earlier = DateTime::from_timestamp_micros(earlier)?.naive_utc();
            Some(age(later, earlier))
        })
    })]
}

/// `timestamp - timestamp`
pub fn difference() -> Arc<ScalarUDF> {
    Plain::udf("timestamp_sub", pairs(), INTERVAL, |args| {
        each(args, |later, earlier| {
            let micros = later.checked_sub(earlier)?;
            let days = i32::try_from(micros / MICROS_PER_DAY).ok()?;
            Some(interval(0, days, micros % MICROS_PER_DAY * 1000))
        })
    })
}

fn each(
    args: &[ArrayRef],
    function: impl Fn(i64, i64) -> Option<IntervalMonthDayNano>,
) -> Result<ArrayRef> {
    let later = args[0].as_primitive::<TimestampMicrosecondType>();
    let earlier = args[1].as_primitive::<TimestampMicrosecondType>();
    let result = later.iter().zip(earlier).map(|pair| match pair {
        (Some(later), Some(earlier)) => match function(later, earlier) {
            Some(interval) => Ok(Some(interval)),
            None => Err(crate::error::sql_error("22008", "interval out of range")),
        },
        _ => Ok(None),
    });
    let result = result.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?;
    Ok(Arc::new(result))
}

/// Field by field, from the smaller up; what is missing is borrowed from the next field.
fn age(later: NaiveDateTime, earlier: NaiveDateTime) -> IntervalMonthDayNano {
    let (sign, later, earlier) = if later < earlier {
        (-1, earlier, later)
    } else {
        (1, later, earlier)
    };
    let of_day = |t: NaiveDateTime| t.and_utc().timestamp_micros().rem_euclid(MICROS_PER_DAY);
    let mut micros = of_day(later) - of_day(earlier);
    let number = |n: u32| i32::try_from(n).unwrap_or(0);
    let mut days = number(later.day()) - number(earlier.day());
    let mut months =
        (later.year() - earlier.year()) * 12 + number(later.month()) - number(earlier.month());
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    // The days of the month that is borrowed are those of the earlier one.
    while days < 0 {
        days += days_of_month(earlier.year(), earlier.month());
        months -= 1;
    }
    interval(sign * months, sign * days, i64::from(sign) * micros * 1000)
}

/// How many days a month has.
pub(super) fn days_of_month(year: i32, month: u32) -> i32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::super::interval::written;
    use super::*;

    #[test]
    fn counts_years_months_and_days() {
        let at = |text| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let shown = |a, b| written(age(at(a), at(b)));
        assert_eq!(
            shown("2024-03-01 00:00", "2023-01-15 00:00"),
            "1 year 1 mon 17 days"
        );
        assert_eq!(shown("2024-03-01 00:00", "2024-03-01 12:30"), "-12:30:00");
        assert_eq!(
            shown("2024-03-31 00:00", "2024-02-29 00:00"),
            "1 mon 2 days"
        );
    }
}
