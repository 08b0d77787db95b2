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
    // Nothing of the inputs of a join: rows of an outer one may come of no row below.
    if let [input] = plan.inputs()[..] {
        facts.extend(after(input));
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
    match condition {
        // `a = 1 OR a = 2`, as short lists are written by then.
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => either(&read(left), &read(right)).into_iter().collect(),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (side, value, op) = match (left.as_ref(), right.as_ref()) {
                (side, value @ Expr::Literal(..)) => (side, value, Some(*op)),
                (value @ Expr::Literal(..), side) => (side, value, op.swap()),
                _ => return Vec::new(),
            };
            op.and_then(|op| bound(side, op, value))
                .into_iter()
                .collect()
        }
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => {
            let bounds = [
                bound(expr, Operator::GtEq, low),
                bound(expr, Operator::LtEq, high),
            ];
            bounds.into_iter().flatten().collect()
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let values: Option<Vec<ScalarValue>> = list.iter().map(literal).collect();
            values
                .and_then(|values| fact(expr, Test::In(values)))
                .into_iter()
                .collect()
        }
        Expr::IsNull(inner) => fact(inner, Test::Null).into_iter().collect(),
        Expr::IsNotNull(inner) => fact(inner, Test::NotNull).into_iter().collect(),
        Expr::IsTrue(inner) => read(inner),
        Expr::Column(_) => fact(condition, is(true)).into_iter().collect(),
        Expr::Not(inner) => fact(inner, is(false)).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn fact(side: &Expr, test: Test) -> Option<Fact> {
    let column = column(side)?.clone();
    Some(Fact { column, test })
}

/// A comparison of a column with a constant.
fn bound(side: &Expr, op: Operator, value: &Expr) -> Option<Fact> {
    use Operator as O;
    if !matches!(op, O::Eq | O::Lt | O::LtEq | O::Gt | O::GtEq) {
        return None;
    }
    fact(side, Test::Compared(op, literal(value)?))
}

fn literal(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        _ => None,
    }
}

/// The values of a column of which one or the other side of an OR knows all.
fn either(one: &[Fact], other: &[Fact]) -> Option<Fact> {
    let ([one], [other]) = (one, other) else {
        return None;
    };
    let values = [one.values()?, other.values()?].concat();
    (one.column == other.column).then(|| Fact {
        column: one.column.clone(),
        test: Test::In(values),
    })
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
