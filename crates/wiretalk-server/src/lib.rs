//! What every server has in common, whether a talk or a program serves: which pages may connect ([`Origins`]), what is
//! asked before a client's message is handed over ([`gate`]), and the driver of a connection that others send to (`link`, a
//! feature).

pub mod gate;
#[cfg(feature = "link")]
pub mod link;
mod origins;

pub use origins::Origins;
