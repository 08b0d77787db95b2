//! Binding models in a query: each call of `predict`, `predict_proba` or `predict_raw` becomes a call of a
//! function that holds one model version, and `ml.predict` becomes a subquery with such calls.
//!
//! This happens in the syntax tree, before names are resolved: the model's inputs are written out as columns
//! or put into the model's order, and parameters in their places get the input's type. From there on the
//! planner sees functions like any other, so they work wherever expressions do.

mod arguments;
mod by_name;

use super::Context;
use super::names::normal;
use crate::catalog::ObjectName;
use crate::error::{Error, Result};
use crate::model::{self, name::pinned};
use alcedo_sql::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName as Path, Query,
    Spanned, TableFactor, Value, VisitMut, VisitorMut,
};
use alcedo_sql::{Span, SqlState, quote_ident};
use alcedo_udfs::predict::{Output, PinnedModel, predict_udf};
use alcedo_udfs::score::Task;
use arguments::arguments;
pub use by_name::{ByName, respell};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Classes that `ml.predict` gives a column each; a model with more has the winner's probability only.
const CLASS_COLUMNS_MAX: usize = 32;

/// A model version that a query uses.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The model's name in the catalog.
    pub name: ObjectName,
    /// The version.
    pub version: u64,
    /// What scores.
    pub model: Arc<PinnedModel>,
    /// The label's name, when one is known.
    pub label: Option<String>,
}

impl Bound {
    /// Finds and loads what a reference means.
    pub async fn load(ctx: &Context, reference: &str) -> Result<Self> {
        let (name, version) = model::find(&ctx.snapshot, &ctx.search_path, reference)?;
        let model = ctx
            .services
            .models
            .load(&ctx.snapshot, &name, version)
            .await?;
        let label = ctx.snapshot.models.get(&name).and_then(|m| m.label.clone());
        Ok(Self {
            name,
            version,
            model,
            label,
        })
    }

    /// The reference that always means this version.
    pub fn reference(&self) -> String {
        pinned(&self.name, self.version)
    }
}

/// What binding the models of a query gives.
#[derive(Default)]
pub struct Bindings {
    /// Functions that hold model versions, for this statement.
    pub functions: Vec<Arc<ScalarUDF>>,
    /// Calls with `USING *`.
    pub by_name: Vec<ByName>,
}

/// Binds every model that a query names.
///
/// # Errors
/// 42704 for unknown models, 42883 for inputs that do not fit, 42703 for features that are not named.
pub async fn rewrite(ctx: &Context, query: &mut Query) -> Result<Bindings> {
    let mut found = Finder::default();
    if let ControlFlow::Break(error) = VisitMut::visit(query, &mut found) {
        return Err(*error);
    }
    if found.references.is_empty() {
        return Ok(Bindings::default());
    }
    let mut models = HashMap::new();
    for (reference, (line, column)) in found.references {
        let bound = Bound::load(ctx, &reference)
            .await
            .map_err(|e| e.at_span(line, column))?;
        models.insert(bound.reference(), bound.clone());
        models.insert(reference, bound);
    }
    let mut rewriter = Rewriter {
        models,
        functions: BTreeMap::new(),
        by_name: Vec::new(),
    };
    match VisitMut::visit(query, &mut rewriter) {
        ControlFlow::Continue(()) => Ok(Bindings {
            functions: rewriter.functions.into_values().collect(),
            by_name: rewriter.by_name,
        }),
        ControlFlow::Break(error) => Err(*error),
    }
}

/// The references to models in calls of `predict` and its like.
pub fn named(query: &mut Query) -> Result<Vec<String>> {
    let mut found = Finder::default();
    match VisitMut::visit(query, &mut found) {
        ControlFlow::Break(error) => Err(*error),
        ControlFlow::Continue(()) => Ok(found.references.into_keys().collect()),
    }
}

