//! `encode(bytea, 'escape')` and `decode(text, 'escape')`, which plans call `encode_escape` and `decode_escape`.
//!
//! Bytes that are no ASCII characters, and zero, are written as a backslash and three octal digits; a backslash is
//! doubled. Source: `esc_encode` in PostgreSQL's `encode.c`.

use super::plain::Plain;
use crate::error::sql_error;
use arrow::array::{AsArray, BinaryArray, StringArray};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::ScalarUDF;
use std::sync::Arc;

/// The functions.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let (text, bytes) = (DataType::Utf8, DataType::Binary);
    vec![
        Plain::udf(
            "encode_escape",
            vec![vec![bytes.clone()]],
            text.clone(),
            |args| {
                let texts = args[0].as_binary::<i32>().iter().map(|b| b.map(encoded));
                Ok(Arc::new(texts.collect::<StringArray>()))
            },
        ),
        Plain::udf("decode_escape", vec![vec![text]], bytes, |args| {
            let texts = args[0].as_string::<i32>().iter();
            let bytes = texts.map(|text| text.map(decoded).transpose());
            let bytes = bytes.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(BinaryArray::from_iter(bytes)))
        }),
    ]
}

fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            1..=127 => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    let wrong = || sql_error("22P02", "invalid input syntax for type bytea");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.filter(|b| (b'0'..=b'7').contains(b)).map(|b| b - b'0');
        match bytes.next() {
            Some(b'\\') => out.push(b'\\'),
            first => {
                let digits = digit(first)
                    .zip(digit(bytes.next()))
                    .zip(digit(bytes.next()));
                let ((a, b), c) = digits.filter(|((a, _), _)| *a < 4).ok_or_else(wrong)?;
                out.push(a * 64 + b * 8 + c);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{decoded, encoded};

    #[test]
    fn goes_there_and_back() {
        let bytes = [0, b'a', b'\\', 255];
        assert_eq!(encoded(&bytes), "\\000a\\\\\\377");
        assert_eq!(decoded(&encoded(&bytes)).unwrap(), bytes);
        assert!(decoded("\\9").is_err());
    }
}
