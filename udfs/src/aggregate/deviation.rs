//! `variance` and `stddev` of integers and numeric, exactly: from the count, the sum and the sum of the squares.
//!
//! Source: `numeric_stddev_internal` in PostgreSQL's `numeric.c`. The squares have 256 bits.

use crate::number::{PRECISION, QUOTIENT_SCALE, overflow, ratio, root};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type,
    i256,
};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::sync::Arc;

/// The names of the functions.
pub(super) const NAMES: [&str; 4] = ["var", "var_pop", "stddev", "stddev_pop"];

/// The function of a name.
pub(super) fn function(name: &'static str, other: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Deviation {
        name,
        other,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Deviation {
    name: &'static str,
    other: Arc<AggregateUDF>,
    signature: Signature,
}

/// What is asked for of the sums.
#[derive(Debug, Clone, Copy)]
struct Finish {
    root: bool,
    population: bool,
    scale: i8,
}

/// Count, sum and sum of squares of unscaled values.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: i64,
    sum: i128,
    squares: i256,
}

impl Moments {
    fn add(&mut self, value: i128) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(value);
        let square = match i64::try_from(value) {
            Ok(small) => i256::from_i128(i128::from(small) * i128::from(small)),
            Err(_) => {
                let wide = i256::from_i128(value);
                wide.wrapping_mul(wide)
            }
        };
        self.squares = self.squares.wrapping_add(square);
    }

    fn remove(&mut self, value: i128) {
        let mut one = Self::default();
        one.add(value);
        self.count -= one.count;
        self.sum = self.sum.wrapping_sub(one.sum);
        self.squares = self.squares.wrapping_sub(one.squares);
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self.squares = self.squares.wrapping_add(other.squares);
    }

    fn finish(&self, finish: Finish) -> Result<Option<i128>> {
        let divisor = if finish.population {
            self.count
        } else {
            self.count - 1
        };
        if divisor < 1 {
            return Ok(None);
        }
        let wide = |n: i64| i256::from_i128(n.into());
        let sum = i256::from_i128(self.sum);
        // (N·Σx² − (Σx)²) / (N·divisor), with the values' scale taken off.
        let numerator = self
            .squares
            .checked_mul(wide(self.count))
            .zip(sum.checked_mul(sum))
            .and_then(|(squares, sum)| squares.checked_sub(sum));
        let unit = i256::from_i128(10).checked_pow(2 * u32::from(finish.scale.unsigned_abs()));
        let denominator = wide(self.count)
            .checked_mul(wide(divisor))
            .zip(unit)
            .and_then(|(n, unit)| n.checked_mul(unit));
        let (Some(numerator), Some(denominator)) = (numerator, denominator) else {
            return Err(overflow());
        };
        let scale = shown(finish.scale);
        let value = if finish.root {
            root(numerator, denominator, scale)
        } else {
            ratio(numerator, denominator, scale)
        };
        value.map(Some)
    }
}

fn shown(scale: i8) -> i8 {
    scale.max(QUOTIENT_SCALE)
}

impl Deviation {
    fn takes(ty: &DataType) -> bool {
        ty.is_signed_integer() || matches!(ty, DataType::Decimal128(..))
    }

    fn finish(&self, ty: &DataType) -> Finish {
        Finish {
            root: self.name.starts_with("stddev"),
            population: self.name.ends_with("_pop"),
            scale: match ty {
                DataType::Decimal128(_, scale) => *scale,
                _ => 0,
            },
        }
    }
}

