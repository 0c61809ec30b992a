//! One client of a server.

use std::{fmt, net::SocketAddr, sync::Arc};

use http::Extensions;
use tokio::sync::oneshot;
use wiretalk_hub::{ConnectionId, JoinError, Member};

use super::{
    Audience, AudienceBut, ClientId, Clients,
    link::{Command, Link},
};
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
    pub(super) link: Link,
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
    pub(super) fn new(link: Link, place: Place, target: Box<str>, extensions: Extensions) -> Self {
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
    #[must_use]
    pub fn id(&self) -> ClientId {
        ClientId(self.seat().place.id())
    }

    /// The next message; `None` once the connection has ended, however that was: [`close_frame`](Self::close_frame) and
    /// [`error`](Self::error) tell. Pings are answered, and what others send to this client is written meanwhile.
    ///
    /// Cancel-safe: no message is lost if the future is dropped, neither one that comes nor one that goes.
    pub async fn recv(&mut self) -> Option<Message> {
        self.link().recv().await
    }

    /// The next message, read as JSON; `None` once the connection has ended. Cancel-safe, as [`recv`](Self::recv) is.
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
    /// # Errors
    /// `Closed` once a close frame came or went, `TooSlow` if more has piled up meanwhile than may; otherwise how the
    /// connection ended. [`recv`](Self::recv) gives `None` then, so it is mostly enough to go on there.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.link().send(message.into()).await
    }

    /// Sends a value as JSON; see [`send`](Self::send).
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
    /// # Errors
    /// As [`WebSocket::close`](crate::WebSocket::close).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.link().close(code, reason).await
    }

    /// Joins a room. If the room is a topic that has a value ([`Clients::publish`]), the client is sent that first.
    /// Nothing happens if it is in the room already.
    ///
    /// # Errors
    /// If it is in 4,096 rooms already.
    pub fn join(&self, room: &str) -> Result<(), JoinError> {
        let id = self.seat().place.id();
        self.clients().shared.hub.join_room(id, room).map(|_| ())
    }

    /// Leaves a room; says whether it was in it. A client that is dropped leaves all of its rooms.
    pub fn leave(&self, room: &str) -> bool {
        let id = self.seat().place.id();
        self.clients().shared.hub.leave_room(id, room)
    }

    /// The rooms that it is in, sorted by name.
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.clients().shared.hub.rooms_of(self.seat().place.id())
    }

    /// Says which user this is from now on; `None`: nobody. A user may have many connections, which
    /// [`Clients::user`] reaches.
    pub fn identify<'a>(&self, user: impl Into<Option<&'a str>>) {
        let id = self.seat().place.id();
        self.clients().shared.hub.identify(id, user.into());
    }

    /// The user that it is.
    #[must_use]
    pub fn user(&self) -> Option<Arc<str>> {
        self.clients().shared.hub.user_of(self.seat().place.id())
    }

    /// All clients of the server.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.seat().clients
    }

    /// Everyone in a room, this client too if it is in it; `client.room("lobby").except(&client)` are the others.
    pub fn room<'a>(&'a self, room: &'a str) -> Audience<'a> {
        self.clients().room(room)
    }

    /// Everyone but this client.
    pub fn others(&self) -> AudienceBut<'_> {
        self.clients().all().except(self)
    }

    /// What it asked for: path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.seat().target
    }

    /// The path that it asked for.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// What [`Server::check`](super::Server::check) wrote into the handshake's extensions, by its type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.seat().extensions.as_ref()?.get()
    }

    /// The subprotocol that the handshake agreed on (RFC 6455 1.9).
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.seat().link.socket.subprotocol()
    }

    /// What the handshake agreed on for permessage-deflate (RFC 7692 7.1), if messages may be compressed.
    #[must_use]
    pub fn deflate(&self) -> Option<Agreed> {
        self.seat().link.socket.deflate()
    }

    /// Where it comes from.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.seat().link.socket.peer_addr()
    }

    /// What its close frame said, once it has come; code 1005 if it carried none (RFC 6455 7.1.5).
    #[must_use]
    pub fn close_frame(&self) -> Option<&CloseFrame> {
        self.seat().link.socket.close_frame()
    }

    /// How the connection failed, if it did: no error belongs to a close handshake.
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

    fn link(&mut self) -> &mut Link {
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
