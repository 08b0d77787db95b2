//! `width_bucket(x float8, low float8, high float8, count integer) → integer`: the number of the bucket that x
//! falls into when `[low, high)` is cut into `count` equal ones; 0 below, `count + 1` from `high` on. With
//! `low` above `high` the buckets run downwards.
//!
//! ```sql
//! select width_bucket(5.35, 0.024, 10.06, 5); -- 3
//! ```

use arrow::array::{Array, AsArray, Int32Array};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WidthBucket {
    signature: Signature,
}

impl Default for WidthBucket {
    fn default() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

/// The bucket of a value.
fn bucket(x: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    if count <= 0 {
        return exec_err!("count must be greater than zero");
    }
    if x.is_nan() || low.is_nan() || high.is_nan() {
        return exec_err!("operand, lower bound, and upper bound cannot be NaN");
    }
    if !low.is_finite() || !high.is_finite() {
        return exec_err!("lower and upper bounds must be finite");
    }
    if low == high {
        return exec_err!("lower bound cannot equal upper bound");
    }
    // Downwards is upwards with every sign changed.
    let (x, low, high) = if low < high {
        (x, low, high)
    } else {
        (-x, -low, -high)
    };
    if x < low {
        return Ok(0);
    }
    if x >= high {
        return match count.checked_add(1) {
            Some(last) => Ok(last),
            None => exec_err!("integer out of range"),
        };
    }
    // Halves keep the span of huge bounds finite; rounding may not lead past the last bucket.
    let part = (x / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
    Ok(((part * f64::from(count)) as i32).min(count - 1) + 1)
}

impl ScalarUDFImpl for WidthBucket {
    fn name(&self) -> &str {
        "width_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let number = |t: &DataType| t.is_numeric() || t.is_null();
        if arg_types.len() != 4 || !arg_types.iter().all(number) {
            return plan_err!("width_bucket takes three numbers and an integer");
        }
        Ok(vec![
            DataType::Float64,
            DataType::Float64,
            DataType::Float64,
            DataType::Int32,
        ])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<_> = args
            .args
            .iter()
            .map(|a| a.to_array(args.number_rows))
            .collect::<Result<_>>()?;
        let [x, low, high, count] = arrays.as_slice() else {
            return exec_err!("width_bucket takes three numbers and an integer");
        };
        let (x, low) = (
            x.as_primitive::<Float64Type>(),
            low.as_primitive::<Float64Type>(),
        );
        let (high, count) = (
            high.as_primitive::<Float64Type>(),
            count.as_primitive::<Int32Type>(),
        );
        let row = |row: usize| -> Result<Option<i32>> {
            if x.is_null(row) || low.is_null(row) || high.is_null(row) || count.is_null(row) {
                return Ok(None);
            }
            bucket(
                x.value(row),
                low.value(row),
                high.value(row),
                count.value(row),
            )
            .map(Some)
        };
        let buckets: Int32Array = (0..x.len()).map(row).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(buckets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that PostgreSQL 15 gives.
    #[test]
    fn buckets() {
        for (x, low, high, count, want) in [
            (5.35, 0.024, 10.06, 5, 3),
            (0.0, 0.024, 10.06, 5, 0),
            (10.06, 0.024, 10.06, 5, 6),
            (f64::INFINITY, 0.0, 1.0, 5, 6),
            (9.0, 10.0, 0.0, 10, 2),
            (10.0, 10.0, 0.0, 10, 1),
            (0.0, 10.0, 0.0, 10, 11),
            (1.0, -f64::MAX, f64::MAX, 2, 2),
        ] {
            assert_eq!(
                bucket(x, low, high, count).unwrap(),
                want,
                "{x} {low} {high} {count}"
            );
        }
        assert!(bucket(1.0, 2.0, 2.0, 3).is_err());
        assert!(bucket(1.0, 2.0, 3.0, 0).is_err());
    }
}
