//! AND and OR whose right side can fail: it is evaluated only for rows that the left side leaves open, so that
//! `n <> 0 AND total / n > 1` is no division by zero.
//!
//! DataFusion puts conjuncts into an order of its own, and evaluates the right side for all rows of a batch unless the
//! left side settles nearly all of them. Here a filter's conjuncts that can fail come behind the others, and each sees
//! only rows that are left; scans of files check conjuncts in the same way. ANDs and ORs inside evaluate in order.
//! Arguments, filters and groups of aggregates are left as they are.

use crate::error::Result;
use crate::query::error::from_datafusion;
use datafusion::arrow::array::{Array, BooleanArray};
use datafusion::arrow::compute::{and_kleene, or_kleene};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::cast::as_boolean_array;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DataFusionResult, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{BinaryExpr, CaseExpr, CastExpr, Column, Literal};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{ScalarFunctionExpr, conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Makes what projections and the single conjuncts of filters hold evaluate in order: first of all rules, since later
/// ones move both into the scans of files. Conjuncts stay apart, for these are moved one by one.
#[derive(Debug)]
pub(super) struct ShortCircuits;

impl PhysicalOptimizerRule for ShortCircuits {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(first).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "short_circuits"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn first(node: Arc<dyn ExecutionPlan>) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        let schema = filter.input().schema();
        let mut predicate = Arc::clone(filter.predicate());
        let done = in_order(&predicate, &schema)?;
        if done.transformed {
            predicate = done.data;
            for conjunct in split_conjunction(filter.predicate()) {
                if can_fail(conjunct, &schema)?
                    && let Some(weaker) = weaker(conjunct, &schema)?
                {
                    predicate = conjunction([weaker, predicate]);
                }
            }
            let made = FilterExecBuilder::from(filter).with_predicate(predicate);
            return Ok(Transformed::yes(Arc::new(made.build()?)));
        }
    } else if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let schema = projection.input().schema();
        let mut changed = false;
        let mut items = Vec::with_capacity(projection.expr().len());
        for item in projection.expr() {
            let done = rewrite(&item.expr, &schema)?;
            changed |= done.transformed;
            items.push(ProjectionExpr::new(done.data, item.alias.clone()));
        }
        if changed {
            let made = ProjectionExec::try_new(items, Arc::clone(projection.input()))?;
            return Ok(Transformed::yes(Arc::new(made)));
        }
    }
    Ok(Transformed::no(node))
}

/// The plan with a filter of its own for each conjunct that can fail, above one for all others: last, when nobody moves
/// conjuncts any more. They stay conjuncts, from which operators above know what is constant.
pub(super) fn plan(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(last)
        .map(|done| done.data)
        .map_err(from_datafusion)
}

fn last(node: Arc<dyn ExecutionPlan>) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = node.downcast_ref::<FilterExec>() else {
        return Ok(Transformed::no(node));
    };
    let schema = filter.input().schema();
    let (mut safe, mut stages) = (Vec::new(), Vec::new());
    for conjunct in split_conjunction(filter.predicate()) {
        let conjunct = Arc::clone(conjunct);
        if can_fail(&conjunct, &schema)? {
            stages.push(conjunct);
        } else {
            safe.push(conjunct);
        }
    }
    if !safe.is_empty() {
        stages.insert(0, conjunction(safe));
    }
    let top = stages.pop();
    let Some(top) = top.filter(|_| !stages.is_empty()) else {
        return Ok(Transformed::no(node));
    };
    let mut input = Arc::clone(filter.input());
    for stage in stages {
        let below = FilterExecBuilder::new(stage, input).with_batch_size(filter.batch_size());
        input = Arc::new(below.build()?);
    }
    let made = FilterExecBuilder::from(filter)
        .with_input(input)
        .with_predicate(top);
    Ok(Transformed::yes(Arc::new(made.build()?)))
}

/// A condition that is evaluated as a whole, over the columns it sees.
pub(super) fn condition(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
    let ordered = in_order(condition, schema)?.data;
    Ok(rewrite(&ordered, schema)?.data)
}

