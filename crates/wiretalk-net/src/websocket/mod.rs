//! The connection that a program uses.

mod buffers;
mod core;
mod exchange;
#[cfg(feature = "json")]
mod json;
mod keys;
mod pair;
#[cfg(feature = "raw")]
mod raw;
mod receiving;
mod sending;
mod split;
mod state;
mod stream;
mod timers;

use std::{fmt, future::poll_fn, net::SocketAddr, sync::Arc};

use tokio::time::timeout;
use wiretalk_proto::{Agreed, CloseCode, Limits, Role};

use self::core::Core;
#[cfg(feature = "raw")]
pub(crate) use self::raw::Unruly;
pub use self::{
    exchange::{Exchange, MessageRef, Replies},
    pair::{pair, pair_with},
    receiving::TryRecvError,
    split::{Receiver, Sender},
    state::State,
};
use crate::{config::Config, error::Error, transport::Transport};

/// A WebSocket connection, dialed with [`connect`](crate::connect) or accepted with [`server`](crate::server).
///
/// Nothing runs behind it: pings, pongs, close replies and deadlines happen while [`recv`](Self::recv) or
/// [`next_event`](Self::next_event) is awaited, so keep one of them going, in a `select!` if need be; both are
/// cancel-safe. To send while receiving from several tasks, [`split`](Self::split) it.
///
/// Dropping it ends the stream without a close frame; the peer sees 1006.
///
/// # Cancelling
///
/// The future of every method may be dropped wherever it waits, in a `select!` or by a timeout, and the connection can be used
/// on:
///
/// - [`recv`](Self::recv), `recv_json`, [`next_event`](Self::next_event),
///   [`next_exchange`](Self::next_exchange): no message is lost, and none comes twice.
/// - [`send`](Self::send) and its kin, [`feed`](Self::feed), [`ping`](Self::ping), [`pong`](Self::pong): the message was
///   queued as a whole, and leaves with whatever is written next, or it was not queued at all.
///   [`send_fragment`](Self::send_fragment): the same of the fragment.
/// - [`flush`](Self::flush): what is queued stays so.
/// - [`close`](Self::close): once it was polled the close frame is queued, and the close handshake goes on while something is
///   received.
/// - [`round_trip`](Self::round_trip): the pong that comes later is shown by [`next_event`](Self::next_event).
///
/// (`recv_json` and `send_json` are there with the cargo feature `json`.) The same holds for [`Sender`] and [`Receiver`].
///
/// ```
/// use wiretalk_net::CloseCode;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.send("hello").await?;
/// let message = server.recv().await.expect("it is open")?;
/// assert_eq!(message.as_text(), Some("hello"));
///
/// client.close(CloseCode::NORMAL, "").await?;
/// assert!(server.recv().await.is_none());
/// assert!(client.recv().await.is_none());
/// # Ok(())
/// # }
/// ```
pub struct WebSocket {
    core: Box<Core>,
}

/// What is known of a connection from its handshake.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) subprotocol: Option<Box<str>>,
}

impl WebSocket {
    /// Takes over a stream after the handshake, and what was read of it too far.
    pub(crate) fn new(
        stream: Transport,
        role: Role,
        config: Arc<Config>,
        deflate: Option<Agreed>,
        read_ahead: &[u8],
        info: Info,
    ) -> Self {
        Self {
            core: Box::new(Core::new(stream, role, config, deflate, read_ahead, info)),
        }
    }

    /// Begins the close handshake, or answers the peer's close frame, and waits until the frame is handed to the
    /// kernel. What the peer still has to say comes from [`next_event`](Self::next_event), its own close frame last;
    /// if that takes longer than [`Config::close_timeout`](crate::Config::close_timeout), the stream is dropped.
    ///
    /// Does nothing if a close frame was sent already or the connection has ended.
    ///
    /// ```
    /// use wiretalk_net::{CloseCode, State};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.close(CloseCode::NORMAL, "that was all").await?;
    /// assert!(server.recv().await.is_none());
    /// // What the other end still had to say would come here.
    /// assert!(client.recv().await.is_none());
    /// assert_eq!(client.state(), State::Closed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a code that may not be sent, a reason over 123 bytes, or one without a code; `Timeout`
    /// if the peer does not even take the frame; otherwise how the connection ended.
    pub async fn close(
        &mut self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        let Some(position) = self.core.start_close(code.into(), reason)? else {
            return Ok(());
        };
        let limit = self.core.close_timeout();
        match timeout(limit, poll_fn(|cx| self.core.poll_flush(position, cx))).await {
            Ok(result) => result,
            Err(_) => Err(self.core.close_timed_out()),
        }
    }

