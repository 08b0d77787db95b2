//! `round`, `trunc`, `ceil` and `floor`: numeric gives numeric with the places asked for, all else double precision.
//!
//! ```sql
//! select round(2.345, 2), round(2.5::float8), trunc(-2.7); -- 2.35, 2, -2
//! ```
//!
//! Numeric rounds half away from zero, double precision half to even, as `dround` and `numeric_round` do.

use crate::number::{PRECISION, decimal_of, rescaled};
use crate::scalar::plain::answer;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::{cast, unary};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

/// The functions, in the place of DataFusion's.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    [Kind::Round, Kind::Trunc, Kind::Ceil, Kind::Floor]
        .into_iter()
        .map(|kind| {
            Arc::new(ScalarUDF::new_from_impl(Rounding {
                kind,
                aliases: match kind {
                    Kind::Ceil => vec!["ceiling".to_owned()],
                    _ => Vec::new(),
                },
                signature: Signature::user_defined(Volatility::Immutable),
            }))
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Round,
    Trunc,
    Ceil,
    Floor,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounding {
    kind: Kind,
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Rounding {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Round => "round",
            Kind::Trunc => "trunc",
            Kind::Ceil => "ceil",
            Kind::Floor => "floor",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let places = matches!(self.kind, Kind::Round | Kind::Trunc);
        let value = match types {
            [value] => value,
            [value, n] if places && (n.is_integer() || n.is_null()) => value,
            _ => return self.mismatch(types),
        };
        let value = match (value, types.len()) {
            (DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..), _) => {
                decimal_of(value).map(|(p, s)| DataType::Decimal128(p, s))
            }
            // With places it is a function of numeric only, which integers become and floats are taken for.
            (ty, 2) if ty.is_integer() => decimal_of(ty).map(|(p, s)| DataType::Decimal128(p, s)),
            (ty, _) if ty.is_numeric() || ty.is_null() => Some(DataType::Float64),
            _ => None,
        };
        let Some(value) = value else {
            return self.mismatch(types);
        };
        Ok(std::iter::once(value)
            .chain(types.get(1).map(|_| DataType::Int64))
            .collect())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type of {} depends on its arguments", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let ty = match args.arg_fields[0].data_type() {
            DataType::Decimal128(_, scale) => {
                let scale = match (args.arg_fields.len(), args.scalar_arguments.get(1)) {
                    (1, _) => 0,
                    (_, Some(Some(ScalarValue::Int64(Some(n))))) => shown(*n),
                    _ => *scale,
                };
                DataType::Decimal128(PRECISION, scale)
            }
            _ => DataType::Float64,
        };
        Ok(Arc::new(Field::new(self.name(), ty, true)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let kind = self.kind;
        let scale = match args.return_field.data_type() {
            DataType::Decimal128(_, scale) => Some(*scale),
            _ => None,
        };
        answer(&args, |arrays| {
            let places = match arrays.get(1) {
                Some(places) => Some(cast(places, &DataType::Int64)?),
                None => None,
            };
            match scale {
                Some(scale) => decimals(kind, &arrays[0], places.as_ref(), scale),
                None => Ok(floats(kind, &arrays[0], places.as_ref())),
            }
        })
    }
}

impl Rounding {
    fn mismatch<T>(&self, types: &[DataType]) -> Result<T> {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        plan_err!(
            "No function matches the given name and argument types '{}({})'.",
            self.name(),
            types.join(", ")
        )
    }
}

/// The scale of a result with `n` places.
fn shown(n: i64) -> i8 {
    i8::try_from(n.clamp(0, 37)).unwrap_or(0)
}

fn decimals(
    kind: Kind,
    array: &ArrayRef,
    places: Option<&ArrayRef>,
    scale: i8,
) -> Result<ArrayRef> {
    let from = match array.data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    };
    let values = array.as_primitive::<Decimal128Type>();
    let places = places.map(|p| p.as_primitive::<Int64Type>());
    let result = (0..values.len()).map(|row| {
        if values.is_null(row) || places.is_some_and(|p| p.is_null(row)) {
            return Ok(None);
        }
        let n = places.map_or(0, |p| p.value(row)).clamp(-38, 37);
        let n = i8::try_from(n).unwrap_or(0);
        let value = values.value(row);
        // Away go the places, then the result's scale comes.
        let kept = n.min(from);
        let short = match kind {
            Kind::Round => rescaled(value, from, kept),
            Kind::Trunc => Some(floored(value.abs(), from, kept) * value.signum()),
            Kind::Floor => Some(floored(value, from, kept)),
            Kind::Ceil => Some(-floored(-value, from, kept)),
        };
        short
            .and_then(|short| rescaled(short, kept, scale))
            .map_or_else(|| Err(crate::number::overflow()), crate::number::checked)
            .map(Some)
    });
    let result = result.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(result.with_precision_and_scale(PRECISION, scale)?))
}

/// The greatest value of a smaller scale that is not greater.
fn floored(value: i128, from: i8, to: i8) -> i128 {
    let places = u32::from((i16::from(from) - i16::from(to)).max(0).unsigned_abs());
    match crate::number::power_of_ten(places) {
        Some(power) => value.div_euclid(power),
        None => -i128::from(value < 0),
    }
}

fn floats(kind: Kind, array: &ArrayRef, places: Option<&ArrayRef>) -> ArrayRef {
    let whole = |x: f64| match kind {
        Kind::Round => x.round_ties_even(),
        Kind::Trunc => x.trunc(),
        Kind::Ceil => x.ceil(),
        Kind::Floor => x.floor(),
    };
    let values = array.as_primitive::<Float64Type>();
    let Some(places) = places else {
        return Arc::new(unary::<Float64Type, _, Float64Type>(values, whole));
    };
    let places = places.as_primitive::<Int64Type>();
    let result = values.iter().zip(places).map(|(x, n)| {
        let (x, n) = (x?, n?);
        let power = 10_f64.powi(i32::try_from(n.clamp(-308, 308)).unwrap_or(0));
        // Half away from zero, as this has always been for double precision, which PostgreSQL does not take.
        let moved = x * power;
        let whole = match kind {
            Kind::Round => moved.round(),
            _ => whole(moved),
        };
        Some(if moved.is_finite() { whole / power } else { x })
    });
    Arc::new(result.collect::<arrow::array::Float64Array>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_below_zero() {
        assert_eq!(floored(-21, 1, 0), -3);
        assert_eq!(floored(21, 1, 0), 2);
        assert_eq!(floored(-5, 60, 0), -1);
    }
}
