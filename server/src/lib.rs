//! The server around the engine: the Postgres wire, HTTP, the shell, the demo, flags and configuration.

pub mod cli;
pub mod config;
pub mod demo;
pub mod encode;
pub mod errors;
pub mod http;
pub mod serve;
pub mod shell;
pub mod wire;