    /// Ends the connection at once with a TCP reset.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.abort();
    /// assert!(server.recv().await.expect("it is told once").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(mut self) {
        self.core.abort();
    }

    /// What the peer may send: [`Config::limits`](crate::Config::limits), unless [`set_limits`](Self::set_limits) has changed
    /// it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert_eq!(server.limits(), wiretalk_net::Limits::default());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.core.limits()
    }

    /// What the peer may send from now on: less before it has said who it is, say. It holds for what is not decoded yet, so
    /// for all that comes behind the last event that was told; of a message that comes in parts, those that came before count.
    ///
    /// ```
    /// use wiretalk_net::{CloseCode, Limits};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let later = server.limits();
    /// server.set_limits(Limits { message_size: 5, ..later });
    /// client.send("token").await?;
    /// client.send("a longer message").await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("token".into()));
    /// server.set_limits(later);
    /// assert_eq!(server.recv().await.transpose()?, Some("a longer message".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.core.set_limits(limits);
    }

    /// Splits the connection into a half that sends and one that receives, for use from different tasks. Dropping one
    /// leaves the other as it is; the stream is dropped with the last.
    ///
    /// What was said of [`recv`](Self::recv) holds for the receiver: nobody else answers pings and close frames, or notices
    /// that the connection is lost. So keep it and await it even if the messages do not matter; without it, sending
    /// succeeds until the kernel knows better.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let (sender, mut receiver) = client.split();
    /// tokio::spawn(async move { sender.send("from another task").await });
    /// assert_eq!(server.recv().await.transpose()?, Some("from another task".into()));
    /// server.send("thanks").await?;
    /// assert_eq!(receiver.recv().await.transpose()?, Some("thanks".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        split::split(self.core)
    }

    /// How far the connection is: open, closing, closed; see [`State`].
    ///
    /// ```
    /// use wiretalk_net::{CloseCode, State};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert_eq!(client.state(), State::Open);
    /// client.close(CloseCode::NORMAL, "").await?;
    /// assert_eq!(client.state(), State::Closing);
    /// assert!(server.recv().await.is_none());
    /// assert!(client.recv().await.is_none());
    /// assert_eq!(client.state(), State::Closed);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state(&self) -> State {
        self.core.state()
    }

    /// Whether the connection is open and between messages both ways, so that somebody else may take it over: none waits to
    /// be taken, none has come in part, none was begun with [`send_fragment`](Self::send_fragment) and not ended, and all
    /// that was sent is handed to the kernel. It tells of what was read so far; [`has_queued`](Self::has_queued) reads on.
    ///
    /// ```no_run
    /// # fn example(mut socket: wiretalk_net::WebSocket) {
    /// let can_be_used_again = !socket.has_queued() && socket.is_idle();
    /// # }
    /// ```
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.core.is_idle()
    }

    /// The other end's address: the proxy's, if there is one between. `None` over a Unix socket, or if what accepted the
    /// connection did not say.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(client.peer_addr().is_none(), "it is in memory");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.core.info.peer_addr
    }

    /// Our end's address; `None` as for [`peer_addr`](Self::peer_addr).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(client.local_addr().is_none(), "it is in memory");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.core.info.local_addr
    }

    /// What the handshake agreed on for permessage-deflate (RFC 7692 7.1), if messages may be compressed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(client.deflate().is_none(), "there was no handshake to agree on it");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.core.deflate()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// assert!(client.subprotocol().is_none(), "there was no handshake to agree on it");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.core.info.subprotocol.as_deref()
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("state", &self.state())
            .field("info", &self.core.info)
            .finish_non_exhaustive()
    }
}
