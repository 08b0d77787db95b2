//! Constants of a file: arrays that stand in it, and the named attributes of an operator.

use super::proto::{Attribute, Node, Tensor};
use super::{bad, unsupported};
use crate::error::ScoreError;

/// Element types of ONNX that are read, by their numbers in the format.
pub mod element {
    pub const FLOAT: i64 = 1;
    pub const UINT8: i64 = 2;
    pub const INT8: i64 = 3;
    pub const INT16: i64 = 5;
    pub const INT32: i64 = 6;
    pub const INT64: i64 = 7;
    pub const STRING: i64 = 8;
    pub const BOOL: i64 = 9;
    pub const DOUBLE: i64 = 11;

    /// Whether it is a whole number or a boolean.
    pub fn is_whole(element: i64) -> bool {
        matches!(element, UINT8 | INT8 | INT16 | INT32 | INT64 | BOOL)
    }
}

/// The values of an array.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Floats(Vec<f64>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(v) => v.len(),
            Self::Ints(v) => v.len(),
            Self::Texts(v) => v.len(),
        }
    }
}

/// An array of known values.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    pub dims: Vec<i64>,
    pub values: Values,
}

impl Constant {
    /// One dimension of values.
    pub fn list(values: Values) -> Self {
        Self {
            dims: vec![values.len() as i64],
            values,
        }
    }

    /// Reads an array of the file.
    pub fn read(tensor: &Tensor) -> Result<Self, ScoreError> {
        if tensor.data_location != 0 {
            return bad(format!(
                "the values of \"{}\" lie in another file",
                tensor.name
            ));
        }
        let raw = &tensor.raw_data;
        let ints = || tensor.int32_data.iter().map(|v| i64::from(*v)).collect();
        let values = match i64::from(tensor.data_type) {
            element::FLOAT if raw.is_empty() => {
                Values::Floats(tensor.float_data.iter().map(|v| f64::from(*v)).collect())
            }
            element::FLOAT => Values::Floats(words(raw, |b| f64::from(f32::from_le_bytes(b)))?),
            element::DOUBLE if raw.is_empty() => Values::Floats(tensor.double_data.clone()),
            element::DOUBLE => Values::Floats(words(raw, f64::from_le_bytes)?),
            element::INT64 if raw.is_empty() => Values::Ints(tensor.int64_data.clone()),
            element::INT64 => Values::Ints(words(raw, i64::from_le_bytes)?),
            whole if element::is_whole(whole) && raw.is_empty() => Values::Ints(ints()),
            element::INT32 => Values::Ints(words(raw, |b| i64::from(i32::from_le_bytes(b)))?),
            element::INT16 => Values::Ints(words(raw, |b| i64::from(i16::from_le_bytes(b)))?),
            element::INT8 => Values::Ints(words(raw, |b| i64::from(i8::from_le_bytes(b)))?),
            element::UINT8 | element::BOOL => {
                Values::Ints(raw.iter().map(|b| i64::from(*b)).collect())
            }
            element::STRING => Values::Texts(texts(&tensor.string_data)?),
            other => return unsupported(format!("constants of ONNX's element type {other}")),
        };
        let constant = Self::list(values);
        let product = |n: i64, d: &i64| n.checked_mul(*d);
        if tensor.dims.iter().try_fold(1, product) != Some(constant.dims[0]) {
            return bad(format!(
                "\"{}\" has {} values, which is not what its dimensions say",
                tensor.name, constant.dims[0]
            ));
        }
        Ok(Self {
            dims: tensor.dims.clone(),
            ..constant
        })
    }

    /// The numbers of the array.
    pub fn floats(&self) -> Option<Vec<f64>> {
        match &self.values {
            Values::Floats(v) => Some(v.clone()),
            Values::Ints(v) => Some(v.iter().map(|v| *v as f64).collect()),
            Values::Texts(_) => None,
        }
    }

    /// The whole numbers of the array.
    pub fn ints(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Ints(v) => Some(v),
            Values::Floats(_) | Values::Texts(_) => None,
        }
    }
}

/// The little-endian words of raw data.
fn words<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, ScoreError> {
    let (words, rest) = raw.as_chunks::<N>();
    if rest.is_empty() {
        Ok(words.iter().map(|word| read(*word)).collect())
    } else {
        bad("an array ends within a number")
    }
}

/// Texts of the file.
pub fn texts(bytes: &[Vec<u8>]) -> Result<Vec<String>, ScoreError> {
    let text = |b: &Vec<u8>| match std::str::from_utf8(b) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => bad("a text is not UTF-8"),
    };
    bytes.iter().map(text).collect()
}

/// The attributes of an operator by name.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(&'a [Attribute]);

impl<'a> Attributes<'a> {
    pub fn of(node: &'a Node) -> Self {
        Self(&node.attributes)
    }

    /// The attribute of a name.
    pub fn get(self, name: &str) -> Option<&'a Attribute> {
        self.0.iter().find(|a| a.name == name)
    }

    /// A whole number, 0 when it is not given.
    pub fn int(self, name: &str) -> i64 {
        self.int_or(name, 0)
    }

    /// A whole number.
    pub fn int_or(self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |a| a.i)
    }

    /// Whole numbers, none when they are not given.
    pub fn ints(self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |a| a.ints.as_slice())
    }

    /// A word such as `SUM`.
    pub fn word(self, name: &str, default: &'static str) -> &'a str {
        match self.get(name) {
            None => default,
            // What is not UTF-8 is no word that is known.
            Some(a) => std::str::from_utf8(&a.s).unwrap_or(""),
        }
    }

    /// Texts, none when they are not given.
    pub fn texts(self, name: &str) -> Result<Vec<String>, ScoreError> {
        texts(self.get(name).map_or(&[], |a| a.strings.as_slice()))
    }

    /// An array.
    pub fn tensor(self, name: &str) -> Result<Option<Constant>, ScoreError> {
        let tensor = self.get(name).and_then(|a| a.t.as_ref());
        tensor.map(Constant::read).transpose()
    }

    /// Numbers, given as `name` in single precision or as the array `name_as_tensor`.
    pub fn numbers(self, name: &str) -> Result<Vec<f64>, ScoreError> {
        let list = self.get(name).map_or(&[][..], |a| a.floats.as_slice());
        let array = self.tensor(&format!("{name}_as_tensor"))?;
        match array {
            None => Ok(list.iter().map(|v| f64::from(*v)).collect()),
            Some(_) if !list.is_empty() => bad(format!("{name} is given twice")),
            Some(array) => match array.floats() {
                Some(numbers) => Ok(numbers),
                None => bad(format!("{name} are not numbers")),
            },
        }
    }
}
