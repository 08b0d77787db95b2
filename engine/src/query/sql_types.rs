//! Type names in SQL text as Arrow fields: the same table that columns are declared with.

use super::error::into_datafusion;
use crate::types::arrow_field;
use alcedo_sql::ast;
use alcedo_sql::types::SqlType;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::Result;
use datafusion::logical_expr::planner::TypePlanner;

/// Plans casts and typed literals with our types.
#[derive(Debug)]
pub struct SqlTypes;

/// The name of the field that a cast in SQL has: it forgets what stood beside the type of its argument, where the
/// planner's own casts keep it. [`casts`](super::casts) does that and takes the name off.
pub(super) const CAST: &str = "cast";

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, ty: &ast::DataType) -> Result<Option<FieldRef>> {
        let ty = SqlType::from_ast(ty).map_err(|e| into_datafusion(e.into()))?;
        Ok(Some(arrow_field(CAST, &ty, true)))
    }
}
