//! What carries a hub's records to the hubs of other nodes: an ordered log at a broker, and the one driver that reads and
//! writes it.
//!
//! A broker is behind the trait [`Broker`]; all that makes a log of one dependable (numbers, doubles, gaps, what waits
//! while the broker is away) is the hub's, without I/O, and the same for each.

mod broker;

pub use broker::{Begin, Broker, BrokerError, Read, Reader, Writer};
