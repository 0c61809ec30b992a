//! What lies behind a hub: it carries publications to the hubs of other nodes, and keeps the values of rooms.
//!
//! A backplane is chosen when the hub is made ([`Hub::with_backplane`](crate::Hub::with_backplane)). It does no I/O in
//! the hub's calls: one with a broker behind it hands a publication over ([`Route::Away`]), and whoever drives its
//! socket gives what the broker delivers to [`Hub::receive`](crate::Hub::receive).

mod memory;
#[cfg(test)]
mod tests;

use std::fmt;

use wiretalk_proto::Prepared;

use crate::Target;

pub use memory::{KeepLimits, Memory};

/// What a hub asks of its backplane. It is called under the hub's lock, so nothing here may wait or call the hub.
pub trait Backplane: Send {
    /// What this backplane can do. What it cannot is never faked.
    fn capabilities(&self) -> Capabilities;

    /// Publishes a message, and says who delivers it to this hub's own members.
    ///
    /// Publications must come to every hub in one order. A connection's id means something in its own hub alone: where
    /// a publication arrives in another, [`Target::Others`] is [`Target::All`], [`Target::RoomBut`] is
    /// [`Target::Room`], and [`Target::UserBut`] is [`Target::User`].
    fn publish(&mut self, to: Target<'_>, message: &Prepared) -> Route;

    /// Keeps a room's last value, in place of the one before.
    ///
    /// # Errors
    /// If there is no room for it; the value before stays.
    fn keep(&mut self, room: &str, value: Prepared) -> Result<(), KeepError>;

    /// Lets go of a room's last value, if it has one.
    fn forget(&mut self, room: &str);

    /// A room's last value.
    fn kept(&self, room: &str) -> Option<Prepared>;
}

/// What a backplane can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A publication reaches the members of other hubs too.
    pub other_hubs: bool,
    /// Kept values outlive the process.
    pub durable: bool,
}

/// The way of a publication to the members of the hub that publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The hub delivers it, here and now.
    Here,
    /// It comes back by [`Hub::receive`](crate::Hub::receive), in its turn among those of other hubs.
    Away,
}

/// Why a value is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepError {
    /// So many rooms keep a value already.
    TooManyRooms(usize),
    /// The kept values would come to more than so many bytes.
    TooManyBytes(usize),
}

impl fmt::Display for KeepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRooms(most) => {
                write!(f, "{most} rooms keep a value already, which is the most")
            }
            Self::TooManyBytes(most) => write!(
                f,
                "the kept values would come to more than {most} bytes, which is the most"
            ),
        }
    }
}

impl std::error::Error for KeepError {}
