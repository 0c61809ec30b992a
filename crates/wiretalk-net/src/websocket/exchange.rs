//! Messages that are answered where they lie: the quick path of a server.

use std::fmt;

use bytes::Bytes;
use wiretalk_proto::{Assembled, Compression, MessageKind, Prepared};

use super::{
    buffers,
    core::{Answering, Core, Outgoing, Place, fit},
};
use crate::{
    error::Error,
    message::{Event, Message},
};

/// A message that came, and the way to answer it, from [`WebSocket::next_exchange`](super::WebSocket::next_exchange).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.send("hello").await?;
/// let mut exchange = server.next_exchange().await?.expect("it is open");
/// exchange.replies.send_back(exchange.message)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// What came.
    pub message: MessageRef<'a>,
    /// Where to answer.
    pub replies: Replies<'a>,
}

/// A message that is lent from the buffer into which it was read.
///
/// ```
/// use wiretalk_net::MessageRef;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.send("hello").await?;
/// let mut exchange = server.next_exchange().await?.expect("it is open");
/// let message: &MessageRef<'_> = &exchange.message;
/// assert_eq!(message.as_text(), Some("hello"));
/// # Ok(())
/// # }
/// ```
pub struct MessageRef<'a>(Lies<'a>);

enum Lies<'a> {
    /// In the read buffer; known to be UTF-8.
    Text(&'a [u8]),
    /// In the read buffer.
    Binary(&'a [u8]),
    /// It was put together from several frames or reads, or decompressed.
    Apart(Borrowed),
    /// It came before anybody asked for it.
    Queued(Message),
}

/// A message in a buffer of the thread's, which goes back there.
struct Borrowed(Option<Assembled>);

impl Borrowed {
    fn kind(&self) -> MessageKind {
        match &self.0 {
            Some(Assembled::Text(_)) => MessageKind::Text,
            Some(Assembled::Binary(_)) | None => MessageKind::Binary,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Some(Assembled::Text(text)) => text.as_bytes(),
            Some(Assembled::Binary(payload)) => payload,
            None => &[],
        }
    }

    fn into_message(mut self) -> Message {
        self.0
            .take()
            .map_or_else(|| Message::Binary(Bytes::new()), fit)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(message) = self.0.take() {
            buffers::give_message(message);
        }
    }
}

/// The way to answer while a message is lent.
///
/// What is sent here is queued, and leaves when the connection is asked for the next message and has none, so that
/// many answers leave in one write.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (mut client, mut server) = wiretalk_net::pair();
/// client.send("hello").await?;
/// let mut exchange = server.next_exchange().await?.expect("it is open");
/// exchange.replies.send("one")?;
/// exchange.replies.send("two")?;
/// # server.flush().await?;
/// # assert_eq!(client.queued(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Replies<'a>(Answering<'a>);

impl<'a> Exchange<'a> {
    #[inline]
    pub(super) fn new(core: &'a mut Core, place: Place) -> Self {
        let (lies, answering) = match place {
            Place::Text(length) => {
                let (payload, answering) = core.lend(length);
                (Lies::Text(payload), answering)
            }
            Place::Binary(length) => {
                let (payload, answering) = core.lend(length);
                (Lies::Binary(payload), answering)
            }
            Place::Apart => {
                let message = Borrowed(core.take_assembled());
                (Lies::Apart(message), core.lend(0).1)
            }
            Place::Queued => {
                let message = core.take_queued_message();
                let message = message.unwrap_or_else(|| Message::Binary(Bytes::new()));
                (Lies::Queued(message), core.lend(0).1)
            }
        };
        Self {
            message: MessageRef(lies),
            replies: Replies(answering),
        }
    }
}

impl MessageRef<'_> {
    /// Text or binary.
    ///
    /// ```
    /// use wiretalk_net::MessageKind;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// assert_eq!(exchange.message.kind(), MessageKind::Text);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match &self.0 {
            Lies::Text(_) => MessageKind::Text,
            Lies::Binary(_) => MessageKind::Binary,
            Lies::Apart(message) => message.kind(),
            Lies::Queued(message) => message.kind(),
        }
    }

    /// The payload, whichever opcode it has.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// assert_eq!(exchange.message.as_bytes(), b"hello");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Lies::Text(payload) | Lies::Binary(payload) => payload,
            Lies::Apart(message) => message.as_bytes(),
            Lies::Queued(message) => message.as_bytes(),
        }
    }

    /// The text, if this is a text message.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// assert_eq!(exchange.message.as_text(), Some("hello"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Lies::Text(payload) => wiretalk_proto::utf8::decode_whole(payload).ok(),
            Lies::Apart(Borrowed(Some(Assembled::Text(text)))) => Some(text),
            Lies::Queued(message) => message.as_text(),
            Lies::Binary(_) | Lies::Apart(_) => None,
        }
    }

    /// The message in owned form. A long one that came in several reads is not copied.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// let kept = exchange.message.into_message();
    /// assert_eq!(kept, "hello".into());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self(Lies::Apart(message)) => message.into_message(),
            Self(Lies::Queued(message)) => message,
            lent => match lent.as_text() {
                Some(text) => text.into(),
                None => lent.as_bytes().into(),
            },
        }
    }
}

