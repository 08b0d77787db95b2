//! Floating point as text: the shortest digits that read back the same, in PostgreSQL's notation.

use crate::scalar::plain::Plain;
use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion_expr::ScalarUDF;
use std::fmt::LowerExp;
use std::sync::Arc;

/// The cast of real and double precision to text.
pub fn text() -> Arc<ScalarUDF> {
    let takes = vec![vec![DataType::Float64], vec![DataType::Float32]];
    Plain::udf("float_text", takes, DataType::Utf8, |args| {
        let texts: StringArray = match args[0].as_primitive_opt::<Float32Type>() {
            Some(reals) => reals.iter().map(|v| v.map(|v| shown(v, 6))).collect(),
            None => {
                let doubles = args[0].as_primitive::<Float64Type>();
                doubles.iter().map(|v| v.map(|v| shown(v, 15))).collect()
            }
        };
        Ok(Arc::new(texts))
    })
}

/// A number as C's `%g` shows it; from the exponent `limit` on with an exponent.
fn shown<F: LowerExp + Into<f64> + Copy>(value: F, limit: i32) -> String {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        let sign = if wide == f64::NEG_INFINITY { "-" } else { "" };
        let name = if wide.is_nan() { "NaN" } else { "Infinity" };
        return format!("{sign}{name}");
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest.replace('.', "")),
        None => ("", mantissa.replace('.', "")),
    };
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits:0<whole$}");
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn notation_follows_the_exponent() {
        for (value, text) in [
            (100.0, "100"),
            (-0.0, "-0"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (-0.000_012_5, "-1.25e-05"),
            (1.5e300, "1.5e+300"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(shown(value, 15), text);
        }
        assert_eq!(shown(0.1_f32, 6), "0.1");
        assert_eq!(shown(1e6_f32, 6), "1e+06");
    }
}
