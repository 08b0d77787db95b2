//! `quote_nullable(anyelement) → text`: the value as an SQL literal; NULL gives the text `NULL`.
//!
//! ```sql
//! select quote_nullable(null); -- NULL
//! ```

use crate::scalar::quote_literal::quoted;
use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct QuoteNullable {
    signature: Signature,
}

impl Default for QuoteNullable {
    fn default() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for QuoteNullable {
    fn name(&self) -> &str {
        "quote_nullable"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [data_type] if !data_type.is_nested() => Ok(vec![DataType::Utf8]),
            _ => plan_err!("quote_nullable takes one value that has a text form"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [arg] = args.args.as_slice() else {
            return exec_err!("quote_nullable takes one argument");
        };
        let texts = cast(&arg.to_array(args.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let quoted: StringArray = texts
            .iter()
            .map(|t| Some(t.map_or_else(|| "NULL".to_owned(), quoted)))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(quoted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        let given = StringArray::from(vec![Some("O'Reilly"), Some("a\\b"), None, Some("")]);
        let got = crate::scalar::run(QuoteNullable::default(), vec![Arc::new(given)]).unwrap();
        let got: Vec<_> = got.as_string::<i32>().iter().collect();
        assert_eq!(
            got,
            [
                Some("'O''Reilly'"),
                Some("E'a\\\\b'"),
                Some("NULL"),
                Some("''")
            ]
        );
    }
}