impl Replies<'_> {
    /// Answers with a message.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send("welcome")?;
    /// server.flush().await?;
    /// assert_eq!(client.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_with(message, Compression::Auto)
    }

    /// Answers with a message, compressed or not; see [`Compression`].
    ///
    /// ```
    /// use wiretalk_net::Compression;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send_with(vec![1, 2, 3], Compression::Never)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compression: Compression,
    ) -> Result<(), Error> {
        self.0.send(Outgoing::Message(message.into(), compression))
    }

    /// Answers with a text, without an allocation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send_text("welcome")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        let (kind, payload) = (MessageKind::Text, text.as_bytes());
        self.0.send(Outgoing::Lent { kind, payload })
    }

    /// Answers with bytes, without an allocation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send_binary(&[1, 2, 3])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_binary(&mut self, payload: &[u8]) -> Result<(), Error> {
        let kind = MessageKind::Binary;
        self.0.send(Outgoing::Lent { kind, payload })
    }

    /// Answers with a message that came, from this connection or another.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send_back(exchange.message)?;
    /// server.flush().await?;
    /// assert_eq!(client.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_back(&mut self, message: MessageRef<'_>) -> Result<(), Error> {
        match message.0 {
            Lies::Text(payload) => self.0.send(Outgoing::Lent {
                kind: MessageKind::Text,
                payload,
            }),
            Lies::Binary(payload) => self.send_binary(payload),
            Lies::Apart(message) if self.0.is_by_reference(message.as_bytes().len()) => {
                self.send(message.into_message())
            }
            Lies::Apart(message) => self.0.send(Outgoing::Lent {
                kind: message.kind(),
                payload: message.as_bytes(),
            }),
            Lies::Queued(message) => self.send(message),
        }
    }

    /// Answers with a message that was framed before.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send_prepared(&Prepared::text("welcome"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.0.send(Outgoing::Prepared(message))
    }

    /// Bytes that wait to be sent. Once they are at [`Config::max_queued`](crate::Config::max_queued), no further message is
    /// taken from the peer.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.send("hello").await?;
    /// let mut exchange = server.next_exchange().await?.expect("it is open");
    /// exchange.replies.send("welcome")?;
    /// assert_eq!(exchange.replies.buffered_amount(), 7 + 2, "the text, and its header");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.0.buffered_amount()
    }
}

impl From<MessageRef<'_>> for Event {
    fn from(message: MessageRef<'_>) -> Self {
        message.into_message().into()
    }
}

impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => f.debug_tuple("Text").field(&text).finish(),
            None => f.debug_tuple("Binary").field(&self.as_bytes()).finish(),
        }
    }
}

impl fmt::Debug for Replies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("buffered_amount", &self.buffered_amount())
            .finish()
    }
}
