//! Output column names as PostgreSQL gives them: `count`, `case`, `?column?` …
//!
//! Every select item without an alias that is not a plain column gets the name PostgreSQL would show
//! (the rules of its `FigureColname`). DataFusion wants names unique within a projection, PostgreSQL does
//! not: a repeated name gets a suffix behind [`MARK`], which [`shown`] takes off again.

use alcedo_sql::ast::{self, Expr, SelectItem, SetExpr, VisitMut, VisitorMut};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Starts the suffix of a repeated name; cannot be typed in an identifier by accident.
const MARK: char = '\u{1}';

/// The name to show for an output column.
pub fn shown(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Names the output columns of a query and of every query inside it.
pub fn assign(query: &mut ast::Query) {
    struct Namer;
    impl VisitorMut for Namer {
        type Break = ();
        fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
            name_body(&mut query.body);
            ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Namer);
}

fn name_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            qualify_wildcards(select);
            name_items(&mut select.projection);
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_body(left);
            name_body(right);
        }
        _ => {}
    }
}

/// `t.*` over `s.t` as `s.t.*`, which the planner knows.
fn qualify_wildcards(select: &mut ast::Select) {
    use ast::{SelectItemQualifiedWildcardKind as Kind, TableFactor};
    let factors = select.from.iter().flat_map(|t| {
        std::iter::once(&t.relation).chain(t.joins.iter().map(|join| &join.relation))
    });
    let qualified: Vec<ast::ObjectName> = factors
        .filter_map(|factor| match factor {
            TableFactor::Table {
                name, alias: None, ..
            } if name.0.len() == 2 => Some(name.clone()),
            _ => None,
        })
        .collect();
    for item in &mut select.projection {
        if let SelectItem::QualifiedWildcard(Kind::ObjectName(name), _) = item
            && let [table] = name.0.as_slice()
            && let Some(table) = table.as_ident().map(normal)
        {
            let same =
                |full: &&ast::ObjectName| full.0[1].as_ident().map(normal).as_ref() == Some(&table);
            if let Some(full) = qualified.iter().find(same) {
                *name = full.clone();
            }
        }
    }
}

fn name_items(items: &mut [SelectItem]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in items.iter_mut() {
        let (name, plain) = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => (normal(ident), true),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                (parts.last().map_or_else(String::new, normal), true)
            }
            SelectItem::UnnamedExpr(expr) => {
                (expression(expr).unwrap_or_else(|| "?column?".into()), false)
            }
            SelectItem::ExprWithAlias { alias, .. } => (normal(alias), false),
            _ => continue,
        };
        let times = seen.entry(name.clone()).or_insert(0);
        *times += 1;
        if plain && *times == 1 {
            continue;
        }
        let unique = if *times == 1 {
            name
        } else {
            format!("{name}{MARK}{times}")
        };
        let alias = ast::Ident::with_quote('"', unique);
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let expr = std::mem::replace(
                    expr,
                    Expr::Wildcard(ast::helpers::attached_token::AttachedToken::empty()),
                );
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
            SelectItem::ExprWithAlias { alias: old, .. } if *times > 1 => *old = alias,
            _ => {}
        }
    }
}

/// An identifier as it is looked up: folded unless quoted.
pub fn normal(ident: &ast::Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// The name PostgreSQL gives an expression; `None` is `?column?`.
fn expression(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(normal(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(normal),
        Expr::CompoundFieldAccess { root, access_chain } => access_chain
            .iter()
            .rev()
            .find_map(|access| match access {
                ast::AccessExpr::Dot(field) => expression(field),
                ast::AccessExpr::Subscript(_) => None,
            })
            .or_else(|| expression(root)),
        Expr::Nested(inner) => expression(inner),
        Expr::Collate { expr, .. } => expression(expr),
        Expr::Function(function) => function
            .name
            .0
            .last()
            .and_then(|part| part.as_ident())
            .map(normal),
        Expr::Cast {
            expr, data_type, ..
        } => expression(expr).or_else(|| Some(type_name(data_type))),
        Expr::TypedString(typed) => Some(type_name(&typed.data_type)),
        Expr::Interval(_) => Some("interval".into()),
        Expr::Case { else_result, .. } => else_result
            .as_deref()
            .and_then(expression)
            .or_else(|| Some("case".into())),
        Expr::Exists { .. } => Some("exists".into()),
        Expr::Array(_) => Some("array".into()),
        Expr::Extract { .. } => Some("extract".into()),
        Expr::Substring { .. } => Some("substring".into()),
        Expr::Trim { trim_where, .. } => Some(
            match trim_where {
                Some(ast::TrimWhereField::Leading) => "ltrim",
                Some(ast::TrimWhereField::Trailing) => "rtrim",
                _ => "btrim",
            }
            .into(),
        ),
        Expr::Position { .. } => Some("position".into()),
        Expr::Overlay { .. } => Some("overlay".into()),
        Expr::Ceil { .. } => Some("ceil".into()),
        Expr::Floor { .. } => Some("floor".into()),
        Expr::AtTimeZone { .. } => Some("timezone".into()),
        Expr::Tuple(_) => Some("row".into()),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first() {
                Some(SelectItem::ExprWithAlias { alias, .. }) => {
                    Some(shown(&normal(alias)).to_owned())
                }
                Some(SelectItem::UnnamedExpr(expr)) => expression(expr),
                _ => None,
            },
            _ => None,
        },
        Expr::Value(value) if matches!(value.value, ast::Value::Boolean(_)) => Some("bool".into()),
        _ => None,
    }
}

fn type_name(ty: &ast::DataType) -> String {
    alcedo_sql::types::SqlType::from_ast(ty).map_or_else(
        |_| ty.to_string().to_lowercase(),
        |t| t.typname().trim_start_matches('_').to_owned(),
    )
}
