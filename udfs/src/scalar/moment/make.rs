//! `make_date`, `make_time`, `make_timestamp` and `make_interval`: moments from their parts.
//!
//! ```sql
//! select make_date(2024, 2, 29), make_time(1, 2, 3.5), make_interval(days => 10);
//! ```

use super::MICROS_PER_DAY;
use super::interval::{INTERVAL, interval};
use crate::error::sql_error;
use crate::scalar::plain::Plain;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, PrimitiveArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use chrono::{Datelike, NaiveDate};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The functions of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    use DataType::{Float64, Int64};
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    vec![
        Plain::udf(
            "make_date",
            vec![vec![Int64; 3]],
            DataType::Date32,
            |args| {
                let made = each(args, |n, _| days(n[0], n[1], n[2]))?;
                Ok(Arc::new(made.collect::<Result<Date32Array>>()?))
            },
        ),
        Plain::udf(
            "make_time",
            vec![vec![Int64, Int64, Float64]],
            DataType::Time64(TimeUnit::Microsecond),
            |args| {
                let made = each(args, |n, seconds| micros(n[0], n[1], seconds))?;
                Ok(Arc::new(made.collect::<Result<Time64MicrosecondArray>>()?))
            },
        ),
        Plain::udf(
            "make_timestamp",
            vec![vec![Int64, Int64, Int64, Int64, Int64, Float64]],
            timestamp,
            |args| {
                let made = each(args, |n, seconds| {
                    let day = i64::from(days(n[0], n[1], n[2])?);
                    Ok(day * MICROS_PER_DAY + micros(n[3], n[4], seconds)?)
                })?;
                Ok(Arc::new(
                    made.collect::<Result<TimestampMicrosecondArray>>()?,
                ))
            },
        ),
        Plain::udf(
            "make_interval",
            (0..=7)
                .map(|n: usize| match n {
                    7 => [vec![Int64; 6], vec![Float64]].concat(),
                    n => vec![Int64; n],
                })
                .collect(),
            INTERVAL,
            make_interval,
        ),
    ]
}

/// One value for each row: the whole numbers, then the seconds; NULL when one of them is.
fn each<'a, T: 'a>(
    args: &'a [ArrayRef],
    make: impl Fn(&[i32], f64) -> Result<T> + 'a,
) -> Result<impl Iterator<Item = Result<Option<T>>> + 'a> {
    let rows = args.first().map_or(0, |a| a.len());
    Ok((0..rows).map(move |row| {
        let (mut whole, mut seconds) = (Vec::with_capacity(args.len()), 0.0);
        for arg in args {
            if arg.is_null(row) {
                return Ok(None);
            }
            match arg.data_type() {
                DataType::Float64 => seconds = value::<Float64Type>(arg, row),
                _ => {
                    let value = value::<Int64Type>(arg, row);
                    let outside = || sql_error("22003", "integer out of range");
                    whole.push(i32::try_from(value).map_err(|_| outside())?);
                }
            }
        }
        make(&whole, seconds).map(Some)
    }))
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// Days since 1970; a negative year is before Christ.
pub(super) fn days(year: i32, month: i32, day: i32) -> Result<i32> {
    let astronomic = if year < 0 {
        year.saturating_add(1)
    } else {
        year
    };
    let date = u32::try_from(month)
        .ok()
        .zip(u32::try_from(day).ok())
        .and_then(|(month, day)| NaiveDate::from_ymd_opt(astronomic, month, day))
        .filter(|_| year != 0);
    let epoch = 719_163;
    date.map(|date| date.num_days_from_ce() - epoch)
        .ok_or_else(|| {
            let text = format!("date field value out of range: {year}-{month:02}-{day:02}");
            sql_error("22008", text)
        })
}

/// Microseconds since midnight.
fn micros(hour: i32, minute: i32, seconds: f64) -> Result<i64> {
    let valid =
        (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&seconds);
    let total = (i64::from(hour) * 60 + i64::from(minute)) * 60_000_000
        + (seconds * 1e6).round_ties_even() as i64;
    if valid && total <= MICROS_PER_DAY {
        return Ok(total);
    }
    let text = format!("time field value out of range: {hour}:{minute:02}:{seconds:02}");
    Err(sql_error("22008", text))
}

/// Years, months, weeks, days, hours, minutes, seconds; what is not given is zero.
fn make_interval(args: &[ArrayRef]) -> Result<ArrayRef> {
    if args.is_empty() {
        let none = PrimitiveArray::<IntervalMonthDayNanoType>::from_value(interval(0, 0, 0), 1);
        return Ok(Arc::new(none));
    }
    let made = each(args, |n, seconds| {
        let part = |at: usize| i64::from(n.get(at).copied().unwrap_or(0));
        let months = i32::try_from(part(0) * 12 + part(1));
        let days = i32::try_from(part(2) * 7 + part(3));
        let micros = (part(4) * 60 + part(5)) * 60_000_000;
        let nanos = (micros + (seconds * 1e6).round_ties_even() as i64).checked_mul(1000);
        match (months, days, nanos) {
            (Ok(months), Ok(days), Some(nanos)) => Ok(interval(months, days, nanos)),
            _ => Err(sql_error("22008", "interval out of range")),
        }
    })?;
    let made = made.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?;
    Ok(Arc::new(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_checked() {
        assert_eq!(days(1970, 1, 2).unwrap(), 1);
        let error = days(2024, 2, 30).unwrap_err().to_string();
        assert!(
            error.contains("date field value out of range: 2024-02-30"),
            "{error}"
        );
        assert_eq!(micros(1, 2, 3.5).unwrap(), 3_723_500_000);
        assert!(micros(25, 0, 0.0).is_err());
    }
}
