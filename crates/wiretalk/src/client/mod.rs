//! Clients above a connection: one that [reconnects](Reconnecting), one that [collects](Background) what it receives
//! for a test, and a [pool](Pool) of connections.

pub mod background;
mod backoff;
mod dial;
mod pattern;
pub mod pool;
pub mod reconnecting;

pub use self::{
    background::{Background, JoinError, Unexpected},
    backoff::Backoff,
    dial::{BoxError, Hook},
    pattern::{Containing, Pattern, containing},
    pool::{Pool, PoolBuilder, PoolError, PoolStatus, Pooled},
    reconnecting::{Cause, Event, GaveUp, Reconnecting, Retry, SendError, Unsent},
};