impl AggregateUDFImpl for Deviation {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        self.other.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [ty] if Self::takes(ty) => Ok(vec![ty.clone()]),
            _ => super::coerced(&self.other, types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [ty] if Self::takes(ty) => Ok(DataType::Decimal128(
                PRECISION,
                shown(self.finish(ty).scale),
            )),
            _ => self.other.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let ty = args.expr_fields[0].data_type();
        if !Self::takes(ty) || args.is_distinct {
            return self.other.accumulator(args);
        }
        Ok(Box::new(Groups {
            finish: self.finish(ty),
            groups: vec![Moments::default()],
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !Self::takes(args.input_fields[0].data_type()) || args.is_distinct {
            return self.other.state_fields(args);
        }
        let field =
            |name: &str, ty| Arc::new(Field::new(format_state_name(args.name, name), ty, true));
        Ok(vec![
            field("count", DataType::Int64),
            field("sum", DataType::Decimal128(PRECISION, 0)),
            field("squares", DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0)),
        ])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        if Self::takes(args.expr_fields[0].data_type()) && !args.is_distinct {
            true
        } else {
            self.other.groups_accumulator_supported(args)
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let ty = args.expr_fields[0].data_type();
        if !Self::takes(ty) || args.is_distinct {
            return self.other.create_groups_accumulator(args);
        }
        Ok(Box::new(Groups {
            finish: self.finish(ty),
            groups: Vec::new(),
        }))
    }
}

/// The moments of groups; as an accumulator of rows, of one.
#[derive(Debug)]
struct Groups {
    finish: Finish,
    groups: Vec<Moments>,
}

/// The values as unscaled integers of 128 bits.
fn unscaled(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Decimal128(..) => Arc::clone(array),
        _ => cast(array, &DataType::Decimal128(20, 0))?,
    })
}

fn states(groups: &[Moments]) -> Result<Vec<ArrayRef>> {
    let counts = Int64Array::from_iter_values(groups.iter().map(|g| g.count));
    let sums = Decimal128Array::from_iter_values(groups.iter().map(|g| g.sum));
    let squares = Decimal256Array::from_iter_values(groups.iter().map(|g| g.squares));
    Ok(vec![
        Arc::new(counts),
        Arc::new(sums.with_precision_and_scale(PRECISION, 0)?),
        Arc::new(squares.with_precision_and_scale(DECIMAL256_MAX_PRECISION, 0)?),
    ])
}

fn moments(states: &[ArrayRef]) -> impl Iterator<Item = Moments> + '_ {
    let counts = states[0].as_primitive::<Int64Type>();
    let sums = states[1].as_primitive::<Decimal128Type>();
    let squares = states[2].as_primitive::<Decimal256Type>();
    (0..counts.len()).map(|row| match counts.is_valid(row) {
        true => Moments {
            count: counts.value(row),
            sum: sums.value(row),
            squares: squares.value(row),
        },
        false => Moments::default(),
    })
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Moments::default());
        let values = unscaled(&values[0])?;
        let values = values.as_primitive::<Decimal128Type>();
        let groups = &mut self.groups;
        datafusion_functions_aggregate_common::aggregate::groups_accumulator::accumulate::accumulate(
            group_indices,
            values,
            opt_filter,
            |group, value| groups[group].add(value),
        );
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        let values = groups.iter().map(|g| g.finish(self.finish));
        let values = values.collect::<Result<Decimal128Array>>()?;
        let scale = shown(self.finish.scale);
        Ok(Arc::new(values.with_precision_and_scale(PRECISION, scale)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        states(&emit_to.take_needed(&mut self.groups))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize(total_num_groups, Moments::default());
        for (other, group) in moments(values).zip(group_indices) {
            self.groups[*group].merge(other);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = unscaled(&values[0])?;
        let values = values.as_primitive::<Decimal128Type>();
        let groups = values.iter().enumerate().map(|(row, value)| {
            let mut one = Moments::default();
            let counted = opt_filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if let (true, Some(value)) = (counted, value) {
                one.add(value);
            }
            one
        });
        states(&groups.collect::<Vec<_>>())
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Moments>()
    }
}

impl Accumulator for Groups {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = unscaled(&values[0])?;
        for value in values.as_primitive::<Decimal128Type>().iter().flatten() {
            self.groups[0].add(value);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = unscaled(&values[0])?;
        for value in values.as_primitive::<Decimal128Type>().iter().flatten() {
            self.groups[0].remove(value);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.groups[0].finish(self.finish)?;
        Ok(ScalarValue::Decimal128(
            value,
            PRECISION,
            shown(self.finish.scale),
        ))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let arrays = states(&self.groups)?;
        arrays
            .iter()
            .map(|a| ScalarValue::try_from_array(a, 0))
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for other in moments(states) {
            self.groups[0].merge(other);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.groups.capacity() * size_of::<Moments>()
    }
}
