//! Quotients and products of numeric with the scale that a plan has chosen for them, and `div(numeric, numeric)`.

use crate::number::{
    PRECISION, QUOTIENT_SCALE, decimal_of, divided, narrowed, overflow, zero_divisor,
};
use crate::scalar::plain::answer;
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::try_binary;
use arrow::datatypes::{DataType, Decimal128Type, i256};
use arrow::error::ArrowError;
use datafusion_common::{DataFusionError, Result, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Scales of products above this one cost the digits before the point.
const PRODUCT_SCALE: i8 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Divide,
    Multiply,
    /// The quotient without its fraction.
    Truncate,
}

/// An operation on two numeric values whose result has one scale.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    operation: Operation,
    scale: i8,
    signature: Signature,
}

impl Arithmetic {
    fn new(operation: Operation, scale: i8) -> Self {
        Self {
            operation,
            scale,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    /// `a / b` at a scale; `None` for types that are not numeric, or both integer.
    pub fn quotient(left: &DataType, right: &DataType, scale: Option<i8>) -> Option<Self> {
        let ((_, s1), (_, s2)) = numeric(left, right)?;
        let scale = scale.unwrap_or(QUOTIENT_SCALE.max(s1).max(s2));
        Some(Self::new(Operation::Divide, scale))
    }

    /// `a * b` where the exact scale would leave too few digits before the point; `None` where it does not.
    pub fn product(left: &DataType, right: &DataType) -> Option<Self> {
        let ((p1, s1), (p2, s2)) = numeric(left, right)?;
        let exact = s1.checked_add(s2)?;
        let scale = PRODUCT_SCALE.max(s1).max(s2);
        (p1 + p2 > PRECISION && exact > scale).then(|| Self::new(Operation::Multiply, scale))
    }

    /// `div(a, b)`
    pub fn truncated() -> Self {
        Self::new(Operation::Truncate, 0)
    }
}

/// Precision and scale of both sides when one at least is numeric and none is of floating point.
fn numeric(left: &DataType, right: &DataType) -> Option<((u8, i8), (u8, i8))> {
    let decimal = |ty: &DataType| !ty.is_integer();
    let both = (decimal_of(left)?, decimal_of(right)?);
    (decimal(left) || decimal(right)).then_some(both)
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Divide => "numeric_div",
            Operation::Multiply => "numeric_mul",
            Operation::Truncate => "div",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let decimal = |ty: &DataType| match ty {
            DataType::Null => Some(DataType::Decimal128(PRECISION, 0)),
            other => decimal_of(other).map(|(p, s)| DataType::Decimal128(p.min(PRECISION), s)),
        };
        match types {
            [left, right] => match (decimal(left), decimal(right)) {
                (Some(left), Some(right)) => Ok(vec![left, right]),
                _ => plan_err!("No function matches {}({left}, {right})", self.name()),
            },
            _ => plan_err!("No function matches {}", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(PRECISION, self.scale))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scale = self.scale;
        let operation = self.operation;
        answer(&args, |arrays| {
            let (s1, s2) = (scale_of(&arrays[0]), scale_of(&arrays[1]));
            let (left, right) = (
                arrays[0].as_primitive::<Decimal128Type>(),
                arrays[1].as_primitive::<Decimal128Type>(),
            );
            let result = try_binary::<_, _, _, Decimal128Type>(left, right, |l, r| {
                match operation {
                    Operation::Divide => divided((l, s1), (r, s2), scale),
                    Operation::Multiply => product(l, r, s1 + s2 - scale),
                    Operation::Truncate => truncated((l, s1), (r, s2)),
                }
                .map_err(|e| ArrowError::ExternalError(Box::new(e)))
            })?;
            Ok(Arc::new(result.with_precision_and_scale(PRECISION, scale)?) as ArrayRef)
        })
    }
}

fn scale_of(array: &ArrayRef) -> i8 {
    match array.data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

/// A product without its last places, half away from zero.
fn product(left: i128, right: i128, places: i8) -> Result<i128> {
    let divisor = 10_i128.pow(places.unsigned_abs().into());
    if let Some(exact) = left.checked_mul(right) {
        return Ok(crate::number::rounded(exact, divisor));
    }
    let exact = i256::from_i128(left).wrapping_mul(i256::from_i128(right));
    let half = i256::from_i128(
        if exact.is_negative() {
            -divisor
        } else {
            divisor
        } / 2,
    );
    let rounded = exact
        .checked_add(half)
        .and_then(|sum| sum.checked_div(i256::from_i128(divisor)));
    narrowed(rounded.ok_or_else(overflow)?)
}

fn truncated((left, s1): (i128, i8), (right, s2): (i128, i8)) -> Result<i128> {
    if right == 0 {
        return Err(zero_divisor());
    }
    let power = |n: i8| i256::from_i128(10).checked_pow(n.max(0).unsigned_abs().into());
    let wide = |value: i128, places: i8| -> Option<i256> {
        i256::from_i128(value).checked_mul(power(places)?)
    };
    let quotient = wide(left, s2 - s1)
        .zip(wide(right, s1 - s2))
        .and_then(|(l, r)| l.checked_div(r));
    narrowed(quotient.ok_or_else::<DataFusionError, _>(overflow)?)
}
