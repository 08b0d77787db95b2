//! Numbers with a fraction as integers: numeric rounds half away from zero, floating point half to even, and what
//! the integer cannot hold is 22003. Arrow's cast cuts the fraction off.

use crate::number::rescaled;
use crate::scalar::checked::out_of_range;
use crate::scalar::plain::answer;
use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::try_unary;
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use arrow::error::ArrowError;
use datafusion_common::{Result, exec_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The cast to one type of integer.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToInteger {
    target: DataType,
    signature: Signature,
}

impl ToInteger {
    /// The cast between two types; `None` when Arrow's own does it.
    pub fn between(from: &DataType, target: &DataType) -> Option<Self> {
        let fraction = matches!(
            from,
            DataType::Float32 | DataType::Float64 | DataType::Decimal128(..)
        );
        let integer = matches!(target, DataType::Int16 | DataType::Int32 | DataType::Int64);
        (fraction && integer).then(|| Self {
            target: target.clone(),
            signature: Signature::any(1, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for ToInteger {
    fn name(&self) -> &str {
        "to_integer"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answer(&args, |arrays| match self.target {
            DataType::Int16 => integers::<Int16Type>(&arrays[0]),
            DataType::Int32 => integers::<Int32Type>(&arrays[0]),
            _ => integers::<Int64Type>(&arrays[0]),
        })
    }
}

fn integers<T>(array: &ArrayRef) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    let outside = || out_of_range(&T::DATA_TYPE);
    let fits = |whole: i128| T::Native::try_from(whole).map_err(|_| outside());
    let float = |x: f64| {
        let whole = x.round_ties_even();
        // Beyond 128 bits the conversion saturates, NaN would become zero.
        if whole.is_nan() {
            Err(outside())
        } else {
            fits(whole as i128)
        }
    };
    let result: PrimitiveArray<T> = match array.data_type() {
        DataType::Float64 => try_unary::<Float64Type, _, T>(array.as_primitive(), float)?,
        DataType::Float32 => {
            try_unary::<Float32Type, _, T>(array.as_primitive(), |x| float(x.into()))?
        }
        DataType::Decimal128(_, scale) => {
            try_unary::<Decimal128Type, _, T>(array.as_primitive(), |value| {
                rescaled(value, *scale, 0)
                    .map_or_else(|| Err::<T::Native, ArrowError>(outside()), fits)
            })?
        }
        other => return exec_err!("to_integer of {other}"),
    };
    Ok(Arc::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, Int32Array};

    fn cast(array: ArrayRef) -> Result<ArrayRef> {
        let function = ToInteger::between(array.data_type(), &DataType::Int32).unwrap();
        crate::scalar::run(function, vec![array])
    }

    #[test]
    fn rounds_as_postgres() {
        let floats = Arc::new(Float64Array::from(vec![2.5, 3.5, -0.5]));
        assert_eq!(
            cast(floats).unwrap().as_ref(),
            &Int32Array::from(vec![2, 4, 0])
        );
        let decimals = Decimal128Array::from(vec![25, 35, -5]).with_precision_and_scale(2, 1);
        let whole = cast(Arc::new(decimals.unwrap())).unwrap();
        assert_eq!(whole.as_ref(), &Int32Array::from(vec![3, 4, -1]));
        let large = Arc::new(Float64Array::from(vec![1e10]));
        assert!(
            cast(large)
                .unwrap_err()
                .to_string()
                .contains("integer out of range")
        );
        assert!(cast(Arc::new(Float64Array::from(vec![f64::NAN]))).is_err());
    }
}
