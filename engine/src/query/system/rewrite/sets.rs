//! Sets of rows where a value may stand, and sets that are always empty.

use super::{function_name, last, take};
use crate::query::call::call;
use crate::query::system::{columns, pg_catalog};
use alcedo_sql::ast::{
    self, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, JoinOperator,
    ObjectName, Select, SelectItem, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// A function that gives a row per value, as a column of the result.
pub(super) fn in_projection(select: &mut Select) {
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            continue;
        };
        if let Expr::Function(Function { name, .. }) = expr
            && function_name(name).as_deref() == Some("generate_series")
        {
            *expr = Expr::Function(call("unnest", vec![take(expr)]));
        }
    }
}

/// `pg_catalog.unnest(a, …)` in FROM as the parser's own UNNEST; other functions without their schema.
pub(super) fn unqualified(factor: &mut TableFactor) {
    let TableFactor::Table {
        name,
        alias,
        args: Some(args),
        with_ordinality,
        ..
    } = factor
    else {
        return;
    };
    match function_name(name).as_deref() {
        Some("unnest") if name.0.len() == 2 => {}
        Some(_) if name.0.len() == 2 => {
            name.0.remove(0);
            return;
        }
        _ => return,
    }
    let values = args.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    let Some(array_exprs) = values.collect() else {
        return;
    };
    *factor = TableFactor::UNNEST {
        alias: alias.take(),
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: *with_ordinality,
    };
}

/// Beside a table that is always empty no column is ever computed: subqueries there become NULL. Clients ask
/// such tables with subqueries that the planner cannot take apart.
pub(super) fn never_asked(select: &mut Select) {
    let grouped =
        !matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
    if grouped || !select.from.iter().any(is_empty) {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            // It never breaks off.
            let _ = VisitMut::visit(expr, &mut Forget);
        }
    }
}

/// No type here is a domain or a row type: what clients ask about those is never asked.
pub(super) fn no_such_type(expr: &mut Expr) {
    let Expr::Case { conditions, .. } = expr else {
        return;
    };
    for when in conditions {
        if let (Expr::Subquery(query), true) = (&when.result, is_absent_kind(&when.condition))
            && reads_catalog(query)
        {
            when.result = null(shape(query));
        }
    }
}

/// Whether a query reads tables of the catalog of types.
fn reads_catalog(query: &ast::Query) -> bool {
    struct Finder;
    impl ast::Visitor for Finder {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { name, .. }
                    if in_catalog(name)
                        .is_some_and(|t| ["pg_type", "pg_attribute"].contains(&t.as_str())) =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    ast::Visit::visit(query, &mut Finder).is_break()
}

/// `t.typtype = 'c'` or `'d'`
fn is_absent_kind(condition: &Expr) -> bool {
    let Expr::BinaryOp {
        left,
        op: ast::BinaryOperator::Eq,
        right,
    } = condition
    else {
        return false;
    };
    let column = match left.as_ref() {
        Expr::Identifier(column) => Some(column),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    let kind = match right.as_ref() {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    column.is_some_and(|c| c.value == "typtype") && matches!(kind.as_deref(), Some("c" | "d"))
}

/// The type of what is asked: an oid, or all oids or names.
fn shape(query: &ast::Query) -> DataType {
    let oid = || DataType::Custom(ObjectName::from(vec![ast::Ident::new("oid")]), Vec::new());
    let array = |ty| DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(ty), None));
    let ast::SetExpr::Select(select) = query.body.as_ref() else {
        return oid();
    };
    let item = match select.projection.first() {
        Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => expr,
        _ => return oid(),
    };
    match item {
        Expr::Function(f) if last(&f.name).as_deref() == Some("array_agg") => {
            let text = matches!(&f.args, FunctionArguments::List(list) if list.args.iter().any(
                |arg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { .. })))
            ));
            array(if text { DataType::Text } else { oid() })
        }
        _ => oid(),
    }
}

struct Forget;

impl VisitorMut for Forget {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let text = || DataType::Text;
        *expr = match expr {
            Expr::Subquery(_) => null(text()),
            Expr::Function(f) if matches!(f.args, FunctionArguments::Subquery(_)) => null(
                DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(text()), None)),
            ),
            // A column of rows: elements of an array with their places.
            Expr::Function(f) if last(&f.name).as_deref() == Some("_pg_expandarray") => {
                let name =
                    |text: &str| Expr::value(ast::Value::SingleQuotedString(text.to_owned()));
                let fields = vec![
                    name("x"),
                    null(DataType::SmallInt(None)),
                    name("n"),
                    null(DataType::Integer(None)),
                ];
                Expr::Function(call("named_struct", fields))
            }
            _ => return ControlFlow::Continue(()),
        };
        ControlFlow::Continue(())
    }
}

fn null(data_type: DataType) -> Expr {
    let expr = Box::new(Expr::value(ast::Value::Null));
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr,
        data_type,
        array: false,
        format: None,
    }
}

/// Whether a part of FROM has no rows, whatever is joined to it.
fn is_empty(from: &TableWithJoins) -> bool {
    let inner = |join: &&ast::Join| {
        matches!(
            join.join_operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
        )
    };
    let keeps_left = from.joins.iter().all(|join| {
        inner(&join)
            || matches!(
                join.join_operator,
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_)
            )
    });
    keeps_left
        && (is_empty_table(&from.relation)
            || from
                .joins
                .iter()
                .filter(inner)
                .any(|join| is_empty_table(&join.relation)))
}

fn is_empty_table(factor: &TableFactor) -> bool {
    let TableFactor::Table {
        name, args: None, ..
    } = factor
    else {
        return false;
    };
    in_catalog(name).is_some_and(|table| {
        columns::of("pg_catalog", &table).is_some() && !pg_catalog::has_rows(&table)
    })
}

/// The table of `pg_catalog` that a name means: that schema comes first in every search path.
fn in_catalog(name: &ObjectName) -> Option<String> {
    let schema = name
        .0
        .len()
        .checked_sub(2)
        .and_then(|at| name.0[at].as_ident());
    match schema {
        Some(schema) if schema.value != "pg_catalog" => None,
        _ => last(name),
    }
}
