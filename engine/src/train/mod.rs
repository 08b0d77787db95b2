//! Training: a query's rows in, a model version's files and figures out.
//!
//! `options` reads what the user asked, `library` what of it goes to LightGBM, `intake` spools the rows, `dataset` is what they are then, `split`
//! holds rows out, `lightgbm` is the library behind a safe face, `settle` decides
//! the task, `run` leads a training from start to end.

mod dataset;
mod intake;
mod library;
mod lightgbm;
pub mod options;
mod run;
mod settle;
mod split;
mod spool;

pub use run::{Request, Trained, train};
