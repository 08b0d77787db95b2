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

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, ty: &ast::DataType) -> Result<Option<FieldRef>> {
        let ty = SqlType::from_ast(ty).map_err(|e| into_datafusion(e.into()))?;
        // A field without name and metadata would be a type of Arrow alone, and a cast to it would keep what stands
        // beside the type of its argument: a uuid cast to text would be shown as a uuid.
        Ok(Some(arrow_field("cast", &ty, true)))
    }
}