/// The reference that a first argument is: an identifier or a text.
pub fn reference(arg: &FunctionArg) -> Option<String> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
        return None;
    };
    match expr {
        Expr::Identifier(name) => Some(quote_ident(&normal(name))),
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => Some(
            parts
                .iter()
                .map(|p| quote_ident(&normal(p)))
                .collect::<Vec<_>>()
                .join("."),
        ),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::DollarQuotedString(text) => Some(text.value.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The function a name is, when it is one of ours.
fn callee(name: &Path) -> Option<&'static str> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    let name = normal(part.as_ident()?);
    ["predict", "predict_proba", "predict_raw"]
        .into_iter()
        .find(|f| *f == name)
}

/// Whether a name is a function of the schema `ml`.
pub fn is_ml(name: &Path, function: &str) -> bool {
    let parts: Vec<String> = name
        .0
        .iter()
        .filter_map(|p| p.as_ident())
        .map(normal)
        .collect();
    parts == ["ml", function]
}

fn at(error: Error, spanned: &impl Spanned) -> Error {
    let start = spanned.span().start;
    error.at_span(start.line, start.column)
}

type Flow = ControlFlow<Box<Error>>;

fn flow(result: Result<()>) -> Flow {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

/// Collects the models a query names, and where.
#[derive(Default)]
struct Finder {
    references: BTreeMap<String, (u64, u64)>,
}

impl Finder {
    fn note(&mut self, function: &str, args: &[FunctionArg], place: &impl Spanned) -> Result<()> {
        let Some(first) = args.first() else {
            return Err(at(
                Error::user(
                    SqlState::UNDEFINED_FUNCTION,
                    format!("function {function}() does not exist"),
                )
                .hint(format!(
                    "Write {function}(model, feature, …) or {function}(model USING *)."
                )),
                place,
            ));
        };
        let Some(reference) = reference(first) else {
            return Err(at(
                Error::unsupported(format!(
                    "the first argument of {function} must name a model"
                ))
                .hint("Write the model's name, or a text as 'model@alias'."),
                place,
            ));
        };
        let start = first.span().start;
        self.references
            .entry(reference)
            .or_insert((start.line, start.column));
        Ok(())
    }
}

impl VisitorMut for Finder {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let Some(name) = callee(&function.name) else {
            return ControlFlow::Continue(());
        };
        let args = match &function.args {
            FunctionArguments::List(list) => list.args.as_slice(),
            _ => &[],
        };
        flow(self.note(name, args, &function.name))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        if let TableFactor::Table {
            name,
            args: Some(args),
            ..
        } = factor
            && is_ml(name, "predict")
        {
            return flow(self.note("ml.predict", &args.args, name));
        }
        ControlFlow::Continue(())
    }
}

/// Replaces the calls.
struct Rewriter {
    models: HashMap<String, Bound>,
    /// By the name they are called by.
    functions: BTreeMap<String, Arc<ScalarUDF>>,
    by_name: Vec<ByName>,
}

impl VisitorMut for Rewriter {
    type Break = Box<Error>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        flow(self.table(factor))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        flow(self.call(expr))
    }
}

impl Rewriter {
    fn bound(&self, reference: &str) -> Result<Bound> {
        self.models.get(reference).cloned().ok_or_else(|| {
            Error::internal(format!("model {reference} was not bound before planning"))
        })
    }

