//! The function that a call of `predict` and its kin becomes, and what plans make of it: fewer inputs, fewer nodes.

use super::{Output, PinnedModel, external};
use crate::error::ScoreError;
use crate::score::Scorer;
use crate::score::features::{Column, Features};
use crate::score::known::Known;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result as PlanResult, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A function of the model's inputs, in the model's order, that gives `output`. `unique_name` must differ from that of
/// every other function of the statement; several calls may be of this one. Fails when the model has no such output.
pub fn predict_udf(
    model: &Arc<PinnedModel>,
    output: Output,
    unique_name: &str,
) -> Result<ScalarUDF, ScoreError> {
    Ok(ScalarUDF::new_from_impl(Predict {
        name: unique_name.to_owned(),
        output,
        data_type: model.output_type(output)?,
        inputs: (0..model.features().len()).collect(),
        restricted: None,
        model: Arc::clone(model),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// One pinned call.
#[derive(Debug, Clone)]
pub struct Predict {
    pub(super) name: String,
    pub(super) output: Output,
    pub(super) data_type: DataType,
    pub(super) model: Arc<PinnedModel>,
    /// Which feature each argument is.
    inputs: Arc<[usize]>,
    /// Stands for the model's scorer in rows of which something is known.
    restricted: Option<Restricted>,
    pub(super) signature: Signature,
}

#[derive(Debug, Clone)]
struct Restricted {
    known: Arc<[Known]>,
    scorer: Arc<dyn Scorer>,
}

impl Predict {
    /// The call that a function is, if it is one.
    pub fn of(function: &ScalarUDF) -> Option<&Self> {
        function.inner().downcast_ref()
    }

    /// The model.
    pub fn model(&self) -> &Arc<PinnedModel> {
        &self.model
    }

    /// What the call gives.
    pub fn output(&self) -> Output {
        self.output
    }

    /// Which feature each argument is.
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// Whether it is for some rows only.
    pub fn is_restricted(&self) -> bool {
        self.restricted.is_some()
    }

    /// The same call for rows of which `known` is true, an entry per feature of the model; `shown` says so in plans.
    /// `None` when that saves no work.
    pub fn restricted(&self, known: &[Known], shown: &str) -> Option<Self> {
        let made = self.model.restricted(known)?;
        let name = format!(
            "{} where {shown}, {} of {} nodes",
            self.name, made.nodes, made.nodes_before
        );
        Some(Self {
            name,
            restricted: Some(Restricted {
                known: known.into(),
                scorer: made.scorer,
            }),
            ..self.clone()
        })
    }

    /// The same call without arguments that do not matter and are `removable`, and the places of the others among
    /// the arguments so far. `None` when none can go.
    pub fn narrowed(&self, removable: impl Fn(usize) -> bool) -> Option<(Self, Vec<usize>)> {
        let scorer = self.scorer();
        let kept: Vec<usize> = (0..self.inputs.len())
            .filter(|arg| scorer.uses(self.inputs[*arg]) || !removable(*arg))
            .collect();
        if kept.len() == self.inputs.len() {
            return None;
        }
        let inputs: Arc<[usize]> = kept.iter().map(|arg| self.inputs[*arg]).collect();
        let name = format!(
            "{}, {} of {} features",
            self.name,
            kept.len(),
            self.model.features().len()
        );
        Some((
            Self {
                name,
                inputs,
                ..self.clone()
            },
            kept,
        ))
    }

    fn known(&self) -> Option<&[Known]> {
        self.restricted.as_ref().map(|r| r.known.as_ref())
    }

    /// What scores.
    pub(super) fn scorer(&self) -> &dyn Scorer {
        self.shared_scorer().as_ref()
    }

    /// What scores, to be kept.
    pub(super) fn shared_scorer(&self) -> &Arc<dyn Scorer> {
        match &self.restricted {
            Some(restricted) => &restricted.scorer,
            None => self.model.scorer(),
        }
    }

    /// The arguments as the model's features, and whether all rows are the same one.
    pub(super) fn features(
        &self,
        args: &[ColumnarValue],
        rows: usize,
    ) -> PlanResult<(Features, bool)> {
        let constant = args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)))
            && !self.model.features().is_empty();
        let mut columns = vec![Column::Constant(f64::NAN); self.model.features().len()];
        for (feature, arg) in self.inputs.iter().zip(args) {
            let description = &self.model.features()[*feature];
            columns[*feature] = match arg {
                ColumnarValue::Array(array) => description.read(array).map_err(external)?,
                ColumnarValue::Scalar(value) => {
                    Column::constant(&description.read(&value.to_array()?).map_err(external)?)
                }
            };
        }
        let features = Features::new(columns, if constant { 1 } else { rows }).map_err(external)?;
        Ok((features, constant))
    }

    fn check(&self, types: &[&DataType]) -> PlanResult<()> {
        if self.inputs.len() == self.model.features().len() {
            return self.model.check(types).map_err(external);
        }
        // Made of a call that was checked.
        Ok(())
    }
}

impl PartialEq for Predict {
    fn eq(&self, other: &Self) -> bool {
        self.output == other.output
            && self.name == other.name
            && self.inputs == other.inputs
            && self.known() == other.known()
            && Arc::ptr_eq(&self.model, &other.model)
    }
}

impl Eq for Predict {}

impl Hash for Predict {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, self.output, Arc::as_ptr(&self.model).addr()).hash(state);
    }
}

impl ScalarUDFImpl for Predict {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Every type passes here: an error would lose its kind on the way, [`Self::return_field_from_args`] keeps it.
    fn coerce_types(&self, arg_types: &[DataType]) -> PlanResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> PlanResult<DataType> {
        self.check(&arg_types.iter().collect::<Vec<_>>())?;
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> PlanResult<FieldRef> {
        let types: Vec<&DataType> = args.arg_fields.iter().map(|f| f.data_type()).collect();
        self.check(&types)?;
        Ok(Arc::new(Field::new(
            &self.name,
            self.data_type.clone(),
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let (features, constant) = self.features(&args.args, args.number_rows)?;
        let result = self
            .model
            .run_by(self.scorer(), self.output, &features)
            .map_err(external)?;
        answer(result, constant)
    }
}

/// A result as it goes back to a plan: that of constant arguments is one row for all.
pub(super) fn answer(result: ArrayRef, constant: bool) -> PlanResult<ColumnarValue> {
    if constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &result, 0,
        )?));
    }
    Ok(ColumnarValue::Array(result))
}
