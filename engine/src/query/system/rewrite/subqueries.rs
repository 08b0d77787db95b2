//! Subqueries as values. PostgreSQL asks that one has no more than a row when it runs, the planner that it
//! is an aggregate when it is correlated; `sole` is the aggregate that makes the one of the other.

use super::{function_name, take};
use crate::query::call::call;
use crate::query::names::normal;
use alcedo_sql::ast::{
    self, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    GroupByExpr, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, LimitClause,
    OneOrManyWithParens, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, TableAlias,
    TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use std::ops::ControlFlow;

/// Tells names of aggregate functions.
type IsAggregate<'a> = &'a dyn Fn(&str) -> bool;

/// Tells the columns of a table; none when they are not known.
type ColumnsOf<'a> = &'a dyn Fn(&ast::ObjectName) -> Vec<String>;

/// `(SELECT a FROM t WHERE …)` as `sole_value((SELECT sole(a) FROM t WHERE …))`; with LIMIT 1 it is the first value.
pub(super) fn scalar(expr: &mut Expr, is_aggregate: IsAggregate<'_>) {
    let Expr::Subquery(query) = expr else { return };
    let first = limit(query) == Limit::One;
    if limit(query) == Limit::Other {
        return;
    }
    let order = order(query);
    let Some(item) = plain_item(query, is_aggregate) else {
        return;
    };
    let value = take(item);
    if !first {
        *item = Expr::Function(call("sole", vec![value]));
        query.order_by = None;
        *expr = Expr::Function(call("sole_value", vec![take(expr)]));
        return;
    }
    let Some(order) = order.map(|order| resolved(order, &value)) else {
        *item = value;
        return;
    };
    let mut function = call("first_value", vec![value]);
    ordered(&mut function, order);
    *item = Expr::Function(function);
    query.order_by = None;
    query.limit_clause = None;
}

/// `ARRAY(SELECT …)`
pub(super) fn array(expr: &mut Expr, is_aggregate: IsAggregate<'_>) {
    let Expr::Function(function) = expr else {
        return;
    };
    if function_name(&function.name).as_deref() != Some("array") {
        return;
    }
    let FunctionArguments::Subquery(query) = &mut function.args else {
        return;
    };
    if let Some(transformed) = transform(query) {
        *expr = transformed;
        return;
    }
    let mut query = std::mem::replace(query, Box::new(empty_query()));
    let order = order(&query);
    let simple = limit(&query) == Limit::None;
    match (
        order,
        simple
            .then(|| plain_item(&mut query, is_aggregate))
            .flatten(),
    ) {
        (Some(order), Some(item)) => {
            let value = take(item);
            let order = resolved(order, &value);
            let mut function = call("array_agg", vec![value]);
            ordered(&mut function, order);
            *item = Expr::Function(function);
            query.order_by = None;
        }
        _ => query = Box::new(collected(query)),
    }
    let none = Expr::Array(ast::Array {
        elem: Vec::new(),
        named: true,
    });
    *expr = Expr::Function(call("coalesce", vec![Expr::Subquery(query), none]));
}

/// `ARRAY(SELECT f(x) FROM unnest(a) x)` as a transformed array: such a FROM cannot be correlated otherwise.
fn transform(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let [from] = select.from.as_slice() else {
        return None;
    };
    let plain = from.joins.is_empty() && select.selection.is_none() && is_plain(select);
    if !plain || query.order_by.is_some() || limit(query) != Limit::None {
        return None;
    }
    let mut body = item(select)?.clone();
    let (array, name) = match &from.relation {
        TableFactor::UNNEST {
            alias: Some(alias),
            array_exprs,
            with_ordinality: false,
            ..
        } => {
            let [array] = array_exprs.as_slice() else {
                return None;
            };
            let name = alias.columns.first().map_or(&alias.name, |c| &c.name);
            if matches!(&body, Expr::Identifier(ident) if normal(ident) == normal(name)) {
                return Some(array.clone());
            }
            (array, name.clone())
        }
        relation => {
            // It never breaks off.
            let _ = VisitMut::visit(&mut body, &mut OptionParts);
            (options_of(relation)?, Ident::new(OPTION))
        }
    };
    let lambda = LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name,
            data_type: None,
        }),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    };
    Some(Expr::Function(call(
        "array_transform",
        vec![array.clone(), Expr::Lambda(lambda)],
    )))
}

