//! Parameters that are arrays: `{1,NULL,"a b"}` with nesting, and the binary form of one dimension.

use super::{Reading, column as values_column, invalid_binary};
use crate::encode::Format;
use alcedo_engine::types::arrow_type;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use arrow::array::{ArrayRef, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use bytes::Buf;
use std::borrow::Cow;
use std::sync::Arc;

/// Lists of one type: the elements of all become one column.
pub(super) fn column(
    ty: &SqlType,
    element: &SqlType,
    values: &[Option<&[u8]>],
    how: Reading<'_>,
) -> Result<ArrayRef> {
    let mut elements: Vec<Option<Cow<'_, [u8]>>> = Vec::new();
    let mut lengths = Vec::with_capacity(values.len());
    for value in values {
        let before = elements.len();
        match (value, how.format) {
            (None, _) => {}
            (Some(value), Format::Text) => {
                let text = super::scalar::text(value)?;
                let nested = matches!(element, SqlType::Array(_));
                split(text, nested, &mut elements).ok_or_else(|| malformed(text))?;
            }
            (Some(value), Format::Binary) => split_binary(value, element, &mut elements)?,
        }
        lengths.push(elements.len() - before);
    }
    let slices: Vec<Option<&[u8]>> = elements.iter().map(Option::as_deref).collect();
    let child = values_column(element, &slices, how)?;
    let DataType::List(field) = arrow_type(ty) else {
        return Err(Error::internal("an array is not kept as a list"));
    };
    let nulls: NullBuffer = values
        .iter()
        .map(Option::is_some)
        .collect::<Vec<_>>()
        .into();
    let list = ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        child,
        Some(nulls),
    )
    .map_err(|e| Error::internal(format!("elements do not make a list: {e}")))?;
    Ok(Arc::new(list))
}

fn malformed(text: &str) -> Error {
    let message = format!("malformed array literal: \"{text}\"");
    Error::user(SqlState::INVALID_TEXT_REPRESENTATION, message).detail(
        "Array value must start with \"{\" and end with \"}\", with elements between commas.",
    )
}

/// The elements of a literal; inner arrays, where they are expected, stay literals.
fn split<'t>(text: &'t str, nested: bool, elements: &mut Vec<Option<Cow<'t, [u8]>>>) -> Option<()> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let bytes = inner.as_bytes();
    if inner.trim().is_empty() {
        return Some(());
    }
    let mut at = 0;
    loop {
        at += bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        match bytes.get(at)? {
            b'{' if nested => {
                let end = at + closing(&bytes[at..])?;
                elements.push(Some(Cow::Borrowed(&bytes[at..end])));
                at = end;
            }
            b'"' if !nested => {
                let (element, end) = quoted(bytes, at + 1)?;
                elements.push(Some(Cow::Owned(element)));
                at = end;
            }
            _ => {
                let (element, end) = bare(bytes, at)?;
                let null = element.eq_ignore_ascii_case(b"null");
                if nested && !null {
                    return None;
                }
                elements.push((!null).then_some(Cow::Owned(element)));
                at = end;
            }
        }
        at += bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
        match bytes.get(at) {
            None => return Some(()),
            Some(b',') => at += 1,
            Some(_) => return None,
        }
    }
}

/// Length of the array literal at the start.
fn closing(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0;
    let mut in_quotes = false;
    let mut escaped = false;
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b'{' if !in_quotes => depth += 1,
            b'}' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// An element up to its closing quote, and the place behind that.
fn quoted(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut element = Vec::new();
    loop {
        match bytes.get(at)? {
            b'"' => return Some((element, at + 1)),
            b'\\' => {
                element.push(*bytes.get(at + 1)?);
                at += 2;
            }
            byte => {
                element.push(*byte);
                at += 1;
            }
        }
    }
}

/// An element without quotes up to the next comma, blanks at its end dropped.
fn bare(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let mut element = Vec::new();
    while let Some(byte) = bytes.get(at).filter(|b| **b != b',') {
        match byte {
            b'{' | b'}' | b'"' => return None,
            b'\\' => {
                at += 1;
                element.push(*bytes.get(at)?);
            }
            byte => element.push(*byte),
        }
        at += 1;
    }
    element.truncate(element.trim_ascii_end().len());
    (!element.is_empty()).then_some((element, at))
}

/// The elements of the binary form.
fn split_binary<'v>(
    mut value: &'v [u8],
    element: &SqlType,
    elements: &mut Vec<Option<Cow<'v, [u8]>>>,
) -> Result<()> {
    if value.len() < 12 {
        return Err(invalid_binary());
    }
    let (dimensions, _has_nulls, oid) = (value.get_i32(), value.get_i32(), value.get_u32());
    check_oid(oid, element)?;
    match dimensions {
        0 => return Ok(()),
        1 => {}
        _ => {
            return Err(Error::unsupported(
                "binary arrays of several dimensions are not supported",
            )
            .hint("Send the array as text."));
        }
    }
    if value.len() < 8 {
        return Err(invalid_binary());
    }
    let (length, _lower_bound) = (value.get_i32(), value.get_i32());
    for _ in 0..length {
        if value.len() < 4 {
            return Err(invalid_binary());
        }
        let size = value.get_i32();
        let Ok(size) = usize::try_from(size) else {
            elements.push(None);
            continue;
        };
        let (item, rest) = value.split_at_checked(size).ok_or_else(invalid_binary)?;
        elements.push(Some(Cow::Borrowed(item)));
        value = rest;
    }
    Ok(())
}

/// The element type that the array itself names must be the expected one; kinds of text are alike.
fn check_oid(oid: u32, element: &SqlType) -> Result<()> {
    let expected = element.oids().0;
    let textual = |oid: u32| matches!(oid, 19 | 25 | 705 | 1042 | 1043);
    if oid == expected || (textual(oid) && textual(expected)) {
        return Ok(());
    }
    let text = format!("binary data has array element type {oid} instead of expected {expected}");
    Err(Error::user(SqlState::DATATYPE_MISMATCH, text))
}
