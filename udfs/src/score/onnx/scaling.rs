//! Operators on inputs before the trees that keep the order of numbers: scalers, imputers, arithmetic with constants.

use super::arithmetic::per_column;
use super::constant::{Constant, element};
use super::graph::{Call, Inputs, Value};
use super::reading::Step;
use super::split::Precision;
use super::{bad, unsupported};
use crate::error::ScoreError;
use std::rc::Rc;

fn inputs<'c>(call: &'c Call<'_>) -> Result<&'c Inputs, ScoreError> {
    match call.input(0)? {
        Value::Inputs(inputs) if !inputs.open => Ok(inputs),
        _ => call.refuse(),
    }
}

/// What the columns of an element type are computed in.
fn precision(inputs: &Inputs) -> Precision {
    if inputs.element == element::DOUBLE {
        Precision::Double
    } else {
        Precision::Single
    }
}

/// Numbers of an attribute, one per column or one for all.
fn numbers(call: &Call<'_>, name: &str, width: usize) -> Result<Vec<f64>, ScoreError> {
    let numbers = call.attributes.numbers(name)?;
    match numbers.as_slice() {
        [number] => Ok(vec![*number; width]),
        list if list.len() == width => Ok(numbers),
        list => bad(format!(
            "{} values of {name} for {width} columns",
            list.len()
        )),
    }
}

/// Whether multiplying keeps the order.
fn check_scale(scale: f64) -> Result<(), ScoreError> {
    if scale > 0.0 && scale.is_finite() {
        Ok(())
    } else {
        unsupported("a scale of a feature that is not positive")
    }
}

fn check_finite(number: f64) -> Result<(), ScoreError> {
    if number.is_finite() {
        Ok(())
    } else {
        bad("a constant of a feature is not finite")
    }
}

/// Scaler: minus the offset, times the scale; the result is `float`.
pub fn scale(call: &Call<'_>) -> Result<Value, ScoreError> {
    let mut inputs = inputs(call)?.clone();
    let width = inputs.columns.len();
    let (offsets, scales) = (
        numbers(call, "offset", width)?,
        numbers(call, "scale", width)?,
    );
    let within = precision(&inputs);
    for (column, (offset, scale)) in inputs
        .columns
        .iter_mut()
        .zip(offsets.into_iter().zip(scales))
    {
        check_finite(offset)?;
        check_scale(scale)?;
        if element::is_whole(inputs.element) {
            column.reading.as_float();
        }
        let steps = [Step::Subtract(offset), Step::Multiply(scale)];
        column.reading.steps.extend(steps.map(|s| (s, within)));
        if within == Precision::Double {
            column.reading.as_float();
        }
    }
    inputs.element = element::FLOAT;
    Ok(Value::Inputs(Rc::new(inputs)))
}

/// Imputer: NaN becomes a number.
pub fn impute(call: &Call<'_>) -> Result<Value, ScoreError> {
    let mut inputs = inputs(call)?.clone();
    let replaced = call.attributes.get("replaced_value_float");
    if !replaced.is_some_and(|a| a.f.is_nan()) || element::is_whole(inputs.element) {
        return call.refuse();
    }
    let numbers = numbers(call, "imputed_value_floats", inputs.columns.len())?;
    let within = precision(&inputs);
    for (column, number) in inputs.columns.iter_mut().zip(numbers) {
        check_finite(number)?;
        column.reading.steps.push((Step::Impute(number), within));
    }
    Ok(Value::Inputs(Rc::new(inputs)))
}

/// Add, Sub, Mul, Div of inputs and a constant on their right, or on either side where that is the same.
pub fn combine(
    call: &Call<'_>,
    inputs: &Inputs,
    constant: &Constant,
    left: bool,
) -> Result<Value, ScoreError> {
    let numbers = per_column(constant, inputs.columns.len());
    let (Some(numbers), false) = (numbers, inputs.open || element::is_whole(inputs.element)) else {
        return call.refuse();
    };
    let within = precision(inputs);
    let mut inputs = inputs.clone();
    for (column, number) in inputs.columns.iter_mut().zip(numbers) {
        check_finite(number)?;
        let step = match (call.node.op_type.as_str(), left) {
            ("Add", _) => Step::Add(number),
            ("Sub", true) => Step::Subtract(number),
            ("Mul", _) => {
                check_scale(number)?;
                Step::Multiply(number)
            }
            ("Div", true) => {
                check_scale(number)?;
                Step::Divide(number)
            }
            _ => return call.refuse(),
        };
        column.reading.steps.push((step, within));
    }
    Ok(Value::Inputs(Rc::new(inputs)))
}
