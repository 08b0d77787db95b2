//! Types that are kept as text of one form: uuid in small letters with its dashes, json that can be read, jsonb with
//! PostgreSQL's blanks.

use crate::error::{Error, Result};
use crate::query::error::into_datafusion;
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The texts in the form of their type.
///
/// # Errors
/// 22P02 for a text that has none.
pub fn formed(array: &ArrayRef, ty: &SqlType) -> Result<ArrayRef> {
    match ty {
        SqlType::Uuid => texts(array, |text| match uuid::Uuid::try_parse(text) {
            Ok(uuid) => Ok(uuid.to_string()),
            Err(_) => Err(invalid("uuid", text)),
        }),
        SqlType::Json => {
            let mut texts = array.as_string::<i32>().iter().flatten();
            texts.try_for_each(json)?;
            Ok(Arc::clone(array))
        }
        SqlType::Jsonb => texts(array, |text| json(text).map(|()| spaced(text))),
        _ => Ok(Arc::clone(array)),
    }
}

fn texts(array: &ArrayRef, form: impl Fn(&str) -> Result<String>) -> Result<ArrayRef> {
    let formed = array
        .as_string::<i32>()
        .iter()
        .map(|v| v.map(&form).transpose());
    Ok(Arc::new(formed.collect::<Result<StringArray>>()?))
}

fn invalid(ty: &str, text: &str) -> Error {
    Error::user(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!("invalid input syntax for type {ty}: \"{text}\""),
    )
}

/// 22P02 for a text that is not JSON.
fn json(text: &str) -> Result<()> {
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| {
            let error = Error::user(
                SqlState::INVALID_TEXT_REPRESENTATION,
                "invalid input syntax for type json",
            );
            error.detail(format!("{e}."))
        })
}

/// JSON with the blanks that PostgreSQL's jsonb shows: one behind each comma and colon.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            out.push(c);
        } else if !c.is_ascii_whitespace() {
            quoted = c == '"';
            out.push(c);
            if matches!(c, ',' | ':') {
                out.push(' ');
            }
        }
    }
    out
}

/// The cast of a text to such a type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ToForm {
    ty: SqlType,
    field: FieldRef,
    signature: Signature,
}

impl ToForm {
    pub(super) fn new(ty: SqlType, field: FieldRef) -> Self {
        Self {
            ty,
            field,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for ToForm {
    fn name(&self) -> &str {
        "to_form"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef, DataFusionError> {
        Ok(Arc::clone(&self.field))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let form = |array: &ArrayRef| -> Result<ArrayRef, DataFusionError> {
            let texts = cast(array, &DataType::Utf8)?;
            formed(&texts, &self.ty).map_err(into_datafusion)
        };
        Ok(match &args.args[0] {
            ColumnarValue::Array(array) => ColumnarValue::Array(form(array)?),
            ColumnarValue::Scalar(value) => {
                let array = form(&value.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
            }
        })
    }
}
