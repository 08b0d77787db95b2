//! What tests of functions of models need: a model of a forest, and a call of a function.

use super::{ModelSpec, PinnedModel};
use crate::score::forest::Forest;
use arrow::datatypes::{DataType, Field};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl};
use std::sync::Arc;

/// The first version of a model.
pub fn model(name: &str, forest: Forest) -> Arc<PinnedModel> {
    let spec = ModelSpec {
        name: name.to_owned(),
        version: 1,
        features: None,
        labels: None,
    };
    Arc::new(PinnedModel::new(Arc::new(forest), spec).unwrap())
}

/// What a function gives for so many rows of these arguments.
pub fn run(function: &dyn ScalarUDFImpl, args: Vec<ColumnarValue>, rows: usize) -> ColumnarValue {
    let field = |t| Arc::new(Field::new("x", t, true));
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let return_field = field(function.return_type(&types).unwrap());
    let call = ScalarFunctionArgs {
        arg_fields: types.into_iter().map(field).collect(),
        args,
        number_rows: rows,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    };
    function.invoke_with_args(call).unwrap()
}
