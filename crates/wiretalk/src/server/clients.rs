//! All clients of a server, and the ways to choose among them.

use std::{collections::BTreeMap, fmt, ops::Deref, sync::Arc};

use wiretalk_hub::{ConnectionId, Target};
pub use wiretalk_hub::{JoinError, KeepError};

use super::{link::Command, running::Shared};
use crate::{CloseCode, Message, Prepared};

/// Names a client for as long as its server runs: they are counted from 1, and no number is used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub(super) ConnectionId);

impl ClientId {
    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.get())
    }
}

/// All clients of a [`Server`](super::Server), from anywhere in the program. A clone is the same.
///
/// Nothing here waits: a message goes into the queue of each receiver, and is written by that client's own task. A
/// message is framed once, and compressed once, however many receive it. Of two messages, every receiver of both gets the
/// same one first. A client that reads too slowly is closed (1008) when more than
/// [`Server::queue_size`](super::Server::queue_size) waits for it; the others notice nothing.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// use wiretalk::server::{Client, Server};
///
/// let running = Server::bind("127.0.0.1:0").await?.spawn(async |mut client: Client| {
///     while client.recv().await.is_some() {}
/// })?;
/// let (mut ann, _) = wiretalk::connect(&running.url()).await?;
/// running.clients().wait_for(1).await;
/// assert_eq!(running.clients().broadcast("maintenance in five minutes"), 1);
/// let message = ann.recv().await.expect("a message")?;
/// assert_eq!(message.as_text(), Some("maintenance in five minutes"));
/// drop(ann);
/// running.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Clients {
    pub(super) shared: Arc<Shared>,
}

