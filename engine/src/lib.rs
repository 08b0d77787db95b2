//! The Alcedo engine: catalog, queries, streaming tables, lake tables and models behind one [`Session`].
//!
//! [`Engine::open`] opens a data directory; [`Engine::session`] gives the one door that the wire, the
//! shell and embedding programs use alike: prepare, bind, execute.

pub mod catalog;
pub mod clock;
pub mod config;
pub mod error;
mod exec;
mod format;
mod lake;
mod model;
mod query;
pub mod session;
mod source;
mod train;
pub mod types;

pub use config::{Components, Config};
pub use error::{Error, Kind, Result};
pub use session::{Engine, Session};
