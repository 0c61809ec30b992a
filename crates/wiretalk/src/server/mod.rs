//! Servers: a [`Server`] with rooms of clients, and what every way to accept a WebSocket has in common.
//!
//! ```no_run
//! use wiretalk::server::{Client, Server};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), wiretalk::Error> {
//!     let server = Server::bind("127.0.0.1:4000").await?;
//!     server.serve(async |mut client: Client| {
//!         while let Some(message) = client.recv().await {
//!             client.others().send(message);
//!         }
//!     }).await
//! }
//! ```
//!
//! With the feature `guard`, a server asks for tokens, looks at addresses and bounds what a client may cost: [`guard`].
//!
//! Below it lies what speaks HTTP and nothing else: [`Listener`], [`serve_connection`], [`Upgrade`]. That alone is there
//! without a feature; `Server` and its kin come with the feature `server`.

#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
mod clients;
#[cfg(feature = "server")]
mod entrance;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(feature = "server")]
mod handshake;
#[cfg(any(feature = "server", feature = "axum", feature = "tower"))]
mod policy;
#[cfg(feature = "server")]
mod running;
#[cfg(feature = "server")]
mod stand_alone;
#[cfg(feature = "server")]
mod tasks;
#[cfg(feature = "server")]
mod workers;

pub use wiretalk_net::server::*;

#[cfg(any(feature = "server", feature = "axum", feature = "tower"))]
pub(crate) use self::policy::Policy;
#[cfg(feature = "server")]
pub use self::{
    client::Client,
    clients::{Audience, AudienceBut, ClientId, Clients, JoinError, KeepError},
    handshake::Handshake,
    running::{Outcome, Problem, Running},
    stand_alone::Server,
    workers::{Answer, Connection, Workers},
};
#[cfg(any(feature = "server", feature = "axum", feature = "tower"))]
pub use wiretalk_server::Origins;
