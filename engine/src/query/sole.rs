//! `sole(x)`, the aggregate of a subquery that must have one row at most, and `sole_value`, which takes its
//! value out or fails. They are apart because a correlated subquery is computed for every key it has, also
//! for those that no outer row asks for: only the rows that are asked for may fail.

use super::error::into_datafusion;
use crate::error::Error;
use alcedo_sql::SqlState;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The value, and whether there were more.
fn fields(value: &Field) -> Fields {
    vec![
        Arc::new(value.clone().with_name("value").with_nullable(true)),
        Arc::new(Field::new("more", DataType::Boolean, true)),
    ]
    .into()
}

/// The aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sole {
    signature: Signature,
}

impl Default for Sole {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for Sole {
    fn name(&self) -> &str {
        "sole"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields(&Field::new(
            "value",
            types[0].clone(),
            true,
        ))))
    }

    fn return_field(&self, args: &[FieldRef]) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(
            self.name(),
            DataType::Struct(fields(&args[0])),
            true,
        )))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return plan_err!("sole has a struct as its result");
        };
        Ok(Box::new(SoleAccumulator {
            value: ScalarValue::try_new_null(fields[0].data_type())?,
            rows: 0,
            fields: fields.clone(),
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = args.input_fields[0]
            .as_ref()
            .clone()
            .with_name("sole[value]")
            .with_nullable(true);
        Ok(vec![
            Arc::new(value),
            Arc::new(Field::new("sole[rows]", DataType::Int64, false)),
        ])
    }
}

#[derive(Debug)]
struct SoleAccumulator {
    value: ScalarValue,
    rows: i64,
    fields: Fields,
}

impl Accumulator for SoleAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = i64::try_from(values[0].len()).unwrap_or(i64::MAX);
        if self.rows == 0 && rows > 0 {
            self.value = ScalarValue::try_from_array(&values[0], 0)?;
        }
        self.rows = self.rows.saturating_add(rows);
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        for (row, count) in counts.values().iter().enumerate() {
            if self.rows == 0 && *count > 0 {
                self.value = ScalarValue::try_from_array(&states[0], row)?;
            }
            self.rows = self.rows.saturating_add(*count);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), self.rows.into()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.value.to_array()?;
        let more: ArrayRef = Arc::new(BooleanArray::from(vec![self.rows > 1]));
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(
            self.fields.clone(),
            vec![value, more],
            None,
        )?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SoleValue {
    signature: Signature,
}

impl Default for SoleValue {
    fn default() -> Self {
        Self {
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for SoleValue {
    fn name(&self) -> &str {
        "sole_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &types[0] {
            DataType::Struct(fields) if fields.len() == 2 => Ok(fields[0].data_type().clone()),
            other => plan_err!("sole_value takes what sole gives, not {other}"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields[0].data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Ok(Arc::new(
                fields[0]
                    .as_ref()
                    .clone()
                    .with_name(self.name())
                    .with_nullable(true),
            )),
            other => plan_err!("sole_value takes what sole gives, not {other}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let scalar = matches!(args.args[0], ColumnarValue::Scalar(_));
        let array = args.args[0].to_array(if scalar { 1 } else { args.number_rows })?;
        let sole = array.as_struct();
        let more = sole.column(1).as_boolean();
        if (0..sole.len()).any(|row| sole.is_valid(row) && more.is_valid(row) && more.value(row)) {
            let text = "more than one row returned by a subquery used as an expression";
            return Err(into_datafusion(Error::user(
                SqlState::CARDINALITY_VIOLATION,
                text,
            )));
        }
        let value = match sole.nulls() {
            // An outer row without an inner one.
            Some(nulls) => {
                let valid = BooleanArray::new(nulls.inner().clone(), None);
                datafusion::arrow::compute::nullif(
                    sole.column(0),
                    &datafusion::arrow::compute::not(&valid)?,
                )?
            }
            None => Arc::clone(sole.column(0)),
        };
        if scalar {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &value, 0,
            )?))
        } else {
            Ok(ColumnarValue::Array(value))
        }
    }
}
