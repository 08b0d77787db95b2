//! Functions that depend on the session or on the catalog: PostgreSQL's names, one table per subject.
//!
//! To add one, add a line to the table of its subject and write its body over [`Args`]. A body sees one row;
//! these functions serve catalog queries, where rows are few.

mod access;
mod arrays;
mod definitions;
mod names;
mod session;
mod sizes;
mod text;

use super::columns::{self, Cell};
use crate::error::Result;
use crate::error::datafusion::into_datafusion;
use crate::query::Context;
use crate::types::arrow_field;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// What a function does with one row.
type Body = fn(&Context, &Args<'_>) -> Result<Cell>;

/// One function.
#[derive(Debug)]
struct Def {
    name: &'static str,
    /// Least and greatest number of arguments.
    arguments: (usize, usize),
    /// Name of the result's type.
    returns: &'static str,
    /// Whether a NULL argument makes the result NULL.
    strict: bool,
    /// Whether it changes something.
    volatile: bool,
    body: Body,
}

/// A function of its arguments, NULL for NULL.
const fn strict(
    name: &'static str,
    arguments: (usize, usize),
    returns: &'static str,
    body: Body,
) -> Def {
    Def {
        name,
        arguments,
        returns,
        strict: true,
        volatile: false,
        body,
    }
}

/// A function that sees NULLs.
const fn lax(
    name: &'static str,
    arguments: (usize, usize),
    returns: &'static str,
    body: Body,
) -> Def {
    Def {
        name,
        arguments,
        returns,
        strict: false,
        volatile: false,
        body,
    }
}

/// Every table.
const TABLES: &[&[Def]] = &[
    access::FUNCTIONS,
    arrays::FUNCTIONS,
    definitions::FUNCTIONS,
    names::FUNCTIONS,
    session::FUNCTIONS,
    sizes::FUNCTIONS,
    text::FUNCTIONS,
];

/// Names for the suggestion in errors about unknown functions.
pub(crate) static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    TABLES
        .iter()
        .copied()
        .flatten()
        .map(|d| d.name.to_owned())
        .collect()
});

/// The function of a name, for this statement.
pub(crate) fn find(ctx: &Context, name: &str) -> Option<Arc<ScalarUDF>> {
    let def = TABLES.iter().copied().flatten().find(|d| d.name == name)?;
    let volatility = if def.volatile {
        Volatility::Volatile
    } else {
        Volatility::Stable
    };
    let function = Function {
        def,
        ctx: ctx.clone(),
        returns: alcedo_sql::parse_type(def.returns).ok()?,
        signature: Signature::user_defined(volatility),
    };
    Some(Arc::new(ScalarUDF::new_from_impl(function)))
}

/// Arguments of one row.
struct Args<'a> {
    values: &'a [ScalarValue],
    fields: &'a [FieldRef],
}

impl Args<'_> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn text(&self, at: usize) -> Option<&str> {
        self.values.get(at)?.try_as_str().flatten()
    }

    /// A number, also out of a text.
    fn int(&self, at: usize) -> Option<i64> {
        match self.values.get(at)? {
            ScalarValue::Int16(v) => v.map(Into::into),
            ScalarValue::Int32(v) => v.map(Into::into),
            ScalarValue::Int64(v) => *v,
            ScalarValue::UInt32(v) => v.map(Into::into),
            ScalarValue::UInt64(v) => v.and_then(|v| i64::try_from(v).ok()),
            other => other.try_as_str().flatten()?.trim().parse().ok(),
        }
    }

    fn oid(&self, at: usize) -> Option<u32> {
        self.int(at).and_then(|v| u32::try_from(v).ok())
    }

    fn bool(&self, at: usize) -> Option<bool> {
        match self.values.get(at)? {
            ScalarValue::Boolean(v) => *v,
            other => alcedo_sql::options::parse_bool(other.try_as_str().flatten()?),
        }
    }
}

/// One function for one statement.
#[derive(Debug)]
struct Function {
    def: &'static Def,
    ctx: Context,
    returns: SqlType,
    signature: Signature,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.def.name == other.def.name && self.ctx.search_path == other.ctx.search_path
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.def.name.hash(state);
    }
}

impl Function {
    fn row(&self, values: &[ScalarValue], fields: &[FieldRef]) -> Result<Cell> {
        if self.def.strict && values.iter().any(ScalarValue::is_null) {
            return Ok(Cell::Null);
        }
        (self.def.body)(&self.ctx, &Args { values, fields })
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.def.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> datafusion::common::Result<Vec<DataType>> {
        let (least, most) = self.def.arguments;
        if types.len() < least || types.len() > most {
            return plan_err!(
                "No function matches {} with {} arguments",
                self.def.name,
                types.len()
            );
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(crate::types::arrow_type(&self.returns))
    }

    fn return_field_from_args(
        &self,
        _: ReturnFieldArgs<'_>,
    ) -> datafusion::common::Result<FieldRef> {
        Ok(arrow_field(self.def.name, &self.returns, true))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let constant = args
            .args
            .iter()
            .all(|a| matches!(a, ColumnarValue::Scalar(_)))
            && !self.def.volatile;
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args
            .args
            .iter()
            .map(|a| a.to_array(rows))
            .collect::<Result<Vec<_>, _>>()?;
        let mut cells = Vec::with_capacity(rows);
        for row in 0..rows {
            let values = arrays
                .iter()
                .map(|array| ScalarValue::try_from_array(array, row))
                .collect::<Result<Vec<_>, _>>()?;
            cells.push(
                self.row(&values, &args.arg_fields)
                    .map_err(into_datafusion)?,
            );
        }
        let array = columns::values(&self.returns, &cells).map_err(into_datafusion)?;
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?))
        } else {
            Ok(ColumnarValue::Array(array))
        }
    }
}
