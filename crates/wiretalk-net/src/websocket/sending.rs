//! Writing to a connection.

use std::future::poll_fn;

use wiretalk_proto::{Compression, MessageKind, Prepared};

use super::{WebSocket, core::Outgoing};
use crate::{error::Error, message::Message};

impl WebSocket {
    /// Sends a message, and waits until it and all before it is handed to the kernel.
    ///
    /// While this waits, nothing is received. If the peer does the same, both wait for ever: [`split`](Self::split)
    /// the connection if large messages may cross.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("a text").await?;
    /// client.send(vec![1, 2, 3]).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("a text".into()));
    /// assert_eq!(server.recv().await.transpose()?, Some(vec![1, 2, 3].into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
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
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// // It is compressed already.
    /// let picture = vec![0x89, 0x50, 0x4e, 0x47];
    /// client.send_with(picture, Compression::Never).await?;
    /// assert!(server.recv().await.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with(
        &mut self,
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
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let news = Prepared::text("framed once, sent to many");
    /// client.send_prepared(&news).await?;
    /// client.send_prepared(&news).await?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.deliver(Outgoing::Prepared(message)).await
    }

    /// Sends one fragment of a message: the first call begins it, the one with `fin` ends it.
    ///
    /// ```
    /// use wiretalk_net::MessageKind;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send_fragment(MessageKind::Text, b"in two ", false).await?;
    /// client.send_fragment(MessageKind::Text, b"pieces", true).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("in two pieces".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` for another kind than the message has begun with, or if a text is not
    /// UTF-8.
    pub async fn send_fragment(
        &mut self,
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
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let kind = MessageKind::Binary;
    /// client.send_fragment_with(kind, &[1, 2], false, Compression::Never).await?;
    /// client.send_fragment_with(kind, &[3], true, Compression::Never).await?;
    /// assert_eq!(server.recv().await.transpose()?, Some(vec![1, 2, 3].into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send_fragment`](Self::send_fragment).
    pub async fn send_fragment_with(
        &mut self,
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
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.ping(b"7").await?;
    /// assert_eq!(server.next_event().await?, Some(Event::Ping("7".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send); `InvalidInput` if the payload is too long.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Ping(payload)).await
    }

    /// Sends a pong with up to 125 bytes of payload.
    ///
    /// ```
    /// use wiretalk_net::Event;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// // One that nobody asked for is a sign of life (RFC 6455 5.5.3).
    /// client.pong(b"").await?;
    /// assert_eq!(server.next_event().await?, Some(Event::Pong("".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.deliver(Outgoing::Pong(payload)).await
    }

    /// Queues a message without writing it, so that several leave in one write; waits only while the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// for number in 0..100 {
    ///     client.feed(format!("message {number}")).await?;
    /// }
    /// client.flush().await?;
    /// assert_eq!(server.queued(), 100);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
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
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let tick = Prepared::text("tick");
    /// client.feed_prepared(&tick).await?;
    /// client.feed_prepared(&tick).await?;
    /// client.flush().await?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.enqueue(Outgoing::Prepared(message)).await.map(|_| ())
    }

    /// Queues a message without ever waiting and without writing it: what is queued leaves whenever
    /// [`recv`](Self::recv) or [`next_event`](Self::next_event) is about to wait, or with [`flush`](Self::flush).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.try_feed("hello")?;
    /// assert_eq!(server.queued(), 0, "it has not left yet");
    /// client.flush().await?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `TooSlow` if the queue has no room under [`Config::max_queued`](crate::Config::max_queued), so that nothing was
    /// queued; otherwise as [`send`](Self::send).
    pub fn try_feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.core
            .try_queue(&mut Outgoing::Message(message.into(), Compression::Auto))
    }

    /// Queues a message that was framed before, as [`try_feed`](Self::try_feed) does.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// let tick = Prepared::text("tick");
    /// client.try_feed_prepared(&tick)?;
    /// client.flush().await?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_feed`](Self::try_feed).
    pub fn try_feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.core.try_queue(&mut Outgoing::Prepared(message))
    }

    /// Waits until all that is queued is handed to the kernel.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.feed("hello").await?;
    /// assert!(client.buffered_amount() > 0);
    /// client.flush().await?;
    /// assert_eq!(client.buffered_amount(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), Error> {
        let position = self.core.position();
        poll_fn(|cx| self.core.poll_flush(position, cx)).await
    }

    /// Bytes that wait to be sent: what browsers call `bufferedAmount`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.feed("hello").await?;
    /// // The payload, and the header of a client's frame.
    /// assert_eq!(client.buffered_amount(), 5 + 6);
    /// client.flush().await?;
    /// assert_eq!(client.buffered_amount(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.core.buffered_amount()
    }

    async fn enqueue(&mut self, mut outgoing: Outgoing<'_>) -> Result<u64, Error> {
        poll_fn(|cx| self.core.poll_queue(&mut outgoing, cx)).await
    }

    async fn deliver(&mut self, outgoing: Outgoing<'_>) -> Result<(), Error> {
        let position = self.enqueue(outgoing).await?;
        poll_fn(|cx| self.core.poll_flush(position, cx)).await
    }
}
