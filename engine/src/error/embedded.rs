//! What only the texts of others tell: errors of ours in them, since a condition that is checked while a file is read
//! fails with a text, and kinds of expressions.

use super::Error;
use super::datafusion::bad_text;
use alcedo_sql::SqlState;

/// An error of a function of ours, or of Arrow's arithmetic, in the debug text that others keep of it.
pub(super) fn function_error(text: &str) -> Option<Error> {
    if text.contains("ArrowError(DivideByZero") {
        return Some(Error::user(SqlState::DIVISION_BY_ZERO, "division by zero"));
    }
    if let Some((_, rest)) = text.split_once("ArrowError(CastError(\"") {
        let (said, _) = rest.split_once("\"), ")?;
        return Some(bad_text(&said.replace("\\\"", "\"")));
    }
    if text.contains("ArrowError(ArithmeticOverflow(") {
        let state = SqlState::NUMERIC_VALUE_OUT_OF_RANGE;
        return Some(Error::user(state, "value out of range"));
    }
    const STATES: &[&str] = &[
        "22003", "22007", "22008", "22012", "2201E", "2201F", "22023", "22P02",
    ];
    let (_, rest) = text.split_once("SqlError { state: \"")?;
    let (state, rest) = rest.split_once("\", text: \"")?;
    let (said, _) = rest.split_once("\" }")?;
    let state = STATES.iter().find(|known| **known == state)?;
    Some(Error::user(SqlState(state), said.replace("\\\"", "\"")))
}

/// Whether the planner could not take a subquery out of an expression.
pub(super) fn is_subquery(text: &str) -> bool {
    text.contains("does not support logical expression")
        && [
            "Exists(",
            "InSubquery(",
            "ScalarSubquery(",
            "SetComparison(",
        ]
        .iter()
        .any(|kind| text.contains(kind))
}

/// Whether the planner could not take a reference out of a subquery or of a function in FROM.
pub(super) fn is_outer_reference(text: &str) -> bool {
    text.contains("does not support logical expression") && text.contains("OuterReferenceColumn(")
}

#[cfg(test)]
mod tests {
    use super::function_error;

    #[test]
    fn state_and_text_are_found() {
        let text = "Arrow: External(SqlError { state: \"22012\", text: \"division by zero\" })), Some(\"\")";
        let error = function_error(text).expect("there is one");
        assert_eq!(error.state().0, "22012");
        assert_eq!(error.fields().message, "division by zero");
        let text = "error evaluating filter predicate: ArrowError(DivideByZero, Some(\"\"))";
        let error = function_error(text).expect("there is one");
        assert_eq!(error.state().0, "22012");
        assert!(function_error("SqlError { state: \"99999\", text: \"\" }").is_none());
    }
}
