//! Tables over object stores.
//!
//! `stores` finds the store of a location; `managed` is a table of ours: Delta under the data directory, read by `scan`
//! and written by `writer`, its versions kept by `log`; `stored` says how SQL types are kept in files; `external` reads what
//! others wrote, as `file_options` says.

pub mod external;
pub mod file_options;
mod log;
pub mod managed;
pub mod scan;
pub mod stored;
pub mod stores;
pub mod writer;

use crate::catalog::store::Catalog;
use crate::error::{Error, Kind, from_store};
use alcedo_sql::SqlState;
use deltalake_core::DeltaTableError;
use std::sync::Arc;
use stores::Stores;

/// What the lake needs of a statement.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Access {
    pub catalog: Arc<Catalog>,
    pub stores: Arc<Stores>,
    /// What the statement has begun to read.
    pub pins: managed::Pins,
}

/// Delta's errors as ours.
pub fn from_delta(error: DeltaTableError) -> Error {
    match error {
        DeltaTableError::ObjectStore { source } => from_store(&source),
        DeltaTableError::NotATable(text) => Error::user(
            SqlState::UNDEFINED_FILE,
            format!("not a Delta table: {text}"),
        )
        .hint("A Delta table has a folder _delta_log."),
        other => {
            let mut source = std::error::Error::source(&other);
            while let Some(cause) = source {
                if let Some(error) = cause.downcast_ref::<object_store::Error>() {
                    return from_store(error);
                }
                source = cause.source();
            }
            Error::new(Kind::Data, SqlState::IO_ERROR, format!("Delta: {other}"))
        }
    }
}