/// A condition whose conjuncts evaluate in order, each by itself, those that can fail behind the others.
fn in_order(
    predicate: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> DataFusionResult<Transformed<Arc<dyn PhysicalExpr>>> {
    let mut changed = false;
    let (mut safe, mut risky) = (Vec::new(), Vec::new());
    for conjunct in split_conjunction(predicate) {
        let done = rewrite(conjunct, schema)?;
        changed |= done.transformed;
        if can_fail(&done.data, schema)? {
            risky.push(done.data);
        } else {
            changed |= !risky.is_empty();
            safe.push(done.data);
        }
    }
    // Scans take no conditions on nested values: what these guard must not be taken without them.
    let nested = |c: &&Arc<dyn PhysicalExpr>| {
        let columns = collect_columns(c);
        columns.iter().any(|c| {
            let field = schema.fields().get(c.index());
            field.is_some_and(|f| f.data_type().is_nested())
        })
    };
    let guards: Vec<_> = safe.iter().filter(nested).cloned().collect();
    if !changed && (guards.is_empty() || risky.is_empty()) {
        return Ok(Transformed::no(Arc::clone(predicate)));
    }
    for conjunct in risky {
        safe.push(if guards.is_empty() {
            conjunct
        } else {
            let guards = conjunction(guards.iter().cloned());
            Arc::new(ShortCircuit::new(Connective::And, guards, conjunct)?)
        });
    }
    Ok(Transformed::yes(conjunction(safe)))
}

/// What is certain when a condition of ANDs and ORs is true, of that which cannot fail: scans find in it which files
/// and row groups they need not read.
fn weaker(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> DataFusionResult<Option<Arc<dyn PhysicalExpr>>> {
    if !can_fail(condition, schema)? {
        return Ok(Some(Arc::clone(condition)));
    }
    let Some(binary) = condition.downcast_ref::<BinaryExpr>() else {
        return Ok(None);
    };
    if !matches!(binary.op(), Operator::And | Operator::Or) {
        return Ok(None);
    }
    let sides = (
        weaker(binary.left(), schema)?,
        weaker(binary.right(), schema)?,
    );
    Ok(match (sides, binary.op()) {
        ((Some(left), Some(right)), op) => Some(Arc::new(BinaryExpr::new(left, *op, right))),
        ((Some(one), None) | (None, Some(one)), Operator::And) => Some(one),
        _ => None,
    })
}

/// An expression whose ANDs and ORs evaluate in order where that can be noticed.
fn rewrite(
    expr: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> DataFusionResult<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(expr).transform_up(|expr| {
        let Some(binary) = expr.downcast_ref::<BinaryExpr>() else {
            return Ok(Transformed::no(expr));
        };
        let connective = match binary.op() {
            Operator::And => Connective::And,
            Operator::Or => Connective::Or,
            _ => return Ok(Transformed::no(expr)),
        };
        if !can_fail(binary.right(), schema)? {
            return Ok(Transformed::no(expr));
        }
        let (left, right) = (Arc::clone(binary.left()), Arc::clone(binary.right()));
        let made = ShortCircuit::new(connective, left, right)?;
        Ok(Transformed::yes(Arc::new(made)))
    })
}

/// Functions that have a value for all arguments, among those that often guard others.
const SAFE: &[&str] = &[
    "array_element",
    "array_has",
    "array_length",
    "btrim",
    "cardinality",
    "character_length",
    "concat",
    "contains",
    "date_part",
    "ends_with",
    "get_field",
    "json_contains",
    "json_get_str",
    "left",
    "lower",
    "ltrim",
    "octet_length",
    "replace",
    "right",
    "rtrim",
    "starts_with",
    "strpos",
    "upper",
];

/// Whether evaluating may be an error for some values: divisions, casts of text, patterns from columns, and most functions.
pub(super) fn can_fail(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> DataFusionResult<bool> {
    expr.exists(|e| {
        if let Some(binary) = e.downcast_ref::<BinaryExpr>() {
            use Operator as O;
            return Ok(match binary.op() {
                O::Divide | O::Modulo => true,
                O::RegexMatch | O::RegexIMatch | O::RegexNotMatch | O::RegexNotIMatch => {
                    !binary.right().is::<Literal>()
                }
                _ => false,
            });
        }
        if let Some(function) = e.downcast_ref::<ScalarFunctionExpr>() {
            return Ok(!SAFE.contains(&function.name()));
        }
        if let Some(cast) = e.downcast_ref::<CastExpr>() {
            return Ok(cast.expr().data_type(schema)?.is_string());
        }
        Ok(e.is::<ShortCircuit>())
    })
}

/// Whether parts of an expression are evaluated for some rows only.
pub(super) fn is_lazy(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let connects = |binary: &BinaryExpr| matches!(binary.op(), Operator::And | Operator::Or);
    expr.is::<CaseExpr>()
        || expr.is::<ShortCircuit>()
        || expr.downcast_ref::<BinaryExpr>().is_some_and(connects)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Connective {
    And,
    Or,
}

impl Connective {
    /// The value of the left side that settles the whole.
    fn settled_by(self) -> bool {
        self == Connective::Or
    }
}

/// `left AND right` or `left OR right`.
#[derive(Debug)]
struct ShortCircuit {
    connective: Connective,
    left: Arc<dyn PhysicalExpr>,
    right: Arc<dyn PhysicalExpr>,
    /// Columns that the right side reads.
    columns: Vec<usize>,
    /// The right side over these columns alone: rows left open are copied, and no more of them than needed.
    narrow: Arc<dyn PhysicalExpr>,
}

impl ShortCircuit {
    fn new(
        connective: Connective,
        left: Arc<dyn PhysicalExpr>,
        right: Arc<dyn PhysicalExpr>,
    ) -> DataFusionResult<Self> {
        let mut columns: Vec<usize> = collect_columns(&right).iter().map(Column::index).collect();
        columns.sort_unstable();
        columns.dedup();
        let narrow = Arc::clone(&right).transform_up(|expr| {
            let Some(column) = expr.downcast_ref::<Column>() else {
                return Ok(Transformed::no(expr));
            };
            let Ok(at) = columns.binary_search(&column.index()) else {
                return internal_err!("column {column} was not collected");
            };
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), at))))
        });
        Ok(Self {
            connective,
            left,
            narrow: narrow?.data,
            right,
            columns,
        })
    }

    /// Rows that the left side leaves open.
    fn open(&self, left: &BooleanArray) -> BooleanArray {
        let settled = self.connective.settled_by();
        if left.null_count() > 0 {
            return left.iter().map(|v| Some(v != Some(settled))).collect();
        }
        let values = left.values();
        BooleanArray::new(if settled { !values } else { values.clone() }, None)
    }
}

