//! How a connection came about.

use std::time::Duration;

use wiretalk_proto::handshake::client::Response;

/// How a connection came about: what the server answered, and how long each step took.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Handshake {
    /// The answer that opened the connection.
    pub response: Response,
    /// How long it took.
    pub timings: Timings,
}

/// How long each step of dialing took. A step that was not needed is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// The name was resolved.
    pub dns: Option<Duration>,
    /// The TCP connection was made, the attempts at other addresses included.
    pub tcp: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the opening handshake's request to its answer.
    pub upgrade: Duration,
    /// All of it.
    pub total: Duration,
}