/// An element of an array of options, `name=value`.
const OPTION: &str = "option";

/// The array that `pg_options_to_table` takes apart.
fn options_of(relation: &TableFactor) -> Option<&Expr> {
    let TableFactor::Table {
        name,
        args: Some(args),
        ..
    } = relation
    else {
        return None;
    };
    match (function_name(name).as_deref(), args.args.as_slice()) {
        (Some("pg_options_to_table"), [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))]) => {
            Some(array)
        }
        _ => None,
    }
}

/// The columns of `pg_options_to_table` as parts of an option.
struct OptionParts;

impl VisitorMut for OptionParts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let part = match expr {
            Expr::Identifier(name) => match normal(name).as_str() {
                "option_name" => format!("split_part({OPTION}, '=', 1)"),
                "option_value" => format!("substr({OPTION}, strpos({OPTION}, '=') + 1)"),
                _ => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        if let Ok(part) = alcedo_sql::parse_expression(&part) {
            *expr = part;
        }
        ControlFlow::Continue(())
    }
}

/// `EXISTS (SELECT … FROM t WHERE …)` in a column of the result as `(SELECT count(*) > 0 FROM t WHERE …)`.
pub(super) fn exists(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            // It never breaks off.
            let _ = VisitMut::visit(expr, &mut Counter { depth: 0 });
        }
    }
}

struct Counter {
    /// How many subqueries deep it looks.
    depth: usize,
}

impl VisitorMut for Counter {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Exists { subquery, negated } = expr else {
            return ControlFlow::Continue(());
        };
        let compared = if *negated {
            "count(*) = 0"
        } else {
            "count(*) > 0"
        };
        let SetExpr::Select(select) = subquery.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let plain = is_plain(select) && subquery.limit_clause.is_none() && subquery.fetch.is_none();
        // A function may be an aggregate, which has a row even of nothing.
        let called = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                combines(expr, &|_| true)
            }
            _ => false,
        });
        if self.depth > 0 || !plain || called || subquery.with.is_some() {
            return ControlFlow::Continue(());
        }
        if let Ok(count) = alcedo_sql::parse_expression(compared) {
            select.projection = vec![SelectItem::UnnamedExpr(count)];
            subquery.order_by = None;
            let query = std::mem::replace(subquery, Box::new(empty_query()));
            *expr = Expr::Subquery(query);
        }
        ControlFlow::Continue(())
    }
}

/// The subquery that ANY or ALL compares with, under a name of its own: a column of a table that is in the outer query
/// as well would be taken for the outer one.
pub(super) fn compared(expr: &mut Expr, columns_of: ColumnsOf<'_>) {
    let (Expr::AnyOp { right, .. } | Expr::AllOp { right, .. }) = expr else {
        return;
    };
    if let Expr::Subquery(query) = right.as_mut()
        && !is_correlated(query, columns_of)
    {
        let inner = std::mem::replace(query, Box::new(empty_query()));
        **query = over(inner, "compared", |column| column);
    }
}

/// Whether a subquery may name what it does not read itself: a table, or a column that none of its tables has.
fn is_correlated(query: &Query, columns_of: ColumnsOf<'_>) -> bool {
    struct Names<'a> {
        columns_of: ColumnsOf<'a>,
        own: Vec<String>,
        used: Vec<String>,
        own_columns: Vec<String>,
        used_columns: Vec<String>,
    }
    impl Visitor for Names<'_> {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let (name, alias) = match factor {
                TableFactor::Table { name, alias, .. } => {
                    self.own_columns.extend((self.columns_of)(name));
                    (name.0.last().and_then(|p| p.as_ident()), alias.as_ref())
                }
                TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => {
                    (None, alias.as_ref())
                }
                _ => (None, None),
            };
            self.own.extend(alias.map(|a| &a.name).or(name).map(normal));
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts) => {
                    if let [.., table, _] = parts.as_slice() {
                        self.used.push(normal(table));
                    }
                }
                Expr::Identifier(column) => self.used_columns.push(normal(column)),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names {
        columns_of,
        own: Vec::new(),
        used: Vec::new(),
        own_columns: Vec::new(),
        used_columns: Vec::new(),
    };
    // It never breaks off.
    let _ = Visit::visit(query, &mut names);
    let foreign = |used: &[String], own: &[String]| used.iter().any(|name| !own.contains(name));
    foreign(&names.used, &names.own) || foreign(&names.used_columns, &names.own_columns)
}

