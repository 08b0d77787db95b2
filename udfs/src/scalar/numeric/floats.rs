//! Division and logarithms of double precision with PostgreSQL's errors, where IEEE has infinities.

use crate::error::sql_error;
use crate::number::zero_divisor;
use crate::scalar::plain::Plain;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::{arity, numeric};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The logarithms, in the place of DataFusion's.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    use DataType::Float64;
    vec![
        Plain::udf("ln", vec![vec![Float64]], Float64, |args| {
            logarithm(&args[0], f64::ln)
        }),
        Plain::udf("log10", vec![vec![Float64]], Float64, |args| {
            logarithm(&args[0], f64::log10)
        }),
        Plain::udf(
            "log",
            vec![vec![Float64], vec![Float64, Float64]],
            Float64,
            |args| match args {
                [base, value] => {
                    let (base, value) = (logarithm(base, f64::ln)?, logarithm(value, f64::ln)?);
                    quotient(&[value, base])
                }
                _ => logarithm(&args[0], f64::log10),
            },
        ),
        Plain::udf("sqrt", vec![vec![Float64]], Float64, |args| {
            checked(&args[0], |x| match x < 0.0 {
                true => Err(("2201F", "cannot take square root of a negative number")),
                false => Ok(x.sqrt()),
            })
        }),
    ]
}

/// `a / b` of double precision: 22012 for a divisor of zero. For plans; it has no name in SQL.
pub fn division() -> Arc<ScalarUDF> {
    use DataType::Float64;
    Plain::udf("float_div", vec![vec![Float64, Float64]], Float64, quotient)
}

fn quotient(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (left, right) = (&args[0], &args[1]);
    let divisor = right.as_primitive::<Float64Type>();
    // Divisors are looked through one by one only when one of them is zero.
    if divisor.values().contains(&0.0) {
        let dividend = left.as_primitive::<Float64Type>();
        let zero = (0..divisor.len()).any(|i| {
            divisor.is_valid(i)
                && divisor.value(i) == 0.0
                && dividend.is_valid(i)
                && !dividend.value(i).is_nan()
        });
        if zero {
            return Err(zero_divisor());
        }
    }
    Ok(numeric::div(left, right)?)
}

fn logarithm(array: &ArrayRef, log: fn(f64) -> f64) -> Result<ArrayRef> {
    checked(array, |x| {
        if x == 0.0 {
            Err(("2201E", "cannot take logarithm of zero"))
        } else if x < 0.0 {
            Err(("2201E", "cannot take logarithm of a negative number"))
        } else {
            Ok(log(x))
        }
    })
}

fn checked(
    array: &ArrayRef,
    function: impl Fn(f64) -> std::result::Result<f64, (&'static str, &'static str)>,
) -> Result<ArrayRef> {
    let result = arity::try_unary::<Float64Type, _, Float64Type>(array.as_primitive(), |x| {
        function(x)
            .map_err(|(state, text)| ArrowError::ExternalError(Box::new(sql_error(state, text))))
    })?;
    Ok(Arc::new(result))
}
