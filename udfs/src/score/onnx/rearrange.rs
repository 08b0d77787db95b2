//! Operators that move values without computing: picking and joining columns, casts, shapes.

use super::classes::{self, Name};
use super::constant::{Constant, Values, element, texts};
use super::graph::{Call, Inputs, Scores, Value};
use crate::error::ScoreError;
use std::rc::Rc;

/// Constant.
pub fn constant(call: &Call<'_>) -> Result<Value, ScoreError> {
    let attributes = call.attributes;
    if let Some(constant) = attributes.tensor("value")? {
        return Ok(Value::Constant(Rc::new(constant)));
    }
    let [only] = call.node.attributes.as_slice() else {
        return call.refuse();
    };
    let (values, scalar) = match only.name.as_str() {
        "value_float" => (Values::Floats(vec![f64::from(only.f)]), true),
        "value_floats" => {
            let floats = only.floats.iter().map(|v| f64::from(*v)).collect();
            (Values::Floats(floats), false)
        }
        "value_int" => (Values::Ints(vec![only.i]), true),
        "value_ints" => (Values::Ints(only.ints.clone()), false),
        "value_strings" => (Values::Texts(texts(&only.strings)?), false),
        _ => return call.refuse(),
    };
    let mut constant = Constant::list(values);
    if scalar {
        constant.dims.clear();
    }
    Ok(Value::Constant(Rc::new(constant)))
}

/// Columns at some places.
fn pick(call: &Call<'_>, places: &[usize]) -> Result<Value, ScoreError> {
    let picked = match call.input(0)? {
        Value::Inputs(inputs) if !inputs.open => {
            let columns = places.iter().map(|p| inputs.columns.get(*p).cloned());
            let columns: Option<Vec<_>> = columns.collect();
            columns.map(|columns| {
                Value::Inputs(Rc::new(Inputs {
                    columns,
                    ..Inputs::clone(inputs)
                }))
            })
        }
        Value::Scores(scores) => {
            let columns = places
                .iter()
                .map(|p| scores.program.columns.get(*p).cloned());
            let columns: Option<Vec<_>> = columns.collect();
            columns.map(|columns| {
                let mut scores = Scores::clone(scores);
                scores.program.columns = columns;
                Value::Scores(Rc::new(scores))
            })
        }
        _ => None,
    };
    match picked {
        Some(value) => Ok(value),
        None => call.refuse(),
    }
}

/// How many columns a value has.
fn width(value: &Value) -> usize {
    match value {
        Value::Inputs(inputs) => inputs.columns.len(),
        Value::Scores(scores) => scores.program.columns.len(),
        Value::Labels(_) => 1,
        Value::Constant(_) => 0,
    }
}

/// ArrayFeatureExtractor, or Gather along the right axis: columns by a constant, or a list's entries by labels.
pub fn extract(call: &Call<'_>) -> Result<Value, ScoreError> {
    match (call.input(0)?, call.input(1)?) {
        (Value::Constant(list), Value::Labels(labels)) => {
            classes::rename(labels, |name| classes::entry(&list.values, name))
        }
        (value, Value::Constant(places)) => {
            let width = width(value) as i64;
            let place = |at: &i64| usize::try_from(if *at < 0 { at + width } else { *at }).ok();
            let places: Option<Vec<usize>> = places
                .ints()
                .and_then(|places| places.iter().map(place).collect());
            match places {
                Some(places) => pick(call, &places),
                None => call.refuse(),
            }
        }
        _ => call.refuse(),
    }
}

/// Gather.
pub fn gather(call: &Call<'_>) -> Result<Value, ScoreError> {
    let axis = call.attributes.int("axis");
    let right = match call.input(0)? {
        Value::Constant(list) => axis == 0 && list.dims.len() == 1,
        _ => matches!(axis, 1 | -1),
    };
    if right { extract(call) } else { call.refuse() }
}

/// Slice along the columns.
pub fn slice(call: &Call<'_>) -> Result<Value, ScoreError> {
    let (starts, ends) = (call.ints(1, "starts")?, call.ints(2, "ends")?);
    let (axes, steps) = (call.ints(3, "axes")?, call.ints(4, "steps")?);
    let width = width(call.input(0)?) as i64;
    let place =
        |at: i64| if at < 0 { at.saturating_add(width) } else { at }.clamp(0, width) as usize;
    match (
        starts.as_deref(),
        ends.as_deref(),
        axes.as_deref(),
        steps.as_deref(),
    ) {
        (Some([start]), Some([end]), Some([1 | -1]), None | Some([1])) => {
            let places: Vec<usize> = (place(*start)..place(*end)).collect();
            pick(call, &places)
        }
        _ => call.refuse(),
    }
}

