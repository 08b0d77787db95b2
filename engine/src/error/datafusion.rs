//! DataFusion's errors as ours: the condition, a text in PostgreSQL's style and the place, as far as they tell it.
//!
//! An [`Error`] of ours that travelled through DataFusion comes back unchanged.

use super::embedded::{function_error, is_outer_reference, is_subquery};
use crate::error::{Error, Kind};
pub use crate::error::{from_io, from_store};
use alcedo_sql::SqlState;
use alcedo_sql::options::closest;
use alcedo_udfs::error::{ScoreError, SqlError};
use datafusion::arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};
use std::error::Error as StdError;

/// Wraps an error of ours for the way through DataFusion.
pub fn into_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Turns what DataFusion raised into an [`Error`].
pub fn from_datafusion(error: DataFusionError) -> Error {
    match error {
        DataFusionError::Context(_, inner) => from_datafusion(*inner),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let mapped = from_datafusion(*inner);
            match diagnostic.span {
                Some(span) => mapped.at_span(span.start.line, span.start.column),
                None => mapped,
            }
        }
        DataFusionError::Collection(errors) => errors.into_iter().next().map_or_else(
            || Error::internal("an error without a cause"),
            from_datafusion,
        ),
        DataFusionError::Shared(shared) => from_shared(&shared),
        DataFusionError::External(inner) => from_external(inner),
        DataFusionError::ArrowError(inner, _) => from_arrow(*inner),
        DataFusionError::SchemaError(inner, _) => from_schema(&inner),
        DataFusionError::SQL(inner, _) => {
            Error::user(SqlState::SYNTAX_ERROR, plain(&inner.to_string()))
        }
        DataFusionError::Plan(text) => from_plan(&text),
        DataFusionError::NotImplemented(text) if is_subquery(&text) => {
            Error::unsupported("a subquery in this place is not supported yet")
                .hint("Put it into WHERE, or write it as a join.")
        }
        DataFusionError::NotImplemented(text) if is_outer_reference(&text) => {
            Error::unsupported("a reference to another table is not supported in this place yet")
                .hint("Write it as a join. For unnest: SELECT …, unnest(a) AS x FROM t.")
        }
        DataFusionError::NotImplemented(text) => Error::unsupported(plain(&text)),
        DataFusionError::Configuration(text) => {
            Error::user(SqlState::INVALID_PARAMETER_VALUE, plain(&text))
        }
        DataFusionError::Execution(text) => from_execution(&text),
        DataFusionError::ResourcesExhausted(text) => exhausted(&text),
        DataFusionError::IoError(inner) => from_io(&inner),
        DataFusionError::ObjectStore(inner) => from_store(&inner),
        DataFusionError::ParquetError(inner) => match *inner {
            datafusion::parquet::errors::ParquetError::External(inner) => from_external(inner),
            // A condition that is checked while a file is read fails with the text of its cause.
            other => function_error(&other.to_string()).unwrap_or_else(|| {
                Error::new(
                    Kind::Data,
                    SqlState::DATA_CORRUPTED,
                    plain(&other.to_string()),
                )
            }),
        },
        DataFusionError::ExecutionJoin(inner) if inner.is_cancelled() => Error::canceled(),
        DataFusionError::ExecutionJoin(inner) => Error::internal(inner.to_string()),
        DataFusionError::Internal(text)
        | DataFusionError::Substrait(text)
        | DataFusionError::Ffi(text) => Error::internal(plain(&text)),
    }
}

fn from_shared(shared: &DataFusionError) -> Error {
    let mut source: Option<&(dyn StdError + 'static)> = Some(shared);
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<Error>() {
            return error.clone();
        }
        if let Some(error) = inner.downcast_ref::<SqlError>() {
            return Error::user(SqlState(error.state), error.text.clone());
        }
        source = inner.source();
    }
    match shared {
        DataFusionError::ResourcesExhausted(text) => exhausted(text),
        DataFusionError::Execution(text) => from_execution(text),
        DataFusionError::Plan(text) => from_plan(text),
        DataFusionError::IoError(inner) => from_io(inner),
        DataFusionError::ObjectStore(inner) => from_store(inner),
        DataFusionError::Shared(inner) => from_shared(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_shared(inner)
        }
        DataFusionError::ArrowError(inner, _) => arrow_text(&inner.to_string()),
        other => Error::internal(plain(&other.to_string())),
    }
}

