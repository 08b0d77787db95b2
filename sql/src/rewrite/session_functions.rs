//! Functions of the session that SQL calls without parentheses.

use sqlparser::ast::{
    Expr, Function, FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart,
};

/// As written, and the function that answers.
const NAMES: &[(&str, &str)] = &[
    ("current_schema", "current_schema"),
    ("current_catalog", "current_database"),
    ("current_role", "current_user"),
    ("current_user", "current_user"),
    ("session_user", "session_user"),
    ("user", "current_user"),
];

/// Turns `current_schema` and its like into calls.
pub(super) fn call(expr: &mut Expr) {
    let written = match expr {
        Expr::Identifier(ident) if ident.quote_style.is_none() => ident,
        Expr::Function(f) if matches!(f.args, FunctionArguments::None) => {
            match f.name.0.as_slice() {
                [ObjectNamePart::Identifier(ident)] if ident.quote_style.is_none() => ident,
                _ => return,
            }
        }
        _ => return,
    };
    let found = NAMES
        .iter()
        .find(|(name, _)| written.value.eq_ignore_ascii_case(name));
    let Some((_, function)) = found else { return };
    let name = Ident::with_span(written.span, *function);
    *expr = Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: Vec::new(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
}
