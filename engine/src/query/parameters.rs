//! What a plan tells of its parameters: their numbers, and types where a place gives one.
//!
//! The first place that gives a type decides, as in PostgreSQL; a cast around a parameter is such a place.

use crate::error::{Error, Result};
use crate::query::error::from_datafusion;
use alcedo_sql::SqlState;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Cast, Placeholder, TryCast};
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::BTreeMap;
use std::sync::Arc;

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
        let number = id
            .trim_start_matches('$')
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| {
                Error::user(
                    SqlState::UNDEFINED_PARAMETER,
                    format!("there is no parameter {id}"),
                )
            })?;
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