/// Errors behind a box: ours, DataFusion's, or a store's.
fn from_external(inner: Box<dyn StdError + Send + Sync>) -> Error {
    let inner = match inner.downcast::<Error>() {
        Ok(error) => return *error,
        Err(inner) => inner,
    };
    let inner = match inner.downcast::<DataFusionError>() {
        Ok(error) => return from_datafusion(*error),
        Err(inner) => inner,
    };
    let inner = match inner.downcast::<ScoreError>() {
        Ok(error) => return from_score(*error),
        Err(inner) => inner,
    };
    let inner = match inner.downcast::<SqlError>() {
        Ok(error) => return Error::user(SqlState(error.state), error.text),
        Err(inner) => inner,
    };
    let inner = match inner.downcast::<ArrowError>() {
        Ok(error) => return from_arrow(*error),
        Err(inner) => inner,
    };
    let mut source: Option<&(dyn StdError + 'static)> = Some(inner.as_ref());
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<Error>() {
            return error.clone();
        }
        if let Some(error) = cause.downcast_ref::<object_store::Error>() {
            return from_store(error);
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return from_io(error);
        }
        source = cause.source();
    }
    Error::internal(plain(&inner.to_string()))
}

/// A scorer's error with its SQLSTATE.
pub fn from_score(error: ScoreError) -> Error {
    match error {
        ScoreError::BadModel(text) => Error::user(SqlState::BAD_FILE_FORMAT, text),
        ScoreError::Unsupported(text) => Error::unsupported(text),
        ScoreError::BadInput(text) => Error::user(SqlState::UNDEFINED_FUNCTION, text),
    }
}

/// Arrow's errors.
pub fn from_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => from_external(inner),
        ArrowError::DivideByZero => Error::user(SqlState::DIVISION_BY_ZERO, "division by zero"),
        // The checked functions name the type, Arrow's own text does not.
        ArrowError::ArithmeticOverflow(text) if text.ends_with(" out of range") => {
            Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text)
        }
        ArrowError::ArithmeticOverflow(_) => {
            Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range")
        }
        ArrowError::CastError(text) | ArrowError::ParseError(text) => bad_text(&text),
        ArrowError::NotYetImplemented(text) => Error::unsupported(plain(&text)),
        ArrowError::IoError(_, inner) => from_io(&inner),
        ArrowError::MemoryError(text) => exhausted(&text),
        ArrowError::InvalidArgumentError(text) if text.contains("to store in a Decimal") => {
            Error::user(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "numeric field overflow",
            )
        }
        ArrowError::InvalidArgumentError(text) => {
            Error::user(SqlState::INVALID_PARAMETER_VALUE, plain(&text))
        }
        ArrowError::ComputeError(text) => function_error(&text)
            .unwrap_or_else(|| Error::user(SqlState::DATA_EXCEPTION, plain(&text))),
        other => arrow_text(&other.to_string()),
    }
}

fn arrow_text(text: &str) -> Error {
    if text.contains("Divide by zero") {
        return Error::user(SqlState::DIVISION_BY_ZERO, "division by zero");
    }
    if text.contains("verflow") {
        return Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range");
    }
    if let Some(rest) = text
        .strip_prefix("Cast error: ")
        .or_else(|| text.strip_prefix("Parser error: "))
    {
        return bad_text(rest);
    }
    Error::internal(plain(text))
}

