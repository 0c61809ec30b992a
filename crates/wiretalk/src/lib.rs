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

pub mod client;
#[cfg(feature = "server")]
pub mod server;

pub use wiretalk_net::*;
