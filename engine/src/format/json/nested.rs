//! Arrays, objects and maps: values that hold values.

use super::column::{Values, offsets, put};
use super::lexer::{Kind, Lexer, Raw};
use super::number::not;
use super::text::unescaped;
use crate::error::{Error, Result};
use crate::format::Fault;
use datafusion::arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::DataType;
use std::collections::HashMap;
use std::sync::Arc;

/// Adds an array, an object or a map.
pub(super) fn nested_value(
    build: bool,
    values: &mut Values,
    bytes: &[u8],
    raw: Raw,
) -> Result<(), Fault> {
    match values {
        Values::Array { ends, items } => {
            if raw.kind != Kind::Array {
                return Err(not("an array", bytes, raw));
            }
            Lexer::at(bytes, raw).array(|item| items.append(bytes, item))?;
            put(build, ends, items.rows() as i32);
        }
        Values::Struct { fields, columns } => {
            if raw.kind != Kind::Object {
                return Err(not("an object", bytes, raw));
            }
            fields.read(bytes, &mut Lexer::at(bytes, raw))?;
            for (i, column) in columns.iter_mut().enumerate() {
                column
                    .append(bytes, fields.value(i))
                    .map_err(|fault| within(fields.name(i), &fault))?;
            }
        }
        Values::Map { ends, keys, values } => {
            if raw.kind != Kind::Object {
                return Err(not("an object", bytes, raw));
            }
            let mut entries: Vec<(Raw, Raw)> = Vec::new();
            let mut places: HashMap<String, usize> = HashMap::new();
            Lexer::at(bytes, raw).object(|key, value| {
                let place = *places
                    .entry(unescaped(bytes, key)?.into_owned())
                    .or_insert(entries.len());
                // Of equal keys the last counts.
                match entries.get_mut(place) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key, value)),
                }
                Ok(())
            })?;
            for (key, value) in entries {
                keys.append(bytes, key)?;
                values.append(bytes, value)?;
            }
            put(build, ends, keys.rows() as i32);
        }
        _ => {}
    }
    Ok(())
}

#[cold]
fn within(field: &str, fault: &str) -> Fault {
    format!("field \"{field}\": {fault}").into()
}

/// Arrays of nested values.
pub(super) fn nested_array(
    values: &mut Values,
    ty: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let wrong = |e| Error::internal(format!("a column of a source does not fit its type: {e}"));
    let missing = || Error::internal("a nested column was not built");
    Ok(match (values, ty) {
        (Values::Array { ends, items }, DataType::List(field)) => {
            let items = items.finish()?.ok_or_else(missing)?;
            Arc::new(
                ListArray::try_new(Arc::clone(field), offsets(ends), items, nulls)
                    .map_err(wrong)?,
            )
        }
        (Values::Struct { columns, .. }, DataType::Struct(fields)) => {
            let arrays = columns.iter_mut().map(|c| c.finish()?.ok_or_else(missing));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            let built = StructArray::try_new_with_length(fields.clone(), arrays, nulls, rows);
            Arc::new(built.map_err(wrong)?)
        }
        (Values::Map { ends, keys, values }, DataType::Map(entries, sorted)) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(missing());
            };
            let arrays = vec![
                keys.finish()?.ok_or_else(missing)?,
                values.finish()?.ok_or_else(missing)?,
            ];
            let pairs = StructArray::try_new(fields.clone(), arrays, None).map_err(wrong)?;
            let built =
                MapArray::try_new(Arc::clone(entries), offsets(ends), pairs, nulls, *sorted);
            Arc::new(built.map_err(wrong)?)
        }
        _ => return Err(missing()),
    })
}
