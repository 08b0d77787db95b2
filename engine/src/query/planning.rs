//! SQL's AST to DataFusion's logical plan: names resolved against one catalog snapshot, models bound,
//! parameters typed.
//!
//! Tables are looked up before DataFusion plans, because looking them up may wait for a store while
//! planning may not. Views are planned from their text, under the search path they were made with.

use super::error::{from_datafusion, into_datafusion};
use super::missing::{Missing, placed};
use super::parameters::{Arguments, Parameters};
use super::state::register;
use super::{Context, names, numbers, predict, spellings, system, table_functions};
use crate::catalog::View;
use crate::error::{Error, Result};
use crate::types::{arrow_field, sql_type};
use alcedo_sql::SqlState;
use alcedo_sql::ast;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{TableFunctionArgs, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::metadata::{FieldMetadata, ScalarAndMetadata};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, ParamValues, ScalarValue, TableReference};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Views inside views, at most.
const VIEW_DEPTH_MAX: usize = 64;

/// A planned query with what the client is told of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Analysed: types coerced, functions bound; placeholders still in it.
    pub plan: LogicalPlan,
    /// Types of `$1`, `$2`, …
    pub parameters: Vec<FieldRef>,
    /// Whether it reads nothing that may move: no table, no source, no model.
    pub constant: bool,
    /// Whether values stand in it that only took the place of parameters: it is to be planned again.
    pub provisional: bool,
}

/// A plan with its placeholders left in.
struct Raw {
    plan: LogicalPlan,
    constant: bool,
    /// Parameters that are no longer in it: arguments of table functions.
    arguments: BTreeMap<usize, FieldRef>,
}

/// What is looked up before planning.
struct Found {
    state: SessionState,
    tables: HashMap<TableReference, Arc<dyn TableSource>>,
    /// Calls of models with `USING *`.
    by_name: Vec<predict::ByName>,
}

/// What DataFusion's planner asks for, answered from what was looked up before.
struct Names<'a> {
    context: &'a Context,
    state: &'a SessionState,
    tables: HashMap<TableReference, Arc<dyn TableSource>>,
    /// Parameters of table functions that have no value yet; `None` when they should have one.
    arguments: Option<Arguments>,
}

