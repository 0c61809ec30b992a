//! Messages that are answered where they lie: the quick path of a server.

use std::fmt;

use wiretalk_proto::{MessageKind, Prepared};

use super::core::{Answering, Outgoing};
use crate::{
    error::Error,
    message::{Event, Message},
};

/// A message that came, and the way to answer it, from [`WebSocket::next_exchange`](super::WebSocket::next_exchange).
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// What came.
    pub message: MessageRef<'a>,
    /// Where to answer.
    pub replies: Replies<'a>,
}

/// A message that is lent from the buffer into which it was read.
pub struct MessageRef<'a>(Lies<'a>);

enum Lies<'a> {
    Here {
        kind: MessageKind,
        payload: &'a [u8],
    },
    /// It was put together from several frames or reads.
    Apart(Message),
}

/// The way to answer while a message is lent.
///
/// What is sent here is queued, and leaves when the connection is asked for the next message and has none, so that
/// many answers leave in one write.
pub struct Replies<'a>(Answering<'a>);

impl<'a> Exchange<'a> {
    pub(super) fn lent(kind: MessageKind, payload: &'a [u8], answering: Answering<'a>) -> Self {
        Self {
            message: MessageRef(Lies::Here { kind, payload }),
            replies: Replies(answering),
        }
    }

    pub(super) fn owned(message: Message, answering: Answering<'a>) -> Self {
        Self {
            message: MessageRef(Lies::Apart(message)),
            replies: Replies(answering),
        }
    }
}

impl MessageRef<'_> {
    /// Text or binary.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match &self.0 {
            Lies::Here { kind, .. } => *kind,
            Lies::Apart(message) => message.kind(),
        }
    }

    /// The payload, whichever opcode it has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Lies::Here { payload, .. } => payload,
            Lies::Apart(message) => message.as_bytes(),
        }
    }

    /// The text, if this is a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Lies::Here {
                kind: MessageKind::Text,
                payload,
            } => wiretalk_proto::utf8::decode_whole(payload).ok(),
            Lies::Here { .. } => None,
            Lies::Apart(message) => message.as_text(),
        }
    }

    /// The message in owned form. A long one that came in several reads is not copied.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self(Lies::Apart(message)) => message,
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
    /// # Errors
    /// `Closed` once a close frame came or went; otherwise how the connection ended.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.0.send(Outgoing::Message(message.into()))
    }

    /// Answers with a text, without an allocation.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        let (kind, payload) = (MessageKind::Text, text.as_bytes());
        self.0.send(Outgoing::Lent { kind, payload })
    }

    /// Answers with bytes, without an allocation.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_binary(&mut self, payload: &[u8]) -> Result<(), Error> {
        let kind = MessageKind::Binary;
        self.0.send(Outgoing::Lent { kind, payload })
    }

    /// Answers with a message that came, from this connection or another.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_back(&mut self, message: MessageRef<'_>) -> Result<(), Error> {
        self.0.send(match message.0 {
            Lies::Here { kind, payload } => Outgoing::Lent { kind, payload },
            Lies::Apart(message) => Outgoing::Message(message),
        })
    }

    /// Answers with a message that was framed before.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.0.send(Outgoing::Prepared(message))
    }

    /// Bytes that wait to be sent. Once they are at [`Config::max_queued`](crate::Config::max_queued), no further message is
    /// taken from the peer.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.queued()
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
            .field("queued", &self.queued())
            .finish()
    }
}