impl PartialEq for ShortCircuit {
    fn eq(&self, other: &Self) -> bool {
        self.connective == other.connective
            && self.left.eq(&other.left)
            && self.right.eq(&other.right)
    }
}

impl Eq for ShortCircuit {}

impl Hash for ShortCircuit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.connective.hash(state);
        self.left.hash(state);
        self.right.hash(state);
    }
}

impl fmt::Display for ShortCircuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.connective {
            Connective::And => "AND",
            Connective::Or => "OR",
        };
        write!(f, "({} {word} {})", self.left, self.right)
    }
}

impl PhysicalExpr for ShortCircuit {
    fn data_type(&self, _: &Schema) -> DataFusionResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> DataFusionResult<bool> {
        Ok(self.left.nullable(schema)? || self.right.nullable(schema)?)
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        let left = self.left.evaluate(batch)?;
        if let ColumnarValue::Scalar(ScalarValue::Boolean(Some(value))) = &left {
            return if *value == self.connective.settled_by() {
                Ok(left)
            } else {
                self.right.evaluate(batch)
            };
        }
        let rows = batch.num_rows();
        let left = left.into_array(rows)?;
        let left = as_boolean_array(&left)?;
        let open = self.open(left);
        let right = match open.true_count() {
            0 => return Ok(ColumnarValue::Array(Arc::new(left.clone()))),
            all if all == rows => self.right.evaluate(batch)?,
            _ => self
                .narrow
                .evaluate_selection(&batch.project(&self.columns)?, &open)?,
        };
        let right = right.into_array(rows)?;
        let right = as_boolean_array(&right)?;
        let both = match self.connective {
            Connective::And => and_kleene(left, right)?,
            Connective::Or => or_kleene(left, right)?,
        };
        Ok(ColumnarValue::Array(Arc::new(both)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        let [left, right] = children.as_slice() else {
            return internal_err!("AND and OR have two sides");
        };
        let made = Self::new(self.connective, Arc::clone(left), Arc::clone(right))?;
        Ok(Arc::new(made))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
