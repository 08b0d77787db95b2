//! The columns of system tables, and the making of a table from rows that name only what they know.

use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Result};
use crate::types::arrow_field;
use alcedo_sql::types::SqlType;
use datafusion::arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, ListBuilder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampMicrosecondBuilder, UInt32Builder, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// One value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Cell::Bool(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Cell::Text(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Cell::Int(value.into())
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Cell::Float(value)
    }
}

impl From<Vec<String>> for Cell {
    fn from(value: Vec<String>) -> Self {
        Cell::Texts(value)
    }
}

impl From<i32> for Cell {
    fn from(value: i32) -> Self {
        Cell::Int(value.into())
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Cell::Int(value)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Cell::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}

/// A row: values by column; what is not said is zero, empty or NULL, as the column's definition has it.
pub(super) type Row = Vec<(&'static str, Cell)>;

/// Writes a row as `row!["oid" => 1, "name" => "x"]`.
macro_rules! row {
    ($($column:literal => $value:expr),* $(,)?) => {
        vec![$(($column, $crate::query::system::columns::Cell::from($value))),*]
    };
}
pub(super) use row;

/// A column of a system table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) ty: SqlType,
    /// Whether a row that does not say holds NULL.
    pub(super) nullable: bool,
}

/// Tables by schema and name.
type Tables = BTreeMap<(&'static str, &'static str), Vec<Column>>;

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    include_str!("columns.txt")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(table)
        .collect()
});

fn table(line: &'static str) -> Option<((&'static str, &'static str), Vec<Column>)> {
    let mut words = line.split(' ');
    let name = words.next()?.split_once('.')?;
    let columns = words.map(|word| {
        let (name, ty) = word.split_once(':').expect("a column has a type");
        let (ty, nullable) = ty.strip_suffix('?').map_or((ty, false), |t| (t, true));
        Column {
            name,
            ty: column_type(ty),
            nullable,
        }
    });
    Some((name, columns.collect()))
}

fn column_type(name: &str) -> SqlType {
    match name {
        "char" => SqlType::Text,
        "char[]" => SqlType::Array(Box::new(SqlType::Text)),
        _ => alcedo_sql::parse_type(name).expect("the file of columns names types that exist"),
    }
}

/// The columns of a table, if it is one of ours.
pub(super) fn of(schema: &str, name: &str) -> Option<&'static [Column]> {
    TABLES
        .iter()
        .find(|((s, n), _)| *s == schema && *n == name)
        .map(|(_, c)| c.as_slice())
}

/// Every table of a schema.
pub(super) fn names(schema: &str) -> Vec<&'static str> {
    TABLES
        .keys()
        .filter(|(s, _)| *s == schema)
        .map(|(_, n)| *n)
        .collect()
}

/// A table in memory.
pub(super) fn provider(columns: &[Column], rows: &[Row]) -> Result<Arc<dyn TableProvider>> {
    let fields: Vec<FieldRef> = columns
        .iter()
        .map(|c| arrow_field(c.name, &c.ty, true))
        .collect();
    let arrays = columns
        .iter()
        .zip(&fields)
        .map(|(column, field)| {
            let cells: Vec<Option<&Cell>> = rows
                .iter()
                .map(|row| {
                    row.iter()
                        .find(|(name, _)| *name == column.name)
                        .map(|(_, cell)| cell)
                })
                .collect();
            array(column, field, &cells)
        })
        .collect::<Result<Vec<_>>>()?;
    debug_assert!(
        rows.iter()
            .flatten()
            .all(|(name, _)| columns.iter().any(|c| c.name == *name)),
        "rows name columns that exist"
    );
    let schema = Arc::new(Schema::new(fields));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)
        .map_err(|e| Error::internal(format!("a system table does not fit its columns: {e}")))?;
    Ok(Arc::new(
        MemTable::try_new(schema, vec![vec![batch]]).map_err(from_datafusion)?,
    ))
}

/// Cells of one type as an array.
pub(super) fn values(ty: &SqlType, cells: &[Cell]) -> Result<ArrayRef> {
    let column = Column {
        name: "",
        ty: ty.clone(),
        nullable: true,
    };
    let cells: Vec<Option<&Cell>> = cells.iter().map(Some).collect();
    array(&column, &arrow_field("", ty, true), &cells)
}

/// Appends to a builder: the value, the column's zero, or NULL.
macro_rules! build {
    ($builder:expr, $column:expr, $cells:expr, $zero:expr, $($pattern:pat => $value:expr),+) => {{
        let mut builder = $builder;
        for cell in $cells {
            match cell {
                $(Some($pattern) => builder.append_value($value),)+
                None if !$column.nullable => builder.append_value($zero),
                _ => builder.append_null(),
            }
        }
        Box::new(builder) as Box<dyn ArrayBuilder>
    }};
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the catalog's numbers fit their columns
fn array(column: &Column, field: &Field, cells: &[Option<&Cell>]) -> Result<ArrayRef> {
    let cells = cells.iter().copied();
    let mut builder = match &column.ty {
        SqlType::Bool => build!(BooleanBuilder::new(), column, cells, false, Cell::Bool(v) => *v),
        SqlType::Int2 => build!(Int16Builder::new(), column, cells, 0, Cell::Int(v) => *v as i16),
        SqlType::Int4 => build!(Int32Builder::new(), column, cells, 0, Cell::Int(v) => *v as i32),
        SqlType::Int8 => build!(Int64Builder::new(), column, cells, 0, Cell::Int(v) => *v),
        SqlType::Oid => build!(UInt32Builder::new(), column, cells, 0, Cell::Int(v) => *v as u32),
        SqlType::Float4 => build!(
            Float32Builder::new(), column, cells, 0.0,
            Cell::Float(v) => *v as f32, Cell::Int(v) => *v as f32
        ),
        SqlType::Float8 => build!(
            Float64Builder::new(), column, cells, 0.0,
            Cell::Float(v) => *v, Cell::Int(v) => *v as f64
        ),
        SqlType::Text | SqlType::Name | SqlType::Json | SqlType::Jsonb => build!(
            StringBuilder::new(), column, cells, "",
            Cell::Text(v) => v.as_str()
        ),
        SqlType::Timestamptz => build!(
            TimestampMicrosecondBuilder::new().with_timezone("UTC"), column, cells, 0,
            Cell::Int(v) => *v
        ),
        SqlType::Array(element) if matches!(**element, SqlType::Text | SqlType::Name) => {
            texts(column, cells)
        }
        // No row of ours fills the other types.
        _ => return Ok(new_null_array(field.data_type(), cells.count())),
    };
    Ok(builder.finish())
}

fn texts<'a>(
    column: &Column,
    cells: impl Iterator<Item = Option<&'a Cell>>,
) -> Box<dyn ArrayBuilder> {
    let item = arrow_field("item", &column.ty, true);
    let item = match item.data_type() {
        DataType::List(item) => Arc::clone(item),
        _ => item,
    };
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(item);
    for cell in cells {
        match cell {
            Some(Cell::Texts(values)) => {
                values
                    .iter()
                    .for_each(|value| builder.values().append_value(value));
                builder.append(true);
            }
            None => builder.append(!column.nullable),
            Some(_) => builder.append(false),
        }
    }
    Box::new(builder)
}
