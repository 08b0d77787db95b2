//! Clauses of queries: FETCH FIRST as LIMIT, and what PostgreSQL refuses in a clause where the planner would not.

use crate::error::SqlError;
use crate::sqlstate::SqlState;
use sqlparser::ast::{
    Expr, Fetch, Function, LimitClause, Query, Select, SelectItem, Visit, Visitor,
};
use std::ops::ControlFlow;

/// `FETCH FIRST n ROWS ONLY` as `LIMIT n`; ties and percentages stay for the planner to refuse.
pub(super) fn fetch(query: &mut Query) {
    let Some(Fetch {
        with_ties: false,
        percent: false,
        quantity,
    }) = &query.fetch
    else {
        return;
    };
    let one = Expr::value(sqlparser::ast::Value::Number("1".to_owned(), false));
    let count = Some(quantity.clone().unwrap_or(one));
    match &mut query.limit_clause {
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: count,
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(LimitClause::LimitOffset { limit, .. }) if limit.is_none() => *limit = count,
        Some(_) => return,
    }
    query.fetch = None;
}

/// What stands in the wrong clause, with its error.
pub(super) fn misplaced(select: &Select) -> Option<(SqlError, sqlparser::tokenizer::Span)> {
    for item in &select.projection {
        if let SelectItem::ExprWithAlias { alias, .. } = item
            && alias.quote_style == Some('\'')
        {
            let text = format!("syntax error at or near \"'{}'\"", alias.value);
            return Some((SqlError::new(SqlState::SYNTAX_ERROR, text), alias.span));
        }
    }
    let filters = [(&select.selection, "WHERE"), (&select.having, "HAVING")];
    for (filter, clause) in filters {
        if let Some(filter) = filter
            && let ControlFlow::Break(span) = filter.visit(&mut Windows { depth: 0 })
        {
            let text = format!("window functions are not allowed in {clause}");
            return Some((SqlError::new(SqlState::WINDOWING_ERROR, text), span));
        }
    }
    None
}

/// Finds a call with OVER outside subqueries.
struct Windows {
    depth: usize,
}

impl Visitor for Windows {
    type Break = sqlparser::tokenizer::Span;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Function(function) if function.over.is_some() && self.depth == 0 => {
                ControlFlow::Break(sqlparser::ast::Spanned::span(&function.name))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Functions that are nothing without a window.
const WINDOW_FUNCTIONS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
];

/// 42809 for such a function without OVER.
pub(super) fn windowless(function: &Function) -> Option<SqlError> {
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let name = crate::cursor::fold(name.as_ident()?);
    let bare = function.over.is_none()
        && function.within_group.is_empty()
        && WINDOW_FUNCTIONS.contains(&name.as_str());
    bare.then(|| {
        let text = format!("window function {name} requires an OVER clause");
        SqlError::new(SqlState::WRONG_OBJECT_TYPE, text)
    })
}
