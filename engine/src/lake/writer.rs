//! Writing the Parquet files of a managed table: streamed, with flat memory, under names that nobody knows until the
//! Delta log names them.

use super::Access;
use super::scan::DataFile;
use super::stored::to_stored;
use crate::error::datafusion::from_datafusion;
use crate::error::{Error, Result, from_store};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::AsyncArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use std::sync::Arc;

/// A file is ended once it has this many bytes.
const FILE_BYTES: usize = 128 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Bytes of a row group in memory before it is written out.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Writes batches into files of one table folder.
pub struct TableWriter {
    access: Access,
    folder: String,
    schema: SchemaRef,
    current: Option<Open>,
    files: Vec<DataFile>,
}

struct Open {
    writer: AsyncArrowWriter<BufWriter>,
    name: String,
    rows: u64,
}

impl TableWriter {
    /// A writer into a folder relative to the data directory; `schema` is that of the files.
    pub fn new(access: Access, folder: &str, schema: SchemaRef) -> Self {
        Self {
            access,
            folder: folder.to_owned(),
            schema,
            current: None,
            files: Vec::new(),
        }
    }

    /// Appends a batch of SQL types, by position.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let stored = to_stored(batch, &self.schema)?;
        let mut open = match self.current.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let written = open.writer.write(&stored).await;
        open.rows += stored.num_rows() as u64;
        let full = open.writer.bytes_written() + open.writer.in_progress_size() > FILE_BYTES;
        let flush = open.writer.in_progress_size() > ROW_GROUP_BYTES;
        self.current = Some(open);
        written.map_err(from_parquet)?;
        if full {
            self.end_file().await?;
        } else if let Some(open) = self.current.as_mut().filter(|_| flush) {
            open.writer.flush().await.map_err(from_parquet)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Open> {
        let name = format!("part-{}.parquet", uuid::Uuid::new_v4());
        let store = Arc::clone(&self.access.catalog.data().store);
        let object = BufWriter::new(store, Path::from(format!("{}/{name}", self.folder)));
        let level = ZstdLevel::try_new(1).map_err(|e| Error::internal(e.to_string()))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = AsyncArrowWriter::try_new(object, Arc::clone(&self.schema), Some(properties))
            .map_err(from_parquet)?;
        Ok(Open {
            writer,
            name,
            rows: 0,
        })
    }

    async fn end_file(&mut self) -> Result<()> {
        let Some(mut open) = self.current.take() else {
            return Ok(());
        };
        let name = open.name.clone();
        let path = format!("{}/{name}", self.folder);
        let ended = open.writer.finish().await;
        let size = open.writer.bytes_written() as u64;
        // Named before the outcome is looked at, so that a failed file is removed with the others.
        self.files.push(DataFile {
            path,
            name,
            size,
            rows: Some(open.rows),
        });
        ended.map_err(from_parquet).map(|_| ())
    }

    /// Ends the last file and gives all that were written.
    ///
    /// # Errors
    /// 53100 when the disk is full; the files are gone then.
    pub async fn finish(&mut self) -> Result<Vec<DataFile>> {
        if let Err(error) = self.end_file().await {
            self.discard().await;
            return Err(error);
        }
        Ok(std::mem::take(&mut self.files))
    }

    /// Removes what was written: the statement failed.
    pub async fn discard(&mut self) {
        let (access, open, files) = (
            self.access.clone(),
            self.current.take(),
            std::mem::take(&mut self.files),
        );
        abandon(access, open, files).await;
    }
}

impl Drop for TableWriter {
    /// The statement was given up on while it wrote.
    fn drop(&mut self) {
        let (open, files) = (self.current.take(), std::mem::take(&mut self.files));
        if open.is_none() && files.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(abandon(self.access.clone(), open, files));
        }
    }
}

async fn abandon(access: Access, open: Option<Open>, files: Vec<DataFile>) {
    if let Some(open) = open {
        if let Err(error) = open.writer.into_inner().abort().await {
            tracing::debug!(%error, name = %open.name, "a file that was not ended could not be taken back");
        }
    }
    remove(&access, &files).await;
}

/// Removes files that no log names.
pub async fn remove(access: &Access, files: &[DataFile]) {
    for file in files {
        match access
            .catalog
            .data()
            .store
            .delete(&Path::from(file.path.as_str()))
            .await
        {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            // What stays takes space, but no reader sees it.
            Err(error) => {
                tracing::warn!(%error, path = %file.path, "a file of a failed statement stays")
            }
        }
    }
}

fn from_parquet(error: ParquetError) -> Error {
    if let ParquetError::External(inner) = &error {
        if let Some(store) = inner.downcast_ref::<object_store::Error>() {
            return from_store(store);
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return crate::error::from_io(io);
        }
    }
    from_datafusion(error.into())
}
