//! Casts as PostgreSQL does them, where Arrow's round, cut or check otherwise.
//!
//! | cast | done by |
//! |---|---|
//! | floating point or numeric to integer | rounding, 22003 |
//! | to `varchar(n)`, `char(n)` | cutting |
//! | text to uuid, json, jsonb | reading, 22P02 |
//! | a type that Arrow does not know to one that it knows | forgetting the first |
//! | interval and floating point to text | PostgreSQL's style |

use super::plain_type::PlainType;
use super::sql_types::CAST;
use super::text_forms::ToForm;
use crate::types::sql_type;
use alcedo_sql::types::SqlType;
use alcedo_udfs::scalar::convert::float;
use alcedo_udfs::scalar::convert::integer::ToInteger;
use alcedo_udfs::scalar::convert::text::ToLength;
use alcedo_udfs::scalar::moment::interval;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, cast};
use std::sync::Arc;

/// The expression that does a cast, when the cast does not do as it is.
pub(super) fn planned(written: &Cast, schema: &DFSchema) -> Option<Expr> {
    let (_, from) = written.expr.to_field(schema).ok()?;
    if let Some(own) = own(written, &from) {
        return Some(own);
    }
    if written.field.name() != CAST {
        return None;
    }
    // A field that is more than a type says itself whether it may be NULL.
    let typed = !written.field.metadata().is_empty();
    let nullable = !typed || from.is_nullable();
    let field = written.field.as_ref().clone().with_name("");
    let field = Arc::new(field.with_nullable(nullable));
    let cast = Expr::Cast(Cast::new_from_field(written.expr.clone(), field));
    let keeps = !typed && !from.metadata().is_empty();
    Some(if keeps {
        call(PlainType::default().into(), cast)
    } else {
        cast
    })
}

/// The function that does a cast otherwise than Arrow.
fn own(written: &Cast, from: &Field) -> Option<Expr> {
    let value = || written.expr.as_ref().clone();
    let target = written.field.data_type();
    if let Some(function) = ToInteger::between(from.data_type(), target) {
        return Some(call(function.into(), value()));
    }
    let text = |ty: &DataType| {
        matches!(
            ty,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        )
    };
    if !text(target) {
        return None;
    }
    let shown = || match from.data_type() {
        DataType::Interval(_) => call(interval::text().as_ref().clone(), value()),
        ty if ty.is_floating() => call(float::text().as_ref().clone(), value()),
        ty if text(ty) => value(),
        _ => cast(value(), DataType::Utf8),
    };
    let field: FieldRef = Arc::clone(&written.field);
    match sql_type(&written.field) {
        SqlType::Varchar(Some(n)) => Some(call(ToLength::new(field, n, false).into(), shown())),
        SqlType::Char(n) => Some(call(ToLength::new(field, n, true).into(), shown())),
        ty @ (SqlType::Uuid | SqlType::Json | SqlType::Jsonb) => {
            // What is json already can be read.
            let known = matches!(
                sql_type(from),
                SqlType::Json | SqlType::Jsonb | SqlType::Uuid
            );
            let form = !known && text(from.data_type());
            form.then(|| call(ToForm::new(ty, field).into(), shown()))
        }
        _ => {
            let own = from.data_type().is_floating();
            (own || matches!(from.data_type(), DataType::Interval(_))).then(shown)
        }
    }
}

fn call(function: ScalarUDF, value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![value]))
}
