//! Sending without waiting.

use wiretalk_proto::{Compression, Prepared};

use super::{
    super::core::{Core, Outgoing},
    Sender,
};
use crate::{error::Error, message::Message};

impl Sender {
    /// Sends a message without ever waiting: what the kernel does not take now is written while the
    /// [`Receiver`](crate::Receiver) is polled, or by the next send.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.try_send("hello")?;
    /// assert_eq!(server.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `TooSlow` if the queue is at [`Config::max_queued`](crate::Config::max_queued), so that nothing was queued;
    /// otherwise as [`send`](Self::send).
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.shared
            .try_send(Outgoing::Message(message.into(), Compression::Auto))
    }

    /// Sends a message that was framed before, as [`try_send`](Self::try_send) does.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let tick = Prepared::text("tick");
    /// sender.try_send_prepared(&tick)?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_prepared(&self, message: &Prepared) -> Result<(), Error> {
        self.shared.try_send(Outgoing::Prepared(message))
    }

    /// Sends messages that were framed before, in one write and without ever waiting: what the kernel does not take now
    /// is written while the [`Receiver`](crate::Receiver) is polled, or by the next send.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let news = [Prepared::text("one"), Prepared::text("two")];
    /// sender.try_send_batch(&news)?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send); those before the one that found no room are queued.
    pub fn try_send_batch(&self, messages: &[Prepared]) -> Result<(), Error> {
        self.shared
            .now(|core, cx| core.try_send_batch(messages, cx))
    }

    /// Queues a message that was framed before, without ever waiting and without writing it: what is queued in one go
    /// leaves in one write, with [`try_flush`](Self::try_flush), the next send, or while the
    /// [`Receiver`](crate::Receiver) is polled.
    ///
    /// ```
    /// use wiretalk_net::Prepared;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// let tick = Prepared::text("tick");
    /// sender.try_feed_prepared(&tick)?;
    /// sender.flush().await?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send). Behind `TooSlow`, too, what was queued before waits for a flush.
    pub fn try_feed_prepared(&self, message: &Prepared) -> Result<(), Error> {
        let mut outgoing = Outgoing::Prepared(message);
        self.shared.act(|core, _| core.try_queue(&mut outgoing))
    }

    /// Queues a message as [`try_feed_prepared`](Self::try_feed_prepared) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.try_feed("hello")?;
    /// assert_eq!(server.queued(), 0, "it has not left yet");
    /// sender.flush().await?;
    /// assert_eq!(server.queued(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_feed(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut outgoing = Outgoing::Message(message.into(), Compression::Auto);
        self.shared.act(|core, _| core.try_queue(&mut outgoing))
    }

    /// Writes what is queued, as far as it goes without waiting. The rest is written while the
    /// [`Receiver`](crate::Receiver) is polled, or by the next send.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// sender.try_feed("one")?;
    /// sender.try_feed("two")?;
    /// sender.try_flush()?;
    /// assert_eq!(server.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended.
    pub fn try_flush(&self) -> Result<(), Error> {
        self.shared.now(Core::try_flush)
    }
}