impl Clients {
    /// Everyone who is connected.
    pub fn all(&self) -> Audience<'_> {
        self.audience(Group::All)
    }

    /// One client.
    pub fn to(&self, client: impl Into<ClientId>) -> Audience<'_> {
        self.audience(Group::One(client.into()))
    }

    /// Everyone in a room.
    pub fn room<'a>(&'a self, room: &'a str) -> Audience<'a> {
        self.audience(Group::Room(room))
    }

    /// Every connection of a user.
    pub fn user<'a>(&'a self, user: &'a str) -> Audience<'a> {
        self.audience(Group::User(user))
    }

    /// Sends a message to everyone who is connected; gives their number.
    pub fn broadcast(&self, message: impl Into<Message>) -> usize {
        self.all().send(message)
    }

    /// Sends a topic's newest value to everyone in the room of that name, and keeps it: whoever joins later gets it at
    /// once. Gives the number of receivers.
    ///
    /// # Errors
    /// If 10,000 topics have a value already, or all values would come to more than 64 MiB; then nothing is sent.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> Result<usize, KeepError> {
        let delivery = self.shared.hub.publish(topic, &prepared(&message.into()))?;
        Ok(delivery.receivers)
    }

    /// A topic's newest value, if it has one.
    #[must_use]
    pub fn published(&self, topic: &str) -> Option<Message> {
        let value = self.shared.hub.kept(topic)?;
        let payload = value.payload();
        match value.kind() {
            crate::MessageKind::Text => crate::Text::try_from(payload).ok().map(Message::Text),
            crate::MessageKind::Binary => Some(Message::Binary(payload)),
        }
    }

    /// Lets go of a topic's value.
    pub fn forget(&self, topic: &str) {
        self.shared.hub.forget(topic);
    }

    /// How many are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.hub.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until at least so many are connected. Cancel-safe.
    pub async fn wait_for(&self, count: usize) {
        self.wait_until(|clients| clients >= count).await;
    }

    /// Waits until nobody is connected. Cancel-safe.
    pub async fn wait_for_none(&self) {
        self.wait_until(|clients| clients == 0).await;
    }

    /// Who is connected, in the order of their coming.
    #[must_use]
    pub fn ids(&self) -> Vec<ClientId> {
        self.shared.hub.ids().into_iter().map(ClientId).collect()
    }

    /// The rooms in which somebody is, each with the number of its members.
    #[must_use]
    pub fn rooms(&self) -> BTreeMap<Arc<str>, usize> {
        self.shared.hub.rooms()
    }

    /// Stops the server: every client is closed with 1001, and [`Server::serve`](super::Server::serve) returns once
    /// they are gone.
    pub fn stop(&self) {
        self.shared.stop();
    }

    async fn wait_until(&self, enough: impl Fn(usize) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.mark_unchanged();
            // The sender lives as long as `self`.
            if enough(self.len()) || changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn audience<'a>(&'a self, group: Group<'a>) -> Audience<'a> {
        Audience {
            clients: self,
            group,
            but: None,
        }
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Some clients of a server: those that something goes to. It is looked up when something is sent.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// use wiretalk::{CloseCode, server::Server};
///
/// let server = Server::bind("127.0.0.1:0").await?;
/// let clients = server.clients();
/// assert_eq!(clients.room("lobby").send("nobody is there"), 0);
/// assert_eq!(clients.user("ann").close(CloseCode::POLICY, "banned")?, 0);
/// assert!(clients.all().ids().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an audience does nothing until something is sent to it"]
pub struct Audience<'a> {
    clients: &'a Clients,
    group: Group<'a>,
    but: Option<ClientId>,
}

#[derive(Clone, Copy, Debug)]
enum Group<'a> {
    One(ClientId),
    All,
    Room(&'a str),
    User(&'a str),
}

impl<'a> Audience<'a> {
    /// The same but for this client: a message for all others.
    pub fn except(self, client: impl Into<ClientId>) -> AudienceBut<'a> {
        AudienceBut(Self {
            but: Some(client.into()),
            ..self
        })
    }

    /// Sends a message to all of them; gives their number. Nobody is waited for.
    pub fn send(&self, message: impl Into<Message>) -> usize {
        self.send_prepared(&prepared(&message.into()))
    }

    /// Sends a value as JSON to all of them; gives their number.
    ///
    /// # Errors
    /// `Json` if the value cannot be written as JSON.
    #[cfg(feature = "json")]
    pub fn send_json<T: serde::Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<usize, crate::Error> {
        Ok(self.send(Message::from_json(value)?))
    }

    /// Sends a message that was framed before to all of them; gives their number.
    pub fn send_prepared(&self, message: &Prepared) -> usize {
        match self.target() {
            Some(target) => self.clients.shared.hub.deliver(target, message).receivers,
            None => 0,
        }
    }

    /// Closes their connections, behind all that was sent to them before; gives their number.
    ///
    /// # Errors
    /// `InvalidInput` for a code that no close frame may carry, or a reason over 123 bytes.
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<usize, crate::Error> {
        let command = Command::close(code, reason)?;
        Ok(match self.target() {
            Some(target) => {
                self.clients
                    .shared
                    .hub
                    .control(target, &command, 0)
                    .receivers
            }
            None => 0,
        })
    }

    /// Who they are now, in the order of their coming.
    #[must_use]
    pub fn ids(&self) -> Vec<ClientId> {
        let hub = &self.clients.shared.hub;
        let ids = match self.group {
            Group::One(id) if hub.ids().contains(&id.0) => vec![id.0],
            Group::One(_) => Vec::new(),
            Group::All => hub.ids(),
            Group::Room(room) => hub.members(room),
            Group::User(user) => hub.connections(user),
        };
        let ids = ids.into_iter().map(ClientId);
        ids.filter(|id| Some(*id) != self.but).collect()
    }

    fn target(&self) -> Option<Target<'a>> {
        let but = self.but.map(|id| id.0);
        Some(match (self.group, but) {
            (Group::One(id), Some(but)) if id.0 == but => return None,
            (Group::One(id), _) => Target::One(id.0),
            (Group::All, None) => Target::All,
            (Group::All, Some(but)) => Target::Others(but),
            (Group::Room(room), None) => Target::Room(room),
            (Group::Room(room), Some(but)) => Target::RoomBut(room, but),
            (Group::User(user), None) => Target::User(user),
            (Group::User(user), Some(but)) => Target::UserBut(user, but),
        })
    }
}

/// An [`Audience`] without one client.
#[derive(Debug)]
#[must_use = "an audience does nothing until something is sent to it"]
pub struct AudienceBut<'a>(Audience<'a>);

impl<'a> Deref for AudienceBut<'a> {
    type Target = Audience<'a>;

    fn deref(&self) -> &Audience<'a> {
        &self.0
    }
}

/// Frames a message for any number of receivers.
pub(super) fn prepared(message: &Message) -> Prepared {
    match message {
        Message::Text(text) => Prepared::text(text),
        Message::Binary(bytes) => Prepared::binary(bytes),
    }
}
