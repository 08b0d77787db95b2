//! Sums and averages of one group: of all rows, of a window's frame, of distinct values.

use super::{Finish, Total, sums, total};
use crate::number::{PRECISION, checked};
use arrow::array::{ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::compute::sum;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int64Type};
use datafusion_common::utils::SingleRowListArrayBuilder;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Accumulator;
use std::collections::HashSet;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

/// An accumulator; `distinct` gives the values' type when each of them counts once.
pub(super) fn accumulator<I, S>(finish: Finish, distinct: Option<DataType>) -> Box<dyn Accumulator>
where
    I: ArrowPrimitiveType + std::fmt::Debug + Send + Sync,
    I::Native: Into<S> + Eq + Hash,
    S: Total,
{
    let rows = Rows::<I, S> {
        finish,
        sum: S::default(),
        count: 0,
        values: PhantomData,
    };
    match distinct {
        Some(data_type) => Box::new(Distinct {
            rows,
            seen: HashSet::new(),
            data_type,
        }),
        None => Box::new(rows),
    }
}

#[derive(Debug)]
struct Rows<I, S> {
    finish: Finish,
    sum: S,
    /// Of a state that was merged in: how many states had a value, for a sum.
    count: i64,
    values: PhantomData<I>,
}

impl<I, S> Rows<I, S>
where
    I: ArrowPrimitiveType,
    I::Native: Into<S>,
    S: Total,
{
    fn value(&self) -> Result<ScalarValue> {
        let scale = self.finish.scale;
        if self.finish.average {
            let average = match self.count {
                0 => None,
                count => Some(self.finish.average(self.sum.wide(), count)?),
            };
            let scale = super::average_scale(scale);
            return Ok(ScalarValue::Decimal128(average, PRECISION, scale));
        }
        let found = (self.count > 0).then_some(self.sum.wide());
        Ok(match S::data_type(scale) {
            DataType::Int64 => ScalarValue::Int64(found.and_then(|sum| i64::try_from(sum).ok())),
            _ => ScalarValue::Decimal128(found.map(checked).transpose()?, PRECISION, scale),
        })
    }
}

impl<I, S> Accumulator for Rows<I, S>
where
    I: ArrowPrimitiveType + std::fmt::Debug + Send + Sync,
    I::Native: Into<S>,
    S: Total,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total::<I, S>(values[0].as_primitive());
        self.sum = self.sum.plus(sum);
        self.count += count;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total::<I, S>(values[0].as_primitive());
        self.sum = self.sum.minus(sum);
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.value()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let nulls = (self.count == 0).then(|| arrow::buffer::NullBuffer::new_null(1));
        let sum = sums(vec![self.sum], nulls, self.finish.scale)?;
        let mut state = vec![ScalarValue::try_from_array(&sum, 0)?];
        if self.finish.average {
            state.push(self.count.into());
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let partial: &PrimitiveArray<S::Arrow> = states[0].as_primitive();
        let (merged, count) = total::<S::Arrow, S>(partial);
        self.sum = self.sum.plus(merged);
        self.count += match states.get(1) {
            Some(counts) => {
                let counts: &Int64Array = counts.as_primitive::<Int64Type>();
                sum(counts).unwrap_or(0)
            }
            None => count,
        };
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// Each value once.
#[derive(Debug)]
struct Distinct<I: ArrowPrimitiveType, S> {
    rows: Rows<I, S>,
    seen: HashSet<I::Native>,
    data_type: DataType,
}

impl<I, S> Distinct<I, S>
where
    I: ArrowPrimitiveType,
    I::Native: Into<S> + Eq + Hash,
    S: Total,
{
    fn see(&mut self, values: &PrimitiveArray<I>) {
        for value in values.iter().flatten() {
            if self.seen.insert(value) {
                self.rows.sum = self.rows.sum.plus(value.into());
                self.rows.count += 1;
            }
        }
    }
}

impl<I, S> Accumulator for Distinct<I, S>
where
    I: ArrowPrimitiveType + std::fmt::Debug + Send + Sync,
    I::Native: Into<S> + Eq + Hash,
    S: Total,
{
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.see(values[0].as_primitive());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.rows.value()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = PrimitiveArray::<I>::from_iter_values(self.seen.iter().copied());
        let values = values.with_data_type(self.data_type.clone());
        let list = SingleRowListArrayBuilder::new(Arc::new(values));
        Ok(vec![list.build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.see(values.as_primitive());
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.capacity() * size_of::<I::Native>()
    }
}
