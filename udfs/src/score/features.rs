//! Arrow columns as a block of features.
/// A batch of inputs.
#[derive(Debug)]
pub struct Features;
