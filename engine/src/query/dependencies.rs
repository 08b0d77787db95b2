//! What a query reads: the relations and models of the catalog that it names.

use super::predict::{self, reference};
use super::{Context, error::from_datafusion};
use crate::catalog::ObjectName;
use crate::error::Result;
use crate::model;
use alcedo_sql::ast::{self, Query, TableFactor, Visit, Visitor};
use alcedo_sql::statement::Name;
use datafusion::sql::resolve::resolve_table_references;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Objects that a query needs, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Dependencies {
    pub relations: Vec<ObjectName>,
    pub models: Vec<ObjectName>,
}

/// Finds what a query names, through the statement's search path; what views read is theirs.
///
/// # Errors
/// 42704 for models that do not exist.
pub fn of(ctx: &Context, query: &Query) -> Result<Dependencies> {
    let mut copy = Box::new(query.clone());
    let mut named = predict::named(&mut copy)?;
    let mut finder = TableFunctions(Vec::new());
    // The visitor never breaks off.
    let _ = Visit::visit(query, &mut finder);
    named.extend(finder.0);
    let mut models = BTreeSet::new();
    for text in named {
        models.insert(model::find(&ctx.snapshot, &ctx.search_path, &text)?.0);
    }
    let statement =
        datafusion::sql::parser::Statement::Statement(Box::new(ast::Statement::Query(copy)));
    let (references, _) = resolve_table_references(&statement, true).map_err(from_datafusion)?;
    let relations: BTreeSet<ObjectName> = references
        .iter()
        .filter_map(|r| {
            let name = Name {
                schema: r.schema().map(str::to_owned),
                name: r.table().to_owned(),
            };
            ctx.relation(&name).ok().map(|(found, _)| found)
        })
        .collect();
    Ok(Dependencies {
        relations: relations.into_iter().collect(),
        models: models.into_iter().collect(),
    })
}

/// Models in calls of `ml.evaluate` and its like.
struct TableFunctions(Vec<String>);

impl Visitor for TableFunctions {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(args),
            ..
        } = factor
        {
            let of_models = ["evaluate", "feature_importance"]
                .iter()
                .any(|f| predict::is_ml(name, f));
            if of_models {
                self.0.extend(args.args.first().and_then(reference));
            }
        }
        ControlFlow::Continue(())
    }
}
