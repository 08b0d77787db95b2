//! Casts that PostgreSQL does otherwise than Arrow; plans put them in the place of casts, they have no name in SQL.

pub mod float;
pub mod integer;
pub mod text;
