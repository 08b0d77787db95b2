//! Tree ensembles in LightGBM text form.
use super::Loader;
/// The LightGBM text loader.
pub const LOADER: Loader = Loader { kind: "lightgbm", detect: |_| false, load: |_| Err(crate::error::ScoreError::Unsupported(String::new())) };
