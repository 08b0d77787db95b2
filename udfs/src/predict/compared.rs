//! `predict_proba(m, …) > 0.9` as one function: scoring ends for rows whose answer is certain.
//!
//! The bound is brought back through the objective's transform to a raw score, once. Only transforms that never
//! decrease are taken, so raw scores clearly below and clearly above it decide by themselves; between them, in a band
//! that is much wider than any rounding, the output is computed and compared as written. So the answer is that of the
//! plain expression for every row.
//!
//! Bounds of the raw scores of many rows say the same of all of them at once: [`Compared::may_hold`].
//!
//! Where the outputs of the rows that pass are needed, [`Scored`] gives them; the others need no exact score.

use super::function::{Predict, answer};
use super::monotone::Monotone;
use super::scored::Scored;
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
            of_rows: true,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }
}

/// A comparison of a call's output with a constant.
#[derive(Debug, Clone)]
pub struct Compared {
    pub(super) name: String,
    pub(super) call: Monotone,
    side: Side,
    bound: f64,
    limits: Limits,
    of_rows: bool,
    pub(super) signature: Signature,
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

    /// Whether it is of each row; one of row groups alone is true of every row.
    pub fn is_of_rows(&self) -> bool {
        self.of_rows
    }

    /// The same comparison for a scan that leaves rows to others: [`Self::may_hold`] is all that is left of it.
    pub fn of_row_groups(&self) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            of_rows: false,
            ..self.clone()
        })
    }

    /// The function that gives the call's output where the comparison holds, and NULL elsewhere; of the same arguments.
    pub fn scored(&self) -> ScalarUDF {
        ScalarUDF::new_from_impl(Scored::new(self.clone()))
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

    /// The limits outside of which no row passes.
    pub(super) fn limits_of_passing(&self) -> Limits {
        let (below, above) = self.outside();
        Limits {
            low: if below {
                f64::NEG_INFINITY
            } else {
                self.limits.low
            },
            high: if above {
                f64::INFINITY
            } else {
                self.limits.high
            },
        }
    }

    /// The output of a raw score, if the comparison holds for it.
    pub(super) fn passing(&self, raw: f64) -> Option<f64> {
        let output = self.call.output(raw);
        self.side.holds(output, self.bound).then_some(output)
    }
}

impl PartialEq for Compared {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call
            && self.of_rows == other.of_rows
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
        if !self.of_rows {
            return Ok(ColumnarValue::Scalar(true.into()));
        }
        let (scores, constant) = self
            .call
            .scores(&args.args, args.number_rows, self.limits)?;
        answer(Arc::new(self.answers(&scores)), constant)
    }
}
