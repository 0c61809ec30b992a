//! Connections that talk to each other, and to peers that break the rules.

mod deflate;
mod dialogue;
mod endings;
mod memory;
mod pair;
mod properties;
mod refusals;
