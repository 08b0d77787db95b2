//! Row groups of Parquet files that no row passes a comparison with a score of are not read.
//!
//! `predict(m, …) > bound` in the filter of a scan is a function of columns, and the footer of a file says of each row
//! group between which values a column lies: together they bound the scores of all its rows (`statistics`, and
//! `Compared::may_hold`). The rule puts a reader of its own before that of the scan. The metadata that it gives for a
//! file is the file's own without the row groups that cannot pass, so nothing more is read than without it, and whatever
//! else the scan does (ranges, other statistics, pages) goes on as before. Encrypted files, which would need their row
//! groups' places, are not read at all: Parquet's encryption is not compiled in.
//!
//! EXPLAIN says `row groups and rows with` before such a comparison, `row groups with` where rows are decided above the
//! scan (`shared`); EXPLAIN ANALYZE counts row groups under [`METRIC`].

use super::statistics::{RowGroups, known};
use alcedo_udfs::predict::Compared;
use alcedo_udfs::score::known::Known;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, ParquetRowSelection};
use datafusion::datasource::physical_plan::{
    FileScanConfigBuilder, FileSource, ParquetFileReaderFactory, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::errors::Result as ParquetResult;
use datafusion::parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataBuilder, RowGroupMetaData,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction, split_conjunction};
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricType};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What EXPLAIN ANALYZE calls the row groups asked about and those that were left.
const METRIC: &str = "row_groups_pruned_score";

/// The rule; it stands behind those that move filters into scans.
#[derive(Debug)]
pub(in crate::query) struct SkippedRowGroups;

impl PhysicalOptimizerRule for SkippedRowGroups {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(scan).map(|done| done.data)
    }

    fn name(&self) -> &str {
        "skipped_row_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn scan(node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some((config, source)) = node
        .downcast_ref::<DataSourceExec>()
        .and_then(DataSourceExec::downcast_to_file_source::<ParquetSource>)
    else {
        return Ok(Transformed::no(node));
    };
    let (Some(predicate), Some(readers)) = (source.filter(), source.parquet_file_reader_factory())
    else {
        return Ok(Transformed::no(node));
    };
    // Row numbers count all row groups.
    if !source.table_schema().virtual_columns().is_empty() {
        return Ok(Transformed::no(node));
    }
    let mut comparisons = Vec::new();
    let mut conjuncts = Vec::new();
    for conjunct in split_conjunction(&predicate) {
        let bounded = comparison(conjunct).filter(|(_, compared)| compared.is_bounded());
        conjuncts.push(match bounded {
            Some((call, compared)) => {
                comparisons.push(Arc::clone(conjunct));
                named(call, compared)?
            }
            None => Arc::clone(conjunct),
        });
    }
    if comparisons.is_empty() {
        return Ok(Transformed::no(node));
    }
    let adapter = config.expr_adapter_factory.clone();
    let filter = Filter {
        comparisons,
        table: source.table_schema().clone(),
        adapter: adapter.unwrap_or_else(|| Arc::new(DefaultPhysicalExprAdapterFactory)),
    };
    let readers = Readers {
        inner: Arc::clone(readers),
        filter: Arc::new(filter),
    };
    let source = source
        .with_predicate(conjunction(conjuncts))
        .with_parquet_file_reader_factory(Arc::new(readers));
    let config = FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source));
    Ok(Transformed::yes(DataSourceExec::from_data_source(
        config.build(),
    )))
}

/// The comparison of a score that an expression is.
fn comparison(expr: &Arc<dyn PhysicalExpr>) -> Option<(&ScalarFunctionExpr, &Compared)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    Some((call, Compared::of(call.fun())?))
}

/// The same comparison under a name that says what it is used for.
fn named(call: &ScalarFunctionExpr, compared: &Compared) -> Result<Arc<dyn PhysicalExpr>> {
    let no_columns = datafusion::arrow::datatypes::Schema::empty();
    let rows = if compared.is_of_rows() {
        " and rows"
    } else {
        ""
    };
    Ok(Arc::new(ScalarFunctionExpr::new(
        &format!("row groups{rows} with {}", call.name()),
        Arc::new(call.fun().clone()),
        call.args().to_vec(),
        call.return_field(&no_columns)?,
        Arc::new(call.config_options().clone()),
    )))
}

/// What rows of a scan have to pass, and what it takes to say that of a file's columns.
#[derive(Debug)]
struct Filter {
    /// Comparisons of scores, of columns of the table.
    comparisons: Vec<Arc<dyn PhysicalExpr>>,
    table: TableSchema,
    adapter: Arc<dyn PhysicalExprAdapterFactory>,
}