    /// `ml.predict(m, (query))` as a subquery over the query.
    fn table(&self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table {
            name,
            alias,
            args: Some(args),
            ..
        } = factor
        else {
            return Ok(());
        };
        if !is_ml(name, "predict") {
            return Ok(());
        }
        let wrong = |text: &str| {
            at(
                Error::user(SqlState::UNDEFINED_FUNCTION, text.to_owned())
                    .hint("Write ml.predict(MODEL m, TABLE t) or ml.predict(MODEL m, (SELECT …))."),
                name,
            )
        };
        let Some(key) = args.args.first().and_then(reference) else {
            return Err(wrong("ml.predict needs a model"));
        };
        let bound = self.bound(&key)?;
        let input = match args.args.get(1) {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))) => {
                query.clone()
            }
            _ => return Err(wrong("ml.predict needs a table or a query after the model")),
        };
        if args.args.len() > 2 {
            return Err(at(
                Error::unsupported("options of ml.predict are not supported yet"),
                name,
            ));
        }
        let mut derived = over(&columns(&bound)?, *input)?;
        stand_at(&mut derived, name.span());
        *factor = TableFactor::Derived {
            lateral: false,
            subquery: Box::new(derived),
            alias: alias.take().or_else(|| table_alias("predict")),
            sample: None,
        };
        Ok(())
    }

    /// `predict(m, …)` as a call of the function that holds the version.
    fn call(&mut self, expr: &mut Expr) -> Result<()> {
        let Expr::Function(function) = expr else {
            return Ok(());
        };
        let Some(kind) = callee(&function.name) else {
            return Ok(());
        };
        let place = function.name.span();
        let FunctionArguments::List(list) = &mut function.args else {
            return Ok(());
        };
        let given = std::mem::take(&mut list.args);
        let bound = self.bound(&given.first().and_then(reference).unwrap_or_default())?;
        let done = arguments(&bound, kind, given[1..].to_vec(), place).and_then(|call| {
            let shown = match call.output {
                Output::ProbaOf(class) => format!("{kind} {}#{class}", bound.reference()),
                _ => format!("{kind} {}", bound.reference()),
            };
            if !self.functions.contains_key(&shown) {
                let udf =
                    predict_udf(&bound.model, call.output, &shown).map_err(model::from_score)?;
                self.functions.insert(shown.clone(), Arc::new(udf));
            }
            Ok((shown, call))
        });
        let (shown, call) = done.map_err(|e| e.at_span(place.start.line, place.start.column))?;
        if call.by_name {
            self.by_name.push(ByName::new(&bound, place));
        }
        list.args = call
            .inputs
            .into_iter()
            .map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e)))
            .collect();
        function.name = Path::from(vec![Ident::with_quote('"', shown)]);
        Ok(())
    }
}

/// Class labels as text, in class order.
pub fn classes(model: &PinnedModel) -> Vec<String> {
    let Some(labels) = model.labels() else {
        return Vec::new();
    };
    match cast(labels, &DataType::Utf8) {
        Ok(texts) => texts
            .as_string::<i32>()
            .iter()
            .map(|t| t.unwrap_or_default().to_owned())
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// The columns that `ml.predict` adds, as SQL text.
fn columns(bound: &Bound) -> Result<String> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let model = alcedo_sql::quote_literal(&bound.reference());
    let predicted = match &bound.label {
        Some(label) => format!("predicted_{label}"),
        None => "predicted".to_owned(),
    };
    let mut items = vec![
        "t.*".to_owned(),
        format!("predict({model} USING t.*) AS {}", quoted(&predicted)),
    ];
    if bound.model.task() != Task::Regression {
        let proba = format!("predict_proba({model} USING t.*)");
        items.push(format!(
            "array_max({proba}) AS {}",
            quoted(&format!("{predicted}_prob"))
        ));
        let labels = classes(&bound.model);
        if labels.len() <= CLASS_COLUMNS_MAX {
            for (index, label) in labels.iter().enumerate() {
                let name = quoted(&format!("prob_{label}"));
                items.push(format!("array_element({proba}, {}) AS {name}", index + 1));
            }
        }
    }
    Ok(items.join(", "))
}

/// `SELECT items FROM (input) AS t`.
pub fn over(items: &str, input: Query) -> Result<Query> {
    let text = format!("SELECT {items} FROM (SELECT 1) AS t");
    let mut query = *alcedo_sql::parse_query(&text)?;
    let broken = || Error::internal("a query of our own does not parse as written");
    let ast::SetExpr::Select(select) = query.body.as_mut() else {
        return Err(broken());
    };
    match select.from.first_mut().map(|f| &mut f.relation) {
        Some(TableFactor::Derived { subquery, .. }) => **subquery = input,
        _ => return Err(broken()),
    }
    Ok(query)
}

/// Lets the calls in the items of a query of our own stand where the user wrote `ml.predict`.
fn stand_at(query: &mut Query, place: Span) {
    let ast::SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    for item in &mut select.projection {
        if let ast::SelectItem::ExprWithAlias { expr, .. } = item {
            let _: ControlFlow<()> = ast::visit_expressions_mut(expr, |expr| {
                if let Expr::Function(function) = expr {
                    for part in &mut function.name.0 {
                        if let ast::ObjectNamePart::Identifier(name) = part {
                            name.span = place;
                        }
                    }
                }
                ControlFlow::Continue(())
            });
        }
    }
}

/// `AS name`.
pub fn table_alias(name: &str) -> Option<ast::TableAlias> {
    Some(ast::TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: Vec::new(),
        at: None,
    })
}
