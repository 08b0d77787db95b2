//! `predict_proba(m, …) > 0.9` as one function: scoring ends for rows whose answer is certain.
//!
//! The bound is brought back through the objective's transform to a raw score, once. Only transforms that never
//! decrease are taken, so raw scores clearly below and clearly above it decide by themselves; between them, in a band
//! that is much wider than any rounding, the output is computed and compared as written. So the answer is that of the
//! plain expression for every row.
//!
//! Bounds of the raw scores of many rows say the same of all of them at once: [`Compared::may_hold`].

use super::function::{Predict, answer};
use super::monotone::Monotone;
use crate::score::Limits;
use crate::score::known::Known;
use arrow::array::BooleanArray;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::Result as PlanResult;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// On which side of the bound an output must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Side {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Side {
    fn holds(self, output: f64, bound: f64) -> bool {
        // As Arrow compares: NaN is the greatest.
        let order = output.total_cmp(&bound);
        match self {
            Self::Above => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
            Self::Below => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        })
    }
}

impl Predict {
    /// The function that says whether this call's output is on a side of a bound; of the same arguments. `None` when
    /// the output is not one number that grows or falls with one raw score.
    pub fn compared(&self, side: Side, bound: f64) -> Option<ScalarUDF> {
        let call = Monotone::of(self).filter(|_| !bound.is_nan())?;
        Some(ScalarUDF::new_from_impl(Compared {
            name: format!("{} {side} {bound}", self.name),
            limits: call.limits(bound),
            call,
            side,
            bound,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }
}

/// A comparison of a call's output with a constant.
#[derive(Debug)]
pub struct Compared {
    name: String,
    call: Monotone,
    side: Side,
    bound: f64,
    limits: Limits,
    signature: Signature,
}

impl Compared {
    /// The comparison that a function is, if it is one.
    pub fn of(function: &ScalarUDF) -> Option<&Self> {
        function.inner().downcast_ref()
    }

    /// The call whose output is compared; the arguments are its.
    pub fn call(&self) -> &Predict {
        self.call.call()
    }

    /// Whether the comparison can hold for a row whose features are `known`, an entry per feature of the model. False
    /// is certain; true also stands for not knowing.
    pub fn may_hold(&self, known: &[Known]) -> bool {
        let Some(bounds) = self.call.call().scorer().bounds(known) else {
            return true;
        };
        let (below, above) = self.outside();
        // Comparisons with NaN decide nothing.
        match () {
            () if bounds.high < self.limits.low => below,
            () if bounds.low > self.limits.high => above,
            () => true,
        }
    }

    /// Whether [`Self::may_hold`] is worth asking: it has bounds for a row of zeros.
    pub fn is_bounded(&self) -> bool {
        // One row takes one way through each tree: that is asked fast.
        let row = vec![Known::value(0.0); self.call.call().model.features().len()];
        self.call.call().scorer().bounds(&row).is_some()
    }

    /// The answers for raw scores below and above the limits.
    fn outside(&self) -> (bool, bool) {
        let (mut first, mut last) = (f64::NEG_INFINITY, f64::INFINITY);
        if self.call.decreasing {
            std::mem::swap(&mut first, &mut last);
        }
        let holds = |output: f64| self.side.holds(output, self.bound);
        (holds(first), holds(last))
    }

    fn answers(&self, scores: &[f64]) -> BooleanArray {
        let (below, above) = self.outside();
        let holds = |raw: &f64| {
            if *raw < self.limits.low {
                below
            } else if *raw > self.limits.high {
                above
            } else {
                self.side.holds(self.call.output(*raw), self.bound)
            }
        };
        scores.iter().map(|raw| Some(holds(raw))).collect()
    }
}

impl PartialEq for Compared {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call
            && self.side == other.side
            && self.bound.to_bits() == other.bound.to_bits()
    }
}

impl Eq for Compared {}

impl Hash for Compared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.call, self.side, self.bound.to_bits()).hash(state);
    }
}

impl ScalarUDFImpl for Compared {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> PlanResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> PlanResult<DataType> {
        self.call.call().return_type(arg_types)?;
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> PlanResult<FieldRef> {
        self.call.call().return_field_from_args(args)?;
        Ok(Arc::new(Field::new(&self.name, DataType::Boolean, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let (scores, constant) = self
            .call
            .scores(&args.args, args.number_rows, self.limits)?;
        answer(Arc::new(self.answers(&scores)), constant)
    }
}
