//! `chr(integer) → text`: the character of a code point; 54000 for one that text cannot hold.

use super::plain::Plain;
use crate::error::sql_error;
use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The function, in the place of DataFusion's.
pub fn function() -> Arc<ScalarUDF> {
    Plain::udf("chr", vec![vec![DataType::Int64]], DataType::Utf8, |args| {
        let codes = args[0].as_primitive::<Int64Type>();
        let texts = codes.iter().map(|code| code.map(character).transpose());
        Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
    })
}

fn character(code: i64) -> Result<String> {
    let refused = |text: String| sql_error("54000", text);
    if code < 0 {
        return Err(refused("character number must be positive".to_owned()));
    }
    if code == 0 {
        return Err(refused("null character not permitted".to_owned()));
    }
    let found = u32::try_from(code).ok().and_then(char::from_u32);
    found.map(String::from).ok_or_else(|| {
        refused(format!(
            "requested character not valid for encoding: {code}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::character;

    #[test]
    fn knows_its_characters() {
        assert_eq!(character(228).unwrap(), "ä");
        assert!(character(0).is_err() && character(0xD800).is_err() && character(-1).is_err());
    }
}
