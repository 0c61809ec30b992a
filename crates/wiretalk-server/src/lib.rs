//! What every server has in common, whether a talk or a program serves: which pages may connect ([`Origins`]), what is
//! asked before a client's message is handed over ([`gate`]), the driver of a connection that others send to (`link`, a
//! feature), and what has passed over it ([`Meter`]).

pub mod gate;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(feature = "link")]
pub mod link;
mod meter;
mod origins;

pub use meter::{Count, Meter, Traffic};
pub use origins::Origins;
