//! Functions in FROM: the name of their column, `LATERAL unnest(…)`, and WITH ORDINALITY as a numbered subquery.

use sqlparser::ast::{
    FunctionArg, FunctionArgExpr, Ident, ObjectName, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor,
};

/// Spells a function in FROM as the planner reads it.
pub(super) fn spell(factor: &mut TableFactor) {
    lateral(factor);
    name(factor);
    ordinality(factor);
}

/// `LATERAL unnest(a)` as `UNNEST(a)`, which sees the tables before it anyway.
fn lateral(factor: &mut TableFactor) {
    let TableFactor::Function {
        lateral: true,
        name,
        args,
        with_ordinality,
        alias,
    } = factor
    else {
        return;
    };
    let values = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    });
    let Some(array_exprs) = values.collect::<Option<Vec<_>>>() else {
        return;
    };
    if is(name, "unnest") {
        *factor = TableFactor::UNNEST {
            alias: alias.take(),
            array_exprs,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: *with_ordinality,
        };
    }
}

fn is(name: &ObjectName, function: &str) -> bool {
    let [part] = name.0.as_slice() else {
        return false;
    };
    part.as_ident()
        .is_some_and(|n| crate::cursor::fold(n) == function)
}

/// The column of a function that gives single values has the name of its table, and the table that of the function.
fn name(factor: &mut TableFactor) {
    let (function, alias, ordinality) = match factor {
        TableFactor::UNNEST {
            array_exprs,
            alias,
            with_ordinality,
            ..
        } if array_exprs.len() == 1 => ("unnest", alias, *with_ordinality),
        TableFactor::Table {
            name,
            args: Some(_),
            alias,
            with_ordinality,
            ..
        } if is(name, "generate_series") => ("generate_series", alias, *with_ordinality),
        _ => return,
    };
    let alias = alias.get_or_insert_with(|| table(Ident::new(function), Vec::new()));
    if alias.columns.is_empty() {
        alias.columns.push(column(alias.name.clone()));
        if ordinality {
            alias.columns.push(column(Ident::new("ordinality")));
        }
    }
}

fn table(name: Ident, columns: Vec<TableAliasColumnDef>) -> TableAlias {
    TableAlias {
        explicit: true,
        name,
        columns,
        at: None,
    }
}

fn column(name: Ident) -> TableAliasColumnDef {
    TableAliasColumnDef {
        name,
        data_type: None,
    }
}

/// `f(…) WITH ORDINALITY a(x, n)` as a subquery that numbers the rows.
fn ordinality(factor: &mut TableFactor) {
    let alias = match factor {
        TableFactor::UNNEST {
            with_ordinality: with @ true,
            alias,
            ..
        }
        | TableFactor::Table {
            with_ordinality: with @ true,
            args: Some(_),
            alias,
            ..
        } => {
            *with = false;
            alias.take()
        }
        _ => return,
    };
    let Some(mut query) =
        crate::parse_query("SELECT *, row_number() OVER () AS ordinality FROM x").ok()
    else {
        return;
    };
    let columns = alias.as_ref().map_or(&[][..], |a| a.columns.as_slice());
    if let (
        [first] | [first, _],
        TableFactor::UNNEST { alias, .. } | TableFactor::Table { alias, .. },
    ) = (columns, &mut *factor)
    {
        *alias = Some(table(Ident::new("f"), vec![first.clone()]));
    }
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
    {
        from.relation = factor.clone();
    }
    *factor = TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias,
        sample: None,
    };
}
