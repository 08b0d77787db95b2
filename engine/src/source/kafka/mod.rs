//! Kafka as a source: `options` reads a declaration with the `properties` it may have, `client` connects, `topic`
//! knows partitions and offsets, `reader` reads records between offsets into the columns of a `layout`, as they have
//! been `fetched`; `record` makes columns of what surrounds a value, `producer` writes.

pub mod client;
mod fetched;
mod headers;
pub mod layout;
pub mod options;
pub mod producer;
mod properties;
pub mod reader;
mod record;
pub mod topic;
mod topic_id;

pub use record::column_of;
