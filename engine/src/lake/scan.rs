//! Reading the Parquet files of a managed table. The reader casts stored types to SQL types and fills columns that are
//! younger than a file with NULL.

use super::stored::sql_schema;
use super::stores::DATA_URL;
use crate::catalog::Column;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::parquet::arrow::RowNumber;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use std::sync::Arc;

/// Name of the column that says which file a row is from; no identifier looks like it.
pub const FILE_COLUMN: &str = "\u{1}file";
/// Name of the column that says which row of its file a row is, from 0.
pub const ROW_COLUMN: &str = "\u{1}row";

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
    table: TableSchema,
    files: Vec<DataFile>,
    located: bool,
}

impl ManagedScan {
    /// A table over files; `located` adds [`FILE_COLUMN`] and [`ROW_COLUMN`].
    pub fn new(columns: &[Column], files: Vec<DataFile>, located: bool) -> Self {
        let mut table = TableSchema::builder(sql_schema(columns));
        if located {
            let file: FieldRef = Arc::new(Field::new(FILE_COLUMN, DataType::Utf8, false));
            let row: FieldRef = Arc::new(
                Field::new(ROW_COLUMN, DataType::Int64, false).with_extension_type(RowNumber),
            );
            table = table
                .with_table_partition_cols(vec![file])
                .with_virtual_columns(vec![row]);
        }
        Self {
            table: table.build(),
            files,
            located,
        }
    }

    fn group(&self) -> FileGroup {
        let files = self.files.iter().map(|file| {
            let mut part = PartitionedFile::new(file.path.clone(), file.size);
            if self.located {
                part.partition_values = vec![ScalarValue::Utf8(Some(file.name.clone()))];
            }
            part.with_statistics(Arc::new(counted(self.table.file_schema(), file.rows)))
        });
        FileGroup::new(files.collect())
    }
}

/// Statistics that know the number of rows and nothing else.
fn counted(schema: &Schema, rows: Option<u64>) -> Statistics {
    let rows = rows.and_then(|n| usize::try_from(n).ok());
    Statistics {
        num_rows: rows.map_or(Precision::Absent, Precision::Exact),
        ..Statistics::new_unknown(schema)
    }
}

#[async_trait::async_trait]
impl TableProvider for ManagedScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.table.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // The reader takes filters from the operators above it.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(indices) => Arc::new(self.schema().project(indices)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let rows = self.files.iter().map(|f| f.rows).sum::<Option<u64>>();
        let reader = ParquetFormat::default().with_options(state.default_table_options().parquet);
        let source = reader.file_source(self.table.clone());
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(DATA_URL)?, source)
            .with_file_groups(self.group().split_files(state.config().target_partitions()))
            .with_statistics(counted(self.table.table_schema(), rows))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit.filter(|_| filters.is_empty()))
            .build();
        reader.create_physical_plan(state, config).await
    }
}
