//! What every server has in common, whether a talk or a program serves: which pages may connect ([`Origins`]), and the
//! driver of a connection that others send to (`link`, a feature).

#[cfg(feature = "link")]
pub mod link;
mod origins;

pub use origins::Origins;
