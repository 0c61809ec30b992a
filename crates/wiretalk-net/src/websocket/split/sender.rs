//! The half of a connection that sends.

use std::{future::poll_fn, net::SocketAddr, sync::Arc};

use tokio::time::timeout;
use wiretalk_proto::{Agreed, CloseCode, Compression, MessageKind, Prepared};

use super::{
    super::{State, core::Outgoing},
    Shared,
};
use crate::{error::Error, message::Message};

/// The half that sends. Clones share the connection, and a message of one never lands within a message of another
/// (unless it is sent in fragments).
///
/// Pongs, close replies and timers are the [`Receiver`](crate::Receiver)'s: keep it polled. Once it is dropped,
/// nothing is received any more, but sending goes on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (client, mut server) = wiretalk_net::pair();
/// let (sender, mut receiver) = client.split();
/// for number in 1..=3 {
///     let sender = sender.clone();
///     tokio::spawn(async move { sender.send(format!("from task {number}")).await });
/// }
/// for _ in 1..=3 {
///     assert!(server.recv().await.is_some());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sender {
    pub(in crate::websocket) shared: Arc<Shared>,
}

impl Sender {
    /// Sends a message, and waits until it and all before it is handed to the kernel.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.send("a text").await?;
    /// sender.send(vec![1, 2, 3]).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("a text".into()));
    /// assert_eq!(server.recv().await.transpose()?, Some(vec![1, 2, 3].into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.deliver(Outgoing::Message(message.into(), Compression::Auto))
            .await
    }

    /// Sends a message, compressed or not, if permessage-deflate was agreed on; see [`Compression`].
    ///
    /// ```
    /// use wiretalk_net::Compression;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// // It is compressed already.
    /// let picture = vec![0x89, 0x50, 0x4e, 0x47];
    /// sender.send_with(picture, Compression::Never).await?;
    /// assert!(server.recv().await.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with(
        &self,
        message: impl Into<Message>,
        compression: Compression,
    ) -> Result<(), Error> {
        self.deliver(Outgoing::Message(message.into(), compression))
            .await
    }

    /// Sends a message that was framed before.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let news = Prepared::text("framed once, sent to many");
    /// sender.send_prepared(&news).await?;
    /// sender.send_prepared(&news).await?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.deliver(Outgoing::Prepared(message)).await
    }

    /// Sends one fragment of a message: the first call begins it, the one with `fin` ends it.
    ///
    /// ```
    /// use wiretalk_net::MessageKind;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.send_fragment(MessageKind::Text, b"in two ", false).await?;
    /// sender.send_fragment(MessageKind::Text, b"pieces", true).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("in two pieces".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` for another kind than the message has begun with, or if a text is not
    /// UTF-8.
    pub async fn send_fragment(
        &self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), Error> {
        self.send_fragment_with(kind, payload, fin, Compression::Auto)
            .await
    }

    /// As [`send_fragment`](Self::send_fragment), for a message that is compressed or not; the first fragment settles
    /// which.
    ///
    /// ```
    /// use wiretalk_net::{Compression, MessageKind};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let kind = MessageKind::Binary;
    /// sender.send_fragment_with(kind, &[1, 2], false, Compression::Never).await?;
    /// sender.send_fragment_with(kind, &[3], true, Compression::Never).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some(vec![1, 2, 3].into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_fragment`](Self::send_fragment).
    pub async fn send_fragment_with(
        &self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
        compression: Compression,
    ) -> Result<(), Error> {
        self.deliver(Outgoing::Fragment {
            kind,
            payload,
            fin,
            compression,
        })
        .await
    }

    /// Sends a ping with up to 125 bytes of payload.
    ///
    /// ```
    /// use wiretalk_net::Event;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.ping(b"7").await?;
    /// assert_eq!(server.next_event().await?, Some(Event::Ping("7".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` if the payload is too long.
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Ping(payload)).await
    }

    /// Sends a pong with up to 125 bytes of payload.
    ///
    /// ```
    /// use wiretalk_net::Event;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// // One that nobody asked for is a sign of life (RFC 6455 5.5.3).
    /// sender.pong(b"").await?;
    /// assert_eq!(server.next_event().await?, Some(Event::Pong("".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Pong(payload)).await
    }

    /// Queues a message without writing it, so that several leave in one write; waits only while the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// for number in 0..100 {
    ///     sender.feed(format!("message {number}")).await?;
    /// }
    /// sender.flush().await?;
    /// assert_eq!(server.queued(), 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.enqueue(Outgoing::Message(message.into(), Compression::Auto))
            .await
            .map(|_| ())
    }

    /// Queues a message that was framed before, as [`feed`](Self::feed) does.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let tick = Prepared::text("tick");
    /// sender.feed_prepared(&tick).await?;
    /// sender.feed_prepared(&tick).await?;
    /// sender.flush().await?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.enqueue(Outgoing::Prepared(message)).await.map(|_| ())
    }

    /// Waits until all that is queued is handed to the kernel.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.feed("hello").await?;
    /// assert!(sender.buffered_amount() > 0);
    /// sender.flush().await?;
    /// assert_eq!(sender.buffered_amount(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&self) -> Result<(), Error> {
        let position = self.shared.core().position();
        self.flush_to(position).await
    }

    /// Begins the close handshake, or answers the peer's close frame, and waits until the frame is handed to the
    /// kernel. The peer's own close frame comes from [`Receiver::next_event`](crate::Receiver::next_event); if that
    /// takes longer than [`Config::close_timeout`](crate::Config::close_timeout), the stream is dropped there.
    ///
    /// Does nothing if a close frame was sent already or the connection has ended.
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.close(CloseCode::NORMAL, "that was all").await?;
    /// assert!(server.recv().await.is_none());
    /// // The close handshake is done once the receiver has nothing more to give.
    /// assert!(receiver.recv().await.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a code that may not be sent, a reason over 123 bytes, or one without a code; `Timeout`
    /// if the peer does not even take the frame; otherwise how the connection ended.
    pub async fn close(
        &self,
        code: impl Into<Option<CloseCode>>,
        reason: &str,
    ) -> Result<(), Error> {
        let code = code.into();
        let (started, limit) = self
            .shared
            .act(|core, _| (core.start_close(code, reason), core.close_timeout()));
        // The clock of the handshake is the receiver's to watch.
        self.shared.waiters.wake_receiver();
        let Some(position) = started? else {
            return Ok(());
        };
        match timeout(limit, self.flush_to(position)).await {
            Ok(result) => result,
            Err(_) => Err(self.shared.act(|core, _| core.close_timed_out())),
        }
    }

    /// Ends the connection at once with a TCP reset, for all halves.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.abort();
    /// assert!(server.recv().await.expect("it is told once").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(&self) {
        self.shared.abort();
    }

    /// How far the connection is: open, closing, closed.
    ///
    /// ```
    /// use wiretalk_net::State;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert_eq!(sender.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.core().state()
    }

    /// Bytes that wait to be sent: what browsers call `bufferedAmount`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.feed("hello").await?;
    /// // The payload, and the header of a client's frame.
    /// assert_eq!(sender.buffered_amount(), 5 + 6);
    /// sender.flush().await?;
    /// assert_eq!(sender.buffered_amount(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.shared.core().buffered_amount()
    }

    /// The other end's address; see [`WebSocket::peer_addr`](crate::WebSocket::peer_addr).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(sender.peer_addr().is_none(), "it is in memory");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.shared.info.peer_addr
    }

    /// Our end's address; see [`WebSocket::local_addr`](crate::WebSocket::local_addr).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(sender.local_addr().is_none(), "it is in memory");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.shared.info.local_addr
    }

    /// What the handshake agreed on for permessage-deflate; see [`WebSocket::deflate`](crate::WebSocket::deflate).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(sender.deflate().is_none(), "there was no handshake to agree on it");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.shared.core().deflate()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(sender.subprotocol().is_none(), "there was no handshake to agree on it");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.info.subprotocol.as_deref()
    }

    /// Does something with the connection that whoever receives should know of.
    #[cfg(feature = "raw")]
    pub(in crate::websocket) fn with_core<T>(
        &self,
        action: impl FnOnce(&mut super::super::core::Core) -> T,
    ) -> T {
        let result = self.shared.act(|core, _| action(core));
        self.shared.waiters.wake_all();
        result
    }

    pub(in crate::websocket) async fn enqueue(
        &self,
        mut outgoing: Outgoing<'_>,
    ) -> Result<u64, Error> {
        poll_fn(|cx| {
            self.shared
                .poll_as_sender(cx, |core, cx| core.poll_queue(&mut outgoing, cx))
        })
        .await
    }

    async fn deliver(&self, outgoing: Outgoing<'_>) -> Result<(), Error> {
        let position = self.enqueue(outgoing).await?;
        self.flush_to(position).await
    }

    pub(in crate::websocket) async fn flush_to(&self, position: u64) -> Result<(), Error> {
        poll_fn(|cx| {
            self.shared
                .poll_as_sender(cx, |core, cx| core.poll_flush(position, cx))
        })
        .await
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}
