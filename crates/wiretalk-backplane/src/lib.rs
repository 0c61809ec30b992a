//! What carries a hub's records to the hubs of other nodes: an ordered log at a broker, and the one driver that reads and
//! writes it.
//!
//! A broker is behind the trait [`Broker`]; all that makes a log of one dependable (numbers, doubles, gaps, what waits
//! while the broker is away) is the hub's, without I/O, and the same for each.

#[cfg(feature = "amqp")]
mod amqp;
mod broker;
mod driver;
mod location;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "amqp", feature = "redis"))]
mod url;

#[cfg(feature = "amqp")]
pub use amqp::{Amqp, AmqpReader, AmqpWriter};
pub use broker::{Begin, Broker, BrokerError, Read, Reader, Writer};
pub use driver::{Line, Running, connect, wall_clock};
pub use location::{Location, UrlError};
#[cfg(feature = "nats")]
pub use nats::{Nats, NatsReader, NatsWriter};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisReader, RedisWriter};
