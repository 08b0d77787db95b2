//! Text cut to its type's length, as an explicit cast to `varchar(n)` or `char(n)` does. Blanks at the end of a
//! `char(n)` mean nothing: they are left out here and put back where the value is shown.

use crate::scalar::plain::answer;
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::Result;
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The cast to a text of limited length.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ToLength {
    field: FieldRef,
    length: usize,
    /// `char(n)`
    padded: bool,
    signature: Signature,
}

impl ToLength {
    /// A cast to at most `length` characters; `field` is its result.
    pub fn new(field: FieldRef, length: u32, padded: bool) -> Self {
        Self {
            field,
            length: usize::try_from(length).unwrap_or(usize::MAX),
            padded,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }

    fn cut<'a>(&self, text: &'a str) -> &'a str {
        let end = text.char_indices().nth(self.length).map(|(at, _)| at);
        let cut = &text[..end.unwrap_or(text.len())];
        if self.padded {
            cut.trim_end_matches(' ')
        } else {
            cut
        }
    }
}

impl ScalarUDFImpl for ToLength {
    fn name(&self) -> &str {
        "to_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        answer(&args, |arrays| {
            let texts = cast(&arrays[0], &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            let fits = (0..texts.len()).all(|row| {
                texts.is_null(row) || self.cut(texts.value(row)).len() == texts.value(row).len()
            });
            if fits {
                return Ok(Arc::new(texts.clone()) as ArrayRef);
            }
            let cut = texts.iter().map(|text| text.map(|text| self.cut(text)));
            Ok(Arc::new(cut.collect::<StringArray>()) as ArrayRef)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Field;

    #[test]
    fn cuts() {
        let field = Arc::new(Field::new("", DataType::Utf8, true));
        let varchar = ToLength::new(Arc::clone(&field), 2, false);
        assert_eq!(varchar.cut("äöü"), "äö");
        assert_eq!(varchar.cut("a "), "a ");
        assert_eq!(ToLength::new(field, 3, true).cut("a    "), "a");
    }
}
