//! text and its kin, json, jsonb, uuid and bytea, over every Arrow layout of strings and bytes.

use super::column::Values;
use super::nested::quote;
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use arrow::array::{
    BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray,
    StringArray, StringViewArray,
};
use bytes::{BufMut, BytesMut};

/// What stands in strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// `char(n)`, shown with its n characters
    Padded(u32),
    Uuid,
    Json,
    Jsonb,
}

/// Any array of strings.
pub(super) trait Strings: Send + Sync {
    fn at(&self, row: usize) -> &str;
}

/// Any array of bytes.
pub(super) trait Bytes: Send + Sync {
    fn at(&self, row: usize) -> &[u8];
}

macro_rules! at {
    ($of:ident $item:ty: $($array:ty),*) => {$(
        impl $of for $array {
            #[inline]
            fn at(&self, row: usize) -> &$item {
                self.value(row)
            }
        }
    )*};
}

at!(Strings str: StringArray, LargeStringArray, StringViewArray);
at!(Bytes [u8]: BinaryArray, LargeBinaryArray, BinaryViewArray, FixedSizeBinaryArray);

/// Strings of a kind.
pub(super) struct Texts<A> {
    pub(super) array: A,
    pub(super) kind: Kind,
}

impl<A: Strings> Values for Texts<A> {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let text = self.array.at(row);
        out.put_slice(text.as_bytes());
        if let Kind::Padded(length) = self.kind {
            let missing = (length as usize).saturating_sub(text.chars().count());
            out.put_bytes(b' ', missing);
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        match self.kind {
            Kind::Uuid => {
                let text = self.array.at(row);
                let bytes = parse_uuid(text).ok_or_else(|| invalid_uuid(text))?;
                out.put_slice(&bytes);
                return Ok(());
            }
            // The version of jsonb's form over the wire.
            Kind::Jsonb => out.put_u8(1),
            Kind::Plain | Kind::Padded(_) | Kind::Json => {}
        }
        self.text(row, out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let start = out.len();
        self.text(row, out)?;
        if matches!(self.kind, Kind::Plain | Kind::Padded(_) | Kind::Uuid) {
            quote(start, out);
        }
        Ok(())
    }
}

/// bytea: hex, or octal escapes.
pub(super) struct Blobs<A> {
    pub(super) array: A,
    pub(super) escape: bool,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl<A: Bytes> Values for Blobs<A> {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let bytes = self.array.at(row);
        if !self.escape {
            out.reserve(2 + 2 * bytes.len());
            out.put_slice(b"\\x");
            put_hex(bytes, out);
            return Ok(());
        }
        for byte in bytes {
            match byte {
                b'\\' => out.put_slice(b"\\\\"),
                0x20..=0x7e => out.put_u8(*byte),
                _ => {
                    let octal = [
                        b'\\',
                        b'0' + (byte >> 6),
                        b'0' + (byte >> 3 & 7),
                        b'0' + (byte & 7),
                    ];
                    out.put_slice(&octal);
                }
            }
        }
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(self.array.at(row));
        Ok(())
    }
}

fn put_hex(bytes: &[u8], out: &mut BytesMut) {
    for byte in bytes {
        out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// uuid as its 16 bytes.
pub(super) struct Uuids(pub(super) FixedSizeBinaryArray);

impl Values for Uuids {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        put_uuid(self.0.value(row), out);
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_slice(self.0.value(row));
        Ok(())
    }
}

/// Sixteen bytes in groups of 4, 2, 2, 2 and 6.
pub(super) fn put_uuid(bytes: &[u8], out: &mut BytesMut) {
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.put_u8(b'-');
        }
        put_hex(std::slice::from_ref(byte), out);
    }
}

/// The bytes of a uuid in any of the spellings that PostgreSQL reads.
pub(super) fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text
        .strip_prefix('{')
        .map_or(Some(text), |t| t.strip_suffix('}'))?;
    let mut bytes = [0u8; 16];
    let mut digits = 0;
    for c in text.chars() {
        if c == '-' && digits > 0 && digits % 4 == 0 && digits < 32 {
            continue;
        }
        let digit = c.to_digit(16)? as u8;
        *bytes.get_mut(digits / 2)? |= digit << (4 * (1 - digits % 2));
        digits += 1;
    }
    (digits == 32).then_some(bytes)
}

/// 22P02
pub(super) fn invalid_uuid(text: &str) -> Error {
    let text = format!("invalid input syntax for type uuid: \"{text}\"");
    Error::user(SqlState::INVALID_TEXT_REPRESENTATION, text)
}
