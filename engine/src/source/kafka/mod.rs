//! Kafka topics: reading them between two offsets, and writing to them.
//!
//! `options` are those of `CREATE SOURCE`; `properties` the ones that go to librdkafka; `client` connects and says why
//! it cannot; `metadata` asks for partitions and offsets; `start` resolves where a source begins. A scan (`table`,
//! `scan`) turns predicates into `bounds`, fixes the `slices` to read when it executes, and has `reader` threads fill
//! batches with `rows`. `producer` is the way back.

mod bounds;
mod client;
mod metadata;
pub mod options;
mod producer;
mod properties;
mod reader;
mod rows;
mod scan;
mod slices;
pub mod start;
mod table;

pub use producer::produce;
pub use table::KafkaTable;
