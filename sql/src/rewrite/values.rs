//! VALUES whose rows name the type of a column only sometimes: `VALUES ('a'::varchar(3)), ('b')`. The planner wants the
//! same type in every row, so each value is cast to it, without a length: the rows keep what they are.

use sqlparser::ast::{CastKind, DataType, Expr, SetExpr};

/// Gives the columns of VALUES one type where a row names it.
pub(super) fn unify(body: &mut SetExpr) {
    let SetExpr::Values(values) = body else {
        return;
    };
    let width = values.rows.iter().map(|row| row.content.len()).min();
    for place in 0..width.unwrap_or(0) {
        let mut types = values.rows.iter().map(|row| named(&row.content[place]));
        let first = types.next().flatten();
        if types.all(|ty| ty == first) {
            continue;
        }
        let mut found = values
            .rows
            .iter()
            .filter_map(|row| named(&row.content[place]).map(unsized_type));
        let Some(Some(ty)) = found.next() else {
            continue;
        };
        if !found.all(|other| other.as_ref() == Some(&ty)) {
            continue;
        }
        for row in &mut values.rows {
            let value = &mut row.content[place];
            *value = Expr::Cast {
                kind: CastKind::DoubleColon,
                expr: Box::new(value.clone()),
                data_type: ty.clone(),
                array: false,
                format: None,
            };
        }
    }
}

/// The type that a value is cast to.
fn named(value: &Expr) -> Option<&DataType> {
    match value {
        Expr::Nested(inner) => named(inner),
        Expr::Cast { data_type, .. } => Some(data_type),
        _ => None,
    }
}

/// One of the types that look like another to the planner, without its length.
fn unsized_type(ty: &DataType) -> Option<DataType> {
    Some(match ty {
        DataType::Varchar(_) | DataType::CharacterVarying(_) | DataType::CharVarying(_) => {
            DataType::Varchar(None)
        }
        DataType::JSON => DataType::JSON,
        DataType::JSONB => DataType::JSONB,
        DataType::Uuid => DataType::Uuid,
        _ => return None,
    })
}
