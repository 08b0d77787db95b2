//! Structs and maps, which go over the wire as json, and how text is quoted within JSON.

use super::column::{Column, Values};
use super::{Format, Style};
use alcedo_engine::{Error, Result};
use alcedo_sql::types::SqlType;
use arrow::array::{MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use bytes::{BufMut, BytesMut};

/// A struct as an object.
pub(super) struct Structs {
    /// `"name":` of each field.
    keys: Vec<BytesMut>,
    columns: Vec<Column>,
}

impl Structs {
    pub(super) fn new(
        array: &StructArray,
        fields: &[(String, SqlType)],
        style: &Style,
    ) -> Result<Self> {
        if fields.len() != array.num_columns() {
            return Err(Error::internal("a struct has other fields than its type"));
        }
        let mut keys = Vec::with_capacity(fields.len());
        let mut columns = Vec::with_capacity(fields.len());
        for ((name, ty), column) in fields.iter().zip(array.columns()) {
            let mut key = BytesMut::from(name.as_bytes());
            quote(0, &mut key);
            key.put_u8(b':');
            keys.push(key);
            columns.push(Column::new(column, ty, Format::Text, style)?);
        }
        Ok(Self { keys, columns })
    }
}

impl Values for Structs {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        for (i, (key, column)) in self.keys.iter().zip(&self.columns).enumerate() {
            if i > 0 {
                out.put_u8(b',');
            }
            out.put_slice(key);
            column.json(row, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// A map as an object; keys are written as text.
pub(super) struct Maps {
    offsets: OffsetBuffer<i32>,
    keys: Column,
    values: Column,
}

impl Maps {
    pub(super) fn new(
        array: &MapArray,
        key: &SqlType,
        value: &SqlType,
        style: &Style,
    ) -> Result<Self> {
        Ok(Self {
            offsets: array.offsets().clone(),
            keys: Column::new(array.keys(), key, Format::Text, style)?,
            values: Column::new(array.values(), value, Format::Text, style)?,
        })
    }
}

impl Values for Maps {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        // Offsets of a valid array are not negative and ascend.
        let range = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        for (i, at) in range.enumerate() {
            if i > 0 {
                out.put_u8(b',');
            }
            let start = out.len();
            self.keys.text(at, out)?;
            quote(start, out);
            out.put_u8(b':');
            self.values.json(at, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        self.text(row, out)
    }
}

/// Makes a JSON string of the text from `start` to the end of the buffer.
pub(super) fn quote(start: usize, out: &mut BytesMut) {
    let text = out.split_off(start);
    out.put_u8(b'"');
    for byte in text.iter() {
        match byte {
            b'"' => out.put_slice(b"\\\""),
            b'\\' => out.put_slice(b"\\\\"),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            0x08 => out.put_slice(b"\\b"),
            0x0c => out.put_slice(b"\\f"),
            0..=0x1f => out.put_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.put_u8(*byte),
        }
    }
    out.put_u8(b'"');
}
