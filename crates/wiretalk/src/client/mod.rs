//! Clients above a connection: one that [reconnects](Reconnecting), and one that [collects](Background) what it receives
//! for a test.

pub mod background;
mod backoff;
mod dial;
mod pattern;
pub mod reconnecting;

pub use self::{
    background::{Background, JoinError, Unexpected},
    backoff::Backoff,
    dial::{BoxError, Hook},
    pattern::{Containing, Pattern, containing},
    reconnecting::{Cause, Event, GaveUp, Reconnecting, Retry, SendError, Status, Unsent},
};
