//! Text to [`Statement`]: the dialect of Alcedo. Pure and synchronous, no I/O, no DataFusion.
//!
//! [`parse`] splits a script into statements, keeping each one's own text and offset; ours are parsed
//! here by keyword, the rest by sqlparser. [`vars`] is the one table of session variables.

mod cursor;
mod dialect;
pub mod error;
mod option_text;
pub mod options;
mod parser;
mod quote;
pub mod rewrite;
mod script;
pub mod sqlstate;
pub mod statement;
mod type_text;
pub mod types;
pub mod vars;

pub use error::{Result, SqlError};
pub use option_text::parse_options;
pub use parser::{parse, parse_expression, parse_query};
pub use quote::{quote_ident, quote_literal};
pub use script::is_complete;
pub use sqlparser::ast;
pub use sqlparser::tokenizer::Span;
pub use sqlstate::SqlState;
pub use statement::{Parsed, Statement};
pub use type_text::parse_type;
