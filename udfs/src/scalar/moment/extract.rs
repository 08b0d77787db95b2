//! `extract(field from moment)`: numeric, with the places that PostgreSQL gives each field.
//!
//! ```sql
//! select extract(second from timestamp '2024-01-01 13:14:15.25'); -- 15.250000
//! ```
//!
//! Source: `timestamp_part_common`, `interval_part_common` and `extract_date` in PostgreSQL's sources. The day of a
//! moment with a zone is that of the session's zone.

use super::MICROS_PER_DAY;
use super::make::days;
use super::zone::local;
use crate::error::sql_error;
use crate::scalar::plain::answer;
use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray, Decimal128Array, TimestampMicrosecondArray};
use arrow::compute::{DatePart, date_part};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, Int32Type, IntervalMonthDayNanoType, IntervalUnit,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::interval_arithmetic::Interval;
use datafusion_expr::preimage::PreimageResult;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

/// The function of this file.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let signature = Signature::user_defined(Volatility::Stable);
    vec![Arc::new(ScalarUDF::new_from_impl(Extract { signature }))]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    signature: Signature,
}

/// A field of a moment or an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Millennium,
    Century,
    Decade,
    Year,
    /// What Arrow computes; of an interval only some.
    Calendar(DatePart),
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Part {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "millennium" | "millenniums" | "millennia" => Self::Millennium,
            "century" | "centuries" => Self::Century,
            "decade" | "decades" => Self::Decade,
            "year" | "years" => Self::Year,
            "quarter" => Self::Calendar(DatePart::Quarter),
            "month" | "months" => Self::Calendar(DatePart::Month),
            "week" | "weeks" => Self::Calendar(DatePart::Week),
            "day" | "days" => Self::Calendar(DatePart::Day),
            "isoyear" => Self::Calendar(DatePart::YearISO),
            "dow" => Self::Calendar(DatePart::DayOfWeekSunday0),
            "isodow" => Self::Calendar(DatePart::DayOfWeekMonday1),
            "doy" => Self::Calendar(DatePart::DayOfYear),
            "hour" | "hours" => Self::Calendar(DatePart::Hour),
            "minute" | "minutes" => Self::Calendar(DatePart::Minute),
            "second" | "seconds" => Self::Second,
            "millisecond" | "milliseconds" => Self::Millisecond,
            "microsecond" | "microseconds" => Self::Microsecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// Whether values of a type have such a field.
    fn is_of(self, ty: &DataType) -> bool {
        let of_day = matches!(
            self,
            Self::Calendar(DatePart::Hour | DatePart::Minute)
                | Self::Second
                | Self::Millisecond
                | Self::Microsecond
        );
        let counted = matches!(
            self,
            Self::Calendar(DatePart::Quarter | DatePart::Month | DatePart::Day)
                | Self::Millennium
                | Self::Century
                | Self::Decade
                | Self::Year
                | Self::Epoch
        );
        match ty {
            DataType::Date32 => !of_day,
            DataType::Time64(_) => of_day || self == Self::Epoch,
            DataType::Interval(_) => of_day || counted,
            _ => true,
        }
    }

    fn scale(self, ty: &DataType) -> i8 {
        match self {
            Self::Second => 6,
            Self::Epoch if *ty != DataType::Date32 => 6,
            Self::Millisecond => 3,
            _ => 0,
        }
    }
}

fn type_name(ty: &DataType) -> &'static str {
    match ty {
        DataType::Date32 => "date",
        DataType::Time64(_) => "time without time zone",
        DataType::Interval(_) => "interval",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        _ => "timestamp without time zone",
    }
}

