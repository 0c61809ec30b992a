//! wiretalk-proto on tokio: dial, accept, timers, and the [`WebSocket`] type a program uses.
//!
//! A client:
//!
//! ```no_run
//! # async fn example() -> Result<(), wiretalk_net::Error> {
//! let (mut socket, _response) = wiretalk_net::connect("ws://127.0.0.1:4000/").await?;
//! socket.send("hello").await?;
//! while let Some(message) = socket.recv().await {
//!     println!("{:?}", message?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The other end is in [`server`].

mod config;
mod dial;
mod error;
#[cfg(feature = "http2")]
mod http2;
mod message;
#[cfg(feature = "raw")]
pub mod raw;
pub mod server;
mod transport;
mod websocket;

pub use wiretalk_proto::{
    Agreed, CloseCode, Compression, DeflateConfig, Limits, MessageKind, Prepared, ProtocolError,
    handshake::{Headers, client::Response},
};

#[cfg(feature = "cookies")]
pub use crate::dial::CookieJar;
pub use crate::{
    config::Config,
    dial::{
        AddressFamily, ConnectTo, Connector, Handshake, Http2, Identity, NoProxy, Pin, Proxies,
        Proxy, Redirect, Request, Resolve, Timings, TlsFailure, TlsInfo, TlsOptions, TlsVersion,
        connect,
    },
    error::{Blame, Error, ErrorKind, ProxyFailure, RefusedHandshake},
    message::{CloseFrame, Event, Message, Text},
    websocket::{
        Exchange, MessageRef, Receiver, Replies, Sender, State, TryRecvError, WebSocket, pair,
        pair_with,
    },
};
