//! What the statistics of row groups say about a model's features.
//!
//! Reading a value as a number keeps its order, so the least and the most value of a column bound what the model sees.
//! Of texts, whose codes have an order of their own, only a single one counts. What statistics leave out is missing:
//! NULLs unless they are counted as none, and NaN always.

use super::ranges::constant;
use alcedo_udfs::score::features::{Feature, FeatureKind};
use alcedo_udfs::score::known::Known;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use datafusion::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use std::sync::Arc;

/// Row groups of a file.
pub(super) struct RowGroups<'a> {
    /// The file's.
    pub metadata: &'a ParquetMetaData,
    /// The file's columns as they are read.
    pub schema: &'a Schema,
    /// Which of the file's row groups.
    pub places: &'a [usize],
}

impl<'a> RowGroups<'a> {
    fn iter(&self) -> impl Iterator<Item = &'a RowGroupMetaData> {
        let all = self.metadata.row_groups();
        self.places.iter().map(move |place| &all[*place])
    }
}

/// What is known of a feature in each row group, when an expression of the file's columns is its value; `None` when
/// nothing is.
pub(super) fn known(
    feature: &Feature,
    value: &Arc<dyn PhysicalExpr>,
    groups: &RowGroups,
) -> Option<Vec<Known>> {
    if let Some(literal) = value.downcast_ref::<Literal>() {
        let number = constant(feature, literal.value())?;
        return Some(vec![Known::value(number); groups.places.len()]);
    }
    let span = span(value, groups)?;
    let least = feature.read(&span.least).ok()?;
    let most = feature.read(&span.most).ok()?;
    let text = matches!(feature.kind, FeatureKind::Text(_));
    let of_group = |(place, content): (usize, &Content)| {
        let missing = match content {
            Content::Unknown => return Known::ANYTHING,
            Content::Nulls => return Known::value(f64::NAN),
            Content::Values { missing } => *missing,
        };
        // Without a number, and when they contradict each other, neither says anything.
        let (low, high) = (least.value(place), most.value(place));
        // 0 and -0 are one number and two texts.
        let certain = if text {
            low == high && !span.floats
        } else {
            low <= high
        };
        if certain {
            Known { low, high, missing }
        } else {
            Known::ANYTHING
        }
    };
    Some(span.contents.iter().enumerate().map(of_group).collect())
}

/// Between which values an expression lies in each row group.
struct Span {
    /// NULL where it is not known.
    least: ArrayRef,
    most: ArrayRef,
    contents: Vec<Content>,
    /// Whether the column is one of floats.
    floats: bool,
}

/// What a row group has of a column.
enum Content {
    /// There are no statistics, or old ones, whose writers compared values in ways of their own.
    Unknown,
    /// NULLs alone.
    Nulls,
    /// Values, and NULL or NaN as well if some may be missing.
    Values { missing: bool },
}

/// The values of a column, or of a column cast to a type that keeps their order.
fn span(expr: &Arc<dyn PhysicalExpr>, groups: &RowGroups) -> Option<Span> {
    if let Some(to) = expr.downcast_ref::<CastExpr>() {
        let from = span(to.expr(), groups)?;
        let to = to.target_field().data_type();
        if !keeps_order(from.least.data_type(), to) {
            return None;
        }
        return Some(Span {
            least: cast(&from.least, to).ok()?,
            most: cast(&from.most, to).ok()?,
            ..from
        });
    }
    let name = expr.downcast_ref::<Column>()?.name();
    let descriptions = groups.metadata.file_metadata().schema_descr();
    let column = StatisticsConverter::try_new(name, groups.schema, descriptions).ok()?;
    let at = column.parquet_column_index()?;
    let floats = column.arrow_field().data_type().is_floating();
    let content = |group: &RowGroupMetaData| {
        let statistics = group.column(at).statistics();
        let Some(statistics) = statistics.filter(|s| !s.is_min_max_deprecated()) else {
            return Content::Unknown;
        };
        let nulls = statistics.null_count_opt();
        if nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(group.num_rows())) {
            return Content::Nulls;
        }
        Content::Values {
            missing: floats || nulls != Some(0),
        }
    };
    Some(Span {
        least: column.row_group_mins(groups.iter()).ok()?,
        most: column.row_group_maxes(groups.iter()).ok()?,
        contents: groups.iter().map(content).collect(),
        floats,
    })
}

/// Whether casts between types never turn two values around.
fn keeps_order(from: &DataType, to: &DataType) -> bool {
    let is_text =
        |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match (from, to) {
        (DataType::Timestamp(_, from), DataType::Timestamp(_, to)) => from == to,
        (from, to) => {
            from == to || from.is_numeric() && to.is_numeric() || is_text(from) && is_text(to)
        }
    }
}