/// A text that is not a value of the type it should become.
pub(super) fn bad_text(text: &str) -> Error {
    if text.contains("verflow")
        || text.contains("out of range")
        || text.contains("too large")
        || text.contains("precision")
    {
        return Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, plain(text));
    }
    let quoted = text.split('\'').nth(1);
    let ty = text
        .rsplit_once(" of ")
        .and_then(|(_, rest)| rest.strip_suffix(" type"));
    match (quoted, ty) {
        (Some(value), Some(ty)) => {
            let name = type_name(ty);
            if name.starts_with("timestamp")
                || name.starts_with("date")
                || name.starts_with("time")
                || name.starts_with("interval")
            {
                return moment_text(name, value);
            }
            let digits = value.trim().trim_start_matches(['-', '+']);
            if matches!(
                ty,
                "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" | "UInt64"
            ) && !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit())
            {
                return Error::user(
                    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                    format!("value \"{value}\" is out of range for type {name}"),
                );
            }
            Error::user(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type {name}: \"{value}\""),
            )
        }
        (Some(value), None) if text.contains("imestamp") || text.contains("date") => {
            moment_text("timestamp", value)
        }
        _ if text.contains("can't be cast") || text.contains("Can't cast value") => {
            let ty = text
                .rsplit_once(" to type ")
                .map(|(_, ty)| type_name(ty.trim_end_matches('.')));
            let text = ty.map_or_else(|| plain(text), |ty| format!("{ty} out of range"));
            Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, text)
        }
        _ => Error::user(SqlState::INVALID_TEXT_REPRESENTATION, plain(text)),
    }
}

/// A text that is not a moment: 22008 when it has the form of one, 22007 when not.
fn moment_text(ty: &str, value: &str) -> Error {
    let form = |c: char| c.is_ascii_digit() || "-:.+/TZ ".contains(c);
    let numbers = value.starts_with(|c: char| c.is_ascii_digit()) && value.chars().all(form);
    if numbers && value.contains(['-', ':']) && !ty.starts_with("interval") {
        let text = format!("date/time field value out of range: \"{value}\"");
        return Error::user(SqlState::DATETIME_FIELD_OVERFLOW, text);
    }
    Error::user(
        SqlState::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type {ty}: \"{value}\""),
    )
}

/// PostgreSQL's name of an Arrow type as it is printed in an error.
fn type_name(arrow: &str) -> &str {
    match arrow {
        "Int8" | "Int16" | "UInt8" => "smallint",
        "Int32" | "UInt16" => "integer",
        "Int64" | "UInt32" | "UInt64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Boolean" => "boolean",
        "Date32" | "Date64" => "date",
        "Utf8" | "Utf8View" | "LargeUtf8" => "text",
        "Null" => "unknown",
        other if other.starts_with("Decimal") => "numeric",
        other if other.starts_with("Timestamp") => "timestamp",
        other if other.starts_with("Time") => "time",
        other if other.starts_with("Interval") => "interval",
        other => other,
    }
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let shown = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => field.name.clone(),
            };
            if let Some(relation) = &field.relation {
                let known = valid_fields.iter().any(|c| {
                    c.relation
                        .as_ref()
                        .is_some_and(|r| r.table() == relation.table())
                });
                if !known && !valid_fields.is_empty() {
                    return Error::user(
                        SqlState::UNDEFINED_TABLE,
                        format!(
                            "missing FROM-clause entry for table \"{}\"",
                            relation.table()
                        ),
                    );
                }
            }
            let error = Error::user(
                SqlState::UNDEFINED_COLUMN,
                if field.relation.is_some() {
                    format!("column {shown} does not exist")
                } else {
                    format!("column \"{shown}\" does not exist")
                },
            );
            let error = match field.spans.first() {
                Some(span) => error.at_span(span.start.line, span.start.column),
                None => error,
            };
            match closest(&field.name, valid_fields.iter().map(|c| c.name.as_str())) {
                Some(name) => error.hint(format!("Did you mean \"{name}\"?")),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => {
            let error = Error::user(
                SqlState::AMBIGUOUS_COLUMN,
                format!("column reference \"{}\" is ambiguous", field.name),
            );
            match field.spans.first() {
                Some(span) => error.at_span(span.start.line, span.start.column),
                None => error,
            }
        }
        SchemaError::DuplicateQualifiedField { qualifier, .. } => Error::user(
            SqlState("42712"),
            format!(
                "table name \"{}\" specified more than once",
                qualifier.table()
            ),
        ),
        SchemaError::DuplicateUnqualifiedField { name } => Error::user(
            SqlState::DUPLICATE_COLUMN,
            format!("column \"{name}\" specified more than once"),
        ),
    }
}

