//! Rewrites of what users and PostgreSQL's clients write into what the planner reads; positions stay.
//!
//! Two passes. The first changes spellings that sqlparser does not read, before it parses:
//!
//! | written | parsed as |
//! |---|---|
//! | `predict(m USING *)` | `predict(m, *)` |
//! | `predict(m USING (a, t.b AS c))` (parentheses optional) | `predict(m, a => a, c => t.b)` |
//! | `predict(MODEL m, …)` | `predict(m, …)` |
//! | `ml.predict(MODEL m, TABLE t)`, any function of `ml` | `ml.predict(m, (SELECT * FROM t))` |
//! | `TABLE t` as a query | `SELECT * FROM t` |
//! | `trim(leading from x)` | `trim(leading ' ' from x)` |
//!
//! So a call of `predict`, `predict_proba` or `predict_raw` is an `Expr::Function` whose first argument
//! is the model: `Identifier`, `CompoundIdentifier` or a string (`'schema.m@alias'`). The others are
//! `FunctionArg::Unnamed` values in the order of the features, `FunctionArg::Named` values (`Ident =>
//! value`, operator `RightArrow`), or `FunctionArgExpr::Wildcard` / `QualifiedWildcard`. In FROM,
//! `ml.predict` and `ml.evaluate` are a `TableFactor::Table` with `args`: the model as above, then
//! `Expr::Subquery`, then named options.
//!
//! Then the AST is walked: clauses that have another spelling or stand in the wrong place, functions in FROM, types of
//! VALUES, decorations of catalog queries (`OPERATOR(pg_catalog.~)`, COLLATE, `pg_catalog.` before functions), session
//! functions without parentheses, and literals of arrays, moments, bytes and floating point.

mod array_literal;
mod calls;
mod cast_literal;
mod clauses;
mod decorations;
mod from_functions;
mod moment_literal;
mod session_functions;
mod similar;
mod trims;
mod values;

pub(crate) use decorations::check_collation;

use crate::error::{Result, SqlError};
use crate::script::Script;
use crate::sqlstate::SqlState;
use sqlparser::ast::{
    Expr, Query, Select, SetExpr, Spanned, TableFactor, Value, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::{Span, TokenWithSpan};
use std::ops::ControlFlow;

/// Changes spellings that sqlparser does not read.
pub(crate) fn tokens(
    script: &Script<'_>,
    tokens: Vec<TokenWithSpan>,
) -> Result<Vec<TokenWithSpan>> {
    calls::rewrite(script, trims::spell(calls::table_queries(tokens)))
}

/// Rewrites a query after parsing.
pub(crate) fn query(query: &mut Query, place: impl Fn(Span) -> Option<usize>) -> Result<()> {
    finish(VisitMut::visit(query, &mut Rewriter), place)
}

/// Rewrites an expression after parsing.
pub(crate) fn expr(expr: &mut Expr, place: impl Fn(Span) -> Option<usize>) -> Result<()> {
    finish(VisitMut::visit(expr, &mut Rewriter), place)
}

type Refusal = (SqlError, Span);

fn finish(flow: ControlFlow<Refusal>, place: impl Fn(Span) -> Option<usize>) -> Result<()> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break((error, span)) => Err(error.at(place(span))),
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = Refusal;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Refusal> {
        if let Some(error) = refusal(query) {
            return ControlFlow::Break((error, query.span()));
        }
        clauses::fetch(query);
        values::unify(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Refusal> {
        match clauses::misplaced(select) {
            Some(refusal) => ControlFlow::Break(refusal),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        if let TableFactor::Table {
            sample: Some(_),
            name,
            ..
        } = factor
        {
            let text = "TABLESAMPLE is not supported";
            let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text)
                .hint("Use WHERE random() < 0.01.");
            return ControlFlow::Break((error, name.span()));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Refusal> {
        from_functions::spell(factor);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        let done = decorations::strip(expr)
            .and_then(|()| array_literal::expand(expr))
            .and_then(|()| cast_literal::read(expr))
            .and_then(|()| similar::to_regex(expr))
            .map(|()| {
                moment_literal::spell(expr);
                session_functions::call(expr);
                unicode_literal(expr);
            });
        if let Expr::Function(function) = expr
            && let Some(error) = clauses::windowless(function)
        {
            return ControlFlow::Break((error, function.name.span()));
        }
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break((error, expr.span())),
        }
    }
}

/// `U&'\0041'`, whose escapes the tokenizer has read.
fn unicode_literal(expr: &mut Expr) {
    if let Expr::Value(value) = expr
        && let Value::UnicodeStringLiteral(text) = &mut value.value
    {
        value.value = Value::SingleQuotedString(std::mem::take(text));
    }
}

/// Parts of a query that we do not take.
fn refusal(query: &Query) -> Option<SqlError> {
    let unsupported = |text: &str, hint: &str| {
        Some(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, text).hint(hint))
    };
    if !query.locks.is_empty() {
        let hint = "Statements are isolated by snapshots: leave the clause out.";
        return unsupported("FOR UPDATE and FOR SHARE are not supported", hint);
    }
    match query.body.as_ref() {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            unsupported(
                "a changing statement inside a query is not supported",
                "Put the WITH into the query or the subquery that reads it.",
            )
        }
        SetExpr::Select(select) if select.into.is_some() => unsupported(
            "SELECT INTO is not supported",
            "Use CREATE TABLE … AS SELECT.",
        ),
        _ => None,
    }
}
