//! What a plan tells of its parameters: their numbers, and types where a place gives one.
//!
//! The first place that gives a type decides, as in PostgreSQL; a cast around a parameter is such a place, and so is
//! `x = ANY($1)`, an array of what `x` is.

use crate::error::datafusion::into_datafusion;
use crate::error::{Error, Result};
use crate::query::error::from_datafusion;
use crate::types::{arrow_field, sql_type};
use alcedo_sql::SqlState;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DataFusionResult, ScalarValue};
use datafusion::logical_expr::expr::{Cast, Placeholder, TryCast};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The parameters of a plan.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// By number, from 1.
    pub types: BTreeMap<usize, Option<FieldRef>>,
    /// Whether every place of a parameter knows its type already; if not, the plan is to be made again with the types.
    pub settled: bool,
}

impl Parameters {
    /// Looks through a plan and its subqueries.
    ///
    /// # Errors
    /// 42P02 for names that are no numbers.
    pub fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut found = Self {
            types: BTreeMap::new(),
            settled: true,
        };
        let mut wrong = None;
        plan.apply_with_subqueries(|plan| {
            plan.apply_expressions(|expr| {
                expr.apply(|expr| {
                    let noted = match expr {
                        Expr::Cast(Cast { expr, field })
                        | Expr::TryCast(TryCast { expr, field }) => match &**expr {
                            Expr::Placeholder(Placeholder { id, field: None }) => {
                                found.note(id, Some(field))
                            }
                            _ => Ok(()),
                        },
                        Expr::ScalarFunction(call) if call.name() == "array_has" => {
                            match call.args.as_slice() {
                                [Expr::Placeholder(Placeholder { id, field: None }), element] => {
                                    found.note(id, array_of(element, plan).as_ref())
                                }
                                _ => Ok(()),
                            }
                        }
                        Expr::Placeholder(Placeholder { id, field }) => {
                            found.note(id, field.as_ref())
                        }
                        _ => Ok(()),
                    };
                    Ok(match noted {
                        Ok(()) => TreeNodeRecursion::Continue,
                        Err(error) => {
                            wrong = Some(error);
                            TreeNodeRecursion::Stop
                        }
                    })
                })
            })
        })
        .map_err(from_datafusion)?;
        wrong.map_or(Ok(found), Err)
    }

    fn note(&mut self, id: &str, field: Option<&FieldRef>) -> Result<()> {
        let number = number(id)?;
        let known = self.types.entry(number).or_default();
        let field = field.filter(|f| !f.data_type().is_null());
        match (known.as_ref(), field) {
            (Some(known), Some(field)) if known.data_type() == field.data_type() => {}
            (None, Some(field)) => *known = Some(Arc::clone(field)),
            _ => self.settled = false,
        }
        Ok(())
    }
}

/// Parameters among the arguments of table functions, by number.
///
/// Such a function wants its arguments as constants, but a statement is prepared before it has values: others stand
/// in for them, and the statement is planned again when it runs.
#[derive(Debug, Default)]
pub(super) struct Arguments(Mutex<BTreeMap<usize, FieldRef>>);

impl Arguments {
    /// An argument with constants in the place of parameters, of the types that are declared; numbers otherwise.
    pub fn stand_in(
        &self,
        argument: Expr,
        declared: &[Option<FieldRef>],
    ) -> DataFusionResult<Expr> {
        let replaced = argument.transform_down(|expr| {
            // A cast says what a parameter is.
            let (id, cast) = match &expr {
                Expr::Placeholder(placeholder) => (&placeholder.id, None),
                Expr::Cast(Cast { expr: inner, field }) => match inner.as_ref() {
                    Expr::Placeholder(placeholder) => (&placeholder.id, Some(Arc::clone(field))),
                    _ => return Ok(Transformed::no(expr)),
                },
                _ => return Ok(Transformed::no(expr)),
            };
            let number = number(id).map_err(into_datafusion)?;
            let declared = declared.get(number - 1).and_then(Clone::clone);
            let field = match cast {
                Some(field) => field,
                None => declared.unwrap_or_else(|| arrow_field("", &SqlType::Int8, true)),
            };
            let value = some_value(field.data_type())?;
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert(number, field);
            Ok(Transformed::yes(Expr::Literal(value, None)))
        });
        Ok(replaced?.data)
    }

    /// Those that were met, with their types.
    pub fn met(self) -> BTreeMap<usize, FieldRef> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that a step of a series may have.
fn some_value(ty: &DataType) -> DataFusionResult<ScalarValue> {
    match ty {
        DataType::Interval(_) => Ok(ScalarValue::new_interval_mdn(0, 1, 0)),
        ty => ScalarValue::new_one(ty).or_else(|_| ScalarValue::new_default(ty)),
    }
}

/// The number of `$1`.
///
/// # Errors
/// 42P02 for names that are no numbers.
fn number(id: &str) -> Result<usize> {
    let number = id.trim_start_matches('$').parse::<usize>().ok();
    number.filter(|n| *n > 0).ok_or_else(|| {
        let text = format!("there is no parameter {id}");
        Error::user(SqlState::UNDEFINED_PARAMETER, text)
    })
}

/// The type of arrays whose elements are such an expression.
fn array_of(element: &Expr, plan: &LogicalPlan) -> Option<FieldRef> {
    let schema = merge_schema(&plan.inputs());
    let (_, field) = element.to_field(&schema).ok()?;
    let element = match sql_type(&field) {
        _ if field.data_type().is_null() => return None,
        SqlType::Varchar(_) | SqlType::Char(_) => SqlType::Text,
        SqlType::Numeric(_) => SqlType::Numeric(None),
        other => other,
    };
    Some(arrow_field("", &SqlType::Array(Box::new(element)), true))
}