/// `SELECT array_agg(x) FROM (query) AS t(x)`
fn collected(query: Box<Query>) -> Query {
    over(query, "t", |column| {
        Expr::Function(call("array_agg", vec![column]))
    })
}

/// `SELECT item(x) FROM (query) AS name(x)`
fn over(query: Box<Query>, name: &str, item: impl Fn(Expr) -> Expr) -> Query {
    let mut outer = empty_query();
    if let SetExpr::Select(select) = outer.body.as_mut() {
        let column = Ident::new("x");
        select.projection = vec![SelectItem::UnnamedExpr(item(Expr::Identifier(
            column.clone(),
        )))];
        select.from = vec![ast::TableWithJoins {
            relation: TableFactor::Derived {
                lateral: false,
                subquery: query,
                alias: Some(TableAlias {
                    explicit: true,
                    name: Ident::new(name),
                    columns: vec![ast::TableAliasColumnDef {
                        name: column,
                        data_type: None,
                    }],
                    at: None,
                }),
                sample: None,
            },
            joins: Vec::new(),
        }];
    }
    outer
}

fn empty_query() -> Query {
    *alcedo_sql::parse_query("SELECT NULL").expect("the text is a query")
}

/// The one item of a query that gives its rows as they are found; none for aggregates, groups and sets.
fn plain_item<'q>(query: &'q mut Query, is_aggregate: IsAggregate<'_>) -> Option<&'q mut Expr> {
    if query.with.is_some() || query.fetch.is_some() {
        return None;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let one_row = select.from.is_empty() && select.selection.is_none();
    if one_row || !is_plain(select) || combines(item(select)?, is_aggregate) {
        return None;
    }
    match select.projection.first_mut()? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn is_plain(select: &Select) -> bool {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    !grouped && select.having.is_none() && select.distinct.is_none() && select.qualify.is_none()
}

fn item(select: &Select) -> Option<&Expr> {
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr),
        _ => None,
    }
}

/// Whether an expression puts rows together: aggregates, window functions, functions with many rows.
fn combines(expr: &Expr, is_aggregate: IsAggregate<'_>) -> bool {
    struct Finder<'a> {
        is_aggregate: IsAggregate<'a>,
        /// How many subqueries deep it looks.
        depth: usize,
    }
    impl Visitor for Finder<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let Expr::Function(Function { name, over, .. }) = expr else {
                return ControlFlow::Continue(());
            };
            let name = function_name(name).unwrap_or_default();
            let found = over.is_some() || name == "unnest" || (self.is_aggregate)(&name);
            if self.depth == 0 && found {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    Visit::visit(
        expr,
        &mut Finder {
            is_aggregate,
            depth: 0,
        },
    )
    .is_break()
}

#[derive(PartialEq, Eq)]
enum Limit {
    None,
    One,
    Other,
}

fn limit(query: &Query) -> Limit {
    match &query.limit_clause {
        None if query.fetch.is_none() => Limit::None,
        Some(LimitClause::LimitOffset {
            limit: Some(Expr::Value(n)),
            offset: None,
            limit_by,
        }) if limit_by.is_empty() && matches!(&n.value, Value::Number(n, _) if n == "1") => {
            Limit::One
        }
        _ => Limit::Other,
    }
}

/// The keys of ORDER BY; none when it is of another kind.
fn order(query: &Query) -> Option<Vec<OrderByExpr>> {
    match &query.order_by {
        None => Some(Vec::new()),
        Some(by) => match &by.kind {
            OrderByKind::Expressions(keys) => Some(keys.clone()),
            OrderByKind::All(_) => None,
        },
    }
}

/// `ORDER BY 1` as the value itself.
fn resolved(mut keys: Vec<OrderByExpr>, value: &Expr) -> Vec<OrderByExpr> {
    for key in &mut keys {
        if matches!(&key.expr, Expr::Value(n) if matches!(n.value, Value::Number(..))) {
            key.expr = value.clone();
        }
    }
    keys
}

fn ordered(function: &mut Function, order: Vec<OrderByExpr>) {
    if let (FunctionArguments::List(list), false) = (&mut function.args, order.is_empty()) {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}
