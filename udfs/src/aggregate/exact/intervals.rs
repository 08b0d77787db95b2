//! The average of intervals: their parts are summed apart and divided in the end, as `interval_avg` does.

use crate::error::sql_error;
use crate::scalar::moment::interval::{interval, times};
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::sum;
use arrow::datatypes::{Int64Type, IntervalMonthDayNanoType};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;

/// Sums of the parts.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    months: i64,
    days: i64,
    micros: i64,
    count: i64,
}

impl Intervals {
    fn add(&mut self, values: &[ArrayRef], sign: i64) {
        for value in values[0]
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .flatten()
        {
            self.months += sign * i64::from(value.months);
            self.days += sign * i64::from(value.days);
            self.micros = self.micros.wrapping_add(sign * (value.nanoseconds / 1000));
            self.count += sign;
        }
    }
}

impl Accumulator for Intervals {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values, 1);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values, -1);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let count = self.count as f64;
        let months = i32::try_from(self.months).ok();
        let days = i32::try_from(self.days).ok();
        let (Some(months), Some(days), Some(nanos)) = (months, days, self.micros.checked_mul(1000))
        else {
            return Err(sql_error("22008", "interval out of range"));
        };
        let average = times(interval(months, days, nanos), |part| part / count)?;
        Ok(ScalarValue::IntervalMonthDayNano(Some(average)))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let parts = [self.months, self.days, self.micros, self.count];
        Ok(parts.map(ScalarValue::from).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let part = |at: usize| sum(states[at].as_primitive::<Int64Type>()).unwrap_or(0);
        self.months += part(0);
        self.days += part(1);
        self.micros = self.micros.wrapping_add(part(2));
        self.count += part(3);
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
