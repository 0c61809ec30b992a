//! The settings of one connection, dialed or accepted.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use wiretalk_proto::{Agreed, Limits};

/// The longest timeout that is kept, so that the clock can count so far.
pub(crate) const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The settings of one connection. A plain struct: change what differs and take the rest from
/// [`Config::default`].
///
/// ```
/// use std::time::Duration;
/// use wiretalk_net::{Config, Connector, Limits};
///
/// let connector = Connector::new().config(Config {
///     limits: Limits {
///         message_size: 1 << 20,
///         ..Limits::default()
///     },
///     ping_interval: Some(Duration::from_secs(5)),
///     ..Config::default()
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// What the peer may send at most.
    pub limits: Limits,
    /// Pings are answered without the caller's help (RFC 6455 5.5.2). Default: true.
    pub auto_pong: bool,
    /// A close frame is answered without the caller's help (RFC 6455 5.5.1). Default: true.
    pub auto_close: bool,
    /// How often a ping is sent to see whether the peer still lives; while one is unanswered, no other is sent.
    /// `None`: never; then a peer that takes nothing of what waits for it is not dropped either, and a compressor under
    /// context takeover is kept for as long as the connection. Default: 20 s.
    pub ping_interval: Option<Duration>,
    /// How long such a ping may stay unanswered with no sign of life from the peer, before the connection is
    /// dropped. Default: 20 s.
    pub ping_timeout: Duration,
    /// How long the peer may be silent (no byte comes, pongs included), before the connection is dropped.
    /// `None`: for ever. Default: `None`.
    pub idle_timeout: Option<Duration>,
    /// How long a message may take from its first byte to its last. `None`: for ever. Default: 2 min.
    pub message_timeout: Option<Duration>,
    /// How long a close handshake may take, from our close frame to the end of the stream. Default: 5 s.
    pub close_timeout: Duration,
    /// How many bytes may wait to be sent before a sender has to wait. One message may exceed it, if it has the
    /// queue for itself. Default: 1 MiB.
    pub max_queued: usize,
    /// How many bytes of messages that nobody has taken yet may be read ahead, by
    /// [`WebSocket::queued`](crate::WebSocket::queued) or
    /// [`round_trip`](crate::WebSocket::round_trip), before the rest is left with the peer. Default: 1 MiB.
    pub max_received: usize,
    /// How long dialing or accepting may take: name resolution, TCP, TLS and the opening handshake together.
    /// Default: 10 s.
    pub handshake_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            auto_pong: true,
            auto_close: true,
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(20),
            idle_timeout: None,
            message_timeout: Some(Duration::from_secs(120)),
            close_timeout: Duration::from_secs(5),
            max_queued: 1 << 20,
            max_received: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

/// The default settings, one copy for all connections that have them.
pub(crate) fn shared_default() -> Arc<Config> {
    static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);
    Arc::clone(&DEFAULT)
}

impl Config {
    /// How long nothing may leave a queue that is not empty; only with keepalive.
    pub(crate) fn stall_limit(&self) -> Option<Duration> {
        self.ping_interval
            .map(|interval| interval.saturating_add(self.ping_timeout))
    }

    pub(crate) fn protocol(&self, deflate: Option<Agreed>) -> wiretalk_proto::Config {
        wiretalk_proto::Config {
            limits: self.limits,
            auto_pong: self.auto_pong,
            auto_close: self.auto_close,
            deflate,
        }
    }
}
