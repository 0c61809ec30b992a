//! One client of a server.

mod rooms;

use std::{fmt, net::SocketAddr};

use http::Extensions;
use tokio::sync::oneshot;
use wiretalk_hub::{ConnectionId, Member};
use wiretalk_server::link::{Command, Link};

use super::{ClientId, Clients};
use crate::{Agreed, CloseCode, CloseFrame, Error, Message, Prepared};

/// A client that is connected to a [`Server`](super::Server): its connection, and its place among the others.
///
/// What others send to it waits in a queue of its own, bounded in bytes, and is written while [`recv`](Self::recv) is
/// awaited, and before whatever this client is sent directly; so keep one of them going, in a `select!` if need be. When
/// the client is dropped, by the end of its handler, say, it leaves its rooms, is sent what waits for it, and is closed:
/// with 1000, or with 1011 if the handler failed or panicked.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use wiretalk::server::{Client, Server};
///
/// async fn serve(mut client: Client) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     client.join("lobby")?;
///     client.identify("ann");
///     client.send(format!("{} at {}", client.id(), client.path())).await?;
///     while let Some(message) = client.recv().await {
///         client.room("lobby").except(&client).send(message);
///     }
///     assert_eq!(client.close_frame().map(|frame| frame.code.as_u16()), Some(1005));
///     Ok(())
/// }
///
/// let running = Server::bind("127.0.0.1:0").await?.spawn(serve)?;
/// let (mut socket, _) = wiretalk::connect(format!("{}/chat?x=1", running.url())).await?;
/// assert_eq!(socket.recv().await.expect("a message")?.as_text(), Some("#1 at /chat"));
/// socket.close(None, "").await?;
/// assert!(socket.recv().await.is_none());
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct Client {
    /// Given back when this is dropped.
    seat: Option<Box<Seat>>,
    home: Option<oneshot::Sender<Box<Seat>>>,
}

/// A client's connection and place, whoever has them.
pub(super) struct Seat {
    pub(super) link: Link<Command>,
    pub(super) place: Place,
    clients: Clients,
    target: Box<str>,
    extensions: Option<Box<Extensions>>,
}

/// A place in the hub; dropping it leaves, and tells so to whoever waits for that.
pub(super) struct Place {
    member: Option<Member<Command>>,
    clients: Clients,
}

impl Place {
    pub(super) fn new(member: Member<Command>, clients: Clients) -> Self {
        clients.shared.changes.send_replace(());
        Self {
            member: Some(member),
            clients,
        }
    }

    fn id(&self) -> ConnectionId {
        self.member
            .as_ref()
            .expect("only dropping takes the member")
            .id()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.member.take());
        self.clients.shared.changes.send_replace(());
    }
}

impl Seat {
    pub(super) fn new(
        link: Link<Command>,
        place: Place,
        target: Box<str>,
        extensions: Extensions,
    ) -> Self {
        Self {
            link,
            clients: place.clients.clone(),
            place,
            target,
            extensions: (!extensions.is_empty()).then(|| Box::new(extensions)),
        }
    }
}

impl Client {
    /// A client, and what its seat comes back by.
    pub(super) fn new(seat: Box<Seat>) -> (Self, oneshot::Receiver<Box<Seat>>) {
        let (home, back) = oneshot::channel();
        let client = Self {
            seat: Some(seat),
            home: Some(home),
        };
        (client, back)
    }

