//! Ordered-set aggregates that DataFusion lacks: `mode()` and `percentile_disc(fraction)`.
//!
//! ```sql
//! select mode() within group (order by n), percentile_disc(0.5) within group (order by n) from t;
//! ```
//!
//! The values are kept and sorted in the end, as PostgreSQL does; of equally frequent values `mode` takes the first.

use crate::error::sql_error;
use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::{SortOptions, concat, partition, sort};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::utils::SingleRowListArrayBuilder;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::utils::format_state_name;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The functions of this file.
pub(super) fn all() -> Vec<Arc<AggregateUDF>> {
    [Kind::Mode, Kind::PercentileDisc]
        .into_iter()
        .map(|kind| {
            Arc::new(AggregateUDF::new_from_impl(Ordered {
                kind,
                signature: Signature::user_defined(Volatility::Immutable),
            }))
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Mode,
    PercentileDisc,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ordered {
    kind: Kind,
    signature: Signature,
}

impl AggregateUDFImpl for Ordered {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Mode => "mode",
            Kind::PercentileDisc => "percentile_disc",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.kind, types) {
            (Kind::Mode, [value]) => Ok(vec![value.clone()]),
            (Kind::PercentileDisc, [value, fraction])
                if fraction.is_numeric() || fraction.is_null() =>
            {
                Ok(vec![value.clone(), DataType::Float64])
            }
            _ => plan_err!(
                "No function matches {}: WITHIN GROUP is missing",
                self.name()
            ),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(value) => Ok(value.clone()),
            None => plan_err!("No function matches {}()", self.name()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let options = args.order_bys.first().map(|by| by.options);
        let choice = match self.kind {
            Kind::Mode => Choice::Mode,
            Kind::PercentileDisc => Choice::Percentile(fraction(&args)?),
        };
        Ok(Box::new(Values {
            data_type: args.expr_fields[0].data_type().clone(),
            kept: Vec::new(),
            options: options.unwrap_or_default(),
            choice,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let value = Field::new_list_field(args.input_fields[0].data_type().clone(), true);
        let name = format_state_name(args.name, "values");
        let list = DataType::List(Arc::new(value));
        Ok(vec![Arc::new(Field::new(name, list, true))])
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

/// The fraction, which is a constant; NULL gives NULL.
fn fraction(args: &AccumulatorArgs) -> Result<Option<f64>> {
    let schema = Arc::new(args.schema.clone());
    let row = arrow::array::RecordBatch::new_empty(schema);
    let value = match args.exprs.get(1).map(|e| e.evaluate(&row)) {
        Some(Ok(datafusion_expr::ColumnarValue::Scalar(value))) => value,
        _ => return exec_err!("the fraction of percentile_disc must be a constant"),
    };
    let ScalarValue::Float64(fraction) = value.cast_to(&DataType::Float64)? else {
        return Ok(None);
    };
    match fraction {
        Some(f) if !(0.0..=1.0).contains(&f) => Err(sql_error(
            "22003",
            format!("percentile value {f} is not between 0 and 1"),
        )),
        other => Ok(other),
    }
}

#[derive(Debug)]
enum Choice {
    Mode,
    Percentile(Option<f64>),
}

#[derive(Debug)]
struct Values {
    data_type: DataType,
    kept: Vec<ArrayRef>,
    options: SortOptions,
    choice: Choice,
}

impl Values {
    fn keep(&mut self, values: &ArrayRef) -> Result<()> {
        let values = match values.null_count() {
            0 => Arc::clone(values),
            _ => arrow::compute::filter(values, &arrow::compute::is_not_null(values)?)?,
        };
        if !values.is_empty() {
            self.kept.push(values);
        }
        Ok(())
    }

    fn all(&self) -> Result<ArrayRef> {
        if self.kept.is_empty() {
            return Ok(new_empty_array(&self.data_type));
        }
        let kept: Vec<&dyn Array> = self.kept.iter().map(AsRef::as_ref).collect();
        Ok(concat(&kept)?)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.keep(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = sort(&self.all()?, Some(self.options))?;
        let place = match (&self.choice, sorted.len()) {
            (_, 0) | (Choice::Percentile(None), _) => {
                return ScalarValue::try_new_null(&self.data_type);
            }
            (Choice::Percentile(Some(fraction)), rows) => {
                // The first value whose share of the rows reaches the fraction.
                let row = (fraction * rows as f64).ceil();
                (row as usize).clamp(1, rows) - 1
            }
            (Choice::Mode, _) => {
                let runs = partition(&[Arc::clone(&sorted)])?.ranges();
                let longest = runs.into_iter().rev().max_by_key(ExactSizeIterator::len);
                longest.map_or(0, |run| run.start)
            }
        };
        ScalarValue::try_from_array(&sorted, place)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = SingleRowListArrayBuilder::new(self.all()?);
        Ok(vec![list.build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.keep(&values)?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let kept = self.kept.iter().map(|a| a.get_array_memory_size());
        size_of_val(self) + kept.sum::<usize>()
    }
}