impl Extract {
    fn part(name: Option<&str>, ty: &DataType) -> Result<Part> {
        let Some(name) = name else {
            return plan_err!("extract asks for a constant field");
        };
        let part = Part::of(name).ok_or_else(|| {
            let text = format!("unit \"{name}\" not recognized for type {}", type_name(ty));
            sql_error("22023", text)
        })?;
        if part.is_of(ty) {
            return Ok(part);
        }
        let text = format!("unit \"{name}\" not supported for type {}", type_name(ty));
        Err(sql_error("0A000", text))
    }
}

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        "extract"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let moment = match types {
            [_, DataType::Timestamp(_, zone)] => {
                DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
            }
            [_, DataType::Date32 | DataType::Date64] => DataType::Date32,
            [_, DataType::Time32(_) | DataType::Time64(_)] => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            [_, DataType::Interval(_) | DataType::Duration(_)] => {
                DataType::Interval(IntervalUnit::MonthDayNano)
            }
            [_, DataType::Null] => DataType::Timestamp(TimeUnit::Microsecond, None),
            [_, other] => {
                return plan_err!(
                    "No function matches the given name and argument types 'extract(Utf8, {other})'."
                );
            }
            _ => return plan_err!("No function matches extract"),
        };
        Ok(vec![DataType::Utf8, moment])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of extract depends on its field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = args.scalar_arguments[0].and_then(|v| v.try_as_str().flatten());
        let ty = args.arg_fields[1].data_type();
        let scale = Self::part(name, ty)?.scale(ty);
        let ty = DataType::Decimal128(20, scale);
        Ok(Arc::new(Field::new("extract", ty, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = match &args.args[0] {
            ColumnarValue::Scalar(value) => value.try_as_str().flatten().map(str::to_owned),
            ColumnarValue::Array(_) => None,
        };
        let session = args.config_options.execution.time_zone.clone();
        answer(&args, |arrays| {
            // Seconds since 1970 are the same everywhere.
            let epoch = name
                .as_deref()
                .is_some_and(|n| n.eq_ignore_ascii_case("epoch"));
            let session = session.as_deref().filter(|_| !epoch);
            let array = localized(&arrays[1], session)?;
            let part = Self::part(name.as_deref(), array.data_type())?;
            let scale = part.scale(array.data_type());
            let values = match array.data_type() {
                DataType::Interval(_) => of_intervals(part, &array),
                _ => of_moments(part, &array)?,
            };
            Ok(Arc::new(values.with_precision_and_scale(20, scale)?) as ArrayRef)
        })
    }

    /// `extract(year from day) = 2024` is a range of days, which statistics of files can answer.
    fn preimage(
        &self,
        args: &[Expr],
        lit_expr: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        let ([Expr::Literal(part, _), moment], Expr::Literal(year, _)) = (args, lit_expr) else {
            return Ok(PreimageResult::None);
        };
        let part = part.try_as_str().flatten().and_then(Part::of);
        let ScalarValue::Int32(Some(year)) = year.cast_to(&DataType::Int32)? else {
            return Ok(PreimageResult::None);
        };
        if part != Some(Part::Year) || !(1..9999).contains(&year) {
            return Ok(PreimageResult::None);
        }
        let (first, next) = (days(year, 1, 1)?, days(year + 1, 1, 1)?);
        let bound = |day: i32| match info.get_data_type(moment) {
            Ok(DataType::Date32) => Some(ScalarValue::Date32(Some(day))),
            Ok(DataType::Timestamp(TimeUnit::Microsecond, None)) => {
                let micros = i64::from(day) * MICROS_PER_DAY;
                Some(ScalarValue::TimestampMicrosecond(Some(micros), None))
            }
            _ => None,
        };
        let (Some(lower), Some(upper)) = (bound(first), bound(next)) else {
            return Ok(PreimageResult::None);
        };
        Ok(PreimageResult::Range {
            expr: moment.clone(),
            interval: Box::new(Interval::try_new(lower, upper)?),
        })
    }
}

/// Moments with a zone as local time of the session.
fn localized(array: &ArrayRef, session: Option<&str>) -> Result<ArrayRef> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    if !matches!(array.data_type(), DataType::Timestamp(_, Some(_))) {
        return Ok(Arc::clone(array));
    }
    let moments = array.as_primitive::<TimestampMicrosecondType>();
    let zone: Tz = session.unwrap_or("UTC").parse()?;
    let moved: TimestampMicrosecondArray = match session {
        None | Some("UTC") => moments.clone().with_data_type(plain),
        _ => moments
            .iter()
            .map(|m| {
                m.and_then(|m| local(&zone, m))
                    .map(|t| t.and_utc().timestamp_micros())
            })
            .collect(),
    };
    Ok(Arc::new(moved))
}

