//! The messages of an ONNX file, as far as they are read: field numbers as the published `onnx.proto` has them.
//!
//! Fields that are not declared are skipped by the decoder. Decoding makes a struct of every message, however
//! short it is in the file, so [`decode`] counts the messages first: memory stays proportional to the file.

use prost::Message;

/// Most messages of a file; trees are lists of numbers inside few of them.
const MESSAGES_MAX: usize = 1_000_000;

/// The file.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
}

/// What is computed.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub initializers: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub inputs: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub outputs: Vec<ValueInfo>,
}

/// A call of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(string, repeated, tag = "1")]
    pub inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub outputs: Vec<String>,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attributes: Vec<Attribute>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A named constant of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<Tensor>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
}

/// A constant array.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// An input or output of the graph.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub value_type: Option<ValueType>,
}

/// The type of a value; only tensors are looked into.
#[derive(Clone, PartialEq, Message)]
pub struct ValueType {
    #[prost(message, optional, tag = "1")]
    pub tensor: Option<TensorType>,
}

/// The type of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    #[prost(int32, tag = "1")]
    pub element: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// Lengths of the dimensions.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub dims: Vec<Dimension>,
}

/// A length; `None` when it is not fixed.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub length: Option<i64>,
}

/// What can stand below a message, as far as it is decoded: field numbers of messages and what those hold.
struct Nested(&'static [(u64, Nested)]);

const TENSOR: Nested = Nested(&[]);
const VALUE_INFO: Nested = Nested(&[(
    2,
    Nested(&[(1, Nested(&[(2, Nested(&[(1, Nested(&[]))]))]))]),
)]);
const GRAPH: Nested = Nested(&[
    (1, Nested(&[(5, Nested(&[(5, TENSOR)]))])),
    (5, TENSOR),
    (11, VALUE_INFO),
    (12, VALUE_INFO),
]);
const MODEL: Nested = Nested(&[(7, GRAPH)]);

/// Decodes a file; says what is wrong otherwise.
pub fn decode(bytes: &[u8]) -> Result<Model, String> {
    let mut messages = 0;
    count(bytes, &MODEL, &mut messages).ok_or("the file is damaged or cut off")?;
    if messages > MESSAGES_MAX {
        return Err(format!("the file has more than {MESSAGES_MAX} messages"));
    }
    Model::decode(bytes).map_err(|_| "the file is damaged or cut off".to_owned())
}

/// Whether the bytes begin as a file does: known fields up to the graph, of which the first bytes may be all there is.
pub fn looks_like_model(mut bytes: &[u8]) -> bool {
    while let Some((number, wire)) = key(&mut bytes) {
        match (number, wire) {
            (7, Wire::Length) => return varint(&mut bytes).is_some(),
            (1 | 5, Wire::Varint) | (2..=4 | 6 | 8 | 14 | 20 | 25 | 26, Wire::Length) => {
                if skip(&mut bytes, wire).is_none() {
                    return false;
                }
            }
            _ => return false,
        }
    }
    false
}

/// Counts the messages below one; `None` when the bytes are no message. The depth is that of `nested`.
fn count(mut bytes: &[u8], nested: &Nested, messages: &mut usize) -> Option<()> {
    while !bytes.is_empty() {
        let (number, wire) = key(&mut bytes)?;
        let inner = skip(&mut bytes, wire)?;
        if wire == Wire::Length
            && let Some((_, below)) = nested.0.iter().find(|(n, _)| *n == number)
        {
            *messages += 1;
            count(inner, below, messages)?;
        }
    }
    Some(())
}

/// How a field's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint,
    Eight,
    Length,
    Four,
}

/// Takes a field's number and wire type.
fn key(bytes: &mut &[u8]) -> Option<(u64, Wire)> {
    let key = varint(bytes)?;
    let wire = match key & 7 {
        0 => Wire::Varint,
        1 => Wire::Eight,
        2 => Wire::Length,
        5 => Wire::Four,
        _ => return None,
    };
    Some((key >> 3, wire))
}

/// Takes a field's value; what comes back are its bytes.
fn skip<'a>(bytes: &mut &'a [u8], wire: Wire) -> Option<&'a [u8]> {
    let length = match wire {
        Wire::Varint => return varint(bytes).map(|_| &bytes[..0]),
        Wire::Eight => 8,
        Wire::Four => 4,
        Wire::Length => usize::try_from(varint(bytes)?).ok()?,
    };
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let model = Model {
            ir_version: 8,
            graph: Some(Graph::default()),
        };
        let bytes = model.encode_to_vec();
        assert!(looks_like_model(&bytes));
        assert_eq!(decode(&bytes), Ok(model));
        assert!(looks_like_model(b"\x08\x04\x12\x02ab\x3a\x50"));
        for other in [
            &b"tree\nversion=v4\n"[..],
            b"",
            b"\x08",
            b"\x08\x04",
            b"{\"a\": 1}",
            b"\x89PNG\r\n",
            b"not a model at all",
        ] {
            assert!(!looks_like_model(other), "{other:?}");
        }
    }

    #[test]
    fn small_messages_do_not_multiply() {
        let mut graph = [0x0a, 0x00].repeat(MESSAGES_MAX + 1);
        let mut bytes = vec![0x08, 0x08, 0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.append(&mut graph);
        assert!(decode(&bytes).unwrap_err().contains("messages"));
    }
}
