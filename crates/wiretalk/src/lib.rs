//! WebSocket for Rust programs and their tests.
//!
//! ```no_run
//! # async fn example() -> Result<(), wiretalk::Error> {
//! let (mut socket, _) = wiretalk::connect("ws://127.0.0.1:4000/").await?;
//! socket.send("hello").await?;
//! while let Some(message) = socket.recv().await {
//!     println!("{:?}", message?);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(all(doctest, feature = "json", feature = "server"))]
mod book;
pub mod client;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(any(feature = "server", feature = "axum", feature = "tower"))]
pub mod server;

#[cfg(feature = "mock")]
pub mod talk;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(feature = "mock")]
pub use mock::mock;
#[cfg(feature = "server")]
pub use server::Server;
pub use wiretalk_net::*;
