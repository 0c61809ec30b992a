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
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `json` (on unless switched off) | messages as values of serde: `recv_json`, `send_json` |
//! | `cookies` | `CookieJar`: what servers set is kept and sent again |
//! | `http2` | WebSocket over HTTP/2 (RFC 8441), both as client and as server |
//! | `pkcs12` | client certificates from PKCS#12 files, and from encrypted PEM keys |
//! | `server` | `Server`: a server with rooms, and all of its kin in [`server`] |
//! | `guard` | who is let in to a `Server`, and what a client may cost: [`server::guard`] |
//! | `schema` | JSON Schema for what clients send to a `Server` |
//! | `axum`, `tower` | WebSocket in a server that is there already |
//! | `mock` | talks in Rust tests: `mock`, `talk!` |

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(all(doctest, feature = "json", feature = "server"))]
mod book;
pub mod client;
#[cfg(feature = "mock")]
pub mod mock;
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
