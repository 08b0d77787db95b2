//! `predict(m USING *)` over columns whose names are not spelled as the features are: a feature means the column of
//! its name, else the only column of that name without regard to case. Columns of a query around must have the very name.
//!
//! Which columns there are is known to the planner alone. So features are written out under their own names first;
//! when the planner misses one, its error lists the columns in reach, and the call is written anew with these.

use super::Bound;
use crate::error::Error;
use crate::query::names::shown;
use alcedo_sql::ast::{self, Expr, FunctionArguments, Ident, Query, VisitMut, VisitorMut};
use alcedo_sql::{Span, SqlState};
use datafusion::common::{Column, DataFusionError, SchemaError};
use std::ops::ControlFlow;

/// A call whose features are found by name.
#[derive(Debug, Clone)]
pub struct ByName {
    /// Where the call stands; the names of its features carry this place.
    place: Span,
    model: String,
    features: Vec<String>,
}

impl ByName {
    pub(super) fn new(bound: &Bound, place: Span) -> Self {
        let features = bound.model.features().iter();
        Self {
            place,
            model: bound.name.to_string(),
            features: features.map(|f| f.name.clone()).collect(),
        }
    }

    /// The column for each feature that is spelled otherwise, as (feature, column).
    ///
    /// # Errors
    /// 42703 that lists the features without a column, 42702 for one that has several.
    fn spelled(&self, missed: &Column, valid: &[Column]) -> Result<Vec<(&str, String)>, Error> {
        let reach: Vec<&str> = valid
            .iter()
            .filter(|c| missed.relation.is_none() || same_table(c, missed))
            .map(|c| c.name.as_str())
            .collect();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for feature in &self.features {
            if reach.iter().any(|c| shown(c) == feature) {
                continue;
            }
            let mut alike = reach
                .iter()
                .filter(|c| shown(c).eq_ignore_ascii_case(feature));
            match (alike.next(), alike.next()) {
                (Some(column), None) => found.push((feature.as_str(), (*column).to_owned())),
                (Some(one), Some(other)) => {
                    let text = format!(
                        "feature \"{feature}\" of model \"{}\" is ambiguous: it may be column \"{}\" or \"{}\"",
                        self.model,
                        shown(one),
                        shown(other)
                    );
                    return Err(self.placed(Error::user(SqlState::AMBIGUOUS_COLUMN, text)));
                }
                (None, _) => missing.push(feature.as_str()),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let text = format!(
            "columns for features of model \"{}\" are missing: {}",
            self.model,
            missing.join(", ")
        );
        Err(self.placed(Error::user(SqlState::UNDEFINED_COLUMN, text).hint(
            "USING * finds features by the names of columns. Name the columns as the features, or give the values: predict(model, feature => value, …).",
        )))
    }

    fn placed(&self, error: Error) -> Error {
        error.at_span(self.place.start.line, self.place.start.column)
    }
}

fn same_table(column: &Column, other: &Column) -> bool {
    let table = |c: &Column| c.relation.as_ref().map(|r| r.table().to_owned());
    table(column) == table(other)
}

/// Writes a call anew after the planner has missed one of its columns. `None` when the error is about something else,
/// or when nothing of the call can be spelled otherwise.
pub fn respell(
    error: &DataFusionError,
    calls: &mut Vec<ByName>,
    query: &mut Query,
) -> Option<Result<(), Error>> {
    let DataFusionError::SchemaError(inner, _) = error.find_root() else {
        return None;
    };
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = inner.as_ref()
    else {
        return None;
    };
    let noted = || error.diagnostic().and_then(|d| d.span);
    let start = field.spans.first().or_else(noted)?.start;
    let here =
        |c: &&ByName| (c.place.start.line, c.place.start.column) == (start.line, start.column);
    let at = calls
        .iter()
        .position(|c| here(&c) && c.features.contains(&field.name))?;
    let in_reach = |c: &Column| field.relation.is_none() || same_table(c, field);
    if !valid_fields.iter().any(in_reach) {
        // The table itself is not there.
        return None;
    }
    let call = calls.remove(at);
    let spelled = match call.spelled(field, valid_fields) {
        Ok(spelled) if spelled.is_empty() => return None,
        Ok(spelled) => spelled,
        Err(error) => return Some(Err(error)),
    };
    let mut names = Names {
        place: call.place,
        spelled,
    };
    let _: ControlFlow<()> = VisitMut::visit(query, &mut names);
    Some(Ok(()))
}

/// Renames columns in the calls of one place.
struct Names<'a> {
    place: Span,
    spelled: Vec<(&'a str, String)>,
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let FunctionArguments::List(list) = &mut function.args else {
            return ControlFlow::Continue(());
        };
        for arg in &mut list.args {
            let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(arg)) = arg else {
                continue;
            };
            let column = match arg {
                Expr::Identifier(column) => column,
                Expr::CompoundIdentifier(parts) => match parts.last_mut() {
                    Some(column) => column,
                    None => continue,
                },
                _ => continue,
            };
            if column.span == self.place {
                self.rename(column);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Names<'_> {
    fn rename(&self, column: &mut Ident) {
        let found = self.spelled.iter().find(|(f, _)| *f == column.value);
        if let Some((_, name)) = found {
            column.value.clone_from(name);
        }
    }
}
