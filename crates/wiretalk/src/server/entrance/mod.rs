//! Who comes in, and what each may cost: by the guard if there is one (feature `guard`), else by the origin alone.

#[cfg(feature = "guard")]
mod guarded;
#[cfg(not(feature = "guard"))]
mod open;

use std::{borrow::Cow, error::Error as StdError, future::Future, pin::Pin};

use crate::server::Reply;

#[cfg(feature = "guard")]
pub(super) use guarded::{Entrance, Entry, Guarding};
#[cfg(not(feature = "guard"))]
pub(super) use open::{Entrance, Entry};

/// A client that is not let in, in both of the ways in which it can be told.
pub(super) struct Turned {
    pub(super) reply: Reply,
    /// The code and the reason of a close frame.
    #[cfg_attr(not(feature = "guard"), allow(dead_code))]
    pub(super) close: (u16, Cow<'static, str>),
    /// Why, for the server's own ears; nobody is told of some.
    pub(super) why: Option<Box<dyn StdError + Send + Sync>>,
}

impl Turned {
    /// One for whom there is no place now.
    pub(super) fn for_now(why: &'static str) -> Self {
        let reply = Reply::text(503, format!("{why}\n"));
        let later = reply.clone().header("retry-after", "1");
        Self {
            reply: later.unwrap_or(reply),
            close: (1013, why.into()),
            why: None,
        }
    }

    /// One that the program refuses by this reply.
    pub(super) fn by(reply: Reply) -> Self {
        let status = reply.status().as_u16();
        let code = if matches!(status, 429 | 503) {
            1013
        } else {
            1008
        };
        Self {
            reply,
            close: (code, format!("refused with {status}").into()),
            why: None,
        }
    }
}

/// What is left to do with a client that is not let in.
pub(super) type Farewell = Pin<Box<dyn Future<Output = ()> + Send>>;
