//! All clients of a server, and the ways to choose among them.

mod audience;

use std::{collections::BTreeMap, fmt, sync::Arc};

use wiretalk_hub::ConnectionId;
pub use wiretalk_hub::{JoinError, KeepError};

pub use self::audience::{Audience, AudienceBut};
use self::audience::{Group, prepared};
use super::running::Shared;
use crate::Message;

/// Names a client for as long as its server runs: they are counted from 1, and no number is used again.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
/// #     client.identify("ann");
/// #     let _ = client.join("lobby");
/// #     let _ = client.send("welcome").await;
/// #     while client.recv().await.is_some() {}
/// # })?;
/// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
/// # assert!(ann.recv().await.is_some());
/// let clients = running.clients();
/// let ids = clients.ids();
/// assert_eq!(ids[0].to_string(), "#1");
/// assert_eq!(clients.to(ids[0]).send("hello"), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub(super) ConnectionId);

impl ClientId {
    /// The number.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.ids()[0].get(), 1);
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.all().send("hello"), 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn all(&self) -> Audience<'_> {
        self.audience(Group::All)
    }

    /// One client.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// let first = clients.ids()[0];
    /// assert_eq!(clients.to(first).send("hello, first"), 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello, first".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to(&self, client: impl Into<ClientId>) -> Audience<'_> {
        self.audience(Group::One(client.into()))
    }

    /// Everyone in a room.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.room("lobby").send("hello, lobby"), 1);
    /// assert_eq!(clients.room("attic").send("nobody hears it"), 0);
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello, lobby".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn room<'a>(&'a self, room: &'a str) -> Audience<'a> {
        self.audience(Group::Room(room))
    }

    /// Every connection of a user.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.user("ann").send("hello, ann"), 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello, ann".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user<'a>(&'a self, user: &'a str) -> Audience<'a> {
        self.audience(Group::User(user))
    }

    /// Sends a message to everyone who is connected; gives their number.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.broadcast("hello"), 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, message: impl Into<Message>) -> usize {
        self.all().send(message)
    }

    /// Sends a topic's newest value to everyone in the room of that name, and keeps it: whoever joins later gets it at
    /// once. Gives the number of receivers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// let receivers = clients.publish("lobby", "3 seats are left").expect("there is room");
    /// assert_eq!(receivers, 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("3 seats are left".into()));
    /// // Whoever joins the room "lobby" from now on is sent it, too.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If 10,000 topics have a value already, or all values would come to more than 64 MiB; then nothing is sent.
    pub fn publish(&self, topic: &str, message: impl Into<Message>) -> Result<usize, KeepError> {
        let delivery = self.shared.hub.publish(topic, &prepared(&message.into()))?;
        Ok(delivery.receivers)
    }

    /// A topic's newest value, if it has one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// clients.publish("weather", "rain").expect("there is room");
    /// assert_eq!(clients.published("weather"), Some("rain".into()));
    /// assert_eq!(clients.published("sports"), None);
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// clients.publish("weather", "rain").expect("there is room");
    /// clients.forget("weather");
    /// assert_eq!(clients.published("weather"), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn forget(&self, topic: &str) {
        self.shared.hub.forget(topic);
    }

    /// How many are connected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert_eq!(clients.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.hub.len()
    }

    /// Whether nobody is connected.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// assert!(!clients.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until at least so many are connected. Cancel-safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// clients.wait_for(1).await;
    /// assert_eq!(clients.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for(&self, count: usize) {
        self.wait_until(|clients| clients >= count).await;
    }

    /// Waits until nobody is connected. Cancel-safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// drop(ann);
    /// clients.wait_for_none().await;
    /// assert!(clients.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_none(&self) {
        self.wait_until(|clients| clients == 0).await;
    }

    /// Who is connected, in the order of their coming.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// for id in clients.ids() {
    ///     println!("{id} is connected");
    /// }
    /// # assert_eq!(clients.ids().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ids(&self) -> Vec<ClientId> {
        self.shared.hub.ids().into_iter().map(ClientId).collect()
    }

    /// The rooms in which somebody is, each with the number of its members.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// for (room, members) in clients.rooms() {
    ///     println!("{room}: {members}");
    /// }
    /// # assert_eq!(clients.rooms()["lobby"], 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rooms(&self) -> BTreeMap<Arc<str>, usize> {
        self.shared.hub.rooms()
    }

    /// Stops the server: every client is closed with 1001, and [`Server::serve`](super::Server::serve) returns once
    /// they are gone.
    ///
    /// ```
    /// use wiretalk::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let running = wiretalk::Server::bind("127.0.0.1:0").await?.spawn(async |mut client: wiretalk::server::Client| {
    /// #     client.identify("ann");
    /// #     let _ = client.join("lobby");
    /// #     let _ = client.send("welcome").await;
    /// #     while client.recv().await.is_some() {}
    /// # })?;
    /// # let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// # assert!(ann.recv().await.is_some());
    /// let clients = running.clients();
    /// clients.stop();
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code), Some(CloseCode::GOING_AWAY));
    /// # Ok(())
    /// # }
    /// ```
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
