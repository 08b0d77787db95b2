//! Training: a query's rows in, a model version's files and figures out.
//!
//! `options` reads what the user asked, `intake` spools the rows, `dataset` is what they are then, `split`
//! holds rows out, `lightgbm` is the library behind a safe face, `run` leads a training from start to end.

mod dataset;
mod intake;
mod lightgbm;
pub mod options;
mod run;
mod split;
mod spool;

pub use run::{Request, Trained, train};
