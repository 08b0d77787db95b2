//! What holds for the columns of all rows that a plan node sees, or that come out of it: the simple conditions of
//! filters below it.

use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, JoinType, LogicalPlan, Operator};

/// A condition on one column that is true.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// The column, as expressions above name it.
    pub column: Column,
    /// What is true of it.
    pub test: Test,
}

impl Fact {
    /// The only values that the column has, when it is such a fact.
    fn values(&self) -> Option<&[ScalarValue]> {
        match &self.test {
            Test::Compared(Operator::Eq, value) => Some(std::slice::from_ref(value)),
            Test::In(values) => Some(values),
            _ => None,
        }
    }
}

/// What is true of a column's value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// It stands so to a constant: `=`, `<`, `<=`, `>` or `>=`.
    Compared(Operator, ScalarValue),
    /// It is one of these.
    In(Vec<ScalarValue>),
    /// It is NULL.
    Null,
    /// It is not NULL.
    NotNull,
}

/// What holds for the rows whose expressions a node computes: what its inputs let through, and for a filter its own
/// conditions, since a row for which one of them is not true is dropped whatever the others are.
pub(super) fn before(plan: &LogicalPlan) -> Vec<Fact> {
    let own: Vec<&Expr> = match plan {
        LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate),
        LogicalPlan::TableScan(scan) => scan.filters.iter().flat_map(split_conjunction).collect(),
        _ => Vec::new(),
    };
    let mut facts: Vec<Fact> = own.into_iter().flat_map(read).collect();
    match plan {
        // Rows of an outer join may come of no row below; conditions of joins are seen before it is decided.
        LogicalPlan::Join(_) => {}
        _ => plan.inputs().into_iter().take(1).for_each(|input| {
            if plan.inputs().len() == 1 {
                facts.extend(after(input));
            }
        }),
    }
    facts
}

/// What holds for the rows that come out of a node.
fn after(plan: &LogicalPlan) -> Vec<Fact> {
    match plan {
        LogicalPlan::Filter(_) => before(plan),
        LogicalPlan::Sort(sort) => after(&sort.input),
        LogicalPlan::Limit(limit) => after(&limit.input),
        LogicalPlan::Repartition(repartition) => after(&repartition.input),
        LogicalPlan::SubqueryAlias(alias) => after(&alias.input)
            .into_iter()
            .map(|fact| Fact {
                column: Column::new(Some(alias.alias.clone()), fact.column.name),
                ..fact
            })
            .collect(),
        LogicalPlan::Projection(projection) => {
            let facts = after(&projection.input);
            let mut seen = Vec::new();
            for expr in &projection.expr {
                let (source, column) = match expr {
                    Expr::Column(column) => (column, column.clone()),
                    Expr::Alias(alias) => match alias.expr.as_ref() {
                        Expr::Column(source) => {
                            let relation: Option<TableReference> = alias.relation.clone();
                            (source, Column::new(relation, alias.name.clone()))
                        }
                        _ => continue,
                    },
                    _ => continue,
                };
                for fact in facts.iter().filter(|fact| fact.column == *source) {
                    seen.push(Fact {
                        column: column.clone(),
                        test: fact.test.clone(),
                    });
                }
            }
            seen
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner => {
                let mut facts = after(&join.left);
                facts.extend(after(&join.right));
                facts
            }
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => after(&join.left),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => after(&join.right),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The facts of a condition that is true.
fn read(condition: &Expr) -> Vec<Fact> {
    let of = |column: &Column, test: Test| Fact {
        column: column.clone(),
        test,
    };
    match condition {
        // `a = 1 OR a = 2`, as short lists are written by then.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => match (&read(left)[..], &read(right)[..]) {
            ([one], [other]) if one.column == other.column => {
                match (one.values(), other.values()) {
                    (Some(values), Some(others)) => {
                        vec![of(&one.column, Test::In([values, others].concat()))]
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        },
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (side, value, op) = match (left.as_ref(), right.as_ref()) {
                (side, Expr::Literal(value, _)) => (side, value, Some(*op)),
                (Expr::Literal(value, _), side) => (side, value, op.swap()),
                _ => return Vec::new(),
            };
            let simple = |op: &Operator| {
                use Operator as O;
                matches!(op, O::Eq | O::Lt | O::LtEq | O::Gt | O::GtEq)
            };
            match (column(side), op.filter(simple)) {
                (Some(column), Some(op)) => vec![of(column, Test::Compared(op, value.clone()))],
                _ => Vec::new(),
            }
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let bound = |op: Operator, value: &Expr| match (column(expr), value) {
                (Some(column), Expr::Literal(value, _)) => {
                    Some(of(column, Test::Compared(op, value.clone())))
                }
                _ => None,
            };
            let low = bound(Operator::GtEq, low);
            low.into_iter().chain(bound(Operator::LtEq, high)).collect()
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let values: Option<Vec<ScalarValue>> = list
                .iter()
                .map(|item| match item {
                    Expr::Literal(value, _) => Some(value.clone()),
                    _ => None,
                })
                .collect();
            match (column(expr), values) {
                (Some(column), Some(values)) => vec![of(column, Test::In(values))],
                _ => Vec::new(),
            }
        }
        Expr::IsNull(inner) => column(inner)
            .map(|c| of(c, Test::Null))
            .into_iter()
            .collect(),
        Expr::IsNotNull(inner) => column(inner)
            .map(|c| of(c, Test::NotNull))
            .into_iter()
            .collect(),
        Expr::IsTrue(inner) => read(inner),
        Expr::Column(column) => vec![of(column, is(true))],
        Expr::Not(inner) => column(inner)
            .map(|c| of(c, is(false)))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn is(value: bool) -> Test {
    Test::Compared(Operator::Eq, ScalarValue::Boolean(Some(value)))
}

/// The column that an expression is.
pub(super) fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}
