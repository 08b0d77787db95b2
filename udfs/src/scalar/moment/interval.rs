//! Arithmetic and comparison of intervals, `justify_days` and its like, and intervals as text.
//!
//! Source: `interval_mul`, `interval_div`, `interval_cmp_value` and `interval_justify_interval` in PostgreSQL's
//! `timestamp.c`. A month has 30 days and a day 24 hours where one becomes the other.

use crate::error::sql_error;
use crate::number::zero_divisor;
use crate::scalar::plain::Plain;
use arrow::array::{ArrayRef, AsArray, Decimal128Array, PrimitiveArray, StringArray};
use arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The Arrow type of intervals.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// The functions that have a name in SQL.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let one = |name, body| Plain::udf(name, vec![vec![INTERVAL]], INTERVAL, body);
    vec![
        one("justify_days", |args| Ok(each(&args[0], justify_days))),
        one("justify_hours", |args| Ok(each(&args[0], justify_hours))),
        one("justify_interval", |args| {
            Ok(each(&args[0], |i| {
                same_signs(justify_days(justify_hours(i)))
            }))
        }),
    ]
}

/// `interval * double precision`
pub fn product() -> Arc<ScalarUDF> {
    let takes = vec![vec![INTERVAL, DataType::Float64]];
    Plain::udf("interval_mul", takes, INTERVAL, |args| {
        scaled(args, |interval, factor| times(interval, |x| x * factor))
    })
}

/// `interval / double precision`
pub fn quotient() -> Arc<ScalarUDF> {
    let takes = vec![vec![INTERVAL, DataType::Float64]];
    Plain::udf("interval_div", takes, INTERVAL, |args| {
        scaled(args, |interval, divisor| match divisor {
            0.0 => Err(zero_divisor()),
            _ => times(interval, |x| x / divisor),
        })
    })
}

/// What intervals are compared by: nanoseconds.
pub fn key() -> Arc<ScalarUDF> {
    let returns = DataType::Decimal128(38, 0);
    Plain::udf("interval_key", vec![vec![INTERVAL]], returns, |args| {
        let intervals = args[0].as_primitive::<IntervalMonthDayNanoType>();
        let keys = intervals.iter().map(|interval| {
            let i = interval?;
            let days = i128::from(i.months) * 30 + i128::from(i.days);
            Some(days * i128::from(NANOS_PER_DAY) + i128::from(i.nanoseconds))
        });
        let keys = keys.collect::<Decimal128Array>();
        Ok(Arc::new(keys.with_precision_and_scale(38, 0)?))
    })
}

/// The text of an interval in the style `postgres`.
pub fn text() -> Arc<ScalarUDF> {
    Plain::udf(
        "interval_text",
        vec![vec![INTERVAL]],
        DataType::Utf8,
        |args| {
            let intervals = args[0].as_primitive::<IntervalMonthDayNanoType>();
            let texts = intervals.iter().map(|interval| interval.map(written));
            Ok(Arc::new(texts.collect::<StringArray>()))
        },
    )
}

/// An interval from months, days and nanoseconds.
pub fn interval(months: i32, days: i32, nanoseconds: i64) -> IntervalMonthDayNano {
    IntervalMonthDayNano {
        months,
        days,
        nanoseconds,
    }
}

fn each(
    array: &ArrayRef,
    function: impl Fn(IntervalMonthDayNano) -> IntervalMonthDayNano,
) -> ArrayRef {
    let intervals = array.as_primitive::<IntervalMonthDayNanoType>();
    let result: PrimitiveArray<IntervalMonthDayNanoType> = intervals.unary(function);
    Arc::new(result)
}

fn scaled(
    args: &[ArrayRef],
    function: impl Fn(IntervalMonthDayNano, f64) -> Result<IntervalMonthDayNano>,
) -> Result<ArrayRef> {
    let intervals = args[0].as_primitive::<IntervalMonthDayNanoType>();
    let factors = args[1].as_primitive::<Float64Type>();
    let result = intervals
        .iter()
        .zip(factors)
        .map(|(interval, factor)| match (interval, factor) {
            (Some(interval), Some(factor)) => function(interval, factor).map(Some),
            _ => Ok(None),
        });
    let result = result.collect::<Result<PrimitiveArray<IntervalMonthDayNanoType>>>()?;
    Ok(Arc::new(result))
}

