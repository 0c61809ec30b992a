//! Messages that no connection has taken yet.

use std::{collections::VecDeque, error::Error as StdError, fmt};

use crate::{Error, Message};

/// What becomes of messages that are sent while there is no connection, or whose connection is lost while they are
/// written.
///
/// A message counts as sent once it is handed to the kernel. That it arrived is only known from an answer.
///
/// ```
/// use wiretalk::client::{Event, Reconnecting, Unsent};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Reconnecting::builder("ws://127.0.0.1:1/").unsent(Unsent::KeepNewest(10));
/// let mut client = builder.build();
/// for price in ["price 100", "price 101", "price 102"] {
///     client.send(price).await?;
/// }
/// assert!(matches!(client.next_event().await, Some(Event::Dropped { messages: 2, bytes: 18 })));
/// assert_eq!(client.take_unsent(), ["price 102".into()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unsent {
    /// They are not kept: sending fails, and says so. The default.
    #[default]
    Refuse,
    /// They are kept, so many bytes of them at most, and sent in their order when there is a connection, behind what the
    /// [hook](super::Builder::on_open) sends. At the bound, sending fails.
    ///
    /// A message that was being written when the connection was lost is sent again over the next one, so it may come
    /// twice, but none is missing in between.
    Keep(usize),
    /// As `Keep`, but at the bound the oldest are dropped, which [`Event::Dropped`](super::Event::Dropped) tells.
    KeepNewest(usize),
}

/// Why a message was not sent, and not kept either.
///
/// ```
/// use wiretalk::client::{Reconnecting, SendError};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Reconnecting::builder("ws://127.0.0.1:1/").build();
/// let error = client.send("hello").await.unwrap_err();
/// assert!(matches!(error, SendError::NotConnected(_)));
/// assert_eq!(error.into_message(), Some("hello".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// There is no connection at the moment, and [`Unsent`] keeps nothing.
    NotConnected(Message),
    /// What is kept is at its bound.
    Full(Message),
    /// The client was closed, or gave up.
    Closed(Message),
    /// The connection failed, or is being closed.
    Failed(Error),
}

impl SendError {
    /// The message, where the connection has not taken it.
    ///
    /// ```
    /// use wiretalk::client::SendError;
    ///
    /// let error = SendError::Full("hello".into());
    /// assert_eq!(error.into_message(), Some("hello".into()));
    /// ```
    #[must_use]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::NotConnected(message) | Self::Full(message) | Self::Closed(message) => {
                Some(message)
            }
            Self::Failed(_) => None,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(_) => f.write_str("there is no connection at the moment"),
            Self::Full(_) => f.write_str("no more unsent messages are kept"),
            Self::Closed(_) => f.write_str("the client is closed, nothing more can be sent"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::NotConnected(_) | Self::Full(_) | Self::Closed(_) => None,
        }
    }
}

/// The messages that wait, oldest first. The first `fed` of them are in the queue of the connection, and not known to be
/// written.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    bytes: usize,
    fed: usize,
}

/// What was dropped to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

impl Outbox {
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a message within the bound; one alone may exceed it. Gives it back if there is no room.
    pub(super) fn push(&mut self, message: Message, bound: usize) -> Result<(), Message> {
        let length = message.as_bytes().len();
        if !self.messages.is_empty() && self.bytes.saturating_add(length) > bound {
            return Err(message);
        }
        self.bytes += length;
        self.messages.push_back(message);
        Ok(())
    }

    /// Drops the oldest, until there is room for so many bytes. Those that the connection has in its queue stay.
    pub(super) fn make_room(&mut self, length: usize, bound: usize) -> Dropped {
        let mut dropped = Dropped::default();
        while self.bytes.saturating_add(length) > bound {
            let Some(message) = self.messages.remove(self.fed) else {
                break;
            };
            dropped.messages += 1;
            dropped.bytes += message.as_bytes().len();
            self.bytes -= message.as_bytes().len();
        }
        dropped
    }

    /// The next that the connection is to be given.
    pub(super) fn next_to_feed(&self) -> Option<&Message> {
        self.messages.get(self.fed)
    }

    pub(super) fn on_fed(&mut self) {
        self.fed += 1;
    }

    /// The connection has written all that it was given.
    pub(super) fn on_written(&mut self) {
        for message in self.messages.drain(..self.fed) {
            self.bytes -= message.as_bytes().len();
        }
        self.fed = 0;
    }

    /// The connection is lost: what it was given is to be given to the next one.
    pub(super) fn on_lost(&mut self) {
        self.fed = 0;
    }

    pub(super) fn take(&mut self) -> Vec<Message> {
        self.bytes = 0;
        self.fed = 0;
        std::mem::take(&mut self.messages).into()
    }
}

#[cfg(test)]
mod tests;
