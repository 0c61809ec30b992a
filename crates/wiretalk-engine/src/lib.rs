//! Performs a talk in each of its roles: as a test ([`runner`]) and as a server ([`serve`]), and tells what it saw
//! ([`record`], [`report`]). It prints nothing and reads no arguments: that is the business of who uses it.

pub mod load;
pub mod record;
pub mod redact;
pub mod report;
pub mod runner;
pub mod serve;
mod wire;
mod world;

pub use world::{Environment, SeededWorld, SystemWorld, fresh_seed};
