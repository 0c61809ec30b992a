//! The half of a connection that receives.

use std::{future::poll_fn, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use wiretalk_proto::Agreed;

use super::{
    super::{
        State, TryRecvError,
        core::Core,
        receiving::{message, try_recv, unanswered},
    },
    Sender, Shared,
};
use crate::{
    error::Error,
    message::{Event, Message},
};

/// The half that receives, and keeps pongs, close replies, pings and deadlines going while it is awaited.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let (client, mut server) = wiretalk_net::pair();
/// let (sender, mut receiver) = client.split();
/// server.send("hello").await?;
/// assert_eq!(receiver.recv().await.transpose()?, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
pub struct Receiver {
    pub(in crate::websocket) shared: Arc<Shared>,
}

impl Receiver {
    /// The next message; `None` once the connection has ended, after an error too. Control frames are passed over
    /// (and answered, if [`Config`](crate::Config) says so).
    ///
    /// Cancel-safe: no message is lost if the future is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// server.send("hello").await?;
    /// assert_eq!(receiver.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        loop {
            if let Some(message) = message(self.next_event().await) {
                return message;
            }
        }
    }

    /// The next message if one has come, without waiting for one; see
    /// [`WebSocket::try_recv`](crate::WebSocket::try_recv).
    ///
    /// ```
    /// use wiretalk_net::TryRecvError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(matches!(receiver.try_recv(), Err(TryRecvError::Empty)));
    /// server.send("hello").await?;
    /// assert_eq!(receiver.try_recv().expect("it has come"), "hello".into());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::try_recv`](crate::WebSocket::try_recv).
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        self.shared.now(|core, cx| try_recv(|| core.poll_event(cx)))
    }

    /// How many messages have come and wait to be taken; see [`WebSocket::queued`](crate::WebSocket::queued).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// server.send("one").await?;
    /// server.send("two").await?;
    /// assert_eq!(receiver.queued(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queued(&mut self) -> usize {
        self.shared.now(Core::count_queued)
    }

    /// Whether a message has come and waits to be taken, so that [`recv`](Self::recv) would not wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(!receiver.has_queued());
    /// server.send("hello").await?;
    /// assert!(receiver.has_queued());
    /// # Ok(())
    /// # }
    /// ```
    pub fn has_queued(&mut self) -> bool {
        self.queued() > 0
    }

    /// Sends a ping and waits for its pong: how long that took; see
    /// [`WebSocket::round_trip`](crate::WebSocket::round_trip).
    ///
    /// If the future is dropped, the pong that comes later is shown by [`next_event`](Self::next_event); no message is
    /// lost.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// tokio::spawn(async move { while server.recv().await.is_some() {} });
    /// println!("there and back in {:?}", receiver.round_trip().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::round_trip`](crate::WebSocket::round_trip).
    pub async fn round_trip(&mut self) -> Result<Duration, Error> {
        let (payload, limit) = self
            .shared
            .act(|core, _| (core.next_payload(), core.ping_timeout()));
        let begin = Instant::now();
        let answered = async {
            self.sender().ping(&payload).await?;
            poll_fn(|cx| {
                self.shared.waiters.park_receiver(cx.waker());
                self.shared.act(|core, cx| core.poll_pong(&payload, cx))
            })
            .await
        };
        match timeout(limit, answered).await {
            Ok(answered) => answered.map(|()| begin.elapsed()),
            Err(_) => Err(unanswered(limit)),
        }
    }

    /// How long the last keepalive ping took to be answered; see [`WebSocket::latency`](crate::WebSocket::latency).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(receiver.latency().is_none(), "no ping was answered yet");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.shared.core().latency()
    }

    /// Whatever comes next; see [`WebSocket::next_event`](crate::WebSocket::next_event).
    ///
    /// Cancel-safe: nothing is lost if the future is dropped.
    ///
    /// ```
    /// use wiretalk_net::Event;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// server.pong(b"").await?;
    /// assert_eq!(receiver.next_event().await?, Some(Event::Pong("".into())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// How the connection ended, if not with a close handshake. It is told once.
    pub async fn next_event(&mut self) -> Result<Option<Event>, Error> {
        poll_fn(|cx| self.shared.poll_as_receiver(cx)).await
    }

    /// Another half that sends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// receiver.sender().send("hello").await?;
    /// assert_eq!(server.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Ends the connection at once with a TCP reset, for all halves.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// receiver.abort();
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
    /// assert_eq!(receiver.state(), State::Open);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.core().state()
    }

    /// The other end's address; see [`WebSocket::peer_addr`](crate::WebSocket::peer_addr).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (client, mut server) = wiretalk_net::pair();
    /// # let (sender, mut receiver) = client.split();
    /// assert!(receiver.peer_addr().is_none(), "it is in memory");
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
    /// assert!(receiver.local_addr().is_none(), "it is in memory");
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
    /// assert!(receiver.deflate().is_none(), "there was no handshake to agree on it");
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
    /// assert!(receiver.subprotocol().is_none(), "there was no handshake to agree on it");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.shared.info.subprotocol.as_deref()
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("info", &self.shared.info)
            .finish_non_exhaustive()
    }
}
