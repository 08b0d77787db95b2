//! JSON: records are objects, fields go to the columns of their name.
//!
//! A record is read once by `lexer`, which checks all of it and notes where the value of each declared column lies
//! (`record`); each value is then turned into its column's type (`column` and `nested`, with `number`, `moment` and `text`). Every
//! declared column is checked in every record; columns that nobody asked for are not built. `encode` goes the other
//! way.

mod column;
mod encode;
mod lexer;
mod moment;
mod nested;
mod number;
mod record;
mod text;

pub use encode::JsonEncoder;
pub use moment::{MODES, Numbers};
pub use record::JsonDecoder;
