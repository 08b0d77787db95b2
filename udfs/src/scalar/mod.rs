//! SQL functions of one row that DataFusion lacks and Postgres users expect: one file each, this is the list.

pub mod checked;
pub mod chr;
pub mod convert;
pub mod escape;
pub mod length;
pub mod moment;
pub mod num_nonnulls;
pub mod num_nulls;
pub mod numeric;
pub mod plain;
pub mod quote_literal;
pub mod quote_nullable;
pub mod width_bucket;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The functions of this folder.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = checked::all();
    all.extend(moment::all());
    all.extend(numeric::all());
    all.extend(escape::all());
    all.push(chr::function());
    all.extend([
        Arc::new(ScalarUDF::new_from_impl(
            num_nonnulls::NumNonnulls::default(),
        )),
        Arc::new(ScalarUDF::new_from_impl(num_nulls::NumNulls::default())),
        Arc::new(ScalarUDF::new_from_impl(
            quote_literal::QuoteLiteral::default(),
        )),
        Arc::new(ScalarUDF::new_from_impl(
            quote_nullable::QuoteNullable::default(),
        )),
        Arc::new(ScalarUDF::new_from_impl(
            width_bucket::WidthBucket::default(),
        )),
    ]);
    all
}

/// Runs a function the way a query does: for the tests of this folder.
#[cfg(test)]
pub(crate) fn run(
    function: impl datafusion_expr::ScalarUDFImpl + 'static,
    args: Vec<arrow::array::ArrayRef>,
) -> datafusion_common::Result<arrow::array::ArrayRef> {
    use datafusion_expr::{ColumnarValue, ScalarFunctionArgs};
    let rows = args[0].len();
    let types: Vec<_> = args.iter().map(|a| a.data_type().clone()).collect();
    let field = |t: &arrow::datatypes::DataType| {
        Arc::new(arrow::datatypes::Field::new("x", t.clone(), true))
    };
    let function = ScalarUDF::new_from_impl(function);
    let args = ScalarFunctionArgs {
        arg_fields: types.iter().map(field).collect(),
        return_field: field(&function.return_type(&types)?),
        args: args.into_iter().map(ColumnarValue::Array).collect(),
        number_rows: rows,
        config_options: Arc::default(),
    };
    function.invoke_with_args(args)?.into_array(rows)
}
