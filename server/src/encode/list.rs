//! Arrays: `{1,2,NULL,"a b"}` in text, dimensions and elements in binary; lists of lists are dimensions.

use super::column::{Column, Values};
use super::{Format, Style};
use alcedo_engine::{Error, Result};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use arrow::array::{Array, AsArray, ListArray};
use arrow::buffer::OffsetBuffer;
use bytes::{BufMut, BytesMut};

/// Lists with the encoder of their elements.
pub(super) struct Lists {
    offsets: OffsetBuffer<i32>,
    element: Element,
}

enum Element {
    /// Another dimension, with the nulls of the inner lists.
    Lists(Box<Lists>, Option<arrow::buffer::NullBuffer>),
    Values {
        text: Column,
        binary: Column,
        oid: u32,
    },
}

impl Lists {
    pub(super) fn new(array: &ListArray, element: &SqlType, style: &Style) -> Result<Self> {
        let values = array.values();
        let inner = match element {
            SqlType::Array(deeper) if values.as_list_opt::<i32>().is_some() => {
                let lists = Lists::new(values.as_list::<i32>(), deeper, style)?;
                Element::Lists(Box::new(lists), values.logical_nulls())
            }
            _ => Element::Values {
                text: Column::new(values, element, Format::Text, style)?,
                binary: Column::new(values, element, Format::Binary, style)?,
                oid: element.oids().0,
            },
        };
        Ok(Self {
            offsets: array.offsets().clone(),
            element: inner,
        })
    }

    /// Rows of the elements that make up the list in a row.
    fn range(&self, row: usize) -> std::ops::Range<usize> {
        // Offsets of a valid array are not negative and ascend.
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// Lengths of the dimensions, from this one inwards; lists that differ in length have none.
    fn dimensions(&self, rows: std::ops::Range<usize>, lengths: &mut Vec<usize>) -> Result<()> {
        let mut all = rows.clone().map(|row| self.range(row).len());
        let first = all.next().unwrap_or(0);
        if all.any(|length| length != first) {
            return Err(ragged());
        }
        lengths.push(first);
        if let (Element::Lists(inner, nulls), Some(last)) = (&self.element, rows.clone().last()) {
            let children = self.range(rows.start).start..self.range(last).end;
            if nulls
                .as_ref()
                .is_some_and(|n| children.clone().any(|row| n.is_null(row)))
            {
                return Err(ragged());
            }
            if !children.is_empty() {
                inner.dimensions(children, lengths)?;
            }
        }
        Ok(())
    }

    /// The innermost elements of some rows, as rows of the innermost column.
    fn innermost(&self, rows: std::ops::Range<usize>) -> (&Column, u32, std::ops::Range<usize>) {
        let children = match rows.clone().last() {
            Some(last) => self.range(rows.start).start..self.range(last).end,
            None => 0..0,
        };
        match &self.element {
            Element::Lists(inner, _) => inner.innermost(children),
            Element::Values { binary, oid, .. } => (binary, *oid, children),
        }
    }
}

impl Values for Lists {
    fn text(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        for (i, at) in self.range(row).enumerate() {
            if i > 0 {
                out.put_u8(b',');
            }
            match &self.element {
                Element::Lists(_, nulls) if nulls.as_ref().is_some_and(|n| n.is_null(at)) => {
                    out.put_slice(b"NULL");
                }
                Element::Lists(inner, _) => inner.text(at, out)?,
                Element::Values { text, .. } if text.is_null(at) => out.put_slice(b"NULL"),
                Element::Values { text, .. } => {
                    let start = out.len();
                    text.text(at, out)?;
                    quote_element(start, out);
                }
            }
        }
        out.put_u8(b'}');
        Ok(())
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let mut lengths = Vec::new();
        self.dimensions(row..row + 1, &mut lengths)?;
        let (elements, oid, range) = self.innermost(row..row + 1);
        if range.is_empty() {
            lengths.clear();
        }
        out.put_i32(lengths.len() as i32);
        out.put_i32(i32::from(range.clone().any(|at| elements.is_null(at))));
        out.put_u32(oid);
        for length in lengths {
            out.put_i32(length as i32);
            // The lower bound of the dimension.
            out.put_i32(1);
        }
        for at in range {
            elements.append(at, out)?;
        }
        Ok(())
    }

    fn json(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'[');
        for (i, at) in self.range(row).enumerate() {
            if i > 0 {
                out.put_u8(b',');
            }
            match &self.element {
                Element::Lists(_, nulls) if nulls.as_ref().is_some_and(|n| n.is_null(at)) => {
                    out.put_slice(b"null");
                }
                Element::Lists(inner, _) => inner.json(at, out)?,
                Element::Values { text, .. } => text.json(at, out)?,
            }
        }
        out.put_u8(b']');
        Ok(())
    }
}

fn ragged() -> Error {
    Error::user(
        SqlState::DATA_EXCEPTION,
        "lists of different lengths have no binary form as a multidimensional array",
    )
    .hint("Ask for the column in text format.")
}

/// Puts an element's text, from `start` to the end of the buffer, into double quotes where it must.
fn quote_element(start: usize, out: &mut BytesMut) {
    let text = &out[start..];
    let special = |b: &u8| {
        matches!(
            b,
            b'{' | b'}' | b',' | b'"' | b'\\' | b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c
        )
    };
    if !text.is_empty() && !text.iter().any(special) && !text.eq_ignore_ascii_case(b"null") {
        return;
    }
    let text = out.split_off(start);
    out.put_u8(b'"');
    for byte in text.iter() {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
