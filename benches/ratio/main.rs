//! ratio
fn main() {}
