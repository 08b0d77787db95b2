//! `num_nonnulls(VARIADIC "any") → integer`: how many of its arguments are not NULL.
//!
//! ```sql
//! select num_nonnulls(1, null, 'a', null); -- 2
//! ```

use arrow::array::{Array, Int32Array};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NumNonnulls {
    signature: Signature,
}

impl Default for NumNonnulls {
    fn default() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for NumNonnulls {
    fn name(&self) -> &str {
        "num_nonnulls"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if arg_types.is_empty() {
            return plan_err!("num_nonnulls takes at least one argument");
        }
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut counts = vec![0_i32; args.number_rows];
        for array in ColumnarValue::values_to_arrays(&args.args)? {
            let nulls = array.logical_nulls();
            for (row, count) in counts.iter_mut().take(array.len()).enumerate() {
                let null = nulls.as_ref().is_some_and(|n| n.is_null(row));
                *count += i32::from(!null);
            }
        }
        if args
            .args
            .iter()
            .all(|a| matches!(a, ColumnarValue::Scalar(_)))
        {
            let count = counts.first().copied().unwrap_or_default();
            return Ok(ColumnarValue::Scalar(count.into()));
        }
        Ok(ColumnarValue::Array(Arc::new(Int32Array::from(counts))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, StringArray};
    use arrow::datatypes::Int32Type;

    #[test]
    fn counts() {
        let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, None]));
        let b: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some("y"), None]));
        let got = crate::scalar::run(NumNonnulls::default(), vec![a, b]).unwrap();
        assert_eq!(got.as_primitive::<Int32Type>().values(), &[2, 1, 0]);
    }
}