impl Filter {
    /// Whether rows of the row groups at `places` may pass, an entry for each of them.
    fn may_pass(
        &self,
        file: &PartitionedFile,
        metadata: &ParquetMetaData,
        places: &[usize],
    ) -> Result<Vec<bool>> {
        let footer = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(footer.schema_descr(), footer.key_value_metadata())?;
        let schema = Arc::new(schema);
        // As the scan reads the file: its folders' values, columns that it has not, types that it has otherwise.
        let folders = self.table.table_partition_cols().iter().map(|f| f.name());
        let folders: HashMap<&str, &ScalarValue> = folders
            .map(String::as_str)
            .zip(&file.partition_values)
            .collect();
        let columns = Arc::clone(self.table.file_schema());
        let adapter = self.adapter.create(columns, Arc::clone(&schema))?;
        let groups = RowGroups {
            metadata,
            schema: &schema,
            places,
        };
        let mut may = vec![true; places.len()];
        for expr in &self.comparisons {
            let expr = replace_columns_with_literals(Arc::clone(expr), &folders)?;
            let expr = adapter.rewrite(expr)?;
            let (call, compared) = comparison(&expr)
                .ok_or_else(|| internal_datafusion_err!("a comparison became something else"))?;
            let features = compared.call().model().features();
            let inputs = compared.call().inputs();
            let columns: Vec<(usize, Option<Vec<Known>>)> = inputs
                .iter()
                .zip(call.args())
                .map(|(at, arg)| (*at, known(&features[*at], arg, &groups)))
                .collect();
            let mut row_group = vec![Known::ANYTHING; features.len()];
            for (place, may) in may.iter_mut().enumerate() {
                for (at, column) in &columns {
                    if let Some(column) = column {
                        row_group[*at] = column[place];
                    }
                }
                *may &= compared.may_hold(&row_group);
            }
        }
        Ok(may)
    }
}

/// Makes readers that leave row groups out.
#[derive(Debug)]
struct Readers {
    inner: Arc<dyn ParquetFileReaderFactory>,
    filter: Arc<Filter>,
}

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let inner =
            self.inner
                .create_reader(partition, file.clone(), metadata_size_hint, metrics)?;
        let places_count = file.extension::<ParquetAccessPlan>().is_some()
            || file.extension::<ParquetRowSelection>().is_some();
        if places_count || file.arrow_schema.is_some() {
            return Ok(inner);
        }
        Ok(Box::new(Reader {
            inner,
            filter: Arc::clone(&self.filter),
            file,
            partition,
            metrics: metrics.clone(),
        }))
    }
}

/// Reads a file, or a range of it, as if it had fewer row groups.
struct Reader {
    inner: Box<dyn AsyncFileReader + Send>,
    filter: Arc<Filter>,
    file: PartitionedFile,
    partition: usize,
    metrics: ExecutionPlanMetricsSet,
}

impl Reader {
    /// The metadata without the row groups that cannot pass.
    fn without_skipped(&self, all: Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
        let groups = all.row_groups();
        // Those of other ranges are other readers' to look at.
        let places: Vec<usize> = (0..groups.len())
            .filter(|place| self.is_in_range(&groups[*place]))
            .collect();
        let may = match self.filter.may_pass(&self.file, &all, &places) {
            Ok(may) => may,
            Err(error) => {
                self.log(&error);
                vec![true; places.len()]
            }
        };
        let matched = may.iter().filter(|may| **may).count();
        let metric = MetricBuilder::new(&self.metrics)
            .with_type(MetricType::Summary)
            .pruning_metrics(METRIC, self.partition);
        metric.add_matched(matched);
        metric.add_pruned(places.len() - matched);
        if matched == places.len() {
            return all;
        }
        let mut kept = vec![true; groups.len()];
        for (place, may) in places.into_iter().zip(may) {
            kept[place] = may;
        }
        Arc::new(narrowed(&all, &kept))
    }

    /// As scans share row groups out: by where the first page is.
    fn is_in_range(&self, group: &RowGroupMetaData) -> bool {
        let Some(range) = &self.file.range else {
            return true;
        };
        group.columns().first().is_some_and(|column| {
            let dictionary = column.dictionary_page_offset();
            range.contains(dictionary.unwrap_or_else(|| column.data_page_offset()))
        })
    }

    fn log(&self, error: &DataFusionError) {
        let file = self.file.object_meta.location.as_ref();
        tracing::debug!(%error, file, "the statistics of a file's row groups are of no use");
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<bytes::Bytes>> {
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<bytes::Bytes>>> {
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let all = self.inner.get_metadata(options).await?;
            Ok(self.without_skipped(all))
        }
        .boxed()
    }
}

/// A file's metadata with the row groups that are `kept`, an entry each.
fn narrowed(all: &ParquetMetaData, kept: &[bool]) -> ParquetMetaData {
    fn those<T: Clone>(items: &[T], kept: &[bool]) -> Vec<T> {
        let pairs = items.iter().zip(kept);
        pairs.filter(|(_, k)| **k).map(|(i, _)| i.clone()).collect()
    }
    ParquetMetaDataBuilder::new(all.file_metadata().clone())
        .set_row_groups(those(all.row_groups(), kept))
        .set_column_index(all.column_index().map(|pages| those(pages, kept)))
        .set_offset_index(all.offset_index().map(|pages| those(pages, kept)))
        .build()
}
