//! The form of most functions here: a name, the types it takes, the type it gives, and a body over whole columns.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a function does with its arguments as columns of one length.
pub type Body = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// A function of one result type.
#[derive(Debug)]
pub struct Plain {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    body: Body,
}

impl Plain {
    /// A function that takes any of some lists of types.
    pub fn udf(
        name: &'static str,
        takes: Vec<Vec<DataType>>,
        returns: DataType,
        body: Body,
    ) -> Arc<ScalarUDF> {
        let types = takes
            .into_iter()
            .map(|types| match types.is_empty() {
                true => TypeSignature::Nullary,
                false => TypeSignature::Exact(types),
            })
            .collect();
        Arc::new(ScalarUDF::new_from_impl(Self {
            name,
            signature: Signature::one_of(types, Volatility::Immutable),
            returns,
            body,
        }))
    }
}

impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.returns == other.returns
    }
}

impl Eq for Plain {}

impl Hash for Plain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Plain {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answer(&args, self.body)
    }
}

/// Runs a body over the arguments as columns; constants give a constant.
pub fn answer(
    args: &ScalarFunctionArgs,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let constant = args
        .args
        .iter()
        .all(|a| matches!(a, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let arrays = args
        .args
        .iter()
        .map(|a| a.to_array(rows))
        .collect::<Result<Vec<_>>>()?;
    let array = body(&arrays)?;
    Ok(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        false => ColumnarValue::Array(array),
    })
}
