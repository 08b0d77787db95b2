//! `checked_add`, `checked_sub` and `checked_mul`: integer arithmetic that refuses to overflow.
//!
//! The engine puts them in the place of `+`, `-` and `*` on integers, after their operands have one type,
//! because DataFusion's operators wrap around in silence where Postgres raises 22003:
//!
//! ```sql
//! select 2147483647 + 1; -- ERROR:  integer out of range
//! ```
//!
//! The names are internal; the texts are Postgres' own.

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The three functions.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    [Checked::Add, Checked::Sub, Checked::Mul]
        .into_iter()
        .map(udf)
        .collect()
}

fn udf(operation: Checked) -> Arc<ScalarUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Arithmetic {
        operation,
        signature,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Checked {
    Add,
    Sub,
    Mul,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    operation: Checked,
    signature: Signature,
}

/// The error of a result that its type cannot hold.
pub fn out_of_range(data_type: &DataType) -> ArrowError {
    let name = match data_type {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        _ => "bigint",
    };
    ArrowError::ArithmeticOverflow(format!("{name} out of range"))
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operation {
            Checked::Add => "checked_add",
            Checked::Sub => "checked_sub",
            Checked::Mul => "checked_mul",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [left, right] if left == right && left.is_integer() => Ok(arg_types.to_vec()),
            [left, right] if whole(left) && whole(right) => Ok(vec![DataType::Int64; 2]),
            _ => plan_err!("{} takes two integers", self.name()),
        }
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [left, _] => Ok(left.clone()),
            _ => plan_err!("{} takes two integers", self.name()),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return exec_err!("{} takes two integers", self.name());
        };
        let operation = match self.operation {
            Checked::Add => numeric::add,
            Checked::Sub => numeric::sub,
            Checked::Mul => numeric::mul,
        };
        let run = |left: &dyn Datum, right: &dyn Datum| -> Result<ArrayRef> {
            operation(left, right).map_err(|e| match e {
                ArrowError::ArithmeticOverflow(_) => {
                    out_of_range(args.return_field.data_type()).into()
                }
                other => other.into(),
            })
        };
        Ok(match (left, right) {
            (ColumnarValue::Array(l), ColumnarValue::Array(r)) => ColumnarValue::Array(run(l, r)?),
            (ColumnarValue::Array(l), ColumnarValue::Scalar(r)) => {
                ColumnarValue::Array(run(l, &r.to_scalar()?)?)
            }
            (ColumnarValue::Scalar(l), ColumnarValue::Array(r)) => {
                ColumnarValue::Array(run(&l.to_scalar()?, r)?)
            }
            (ColumnarValue::Scalar(l), ColumnarValue::Scalar(r)) => {
                let value = run(&l.to_scalar()?, &r.to_scalar()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&value, 0)?)
            }
        })
    }
}

fn whole(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_null()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int32Array};
    use arrow::datatypes::{Field, Int32Type};
    use datafusion_common::config::ConfigOptions;

    fn call(
        operation: Checked,
        left: ColumnarValue,
        right: ColumnarValue,
    ) -> Result<ColumnarValue> {
        let data_type = left.data_type();
        let field = Arc::new(Field::new("x", data_type, true));
        udf(operation).invoke_with_args(ScalarFunctionArgs {
            args: vec![left, right],
            arg_fields: vec![field.clone(), field.clone()],
            number_rows: 2,
            return_field: field,
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    #[test]
    fn adds_and_refuses_to_overflow() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let one = || ColumnarValue::Scalar(ScalarValue::Int32(Some(1)));
        let sum = call(Checked::Add, ColumnarValue::Array(column), one()).unwrap();
        let sum = sum.into_array(2).unwrap();
        assert_eq!(
            sum.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
            [Some(2), None]
        );
        for (value, operation, text) in [
            (
                ScalarValue::Int16(Some(i16::MAX)),
                Checked::Add,
                "smallint out of range",
            ),
            (
                ScalarValue::Int32(Some(i32::MAX)),
                Checked::Add,
                "integer out of range",
            ),
            (
                ScalarValue::Int64(Some(i64::MIN)),
                Checked::Add,
                "bigint out of range",
            ),
            (
                ScalarValue::Int64(Some(i64::MIN)),
                Checked::Mul,
                "bigint out of range",
            ),
        ] {
            let value = || ColumnarValue::Scalar(value.clone());
            let error = call(operation, value(), value()).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
            assert!(call(Checked::Sub, value(), value()).is_ok());
        }
    }
}
