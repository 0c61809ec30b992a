//! Queueing without waiting, for whoever drives a connection together with something else.

use wiretalk_proto::{Compression, Prepared};

use super::{WebSocket, core::Outgoing};
use crate::{error::Error, message::Message};

impl WebSocket {
    /// Queues a message without ever waiting and without writing it: what is queued leaves whenever
    /// [`recv`](Self::recv) or [`next_event`](Self::next_event) is about to wait, or with [`flush`](Self::flush).
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
    /// # Errors
    /// As [`try_feed`](Self::try_feed).
    pub fn try_feed_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.core.try_queue(&mut Outgoing::Prepared(message))
    }
}
