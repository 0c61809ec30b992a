//! Some of a server's clients, and what can be sent to them.

use std::ops::Deref;

use wiretalk_hub::Target;

use super::{ClientId, Clients};
use wiretalk_server::link::Command;

use crate::{CloseCode, Message, Prepared};

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
    pub(super) clients: &'a Clients,
    pub(super) group: Group<'a>,
    pub(super) but: Option<ClientId>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Group<'a> {
    One(ClientId),
    All,
    Room(&'a str),
    User(&'a str),
}

impl<'a> Audience<'a> {
    /// The same but for this client: a message for all others.
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
    /// assert_eq!(clients.all().except(first).send("hello, others"), 0, "there are none");
    /// # Ok(())
    /// # }
    /// ```
    pub fn except(self, client: impl Into<ClientId>) -> AudienceBut<'a> {
        AudienceBut(Self {
            but: Some(client.into()),
            ..self
        })
    }

    /// Sends a message to all of them; gives their number. Nobody is waited for.
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
    pub fn send(&self, message: impl Into<Message>) -> usize {
        self.send_prepared(&prepared(&message.into()))
    }

    /// Sends a value as JSON to all of them; gives their number.
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
    /// assert_eq!(clients.all().send_json(&[1, 2, 3])?, 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("[1,2,3]".into()));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// use wiretalk::Prepared;
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
    /// let news = Prepared::text("news");
    /// assert_eq!(clients.all().send_prepared(&news), 1);
    /// assert_eq!(ann.recv().await.transpose()?, Some("news".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_prepared(&self, message: &Prepared) -> usize {
        match self.target() {
            Some(target) => self.clients.shared.hub.deliver(target, message).receivers,
            None => 0,
        }
    }

    /// Closes their connections, behind all that was sent to them before; gives their number.
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
    /// clients.user("ann").close(CloseCode::POLICY, "no robots")?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code), Some(CloseCode::POLICY));
    /// # Ok(())
    /// # }
    /// ```
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
    /// assert_eq!(clients.room("lobby").ids(), clients.ids());
    /// assert!(clients.room("attic").ids().is_empty());
    /// # Ok(())
    /// # }
    /// ```
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
///
/// ```
/// use wiretalk::server::AudienceBut;
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
/// let first = clients.ids()[0];
/// let others: AudienceBut<'_> = clients.room("lobby").except(first);
/// assert!(others.ids().is_empty());
/// # Ok(())
/// # }
/// ```
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