/// An interval whose parts are scaled; fractions go down into the smaller parts.
///
/// # Errors
/// 22008 when a part leaves its range.
pub fn times(
    span: IntervalMonthDayNano,
    scale: impl Fn(f64) -> f64,
) -> Result<IntervalMonthDayNano> {
    let whole = |x: f64| x.trunc();
    // PostgreSQL rounds remainders to microseconds, too.
    let rounded = |x: f64| (x * 1e6).round_ties_even() / 1e6;
    let (all_months, all_days) = (scale(span.months.into()), scale(span.days.into()));
    let (months, mut days) = (whole(all_months), whole(all_days));
    let month_days = rounded((all_months - months) * 30.0);
    let mut seconds = rounded((all_days - days + month_days - whole(month_days)) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        let more = whole(seconds / 86_400.0);
        days += more;
        seconds -= more * 86_400.0;
    }
    days += whole(month_days);
    let micros = (scale(span.nanoseconds as f64 / 1000.0) + seconds * 1e6).round_ties_even();
    // NaN is in no range.
    let fits = |x: f64, most: f64| x.abs() <= most;
    if !fits(months, i32::MAX.into())
        || !fits(days, i32::MAX.into())
        || !fits(micros, (i64::MAX / 1000) as f64)
    {
        return Err(sql_error("22008", "interval out of range"));
    }
    let nanos = (micros as i64).saturating_mul(1000);
    Ok(interval(months as i32, days as i32, nanos))
}

fn justify_days(i: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let (mut months, mut days) = (i.months.saturating_add(i.days / 30), i.days % 30);
    if months > 0 && days < 0 {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && days > 0 {
        (months, days) = (months + 1, days - 30);
    }
    interval(months, days, i.nanoseconds)
}

fn justify_hours(i: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let more = i32::try_from(i.nanoseconds / NANOS_PER_DAY).unwrap_or(0);
    let (mut days, mut nanos) = (i.days.saturating_add(more), i.nanoseconds % NANOS_PER_DAY);
    if days > 0 && nanos < 0 {
        (days, nanos) = (days - 1, nanos + NANOS_PER_DAY);
    } else if days < 0 && nanos > 0 {
        (days, nanos) = (days + 1, nanos - NANOS_PER_DAY);
    }
    interval(i.months, days, nanos)
}

/// All parts with the sign of the first.
fn same_signs(i: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let (mut months, mut days, mut nanos) = (i.months, i.days, i.nanoseconds);
    if months > 0 && (days < 0 || (days == 0 && nanos < 0)) {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && (days > 0 || (days == 0 && nanos > 0)) {
        (months, days) = (months + 1, days - 30);
    }
    if days > 0 && nanos < 0 {
        (days, nanos) = (days - 1, nanos + NANOS_PER_DAY);
    } else if days < 0 && nanos > 0 {
        (days, nanos) = (days + 1, nanos - NANOS_PER_DAY);
    }
    interval(months, days, nanos)
}

/// `1 year 2 mons -3 days +04:05:06.789`
pub fn written(i: IntervalMonthDayNano) -> String {
    let mut out = String::new();
    let mut negative = false;
    for (value, unit) in [
        (i.months / 12, "year"),
        (i.months % 12, "mon"),
        (i.days, "day"),
    ] {
        if value == 0 {
            continue;
        }
        let space = if out.is_empty() { "" } else { " " };
        let plus = if negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        out.push_str(&format!("{space}{plus}{value} {unit}{plural}"));
        negative = value < 0;
    }
    let micros = i.nanoseconds / 1000;
    if micros == 0 && !out.is_empty() {
        return out;
    }
    let size = micros.unsigned_abs();
    let space = if out.is_empty() { "" } else { " " };
    let sign = match (micros < 0, negative) {
        (true, _) => "-",
        (false, true) => "+",
        (false, false) => "",
    };
    let (hours, minutes, seconds) = (
        size / 3_600_000_000,
        size / 60_000_000 % 60,
        size / 1_000_000 % 60,
    );
    out.push_str(&format!(
        "{space}{sign}{hours:02}:{minutes:02}:{seconds:02}"
    ));
    let fraction = size % 1_000_000;
    if fraction > 0 {
        out.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_with_fractions() {
        let half = times(interval(1, 1, 0), |x| x / 2.0).unwrap();
        assert_eq!(half, interval(0, 15, NANOS_PER_DAY / 2));
        let more = times(interval(0, 0, 3_600_000_000_000), |x| x * 3.0).unwrap();
        assert_eq!(written(more), "03:00:00");
    }

    #[test]
    fn justifies() {
        assert_eq!(justify_days(interval(0, 35, 0)), interval(1, 5, 0));
        assert_eq!(justify_days(interval(1, -35, 0)), interval(0, -5, 0));
        let justified = justify_hours(interval(0, 0, 27 * 3_600_000_000_000));
        assert_eq!(written(justified), "1 day 03:00:00");
    }

    #[test]
    fn is_written() {
        assert_eq!(
            written(interval(14, -3, 4_000_000_000)),
            "1 year 2 mons -3 days +00:00:04"
        );
        assert_eq!(written(interval(0, 0, 0)), "00:00:00");
    }
}
