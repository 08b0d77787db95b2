//! Bounds of arrays: they start at one, as all of ours do.

use super::{Args, Def, strict};
use crate::error::Result;
use crate::query::Context;
use crate::query::system::columns::Cell;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::common::ScalarValue;

pub(super) const FUNCTIONS: &[Def] = &[
    strict("array_lower", (2, 2), "int4", |_, args| {
        Ok(length(args).map(|_| 1).into())
    }),
    strict("array_upper", (2, 2), "int4", upper),
];

/// Elements in the asked dimension; none for an empty array.
fn length(args: &Args<'_>) -> Option<i32> {
    let dimension = args.int(1).filter(|d| *d >= 1)?;
    let ScalarValue::List(list) = args.values.first()? else {
        return None;
    };
    let mut values = list.value(0);
    for _ in 1..dimension {
        values = values
            .as_list_opt::<i32>()
            .filter(|l| !l.is_empty())?
            .value(0);
    }
    i32::try_from(values.len()).ok().filter(|n| *n > 0)
}

fn upper(_: &Context, args: &Args<'_>) -> Result<Cell> {
    Ok(length(args).into())
}