fn from_plan(text: &str) -> Error {
    if let Some(error) = no_such_call(text)
        .or_else(|| no_such_operator(text))
        .or_else(|| ungrouped(text))
        .or_else(|| too_wide(text))
        .or_else(|| clause(text))
    {
        return error;
    }
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or(rest);
        let error = Error::user(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {name} does not exist"),
        );
        return match rest
            .split_once("Did you mean '")
            .and_then(|(_, r)| r.split('\'').next())
        {
            Some(meant) => error.hint(format!("Did you mean \"{meant}\"?")),
            None => error,
        };
    }
    if let Some(name) = text
        .strip_prefix("table function '")
        .and_then(|r| r.split('\'').next())
    {
        return Error::user(
            SqlState::UNDEFINED_FUNCTION,
            format!("function {name} does not exist"),
        );
    }
    let state = if text.contains("No function matches")
        || text.contains("No candidate")
        || text.contains("Failed to coerce arguments")
        || text.contains("does not support")
        || text.contains("Cannot infer common argument type")
        || text.contains("Cannot coerce")
        || text.contains("Error during planning: Failed to coerce")
        || text.contains("Invalid arithmetic operation")
    {
        SqlState::UNDEFINED_FUNCTION
    } else if text.contains("GROUP BY")
        || text.contains("could not be resolved from available columns")
        || text.contains("aggregate")
    {
        SqlState::GROUPING_ERROR
    } else if text.contains("Cannot cast")
        || text.contains("incompatible types")
        || text.contains("non-boolean")
        || text.contains("must be boolean")
    {
        SqlState::DATATYPE_MISMATCH
    } else if text.contains("position") && text.contains("ORDER BY") {
        SqlState::INVALID_COLUMN_REFERENCE
    } else {
        SqlState::SYNTAX_ERROR
    };
    Error::user(state, plain(text))
}

/// A function that is there, but not for arguments of these types.
fn no_such_call(text: &str) -> Option<Error> {
    let call = if let Some((_, rest)) =
        text.split_once("No function matches the given name and argument types '")
    {
        let (name, types) = rest.split_once(")'")?.0.split_once('(')?;
        format!("{name}({})", type_names(types))
    } else if let Some((_, rest)) =
        text.split_once("Failed to coerce arguments to satisfy a call to '")
    {
        let (name, rest) = rest.split_once("' function: coercion from ")?;
        format!(
            "{name}({})",
            type_names(rest.split_once(" to the signature")?.0)
        )
    } else if text.contains("failed to match any signature") {
        let (_, rest) = text.split_once("Function '")?;
        let types = rest
            .split_once("(DataType: ")
            .and_then(|(_, t)| t.split_once(").").or_else(|| t.split_once(")")));
        format!(
            "{}({})",
            rest.split_once('\'')?.0,
            types.map_or_else(String::new, |(t, _)| type_names(t))
        )
    } else {
        return None;
    };
    let error = Error::user(
        SqlState::UNDEFINED_FUNCTION,
        format!("function {call} does not exist"),
    );
    Some(error.hint("No function matches the given name and argument types. You might need to add explicit type casts."))
}

/// An operator that does not take these types.
fn no_such_operator(text: &str) -> Option<Error> {
    let (_, rest) = text.split_once("annot coerce arithmetic expression ")?;
    let (expression, _) = rest.split_once(" to valid types")?;
    let parts: Vec<&str> = expression.split(' ').collect();
    let at = parts
        .iter()
        .position(|p| p.chars().all(|c| c.is_ascii_punctuation()))?;
    let (left, right) = (parts[..at].join(" "), parts[at + 1..].join(" "));
    let text = format!(
        "operator does not exist: {} {} {}",
        type_name(&left),
        parts[at],
        type_name(&right)
    );
    Some(Error::user(SqlState::UNDEFINED_FUNCTION, text).hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    ))
}

