//! The features of all rows in a temporary file: row after row, 8 bytes a value. Written once in the
//! query's order, read again in pieces, so that a training never holds all values in memory.

use crate::error::{Error, Kind, Result};
use alcedo_sql::SqlState;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A spool that is being written.
#[derive(Debug)]
pub struct Writer {
    out: BufWriter<File>,
    columns: usize,
    rows: usize,
}

/// A spool that is complete; the file goes with it.
#[derive(Debug)]
pub struct Spool {
    file: File,
    columns: usize,
    rows: usize,
}

impl Writer {
    /// A new spool in `folder`; the file has no name once it is open, so a crash leaves nothing.
    pub fn create(folder: &Path, columns: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|e| io(&e))?;
        let path = folder.join(format!("alcedo-training-{}", uuid::Uuid::new_v4()));
        let mut options = File::options();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|e| io(&e))?;
        std::fs::remove_file(&path).map_err(|e| io(&e))?;
        Ok(Self {
            out: BufWriter::with_capacity(1 << 20, file),
            columns,
            rows: 0,
        })
    }

    /// Appends a row.
    pub fn push(&mut self, row: &[f64]) -> Result<()> {
        debug_assert_eq!(row.len(), self.columns);
        for value in row {
            self.out
                .write_all(&value.to_le_bytes())
                .map_err(|e| io(&e))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the writing.
    pub fn finish(self) -> Result<Spool> {
        let file = self.out.into_inner().map_err(|e| io(e.error()))?;
        Ok(Spool {
            file,
            columns: self.columns,
            rows: self.rows,
        })
    }
}

impl Spool {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values per row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Reads `count` rows from `start` on into `out`; `bytes` is reused space.
    pub fn read(
        &self,
        start: usize,
        count: usize,
        bytes: &mut Vec<u8>,
        out: &mut Vec<f64>,
    ) -> Result<()> {
        let width = self.columns * 8;
        bytes.resize(count * width, 0);
        self.file
            .read_exact_at(bytes, (start * width) as u64)
            .map_err(|e| io(&e))?;
        out.clear();
        let (values, _) = bytes.as_chunks::<8>();
        out.extend(values.iter().map(|v| f64::from_le_bytes(*v)));
        Ok(())
    }
}

/// The operating system's error about the spool.
fn io(error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Error::new(
            Kind::Unavailable,
            SqlState::DISK_FULL,
            "no space left on device",
        )
        .hint("Training data is spooled to spill_dir in the section [memory] of the configuration: free some space there.");
    }
    Error::new(
        Kind::Unavailable,
        SqlState::IO_ERROR,
        format!("the spool of the training data failed: {error}"),
    )
}
