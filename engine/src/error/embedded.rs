//! What only the texts of others tell: errors of ours in them, since a condition that is checked while a file is read
//! fails with a text, and kinds of expressions.

use super::Error;
use alcedo_sql::SqlState;

/// An error of a function of ours in the debug text that others keep of it.
pub(super) fn function_error(text: &str) -> Option<Error> {
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
            "SetComparison(",
            "OuterReferenceColumn(",
        ]
        .iter()
        .any(|kind| text.contains(kind))
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
        assert!(function_error("SqlError { state: \"99999\", text: \"\" }").is_none());
    }
}
