//! What every server has in common, whether a talk or a program serves: which pages may connect ([`Origins`]), what is
//! asked before a client's message is handed over ([`gate`]), how many clients there may be (`Capacity`, a feature), the
//! driver of a connection that others send to (`link`, a feature), and what has passed over it ([`Meter`]).

#[cfg(feature = "capacity")]
mod capacity;
pub mod gate;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(feature = "link")]
pub mod link;
mod meter;
mod origins;

#[cfg(feature = "capacity")]
pub use capacity::{Capacity, Full, Slot};
pub use meter::{Count, Meter, Traffic};
pub use origins::Origins;
