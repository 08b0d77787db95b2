//! Values without what stands beside their Arrow type: a cast of the planner's own keeps it, so that a uuid cast to
//! text would be shown as a uuid, and a numeric of any scale cast to `numeric(20,5)` without its zeros.

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// Its argument, as its Arrow type alone says.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PlainType {
    signature: Signature,
}

impl Default for PlainType {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for PlainType {
    fn name(&self) -> &str {
        "plain_type"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let argument = &args.arg_fields[0];
        let (ty, nullable) = (argument.data_type().clone(), argument.is_nullable());
        Ok(Arc::new(Field::new(self.name(), ty, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => exec_err!("plain_type takes one argument"),
        }
    }
}
