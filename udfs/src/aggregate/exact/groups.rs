//! Sums and averages of many groups at once.

use super::{Finish, Total, sums};
use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::{EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::{
    NullState, accumulate,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::nulls::filtered_null_mask;
use std::marker::PhantomData;
use std::sync::Arc;

pub(super) fn accumulator<I, S>(finish: Finish) -> Box<dyn GroupsAccumulator>
where
    I: ArrowPrimitiveType + Send,
    I::Native: Into<S>,
    S: Total,
{
    Box::new(Groups::<I, S> {
        finish,
        sums: Vec::new(),
        counts: Vec::new(),
        seen: NullState::new(),
        values: PhantomData,
    })
}

struct Groups<I, S> {
    finish: Finish,
    sums: Vec<S>,
    /// Of averages only; for sums it is enough to know which groups have seen a value.
    counts: Vec<i64>,
    seen: NullState,
    values: PhantomData<I>,
}

impl<I, S> GroupsAccumulator for Groups<I, S>
where
    I: ArrowPrimitiveType + Send,
    I::Native: Into<S>,
    S: Total,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = values[0].as_primitive::<I>();
        self.sums.resize(total_num_groups, S::default());
        let sums = &mut self.sums;
        if self.finish.average {
            self.counts.resize(total_num_groups, 0);
            let counts = &mut self.counts;
            accumulate(group_indices, values, opt_filter, |group, value| {
                sums[group] = sums[group].plus(value.into());
                counts[group] += 1;
            });
        } else {
            self.seen.accumulate(
                group_indices,
                values,
                opt_filter,
                total_num_groups,
                |group, value| sums[group] = sums[group].plus(value.into()),
            );
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = emit_to.take_needed(&mut self.sums);
        if self.finish.average {
            let counts = emit_to.take_needed(&mut self.counts);
            return self.finish.averages(&totals, &counts);
        }
        sums(totals, self.seen.build(emit_to), self.finish.scale)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let totals = emit_to.take_needed(&mut self.sums);
        if self.finish.average {
            let counts = emit_to.take_needed(&mut self.counts);
            return Ok(vec![
                sums(totals, None, self.finish.scale)?,
                Arc::new(Int64Array::from(counts)),
            ]);
        }
        Ok(vec![sums(
            totals,
            self.seen.build(emit_to),
            self.finish.scale,
        )?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let partial = values[0].as_primitive::<S::Arrow>();
        self.sums.resize(total_num_groups, S::default());
        let sums = &mut self.sums;
        let add = |group: usize, value: S| sums[group] = sums[group].plus(value);
        if self.finish.average {
            accumulate(group_indices, partial, None, add);
            self.counts.resize(total_num_groups, 0);
            let counts = &mut self.counts;
            accumulate(
                group_indices,
                values[1].as_primitive::<Int64Type>(),
                None,
                |group, count| counts[group] += count,
            );
        } else {
            self.seen
                .accumulate(group_indices, partial, None, total_num_groups, add);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<I>();
        let nulls = filtered_null_mask(opt_filter, values);
        let totals: Vec<S> = values.values().iter().map(|v| (*v).into()).collect();
        let sum = sums(totals, nulls.clone(), self.finish.scale)?;
        if !self.finish.average {
            return Ok(vec![sum]);
        }
        let ones = PrimitiveArray::<Int64Type>::try_new(vec![1; values.len()].into(), nulls)?;
        Ok(vec![sum, Arc::new(ones)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<S>()
            + self.counts.capacity() * size_of::<i64>()
            + self.seen.size()
    }
}
