//! `sum` and `avg` of integers and numeric, exactly.
//!
//! | of | sum | avg |
//! |---|---|---|
//! | smallint, integer | bigint | numeric |
//! | bigint | numeric | numeric |
//! | numeric | (DataFusion's) | numeric |
//! | interval | (DataFusion's) | interval |
//!
//! Sums of up to 32 bits are kept in 64, all others in 128. Averages have the places that PostgreSQL shows of values
//! from 1 to 9999.

mod groups;
mod intervals;
mod rows;

use crate::number::{PRECISION, QUOTIENT_SCALE, divided};
use arrow::array::{Array, ArrayRef, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Field, FieldRef, Int16Type, Int32Type, Int64Type,
    IntervalUnit,
};
use datafusion_common::{Result, internal_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};
use std::fmt::Debug;
use std::sync::Arc;

/// The names of the functions.
pub(super) const NAMES: [&str; 2] = ["sum", "avg"];

/// The function of a name.
pub(super) fn function(name: &str, other: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Exact {
        average: name == "avg",
        other,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// What sums are kept in.
trait Total: arrow::datatypes::ArrowNativeType + Default + Debug {
    type Arrow: ArrowPrimitiveType<Native = Self> + Send;
    /// The type of sums as state.
    fn data_type(scale: i8) -> DataType;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn wide(self) -> i128;
}

impl Total for i64 {
    type Arrow = Int64Type;

    fn data_type(_: i8) -> DataType {
        DataType::Int64
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn wide(self) -> i128 {
        self.into()
    }
}

impl Total for i128 {
    type Arrow = Decimal128Type;

    fn data_type(scale: i8) -> DataType {
        DataType::Decimal128(PRECISION, scale)
    }

    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }

    fn wide(self) -> i128 {
        self
    }
}

/// What is made of a sum in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Finish {
    average: bool,
    /// Of the values and their sum.
    scale: i8,
}

impl Finish {
    fn average(self, sum: i128, count: i64) -> Result<i128> {
        let scale = average_scale(self.scale);
        divided((sum, self.scale), (count.into(), 0), scale)
    }

    /// Averages of sums, NULL of nothing.
    fn averages<S: Total>(self, sums: &[S], counts: &[i64]) -> Result<ArrayRef> {
        let averages = sums.iter().zip(counts).map(|(sum, count)| match count {
            0 => Ok(None),
            _ => self.average(sum.wide(), *count).map(Some),
        });
        let averages = averages.collect::<Result<PrimitiveArray<Decimal128Type>>>()?;
        let scale = average_scale(self.scale);
        Ok(Arc::new(
            averages.with_precision_and_scale(PRECISION, scale)?,
        ))
    }
}

fn average_scale(scale: i8) -> i8 {
    scale.max(QUOTIENT_SCALE)
}

/// Sums as an array of the state's type.
fn sums<S: Total>(
    sums: Vec<S>,
    nulls: Option<arrow::buffer::NullBuffer>,
    scale: i8,
) -> Result<ArrayRef> {
    let array = PrimitiveArray::<S::Arrow>::try_new(sums.into(), nulls)?;
    Ok(Arc::new(array.with_data_type(S::data_type(scale))))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    average: bool,
    other: Arc<AggregateUDF>,
    signature: Signature,
}

impl Exact {
    /// Whether values of a type are summed here.
    fn takes(&self, ty: &DataType) -> bool {
        match ty {
            DataType::Int16 | DataType::Int32 | DataType::Int64 => true,
            DataType::Decimal128(..) | DataType::Interval(IntervalUnit::MonthDayNano) => {
                self.average
            }
            _ => false,
        }
    }

    fn finish(&self, ty: &DataType) -> Finish {
        let scale = match ty {
            DataType::Decimal128(_, scale) => *scale,
            _ => 0,
        };
        Finish {
            average: self.average,
            scale,
        }
    }
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        if self.average { "avg" } else { "sum" }
    }

    fn aliases(&self) -> &[String] {
        self.other.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [ty] if self.takes(ty) => Ok(vec![ty.clone()]),
            [DataType::Int8 | DataType::UInt8] => Ok(vec![DataType::Int16]),
            [DataType::UInt16] => Ok(vec![DataType::Int32]),
            [DataType::UInt32] => Ok(vec![DataType::Int64]),
            [DataType::UInt64] => Ok(vec![DataType::Decimal128(20, 0)]),
            [DataType::Decimal32(p, s) | DataType::Decimal64(p, s)] if self.average => {
                Ok(vec![DataType::Decimal128(*p, *s)])
            }
            [DataType::Duration(_)] if self.average => {
                Ok(vec![DataType::Interval(IntervalUnit::MonthDayNano)])
            }
            [DataType::Null] => Ok(vec![DataType::Int32]),
            _ => super::coerced(&self.other, types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Int16 | DataType::Int32] if !self.average => Ok(DataType::Int64),
            [DataType::Int64] if !self.average => Ok(DataType::Decimal128(PRECISION, 0)),
            [ty @ DataType::Interval(_)] => Ok(ty.clone()),
            [ty] if self.takes(ty) => {
                let scale = average_scale(self.finish(ty).scale);
                Ok(DataType::Decimal128(PRECISION, scale))
            }
            _ => self.other.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let ty = args.expr_fields[0].data_type();
        if !self.takes(ty) {
            return self.other.accumulator(args);
        }
        if matches!(ty, DataType::Interval(_)) {
            return Ok(Box::new(intervals::Intervals::default()));
        }
        let finish = self.finish(ty);
        let distinct = args.is_distinct.then(|| ty.clone());
        Ok(match ty {
            DataType::Int16 => rows::accumulator::<Int16Type, i64>(finish, distinct),
            DataType::Int32 => rows::accumulator::<Int32Type, i64>(finish, distinct),
            DataType::Int64 => rows::accumulator::<Int64Type, i128>(finish, distinct),
            DataType::Decimal128(..) => rows::accumulator::<Decimal128Type, i128>(finish, distinct),
            other => return internal_err!("{} of {other}", self.name()),
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if self.takes(args.expr_fields[0].data_type()) {
            self.accumulator(args)
        } else {
            self.other.create_sliding_accumulator(args)
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let ty = args.input_fields[0].data_type();
        if !self.takes(ty) {
            return self.other.state_fields(args);
        }
        let field =
            |name: &str, ty| Arc::new(Field::new(format_state_name(args.name, name), ty, true));
        if matches!(ty, DataType::Interval(_)) {
            let parts = ["months", "days", "micros", "count"];
            return Ok(parts.map(|name| field(name, DataType::Int64)).to_vec());
        }
        if args.is_distinct {
            let values = Field::new_list_field(ty.clone(), true);
            return Ok(vec![field("distinct", DataType::List(Arc::new(values)))]);
        }
        let sum = match ty {
            DataType::Int16 | DataType::Int32 => i64::data_type(0),
            _ => i128::data_type(self.finish(ty).scale),
        };
        let mut fields = vec![field("sum", sum)];
        if self.average {
            fields.push(field("count", DataType::Int64));
        }
        Ok(fields)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        let ty = args.expr_fields[0].data_type();
        if self.takes(ty) {
            !args.is_distinct && !matches!(ty, DataType::Interval(_))
        } else {
            self.other.groups_accumulator_supported(args)
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let ty = args.expr_fields[0].data_type();
        if !self.takes(ty) {
            return self.other.create_groups_accumulator(args);
        }
        let finish = self.finish(ty);
        Ok(match ty {
            DataType::Int16 => groups::accumulator::<Int16Type, i64>(finish),
            DataType::Int32 => groups::accumulator::<Int32Type, i64>(finish),
            DataType::Int64 => groups::accumulator::<Int64Type, i128>(finish),
            DataType::Decimal128(..) => groups::accumulator::<Decimal128Type, i128>(finish),
            other => return internal_err!("{} of {other}", self.name()),
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// Sum and count of the values that are not NULL.
fn total<I, S>(array: &PrimitiveArray<I>) -> (S, i64)
where
    I: ArrowPrimitiveType,
    I::Native: Into<S>,
    S: Total,
{
    let count = array.len() - array.null_count();
    let add = |sum: S, value: I::Native| sum.plus(value.into());
    let sum = if array.null_count() == 0 {
        array.values().iter().copied().fold(S::default(), add)
    } else {
        array.iter().flatten().fold(S::default(), add)
    };
    (sum, i64::try_from(count).unwrap_or(i64::MAX))
}
