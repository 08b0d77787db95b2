//! AND and OR whose right side can fail: it is evaluated only for rows that the left side leaves open, so that
//! `n <> 0 AND total / n > 1` is no division by zero.
//!
//! DataFusion puts conjuncts into an order of its own, and evaluates the right side for all rows of a batch unless the
//! left side settles nearly all of them. Here conjuncts that can fail come last again and are evaluated in order. Scans
//! of files check conjuncts one after the other, which comes to the same.

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
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column};
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
        let done = in_order(filter.predicate(), &filter.input().schema())?;
        if done.transformed {
            return filtered(filter, done.data);
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

/// The plan with filters whose conjuncts are evaluated in order: last, when nobody moves conjuncts any more.
pub(super) fn plan(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let last = |node: Arc<dyn ExecutionPlan>| {
        let Some(filter) = node.downcast_ref::<FilterExec>() else {
            return Ok(Transformed::no(node));
        };
        let done = rewrite(filter.predicate(), &filter.input().schema())?;
        if done.transformed {
            filtered(filter, done.data)
        } else {
            Ok(Transformed::no(node))
        }
    };
    plan.transform_up(last)
        .map(|done| done.data)
        .map_err(from_datafusion)
}

/// The condition of a join over the columns it sees.
pub(super) fn condition(
    condition: &Arc<dyn PhysicalExpr>,
    schema: &Schema,
) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
    let ordered = in_order(condition, schema)?.data;
    Ok(rewrite(&ordered, schema)?.data)
}

fn filtered(
    filter: &FilterExec,
    predicate: Arc<dyn PhysicalExpr>,
) -> DataFusionResult<Transformed<Arc<dyn ExecutionPlan>>> {
    let made = FilterExecBuilder::from(filter).with_predicate(predicate);
    Ok(Transformed::yes(Arc::new(made.build()?)))
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
    if !changed {
        return Ok(Transformed::no(Arc::clone(predicate)));
    }
    safe.append(&mut risky);
    Ok(Transformed::yes(conjunction(safe)))
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
    "array_has",
    "array_length",
    "btrim",
    "cardinality",
    "character_length",
    "concat",
    "contains",
    "date_part",
    "ends_with",
    "json_contains",
    "json_get_str",
    "lower",
    "ltrim",
    "octet_length",
    "rtrim",
    "starts_with",
    "strpos",
    "upper",
];

/// Whether evaluating may be an error for some values: divisions, casts of text, and most functions.
fn can_fail(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> DataFusionResult<bool> {
    expr.exists(|e| {
        if let Some(binary) = e.downcast_ref::<BinaryExpr>() {
            return Ok(matches!(binary.op(), Operator::Divide | Operator::Modulo));
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
