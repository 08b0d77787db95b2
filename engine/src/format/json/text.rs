//! JSON strings into text and bytes.

use super::lexer::{Kind, Raw};
use crate::format::Fault;
use std::borrow::Cow;

/// The text of a string, without its escapes.
pub(super) fn unescaped<'a>(bytes: &'a [u8], raw: Raw) -> Result<Cow<'a, str>, Fault> {
    let text = utf8(raw.of(bytes))?;
    if raw.kind != Kind::Escaped {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        // The lexer has seen that escapes are whole.
        let code = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        out.push(match code {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => character(&mut rest)?,
            other => char::from(other),
        });
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The character whose digits stand at the front, with the second half of a surrogate pair.
fn character(rest: &mut &str) -> Result<char, Fault> {
    let lone = || Fault::from("half a surrogate pair is no character");
    let code = match unit(rest).ok_or_else(lone)? {
        0 => return Err("the character \\u0000 cannot be in text".into()),
        first @ 0xd800..0xdc00 => {
            *rest = rest.strip_prefix("\\u").ok_or_else(lone)?;
            let second = unit(rest)
                .filter(|s| (0xdc00..0xe000).contains(s))
                .ok_or_else(lone)?;
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        }
        other => other,
    };
    char::from_u32(code).ok_or_else(lone)
}

/// Takes four hexadecimal digits.
fn unit(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}

/// Bytes of a record as text; the record was checked as a whole.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| "not valid UTF-8".into())
}

/// Bytes from hexadecimal after `\x`, else from base64 (either alphabet, padding optional).
pub(super) fn binary(text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let before = out.len();
    let done = match text.strip_prefix("\\x") {
        Some(digits) => hexadecimal(digits.as_bytes(), out),
        None => base64(text.as_bytes(), out),
    };
    done.ok_or_else(|| {
        out.truncate(before);
        "neither base64 nor hexadecimal after \\x".into()
    })
}

fn hexadecimal(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let value = |b: u8| char::from(b).to_digit(16);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    for pair in digits.chunks_exact(2) {
        out.push((value(pair[0])? << 4 | value(pair[1])?) as u8);
    }
    Some(())
}

fn base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let padding = text.iter().rev().take_while(|b| **b == b'=').count();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    let digits = &text[..text.len() - padding];
    if digits.len() % 4 == 1 {
        return None;
    }
    for group in digits.chunks(4) {
        let mut word = 0u32;
        for (i, b) in group.iter().enumerate() {
            let value = match b {
                b'A'..=b'Z' => b - b'A',
                b'a'..=b'z' => b - b'a' + 26,
                b'0'..=b'9' => b - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            word |= u32::from(value) << (18 - 6 * i);
        }
        out.extend_from_slice(&word.to_be_bytes()[1..group.len()]);
    }
    Some(())
}

/// The base64 of bytes, with padding.
pub(super) fn to_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=group.len()].copy_from_slice(group);
        let word = u32::from_be_bytes(word);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= group.len() { digit } else { b'=' });
        }
    }
}