/// Arrow's names of types in a list as PostgreSQL's.
fn type_names(list: &str) -> String {
    let mut depth = 0;
    let types = list.split(|c| {
        match c {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    types
        .map(|t| type_name(t.trim()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A subquery as a value with more than a column.
fn too_wide(text: &str) -> Option<Error> {
    let wide = text.contains("The subquery should only return one column")
        || text.contains("Scalar subquery should only return one column");
    wide.then(|| {
        Error::user(
            SqlState::SYNTAX_ERROR,
            "subquery must return only one column",
        )
    })
}

/// Clauses of queries that do not fit.
fn clause(text: &str) -> Option<Error> {
    let columns = "must have the same number of columns";
    if text.contains("UNION queries have different number of columns") {
        let text = format!("each UNION query {columns}");
        return Some(Error::user(SqlState::SYNTAX_ERROR, text));
    }
    if text.contains("query must have the same number of columns") {
        let kind = if text.contains("EXCEPT") && !text.contains("INTERSECT") {
            "EXCEPT"
        } else {
            "INTERSECT"
        };
        return Some(Error::user(
            SqlState::SYNTAX_ERROR,
            format!("each {kind} query {columns}"),
        ));
    }
    if text.contains("LIMIT must be >= 0") {
        return Some(Error::user(
            SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE,
            "LIMIT must not be negative",
        ));
    }
    if text.contains("OFFSET must be >= 0") || text.contains("OFFSET must be >=0") {
        return Some(Error::user(
            SqlState::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE,
            "OFFSET must not be negative",
        ));
    }
    let (_, rest) = text.split_once("Order by column out of bounds, specified: ")?;
    let position = rest.split(',').next()?;
    Some(Error::user(
        SqlState::INVALID_COLUMN_REFERENCE,
        format!("ORDER BY position {position} is not in select list"),
    ))
}

/// A column beside an aggregate that is not grouped by.
fn ungrouped(text: &str) -> Option<Error> {
    let (before, _) = text.split_once("\" must appear in the GROUP BY clause")?;
    let (_, column) = before.rsplit_once("column \"")?;
    let text = format!(
        "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate function"
    );
    Some(Error::user(SqlState::GROUPING_ERROR, text))
}

fn from_execution(text: &str) -> Error {
    if text.contains("Divide by zero") {
        return Error::user(SqlState::DIVISION_BY_ZERO, "division by zero");
    }
    if text.contains("verflow") || text.contains("out of range") {
        return Error::user(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, plain(text));
    }
    if text.contains("Error parsing timestamp") {
        return bad_text(text);
    }
    if text.contains("negative count not allowed") || text.contains("negative substring length") {
        let text = "negative substring length not allowed";
        return Error::user(SqlState::SUBSTRING_ERROR, text);
    }
    Error::user(SqlState::DATA_EXCEPTION, plain(text))
}

fn exhausted(text: &str) -> Error {
    Error::new(
        Kind::Unavailable,
        SqlState::OUT_OF_MEMORY,
        "out of memory for this query",
    )
    .detail(format!("{}.", plain(text).trim_end_matches('.')))
    .hint("Raise max in the section [memory] of the configuration, or read less at once.")
}

/// DataFusion's text as PostgreSQL would put it: without its prefixes, first letter small, no full stop.
fn plain(text: &str) -> String {
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text).trim();
    let text = text
        .trim_start_matches("Error during planning: ")
        .trim_start_matches("This feature is not implemented: ")
        .trim_start_matches("Arrow error: ")
        .trim_start_matches("Execution error: ")
        .trim_start_matches("Internal error: ");
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return "unknown error".to_owned();
    };
    let second_is_upper = chars.clone().next().is_some_and(char::is_uppercase);
    let mut out = String::with_capacity(text.len());
    if second_is_upper {
        out.push(first)
    } else {
        out.extend(first.to_lowercase())
    }
    out.push_str(chars.as_str());
    out.truncate(out.trim_end_matches('.').len());
    out
}
