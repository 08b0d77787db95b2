//! Reading the Parquet files of a managed table, projected, filtered and converted to SQL types.

use super::stored::{plain, sql_schema, stored_schema};
use super::stores::DATA_URL;
use crate::catalog::Column;
use crate::lake::convert::Convert;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Name of the column that says which file a row is from; no identifier looks like it.
pub const FILE_COLUMN: &str = "\u{1}file";

/// A data file of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Relative to the data directory.
    pub path: String,
    /// Relative to the table's folder, as Delta names it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Rows, when the log says.
    pub rows: Option<u64>,
}

/// Some files of one version of a managed table.
#[derive(Debug)]
pub struct ManagedScan {
    columns: Vec<Column>,
    files: Vec<DataFile>,
    schema: SchemaRef,
    with_file: bool,
}

impl ManagedScan {
    /// A table over files; `with_file` adds [`FILE_COLUMN`].
    pub fn new(columns: Vec<Column>, files: Vec<DataFile>, with_file: bool) -> Self {
        let mut schema = sql_schema(&columns);
        if with_file {
            let fields = schema.fields().iter().cloned().chain([file_field()]);
            schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        }
        Self { columns, files, schema, with_file }
    }

    /// Whether a filter means the same on stored values.
    fn pushable(&self, filter: &Expr) -> bool {
        let kept = |name: &str| self.columns.iter().any(|c| c.name == name && plain(&c.ty));
        let columns = filter.column_refs().iter().all(|c| kept(&c.name));
        // Functions of ours and models would run twice for each row.
        let simple = !filter.exists(|e| Ok(matches!(e, Expr::ScalarFunction(_) | Expr::ScalarSubquery(_)))).unwrap_or(true);
        columns && simple && !filter.is_volatile()
    }

    fn groups(&self, partitions: usize) -> Vec<FileGroup> {
        let files = self.files.iter().map(|file| {
            let mut part = PartitionedFile::new(file.path.clone(), file.size);
            if self.with_file {
                part.partition_values = vec![ScalarValue::Utf8(Some(file.name.clone()))];
            }
            part
        });
        FileGroup::new(files.collect()).split_files(partitions.max(1))
    }
}

fn file_field() -> FieldRef {
    Arc::new(Field::new(FILE_COLUMN, DataType::Utf8, false))
}

#[async_trait::async_trait]
impl TableProvider for ManagedScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |f: &&Expr| match self.pushable(f) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stored = stored_schema(&self.columns);
        let mut table = TableSchema::builder(Arc::clone(&stored));
        if self.with_file {
            table = table.with_table_partition_cols(vec![file_field()]);
        }
        let table = table.build();
        let mut options = state.config_options().execution.parquet.clone();
        options.pushdown_filters = true;
        let mut parquet = ParquetSource::new(table).with_pushdown_filters(options.pushdown_filters);
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = DFSchema::try_from(Arc::clone(&stored))?;
            parquet = parquet.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let url = ObjectStoreUrl::parse(DATA_URL)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(parquet))
            .with_file_groups(self.groups(state.config().target_partitions()))
            .with_projection_indices(projection.cloned())?
            .with_limit(if filters.is_empty() { limit } else { None })
            .build();
        let scan = DataSourceExec::from_data_source(config);
        let wanted = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => Arc::clone(&self.schema),
        };
        Ok(Convert::over(scan, wanted))
    }
}
