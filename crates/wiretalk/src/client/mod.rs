//! Clients above a connection: one that [reconnects](Reconnecting).

mod backoff;
mod dial;
pub mod reconnecting;

pub use self::{
    backoff::Backoff,
    dial::{BoxError, Hook},
    reconnecting::{Cause, Event, GaveUp, Reconnecting, Retry, SendError, Status, Unsent},
};
