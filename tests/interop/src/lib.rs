//! What the interop tests share: programs of ours and of others, started, talked to by lines, and ended.
//!
//! Where the programs are is told by the environment, which `cargo xtask interop` sets up: see [`Program`]. Whatever is
//! not as a test expects fails it with all that the program has said so far.

mod authority;
mod certificate;
mod counterpart;
mod finished;
mod hand;
mod process;
mod program;
mod server;

pub use authority::{Authority, Leaf, Pair};
pub use certificate::certificate;
pub use counterpart::Counterpart;
pub use finished::Finished;
pub use hand::Hand;
pub use process::{DEADLINE, Memory, Process, Signal, Stream};
pub use program::{Program, repository};
pub use server::Server;
