//! `quote_literal(anyelement) → text`: the value as an SQL literal; NULL gives NULL.
//!
//! ```sql
//! select quote_literal('O''Reilly'); -- 'O''Reilly'
//! ```

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// A text as an SQL literal: quotes are doubled; with a backslash in it, it is an escape string.
pub fn quoted(text: &str) -> String {
    let body = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", body.replace('\\', "\\\\"))
    } else {
        format!("'{body}'")
    }
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct QuoteLiteral {
    signature: Signature,
}

impl Default for QuoteLiteral {
    fn default() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for QuoteLiteral {
    fn name(&self) -> &str {
        "quote_literal"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [data_type] if !data_type.is_nested() => Ok(vec![DataType::Utf8]),
            _ => plan_err!("quote_literal takes one value that has a text form"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [arg] = args.args.as_slice() else {
            return exec_err!("quote_literal takes one argument");
        };
        let texts = cast(&arg.to_array(args.number_rows)?, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let quoted: StringArray = texts.iter().map(|t| t.map(quoted)).collect();
        Ok(ColumnarValue::Array(Arc::new(quoted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        let given = StringArray::from(vec![Some("O'Reilly"), Some("a\\b"), None, Some("")]);
        let got = crate::scalar::run(QuoteLiteral::default(), vec![Arc::new(given)]).unwrap();
        let got: Vec<_> = got.as_string::<i32>().iter().collect();
        assert_eq!(
            got,
            [Some("'O''Reilly'"), Some("E'a\\\\b'"), None, Some("''")]
        );
    }
}
