//! Who is connected, and what is delivered to whom.
//!
//! A [`Hub`] gives each connection an id and an [`Outbox`], and puts what is delivered to one, to all, to a room or to a
//! user into the outboxes that it concerns. It knows no sockets and no runtime: whoever owns the connection drains the
//! outbox and writes what it finds there. A message is framed once ([`Prepared`](wiretalk_proto::Prepared)) and shared
//! by all its receivers.
//!
//! A room is made by the first who joins it and vanishes with the last who leaves; a value that it keeps
//! ([`Hub::keep`]) outlives both, and is delivered to whoever joins. To deliver to a room costs as much as it has
//! members, however many are connected. What was delivered to a room lately is its [history](Hub::history).
//!
//! Hubs of several nodes share what lies behind the trait [`Backplane`]: an ordered [log] of [records](record), which all
//! of them read and apply in one order, each its own too.
//!
//! Three promises:
//!
//! - **One order.** Of two deliveries, every receiver of both finds the same one first.
//! - **Nobody waits.** An outbox is bounded in bytes. A receiver that lets it overflow loses its place, learns it
//!   ([`Drain::Overflow`]) and should be closed; the others notice nothing.
//! - **The count is right.** [`Hub::len`] changes at the very moment a [`Member`] is made or dropped.
//!
//! ```
//! use wiretalk_hub::{Drain, Hub, Item, Target};
//! use wiretalk_proto::Prepared;
//!
//! # let mut polled = std::task::Context::from_waker(std::task::Waker::noop());
//! let hub: Hub = Hub::new();
//! let (alice, _alices_outbox) = hub.join();
//! let (_bob, mut bobs_outbox) = hub.join();
//! let delivery = hub.deliver(Target::Others(alice.id()), &Prepared::text("hi"));
//! assert_eq!(delivery.receivers, 1);
//!
//! let mut items = Vec::new();
//! # let drain = std::pin::pin!(bobs_outbox.drain(&mut items)).poll(&mut polled);
//! # assert_eq!(drain, std::task::Poll::Ready(Drain::Items));
//! # #[cfg(any())]
//! assert_eq!(bobs_outbox.drain(&mut items).await, Drain::Items);
//! assert!(matches!(&items[..], [Item::Message(message)] if &message.payload()[..] == b"hi"));
//! ```

pub mod backplane;
mod delivery;
mod follow;
mod groups;
mod history;
mod hub;
mod keep;
pub mod log;
mod names;
mod options;
mod outbox;
mod presence;
pub mod record;
mod rooms;
mod stats;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use backplane::{Backplane, Capabilities, Memory, Route};
pub use delivery::{Delivery, Keeping, Target};
pub use follow::HubEvent;
pub use history::History;
pub use hub::{ConnectionId, DEFAULT_QUEUE_LIMIT, Hub, MOST_ROOMS, Member};
pub use keep::{KeepError, KeepLimits};
pub use options::{HistoryLimits, HubOptions};
pub use outbox::{Drain, Item, Outbox};
pub use presence::{MOST_PRESENT, Present};
pub use rooms::JoinError;
pub use stats::HubStats;
