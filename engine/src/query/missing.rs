//! Functions that do not exist, until their arguments have types: PostgreSQL's error names these.

use super::error::into_datafusion;
use crate::error::Error;
use crate::types::sql_type;
use alcedo_sql::SqlState;
use alcedo_sql::ast::{Expr, Query, Spanned, Visit, Visitor};
use alcedo_sql::options::closest;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use std::ops::ControlFlow;

/// Stands for a function that is not there.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Missing {
    name: String,
    /// A name that is close.
    meant: Option<String>,
    signature: Signature,
}

impl Missing {
    pub(super) fn new<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        Self {
            name: name.to_owned(),
            meant: closest(name, known).map(str::to_owned),
            signature: Signature::one_of(any, Volatility::Immutable),
        }
    }

    fn error(&self, types: &[String]) -> Error {
        let text = format!(
            "function {}({}) does not exist",
            self.name,
            types.join(", ")
        );
        let error = Error::user(SqlState::UNDEFINED_FUNCTION, text);
        match &self.meant {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error.hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            ),
        }
    }
}

impl ScalarUDFImpl for Missing {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(into_datafusion(self.error(&[])))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<String> = args
            .arg_fields
            .iter()
            .zip(args.scalar_arguments)
            .map(|(f, v)| type_name(f, *v))
            .collect();
        Err(into_datafusion(self.error(&types)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("function {} does not exist", self.name)
    }
}

/// The type of an argument; a text literal has none yet.
fn type_name(field: &FieldRef, literal: Option<&ScalarValue>) -> String {
    match literal {
        Some(ScalarValue::Utf8(_) | ScalarValue::Null) => "unknown".to_owned(),
        Some(ScalarValue::Int64(Some(n))) if i32::try_from(*n).is_ok() => "integer".to_owned(),
        _ => super::system::type_name(&sql_type(field)),
    }
}

/// Adds the place of the call to an error about a function.
pub(super) fn placed(error: Error, query: &Query) -> Error {
    let fields = error.fields();
    if fields.state != SqlState::UNDEFINED_FUNCTION || fields.span.is_some() {
        return error;
    }
    let name = fields
        .message
        .strip_prefix("function ")
        .and_then(|rest| rest.split('(').next());
    let Some(name) = name.map(str::to_owned) else {
        return error;
    };
    match Visit::visit(query, &mut Finder(name)) {
        ControlFlow::Break((line, column)) => error.at_span(line, column),
        ControlFlow::Continue(()) => error,
    }
}

struct Finder(String);

impl Visitor for Finder {
    type Break = (u64, u64);

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<(u64, u64)> {
        match expr {
            Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case(&self.0) => {
                let start = function.name.span().start;
                ControlFlow::Break((start.line, start.column))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