    /// Its number.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(format!("you are {}", client.id())).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("you are #1".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self) -> ClientId {
        ClientId(self.seat().place.id())
    }

    /// The next message; `None` once the connection has ended, however that was: [`close_frame`](Self::close_frame) and
    /// [`error`](Self::error) tell. Pings are answered, and what others send to this client is written meanwhile.
    ///
    /// Cancel-safe: no message is lost if the future is dropped, neither one that comes nor one that goes.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     while let Some(message) = client.recv().await {
    ///         client.send(message).await?;
    ///     }
    ///     Ok::<_, wiretalk::Error>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.send("hello").await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recv(&mut self) -> Option<Message> {
        self.link().recv().await
    }

    /// The next message, read as JSON; `None` once the connection has ended. Cancel-safe, as [`recv`](Self::recv) is.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     while let Some(numbers) = client.recv_json::<Vec<u32>>().await {
    ///         let sum: u32 = numbers?.iter().sum();
    ///         client.send_json(&sum).await?;
    ///     }
    ///     Ok::<_, wiretalk::Error>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.send("[1, 2, 3]").await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("6".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the message is not the JSON of such a value. The connection goes on.
    #[cfg(feature = "json")]
    pub async fn recv_json<T: serde::de::DeserializeOwned>(&mut self) -> Option<Result<T, Error>> {
        let message = self.recv().await?;
        Some(message.parse_json())
    }

    /// Sends a message to this client, behind all that others have sent it, and waits until it is handed to the kernel:
    /// that is the back-pressure of a client that reads slowly. While this waits, nothing is received.
    ///
    /// If the future is dropped, the message was sent as a whole or not at all.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send("welcome").await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Closed` once a close frame came or went, `TooSlow` if more has piled up meanwhile than may; otherwise how the
    /// connection ended. [`recv`](Self::recv) gives `None` then, so it is mostly enough to go on there.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.link().send(message.into()).await
    }

    /// Sends a value as JSON; see [`send`](Self::send).
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send_json(&("join", 7)).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("[\"join\",7]".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Json` if the value cannot be written as JSON; otherwise as [`send`](Self::send).
    #[cfg(feature = "json")]
    pub async fn send_json<T: serde::Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<(), Error> {
        self.send(Message::from_json(value)?).await
    }

    /// Sends a message that was framed before; see [`send`](Self::send).
    ///
    /// ```
    /// use wiretalk::Prepared;
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     let welcome = Prepared::text("welcome");
    ///     client.send_prepared(&welcome).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("welcome".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.link().send_prepared(message).await
    }

    /// Queues a message, so that several leave in one write, with the next [`send`](Self::send) or when
    /// [`recv`](Self::recv) is about to wait. Waits only while the queue is at
    /// [`Config::max_queued`](crate::Config::max_queued).
    ///
    /// If the future is dropped, the message was queued as a whole or not at all.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.feed("one").await?;
    ///     client.feed("two").await?;
    ///     client.send("three").await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("one".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.link().feed(message.into()).await
    }

    /// Begins the close handshake, behind all that others have sent, and waits until the frame is handed to the kernel.
    /// What the client still has to say comes from [`recv`](Self::recv), until that gives `None`.
    ///
    /// If the future is dropped, the frame was queued or not; one that was leaves with the next `recv`.
    ///
    /// ```
    /// use wiretalk::CloseCode;
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.close(CloseCode::POLICY, "no robots").await?;
    ///     while client.recv().await.is_some() {}
    ///     Ok::<_, wiretalk::Error>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code), Some(CloseCode::POLICY));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`WebSocket::close`](crate::WebSocket::close).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.link().close(code, reason).await
    }

    /// What it asked for: path and query.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(client.target().to_owned()).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(format!("{}/chat?room=7", running.url())).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("/chat?room=7".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn target(&self) -> &str {
        &self.seat().target
    }

    /// The path that it asked for.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(client.path().to_owned()).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(format!("{}/chat?room=7", running.url())).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("/chat".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// What [`Server::check`](super::Server::check) wrote into the handshake's extensions, by its type.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// #[derive(Clone)]
    /// struct Plan(&'static str);
    ///
    /// let server = Server::bind("127.0.0.1:0").await?.check(async |mut handshake| {
    ///     handshake.extensions.insert(Plan("gold"));
    ///     Ok(handshake)
    /// });
    /// let running = server.spawn(async |mut client: Client| {
    ///     let plan = client.get::<Plan>().map_or("none", |plan| plan.0);
    ///     client.send(plan).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("gold".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.seat().extensions.as_ref()?.get()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    ///
    /// ```
    /// use wiretalk::Request;
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.subprotocols(["chat.v2", "chat.v1"]);
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(format!("{:?}", client.subprotocol())).await
    /// })?;
    /// let request = Request {
    ///     subprotocols: vec!["chat.v1".into()],
    ///     ..Request::new(running.url())
    /// };
    /// let (mut ann, _) = wiretalk::connect(request).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some(r#"Some("chat.v1")"#.into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.seat().link.socket.subprotocol()
    }

    /// What the handshake agreed on for permessage-deflate (RFC 7692 7.1), if messages may be compressed.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.compression(None);
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(format!("compressed: {}", client.deflate().is_some())).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("compressed: false".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.seat().link.socket.deflate()
    }

    /// Where it comes from.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.send(format!("{:?}", client.peer_addr())).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// let said = ann.recv().await.expect("a message")?;
    /// assert!(said.as_text().is_some_and(|said| said.starts_with("Some(127.0.0.1:")));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.seat().link.socket.peer_addr()
    }

    /// What its close frame said, once it has come; code 1005 if it carried none (RFC 6455 7.1.5).
    ///
    /// ```
    /// use wiretalk::CloseCode;
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     while client.recv().await.is_some() {}
    ///     if let Some(frame) = client.close_frame() {
    ///         println!("it left with {:?}", frame.code);
    ///     }
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.close(CloseCode::NORMAL, "").await?;
    /// assert!(ann.recv().await.is_none());
    /// # running.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.seat().link.socket.close_frame()
    }

    /// How the connection failed, if it did: no error belongs to a close handshake.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     while client.recv().await.is_some() {}
    ///     if let Some(error) = client.error() {
    ///         println!("it was lost: {error}");
    ///     }
    /// })?;
    /// let (ann, _) = wiretalk::connect(running.url()).await?;
    /// # running.clients().wait_for(1).await;
    /// ann.abort();
    /// running.clients().wait_for_none().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        self.seat().link.error()
    }

    pub(super) async fn write(&mut self) {
        self.link().write().await;
    }

    fn seat(&self) -> &Seat {
        self.seat.as_ref().expect("only dropping takes the seat")
    }

    fn link(&mut self) -> &mut Link<Command> {
        let seat = self.seat.as_mut();
        &mut seat.expect("only dropping takes the seat").link
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let (Some(seat), Some(home)) = (self.seat.take(), self.home.take()) {
            // Nobody is home once the server itself is gone; then the stream just ends.
            let _ = home.send(seat);
        }
    }
}

impl From<&Client> for ClientId {
    fn from(client: &Client) -> Self {
        client.id()
    }
}

impl From<&mut Client> for ClientId {
    fn from(client: &mut Client) -> Self {
        client.id()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id().get())
            .field("target", &self.target())
            .finish_non_exhaustive()
    }
}