impl ContextProvider for Names<'_> {
    fn get_table_source(
        &self,
        name: TableReference,
    ) -> Result<Arc<dyn TableSource>, DataFusionError> {
        self.tables
            .get(&name)
            .cloned()
            .ok_or_else(|| into_datafusion(self.context.no_relation(name.schema(), name.table())))
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>, DataFusionError> {
        let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let function = self
            .state
            .table_functions()
            .get(name)
            .cloned()
            .ok_or_else(|| {
                into_datafusion(Error::user(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("function {name} does not exist"),
                ))
            })?;
        let args = args
            .into_iter()
            .map(|arg| self.constant(arg))
            .collect::<Result<Vec<_>, _>>()?;
        let provider =
            function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> Result<Arc<dyn TableSource>, DataFusionError> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(super::sql_types::SqlTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        // The session's answers come before DataFusion's: `version()`, `current_schema()`.
        let found = system::function(self.context, name).or_else(|| {
            let function = self.state.scalar_functions().get(name)?;
            // `now()` and its like depend on the time zone.
            let updated = function
                .inner()
                .with_updated_config(self.state.config_options());
            Some(updated.map_or_else(|| Arc::clone(function), Arc::new))
        });
        let elsewhere = self.state.aggregate_functions().contains_key(name)
            || self.state.window_functions().contains_key(name)
            || self.state.higher_order_functions().contains_key(name)
            || name == "unnest";
        if found.is_some() || elsewhere {
            return found;
        }
        let scalar = system::FUNCTIONS
            .iter()
            .chain(self.state.scalar_functions().keys());
        let known = scalar
            .chain(self.state.aggregate_functions().keys())
            .map(String::as_str);
        Some(Arc::new(Missing::new(name, known).into()))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        system::FUNCTIONS
            .iter()
            .chain(self.state.scalar_functions().keys())
            .cloned()
            .collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state
            .higher_order_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}

impl Names<'_> {
    /// A constant argument as the literal that table functions ask for; whole numbers as bigint.
    fn constant(&self, arg: Expr) -> Result<Expr, DataFusionError> {
        let context = self.context;
        let arg = match (placeholder(&arg)?, &self.arguments) {
            (None, _) => arg,
            (_, Some(arguments)) => arguments.stand_in(arg, &context.parameter_types)?,
            (Some(id), None) if context.parameters.is_empty() => {
                let text = format!("there is no parameter {id}");
                return Err(into_datafusion(Error::user(
                    SqlState::UNDEFINED_PARAMETER,
                    text,
                )));
            }
            (_, None) => context
                .expression_with_values(arg)
                .map_err(into_datafusion)?,
        };
        let varies = arg.any_column_refs() || arg.contains_outer() || arg.is_volatile();
        if varies {
            return Ok(arg);
        }
        let physical = self.state.create_physical_expr(arg, &DFSchema::empty())?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
        let value = ScalarValue::try_from_array(&physical.evaluate(&row)?.into_array(1)?, 0)?;
        let value = match value.data_type() {
            whole if whole.is_integer() => value.cast_to(&DataType::Int64)?,
            // Series of moments are of nanoseconds.
            DataType::Timestamp(_, zone) => {
                value.cast_to(&DataType::Timestamp(TimeUnit::Nanosecond, zone))?
            }
            _ => value,
        };
        Ok(Expr::Literal(value, None))
    }
}

/// A parameter in an expression, as `$1`.
fn placeholder(expr: &Expr) -> Result<Option<String>, DataFusionError> {
    let mut found = None;
    expr.apply(|e| {
        if let Expr::Placeholder(placeholder) = e {
            found = Some(placeholder.id.clone());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

impl Context {
    /// Plans a query; parameters become this context's values when it has any.
    ///
    /// # Errors
    /// Everything wrong with the query, with its SQLSTATE and place.
    pub async fn plan_query(&self, query: &ast::Query) -> Result<LogicalPlan> {
        let plan = self.plan_raw(query, None).await?.plan;
        self.with_values(plan)
    }

    /// Plans an expression over a schema; parameters become values as in [`Context::plan_query`].
    pub async fn plan_expr(&self, expr: &ast::Expr, schema: &DFSchema) -> Result<Expr> {
        // As a query the expression takes every path that queries take.
        let mut query = alcedo_sql::parse_query("SELECT NULL")?;
        if let ast::SetExpr::Select(select) = query.body.as_mut() {
            select.projection = vec![ast::SelectItem::UnnamedExpr(expr.clone())];
        }
        let Found { state, tables, .. } = self.look_up(&mut query).await?;
        let ast::SetExpr::Select(select) = *query.body else {
            return Err(Error::internal("an expression became something else"));
        };
        let Some(ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. }) =
            select.projection.into_iter().next()
        else {
            return Err(Error::internal("an expression became something else"));
        };
        let names = Names {
            context: self,
            state: &state,
            tables,
            arguments: None,
        };
        let planner = SqlToRel::new_with_options(&names, parser_options());
        let mut planner_context = self.planner_context();
        let planned = planner
            .sql_to_expr(expr, schema, &mut planner_context)
            .map_err(from_datafusion)?;
        if self.parameters.is_empty() {
            Ok(planned)
        } else {
            self.expression_with_values(planned)
        }
    }

    /// Plans a query for a prepared statement: types of parameters found, nothing optimised.
    pub async fn prepare_query(&self, query: &ast::Query) -> Result<Planned> {
        let raw = self.plan_raw(query, Some(Arguments::default())).await?;
        let (parameters, complete) = self.parameters_of(&raw)?;
        let Raw {
            plan,
            constant,
            arguments,
        } = raw;
        let (plan, parameters) = if complete {
            (plan, parameters)
        } else {
            // Parameters without a type are text, and the plan is made again knowing that.
            let typed = Context {
                parameter_types: parameters.iter().cloned().map(Some).collect(),
                ..self.clone()
            };
            let raw = typed.plan_raw(query, Some(Arguments::default())).await?;
            (raw.plan, parameters)
        };
        let state = self.state()?;
        let plan = state
            .analyzer()
            .execute_and_check(plan, state.config_options(), |_, _| {})
            .map_err(|e| placed(from_datafusion(e), query))?;
        Ok(Planned {
            plan,
            parameters,
            constant,
            provisional: !arguments.is_empty(),
        })
    }

    /// The table that a view is.
    pub(super) async fn view(&self, view: &View) -> Result<Arc<dyn TableProvider>> {
        if self.view_depth >= VIEW_DEPTH_MAX {
            return Err(Error::user(
                SqlState::STATEMENT_TOO_COMPLEX,
                "views are nested too deeply",
            ));
        }
        let inner = Context {
            search_path: view.search_path.clone(),
            view_depth: self.view_depth + 1,
            ..self.clone()
        };
        let query = alcedo_sql::parse_query(&view.text).map_err(|e| Error::from(e).placeless())?;
        let plan = Box::pin(inner.plan_raw(&query, None))
            .await
            .map_err(Error::placeless)?
            .plan;
        // Columns as they were when the view was made: names, order and types are the catalog's.
        let all: Vec<Expr> = plan
            .schema()
            .iter()
            .map(|(q, f)| Expr::from((q, f)))
            .collect();
        let columns = if all.len() == view.columns.len() {
            all
        } else {
            // A table below a `*` has got more columns since.
            let named = |name: &str| {
                let at = plan
                    .schema()
                    .fields()
                    .iter()
                    .position(|f| names::shown(f.name()) == name);
                at.map(|i| all[i].clone())
            };
            let found: Option<Vec<Expr>> = view.columns.iter().map(|c| named(&c.name)).collect();
            found.ok_or_else(|| {
                Error::user(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "the columns of a table below this view have changed",
                )
                .hint("Create the view again with CREATE OR REPLACE VIEW.")
            })?
        };
        let columns = columns
            .into_iter()
            .zip(&view.columns)
            .map(|(expr, c)| expr.alias(&c.name));
        let plan = datafusion::logical_expr::LogicalPlanBuilder::from(plan)
            .project(columns)
            .and_then(|b| b.build())
            .map_err(from_datafusion)?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.text.clone()))))
    }

    /// Plans with placeholders left in; tells whether the plan reads nothing that moves.
    async fn plan_raw(&self, written: &ast::Query, arguments: Option<Arguments>) -> Result<Raw> {
        let mut query = Box::new(written.clone());
        let Found {
            state,
            tables,
            mut by_name,
        } = self.look_up(&mut query).await?;
        let constant = tables.is_empty();
        let names = Names {
            context: self,
            state: &state,
            tables,
            arguments,
        };
        let planner = SqlToRel::new_with_options(&names, parser_options());
        let plan = loop {
            let again = (!by_name.is_empty()).then(|| query.clone());
            let mut planner_context = self.planner_context();
            let statement = ast::Statement::Query(query);
            let made = planner.sql_statement_to_plan_with_context(statement, &mut planner_context);
            match (made, again) {
                (Ok(plan), _) => break plan,
                (Err(error), Some(mut again)) => {
                    match predict::respell(&error, &mut by_name, &mut again) {
                        Some(Ok(())) => query = again,
                        Some(Err(error)) => return Err(error),
                        None => return Err(placed(from_datafusion(error), written)),
                    }
                }
                (Err(error), None) => return Err(placed(from_datafusion(error), written)),
            }
        };
        Ok(Raw {
            plan,
            constant,
            arguments: names.arguments.map(Arguments::met).unwrap_or_default(),
        })
    }

    /// Prepares a query for planning: client spellings and models bound, output named, tables found.
    async fn look_up(&self, query: &mut Box<ast::Query>) -> Result<Found> {
        self.cancel.check()?;
        names::assign(query);
        numbers::assign(query);
        spellings::assign(query);
        let predict::Bindings { functions, by_name } = predict::rewrite(self, query).await?;
        let mut tables = table_functions::bind(self, query).await?;
        system::rewrite(self, query);
        let mut state = self.state()?;
        register(&mut state, functions)?;
        let statement = datafusion::sql::parser::Statement::Statement(Box::new(
            ast::Statement::Query(query.clone()),
        ));
        let (references, _) =
            resolve_table_references(&statement, true).map_err(from_datafusion)?;
        for reference in references {
            if tables.contains_key(&reference) {
                continue;
            }
            if let Some(provider) = Box::pin(self.table(&reference)).await? {
                tables.insert(reference, provider_as_source(provider));
            }
        }
        Ok(Found {
            state,
            tables,
            by_name,
        })
    }

    fn planner_context(&self) -> PlannerContext {
        PlannerContext::new().with_prepare_param_data_types(self.parameter_types.clone())
    }

    /// Parameter types in order of number, and whether all were known; the unknown are text.
    fn parameters_of(&self, raw: &Raw) -> Result<(Vec<FieldRef>, bool)> {
        let Parameters { mut types, settled } = Parameters::of(&raw.plan)?;
        for (number, field) in &raw.arguments {
            types
                .entry(*number)
                .or_default()
                .get_or_insert_with(|| Arc::clone(field));
        }
        let last = types.keys().next_back().copied().unwrap_or(0);
        let count = last.max(self.parameter_types.len());
        if count > usize::from(u16::MAX) {
            return Err(Error::user(
                SqlState::UNDEFINED_PARAMETER,
                format!("there is no parameter ${count}"),
            ));
        }
        let fields = (1..=count).map(|number| {
            let given = self.parameter_types.get(number - 1).cloned().flatten();
            let field = given.or_else(|| types.get(&number).cloned().flatten());
            let field = field.filter(|f| !f.data_type().is_null());
            field.map_or_else(
                || arrow_field("", &SqlType::Text, true),
                |f| parameter_field(&f),
            )
        });
        Ok((fields.collect(), settled))
    }

    /// Puts this context's values in the place of placeholders.
    pub fn with_values(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if self.parameters.is_empty() {
            return Ok(plan);
        }
        plan.replace_params_with_values(&self.values())
            .map_err(from_datafusion)
    }

    fn expression_with_values(&self, expr: Expr) -> Result<Expr> {
        use datafusion::common::tree_node::{Transformed, TreeNode};
        let values = self.values();
        expr.transform_up(|expr| match &expr {
            Expr::Placeholder(placeholder) => {
                let value = values.get_placeholders_with_values(&placeholder.id)?;
                Ok(Transformed::yes(Expr::Literal(value.value, value.metadata)))
            }
            _ => Ok(Transformed::no(expr)),
        })
        .map(|t| t.data)
        .map_err(from_datafusion)
    }

    fn values(&self) -> ParamValues {
        let values = self.parameters.iter().enumerate().map(|(i, value)| {
            // What Arrow does not know of a type stands beside the value.
            let field = self.parameter_types.get(i).and_then(Option::as_ref);
            let metadata = field
                .filter(|f| !f.metadata().is_empty())
                .map(|f| FieldMetadata::from(f.metadata()));
            ScalarAndMetadata::new(value.clone(), metadata)
        });
        ParamValues::List(values.collect())
    }
}

/// A parameter's type as a client can send it: views and dictionaries are plain text.
fn parameter_field(field: &Field) -> FieldRef {
    arrow_field("", &sql_type(field), true)
}

fn parser_options() -> ParserOptions {
    ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_map_string_types_to_utf8view(false)
        .with_collect_spans(true)
}