fn of_moments(part: Part, array: &ArrayRef) -> Result<Decimal128Array> {
    let calendar = |part| -> Result<ArrayRef> { Ok(date_part(array, part)?) };
    let years = |function: fn(i128) -> i128| -> Result<Decimal128Array> {
        let years = calendar(DatePart::Year)?;
        Ok(years
            .as_primitive::<Int32Type>()
            .unary(|year| function(year.into())))
    };
    match part {
        Part::Calendar(DatePart::Year) | Part::Year => {
            years(|year| if year > 0 { year } else { year - 1 })
        }
        Part::Calendar(other) => {
            let values = calendar(other)?;
            Ok(values.as_primitive::<Int32Type>().unary(i128::from))
        }
        Part::Decade => years(|year| year.div_euclid(10)),
        Part::Century => years(|year| {
            if year > 0 {
                (year + 99) / 100
            } else {
                (year - 100) / 100
            }
        }),
        Part::Millennium => years(|year| {
            if year > 0 {
                (year + 999) / 1000
            } else {
                (year - 1000) / 1000
            }
        }),
        Part::Epoch => Ok(match array.data_type() {
            DataType::Date32 => array
                .as_primitive::<Date32Type>()
                .unary(|day| i128::from(day) * 86_400),
            _ => micros(array, |micros| micros),
        }),
        Part::Second | Part::Millisecond | Part::Microsecond => {
            Ok(micros(array, |micros| micros.rem_euclid(60_000_000)))
        }
    }
}

/// Of each value's microseconds.
fn micros(array: &ArrayRef, function: fn(i64) -> i64) -> Decimal128Array {
    match array.data_type() {
        DataType::Time64(_) => array
            .as_primitive::<Time64MicrosecondType>()
            .unary(|t| function(t).into()),
        _ => array
            .as_primitive::<TimestampMicrosecondType>()
            .unary(|t| function(t).into()),
    }
}

fn of_intervals(part: Part, array: &ArrayRef) -> Decimal128Array {
    array.as_primitive::<IntervalMonthDayNanoType>().unary(|i| {
        let (months, days) = (i128::from(i.months), i128::from(i.days));
        let (years, micros) = (months / 12, i128::from(i.nanoseconds / 1000));
        match part {
            Part::Millennium => years / 1000,
            Part::Century => years / 100,
            Part::Decade => years / 10,
            Part::Calendar(DatePart::Quarter) => months % 12 / 3 + 1,
            Part::Calendar(DatePart::Month) => months % 12,
            Part::Calendar(DatePart::Day) => days,
            Part::Calendar(DatePart::Hour) => micros / 3_600_000_000,
            Part::Calendar(DatePart::Minute) => micros / 60_000_000 % 60,
            Part::Second | Part::Millisecond | Part::Microsecond => micros % 60_000_000,
            // A year has 365.25 days.
            Part::Epoch => {
                let seconds = years * 31_557_600 + months % 12 * 2_592_000 + days * 86_400;
                seconds * 1_000_000 + micros
            }
            _ => years,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_moments() {
        let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_704_114_855_250_000]));
        let value = |part| of_moments(Part::of(part).unwrap(), &at).unwrap().value(0);
        assert_eq!(value("second"), 15_250_000);
        assert_eq!(value("hour"), 13);
        assert_eq!(value("century"), 21);
        assert_eq!(value("epoch"), 1_704_114_855_250_000);
        assert!(Part::of("nonsense").is_none());
    }
}
