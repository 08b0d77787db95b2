//! The Alcedo engine: catalog, queries, streaming tables, lake tables and models behind one [`Session`].
//!
//! [`Engine::open`] opens a data directory; [`Engine::session`] gives the one door that the wire, the
//! shell and embedding programs use alike: prepare, bind, execute.
//!
//! ```
//! use alcedo_engine::session::SessionOptions;
//! use alcedo_engine::{Components, Config, Engine};
//!
//! # #[tokio::main(flavor = "multi_thread")]
//! # async fn main() -> Result<(), alcedo_engine::Error> {
//! // Without a data directory everything is temporary.
//! let engine = Engine::open(Config::default(), Components::default()).await?;
//! let session = engine.session(SessionOptions::default())?;
//! let results = session
//!     .run("create table t as select n from generate_series(1, 10) n; select sum(n) from t")
//!     .await?;
//! assert_eq!(results[0].2, "SELECT 10");
//! assert_eq!(results[1].1.iter().map(|b| b.num_rows()).sum::<usize>(), 1);
//! engine.close().await;
//! # Ok(())
//! # }
//! ```

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
