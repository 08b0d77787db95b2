//! Operators that compute with scores: elementwise ones, alone or with constants, those over a row, and sums of
//! ensembles.

use super::columns::{RowStep, Step};
use super::constant::Constant;
use super::graph::{Call, Scores, Value};
use super::{scaling, unsupported};
use crate::error::ScoreError;
use std::rc::Rc;

fn scores<'c>(call: &'c Call<'_>) -> Result<&'c Scores, ScoreError> {
    match call.input(0)? {
        Value::Scores(scores) => Ok(scores),
        _ => call.refuse(),
    }
}

/// Every column after one step.
fn after(scores: &Scores, step: impl Fn(usize) -> Step) -> Value {
    Value::Scores(Rc::new(Scores {
        sources: scores.sources.clone(),
        program: scores.program.clone().each(step),
    }))
}

/// Operators of one argument.
pub fn each(call: &Call<'_>) -> Result<Value, ScoreError> {
    let step = match call.node.op_type.as_str() {
        "Exp" => Step::Exp,
        "Log" => Step::Log,
        "Sqrt" => Step::Sqrt,
        "Abs" => Step::Abs,
        "Neg" => Step::Multiply(-1.0),
        "Reciprocal" => Step::Over(1.0),
        "Sigmoid" => Step::Logistic,
        "Tanh" => Step::Tanh,
        _ => return call.refuse(),
    };
    Ok(after(scores(call)?, |_| step))
}

fn over_rows(call: &Call<'_>, step: RowStep) -> Result<Value, ScoreError> {
    let scores = scores(call)?;
    Ok(Value::Scores(Rc::new(Scores {
        sources: scores.sources.clone(),
        program: scores.program.clone().rows(step),
    })))
}

/// Softmax over the columns.
pub fn softmax(call: &Call<'_>) -> Result<Value, ScoreError> {
    match call.attributes.int_or("axis", -1) {
        1 | -1 => over_rows(call, RowStep::Softmax),
        _ => call.refuse(),
    }
}

/// Normalizer.
pub fn normalize(call: &Call<'_>) -> Result<Value, ScoreError> {
    match call.attributes.word("norm", "MAX") {
        "L1" => over_rows(call, RowStep::NormalizeL1),
        "L2" => over_rows(call, RowStep::NormalizeL2),
        "MAX" => over_rows(call, RowStep::NormalizeMax),
        other => unsupported(format!("norm {other:?} of a Normalizer")),
    }
}

/// Add, Sub, Mul, Div of scores and a constant; Add and Sum of several ensembles.
pub fn combine(call: &Call<'_>) -> Result<Value, ScoreError> {
    let op = call.node.op_type.as_str();
    if op == "Sum" || op == "Add" && matches!(call.input(1)?, Value::Scores(_)) {
        return sum(call);
    }
    let (scores, constant, left) = match (call.input(0)?, call.input(1)?) {
        (Value::Scores(scores), Value::Constant(constant)) => (scores, constant, true),
        (Value::Constant(constant), Value::Scores(scores)) => (scores, constant, false),
        (Value::Inputs(inputs), Value::Constant(constant)) => {
            return scaling::combine(call, inputs, constant, true);
        }
        (Value::Constant(constant), Value::Inputs(inputs)) => {
            return scaling::combine(call, inputs, constant, false);
        }
        _ => return call.refuse(),
    };
    let Some(numbers) = per_column(constant, scores.program.columns.len()) else {
        return call.refuse();
    };
    Ok(after(scores, |column| {
        let number = numbers[column];
        match (op, left) {
            ("Add", _) => Step::Add(number),
            ("Sub", true) => Step::Add(-number),
            ("Sub", false) => Step::From(number),
            ("Mul", _) => Step::Multiply(number),
            (_, true) => Step::Divide(number),
            (_, false) => Step::Over(number),
        }
    }))
}

/// Numbers of a constant: one for each of `width` columns, or one for all.
pub fn per_column(constant: &Constant, width: usize) -> Option<Vec<f64>> {
    let numbers = constant.floats()?;
    let one_row = match constant.dims.as_slice() {
        [] | [_] => true,
        [rows, _] => *rows == 1,
        _ => false,
    };
    match numbers.as_slice() {
        _ if !one_row => None,
        [number] => Some(vec![*number; width]),
        _ => Some(numbers).filter(|n| n.len() == width),
    }
}

/// The sums of several ensembles, to which nothing was done yet, are those of one with all trees.
fn sum(call: &Call<'_>) -> Result<Value, ScoreError> {
    let mut total: Option<Scores> = None;
    for at in 0..call.inputs.len() {
        let Value::Scores(scores) = call.input(at)? else {
            return call.refuse();
        };
        total = match total {
            None => Some(Scores::clone(scores)),
            Some(mut total) => {
                let fits = total.program.is_plain() && total.program == scores.program;
                if !fits || total.sources.iter().any(|s| scores.sources.contains(s)) {
                    return call.refuse();
                }
                total.sources.extend(&scores.sources);
                Some(total)
            }
        };
    }
    match total {
        Some(total) => Ok(Value::Scores(Rc::new(total))),
        None => call.refuse(),
    }
}
