//! Queries as clients send them, made into queries that the planner reads. The parser has taken off what is
//! only spelling; what needs the catalog or the planner's functions is done here, on the syntax tree.
//!
//! | written | planned as |
//! |---|---|
//! | `'t'::regclass`, `x::regtype` … | an oid; a name where it is shown or becomes text (`casts`) |
//! | `(SELECT a FROM …)` as a value | at most one row, 21000 otherwise (`subqueries`) |
//! | `a > ALL (SELECT b …)` | `a > ALL (SELECT x FROM (SELECT b …) AS compared(x))` (`subqueries`) |
//! | `EXISTS (SELECT …)` as a column | `(SELECT count(*) > 0 …)` (`subqueries`) |
//! | `ARRAY(SELECT …)` | a subquery with `array_agg`, or a transformed array (`subqueries`) |
//! | `ARRAY(SELECT … FROM pg_options_to_table(a))` | the transformed array of options (`subqueries`) |
//! | `SELECT generate_series(1, 3)` | `SELECT unnest(generate_series(1, 3))` (`sets`) |
//! | `FROM pg_catalog.unnest(a)` | `FROM UNNEST(a)`; other functions without the schema (`sets`) |
//! | `(s).field` | `s['field']` |
//! | `CASE WHEN t.typtype = 'd' THEN (SELECT … FROM pg_type …)` | NULL: there are no such types (`sets`) |
//! | subqueries and `_pg_expandarray` beside a table of the system that is always empty | NULL, for they are never asked (`sets`) |

mod casts;
mod sets;
mod subqueries;

use crate::query::Context;
use alcedo_sql::ast::{
    self, AccessExpr, Expr, ObjectName, Query, Select, TableFactor, VisitMut, VisitorMut,
};
use alcedo_sql::statement::Name;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Rewrites a query whose output columns have their names already.
pub(crate) fn rewrite(ctx: &Context, query: &mut Query) {
    let mut rewriter = Rewriter {
        ctx,
        compared: HashSet::new(),
    };
    // It never breaks off.
    let _ = VisitMut::visit(query, &mut rewriter);
    casts::show(&mut query.body);
}

struct Rewriter<'a> {
    ctx: &'a Context,
    /// Where subqueries stand that ANY and ALL compare with: these may have many rows.
    compared: HashSet<*const Expr>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        sets::never_asked(select);
        sets::in_projection(select);
        subqueries::exists(select);
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        sets::unqualified(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } = expr {
            self.compared.insert(std::ptr::from_ref(right.as_ref()));
        }
        sets::no_such_type(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        casts::cast(expr);
        field(expr);
        subqueries::compared(expr, &|table| self.columns_of(table));
        subqueries::array(expr, &|name| self.is_aggregate(name));
        if !self.compared.contains(&std::ptr::from_ref(expr)) {
            subqueries::scalar(expr, &|name| self.is_aggregate(name));
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    /// The columns of a relation of users.
    fn columns_of(&self, table: &ObjectName) -> Vec<String> {
        let parts: Vec<String> = table
            .0
            .iter()
            .filter_map(|p| p.as_ident().map(crate::query::names::normal))
            .collect();
        let (schema, name) = match parts.as_slice() {
            [.., schema, name] => (Some(schema.clone()), name.clone()),
            [name] => (None, name.clone()),
            [] => return Vec::new(),
        };
        let found = self.ctx.relation(&Name { schema, name });
        found.map_or_else(
            |_| Vec::new(),
            |(_, r)| r.columns().iter().map(|c| c.name.clone()).collect(),
        )
    }

    fn is_aggregate(&self, name: &str) -> bool {
        self.ctx
            .services
            .template
            .aggregate_functions()
            .contains_key(name)
    }
}

/// `(s).field`: the planner wants the name as a text.
fn field(expr: &mut Expr) {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else {
        return;
    };
    // `t.column[1]` is a column first.
    if matches!(**root, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
        return;
    }
    for access in access_chain {
        if let AccessExpr::Dot(Expr::Identifier(ident)) = access {
            let name = ast::Value::SingleQuotedString(crate::query::names::normal(ident));
            *access = AccessExpr::Subscript(ast::Subscript::Index {
                index: Expr::value(name),
            });
        }
    }
}

/// Takes an expression out of its place.
fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(ast::Value::Null))
}

/// The last part of a name, folded.
fn last(name: &ObjectName) -> Option<String> {
    name.0
        .last()
        .and_then(|p| p.as_ident())
        .map(crate::query::names::normal)
}

/// The name of a function that is called plainly or behind `pg_catalog.`
fn function_name(name: &ObjectName) -> Option<String> {
    let qualified = name.0.len() > 1;
    let of_catalog = name
        .0
        .first()
        .and_then(|p| p.as_ident())
        .is_some_and(|s| s.value == "pg_catalog");
    if qualified && !(of_catalog && name.0.len() == 2) {
        return None;
    }
    last(name)
}
