//! What lies behind a hub: it carries what the hub records to the hubs of other nodes.
//!
//! A backplane is chosen when the hub is made ([`Hub::with_options`](crate::Hub::with_options)). It does no I/O in the
//! hub's calls: one with a broker behind it takes a [`Record`] over ([`Route::Away`]), and whoever drives its socket
//! gives what a [`Log`](crate::log::Log) makes of the broker's records to [`Hub::follow`](crate::Hub::follow).

#[cfg(test)]
mod tests;

use crate::record::Record;

/// What a hub asks of its backplane. It is called under the hub's lock, so nothing here may wait or call the hub.
pub trait Backplane: Send {
    /// What this backplane can do. What it cannot is never faked. The answer is always the same.
    fn capabilities(&self) -> Capabilities;

    /// Takes a record for all hubs, this one included, and says who applies it here.
    ///
    /// Records must come to every hub in one order. A backplane that does not reach other hubs is not asked.
    fn append(&mut self, record: &Record<'_>) -> Route;
}

/// What a backplane can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A publication reaches the members of other hubs too.
    pub other_hubs: bool,
    /// Records outlive the process, and the connection to whatever keeps them: a hub that starts, or comes back, reads
    /// what it missed.
    pub durable: bool,
}

impl Capabilities {
    /// Other hubs are reached; whether records are kept for those that are away.
    #[must_use]
    pub const fn shared(durable: bool) -> Self {
        Self {
            other_hubs: true,
            durable,
        }
    }
}

/// The way of a record to the hub that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The hub applies it, here and now.
    Here,
    /// It comes back by [`Hub::follow`](crate::Hub::follow), in its turn among those of other hubs.
    Away,
}

/// One hub, alone in its process: nothing leaves it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Backplane for Memory {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn append(&mut self, _: &Record<'_>) -> Route {
        Route::Here
    }
}
