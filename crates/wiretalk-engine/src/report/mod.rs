//! Results in words.

mod human;

pub use human::{describe_mismatch, failure, summary};
