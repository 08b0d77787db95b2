//! `length(text) → integer` counts characters, `length(bytea)` bytes.

use super::plain::answer;
use arrow::compute::cast;
use arrow::compute::kernels::length::length;
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Length {
    characters: Arc<ScalarUDF>,
    signature: Signature,
}

impl Length {
    /// A function that leaves text to `character_length`.
    pub fn new(characters: Arc<ScalarUDF>) -> Self {
        Self {
            characters,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [text @ (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)] => {
                Ok(vec![text.clone()])
            }
            [DataType::Null] => Ok(vec![DataType::Utf8]),
            [DataType::Dictionary(_, value)] => Ok(vec![value.as_ref().clone()]),
            [
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_),
            ] => Ok(vec![DataType::Binary]),
            _ => {
                let types: Vec<String> = types.iter().map(ToString::to_string).collect();
                plan_err!(
                    "No function matches the given name and argument types 'length({})'.",
                    types.join(", ")
                )
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let text = match args.first() {
            Some(arg) => matches!(
                info.get_data_type(arg)?,
                DataType::Utf8 | DataType::Utf8View
            ),
            None => false,
        };
        if !text {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let call = ScalarFunction::new_udf(Arc::clone(&self.characters), args);
        Ok(ExprSimplifyResult::Simplified(Expr::ScalarFunction(call)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args[0].data_type() != DataType::Binary {
            return self.characters.invoke_with_args(args);
        }
        answer(&args, |arrays| {
            Ok(cast(&length(&arrays[0])?, &DataType::Int32)?)
        })
    }
}