/// Concat: columns side by side.
pub fn concat(call: &Call<'_>) -> Result<Value, ScoreError> {
    match call.attributes.int("axis") {
        1 | -1 => concatenate(call),
        _ => call.refuse(),
    }
}

/// Concat, or FeatureVectorizer, whose result is `float`.
pub fn concatenate(call: &Call<'_>) -> Result<Value, ScoreError> {
    match call.input(0)? {
        Value::Inputs(first) => {
            let float = call.node.op_type == "FeatureVectorizer";
            let mut joined = Inputs {
                columns: Vec::new(),
                ..Inputs::clone(first)
            };
            for at in 0..call.inputs.len() {
                match call.input(at)? {
                    Value::Inputs(next)
                        if !next.open && (float || next.element == first.element) =>
                    {
                        joined.columns.extend_from_slice(&next.columns);
                    }
                    _ => return call.refuse(),
                }
            }
            if float {
                as_float(&mut joined);
            }
            Ok(Value::Inputs(Rc::new(joined)))
        }
        Value::Scores(first) => {
            let mut joined = Scores::clone(first);
            for at in 1..call.inputs.len() {
                match call.input(at)? {
                    Value::Scores(next)
                        if next.sources == first.sources
                            && next.program.stages == first.program.stages =>
                    {
                        joined
                            .program
                            .columns
                            .extend_from_slice(&next.program.columns);
                    }
                    _ => return call.refuse(),
                }
            }
            Ok(Value::Scores(Rc::new(joined)))
        }
        _ => call.refuse(),
    }
}

fn as_float(inputs: &mut Inputs) {
    inputs.element = element::FLOAT;
    for column in &mut inputs.columns {
        column.reading.as_float();
    }
}

/// Cast.
pub fn cast(call: &Call<'_>) -> Result<Value, ScoreError> {
    let to = call.attributes.int("to");
    let real = matches!(to, element::FLOAT | element::DOUBLE);
    match call.input(0)? {
        Value::Inputs(inputs) => {
            let mut inputs = Inputs::clone(inputs);
            match to {
                element::FLOAT => as_float(&mut inputs),
                // A `float` stays rounded.
                element::DOUBLE => inputs.element = to,
                element::INT64 if element::is_whole(inputs.element) => inputs.element = to,
                _ => return call.refuse(),
            }
            Ok(Value::Inputs(Rc::new(inputs)))
        }
        Value::Scores(scores) if real => Ok(Value::Scores(Rc::clone(scores))),
        Value::Labels(labels) => classes::rename(labels, |name| match (name, to) {
            (Name::Int(i), element::STRING) => Ok(Name::Text(i.to_string())),
            (Name::Text(_), element::STRING) => Ok(name.clone()),
            (Name::Int(_), element::INT32 | element::INT64) => Ok(name.clone()),
            (Name::Int(_), _) if real => Ok(name.clone()),
            _ => call.refuse(),
        }),
        Value::Constant(constant) => {
            let values = match (&constant.values, to) {
                (Values::Ints(_), element::INT32 | element::INT64) => constant.values.clone(),
                (Values::Texts(_), element::STRING) => constant.values.clone(),
                (Values::Ints(_) | Values::Floats(_), element::FLOAT | element::DOUBLE) => {
                    Values::Floats(constant.floats().unwrap_or_default())
                }
                _ => return call.refuse(),
            };
            Ok(Value::Constant(Rc::new(Constant {
                dims: constant.dims.clone(),
                values,
            })))
        }
        Value::Scores(_) => call.refuse(),
    }
}

/// Reshape, Flatten, Squeeze, Unsqueeze, when every row stays as it is.
pub fn reshape(call: &Call<'_>) -> Result<Value, ScoreError> {
    let value = call.input(0)?;
    let width = width(value) as i64;
    if matches!(value, Value::Constant(_)) || width == 0 {
        return call.refuse();
    }
    let same = match call.node.op_type.as_str() {
        "Flatten" => call.attributes.int_or("axis", 1) == 1,
        "Reshape" => match call.ints(1, "shape")?.as_deref() {
            Some([rows, columns]) => {
                matches!((rows, columns), (0, -1)) || matches!(rows, 0 | -1) && *columns == width
            }
            Some([-1 | 0]) => width == 1,
            _ => false,
        },
        _ => match call.ints(1, "axes")?.as_deref() {
            Some([1 | -1]) => width == 1 && !matches!(value, Value::Inputs(_)),
            None => call.node.op_type == "Squeeze" && width == 1,
            _ => false,
        },
    };
    if same {
        Ok(value.clone())
    } else {
        call.refuse()
    }
}
