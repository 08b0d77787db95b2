//! Computes on Arrow arrays: SQL functions and model scorers. Pure and synchronous, no I/O, no global state.

pub mod error;
pub mod score;
