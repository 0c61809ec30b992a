//! A client's place among the others: its rooms, its user, and whom it reaches.

use std::sync::Arc;

use wiretalk_hub::JoinError;

use super::Client;
use crate::server::{Audience, AudienceBut, Clients};

impl Client {
    /// Joins a room. If the room is a topic that has a value ([`Clients::publish`]), the client is sent that first.
    /// Nothing happens if it is in the room already.
    ///
    /// ```
    /// use wiretalk::server::{Client, JoinError, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.join("lobby")?;
    ///     client.room("lobby").send(format!("{} joined", client.id()));
    ///     while client.recv().await.is_some() {}
    ///     Ok::<_, JoinError>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("#1 joined".into()));
    /// let (ben, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("#2 joined".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it is in 4,096 rooms already.
    pub fn join(&self, room: &str) -> Result<(), JoinError> {
        let id = self.seat().place.id();
        self.clients().shared.hub.join_room(id, room).map(|_| ())
    }

    /// Leaves a room; says whether it was in it. A client that is dropped leaves all of its rooms.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.join("lobby")?;
    ///     let was_in = client.leave("lobby");
    ///     client.send(format!("{was_in}, then {}", client.leave("lobby"))).await?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("true, then false".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn leave(&self, room: &str) -> bool {
        let id = self.seat().place.id();
        self.clients().shared.hub.leave_room(id, room)
    }

    /// The rooms that it is in, sorted by name.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.join("news")?;
    ///     client.join("lobby")?;
    ///     client.send(client.rooms().join(", ")).await?;
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("lobby, news".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rooms(&self) -> Vec<Arc<str>> {
        self.clients().shared.hub.rooms_of(self.seat().place.id())
    }

    /// Says which user this is from now on; `None`: nobody. A user may have many connections, which
    /// [`Clients::user`] reaches.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.identify("ann");
    ///     client.clients().user("ann").send("hello, ann");
    ///     while client.recv().await.is_some() {}
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello, ann".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn identify<'a>(&self, user: impl Into<Option<&'a str>>) {
        let id = self.seat().place.id();
        self.clients().shared.hub.identify(id, user.into());
    }

    /// The user that it is.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.identify("ann");
    ///     client.send(format!("{:?}", client.user())).await
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some(r#"Some("ann")"#.into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn user(&self) -> Option<Arc<str>> {
        self.clients().shared.hub.user_of(self.seat().place.id())
    }

    /// All clients of the server.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.clients().broadcast(format!("{} are here", client.clients().len()));
    ///     while client.recv().await.is_some() {}
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("1 are here".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.seat().clients
    }

    /// Everyone in a room, this client too if it is in it; `client.room("lobby").except(&client)` are the others.
    ///
    /// ```
    /// use wiretalk::server::{Client, JoinError, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.join("lobby")?;
    ///     client.room("lobby").send(format!("{} joined", client.id()));
    ///     while client.recv().await.is_some() {}
    ///     Ok::<_, JoinError>(())
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("#1 joined".into()));
    /// let (ben, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("#2 joined".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn room<'a>(&'a self, room: &'a str) -> Audience<'a> {
        self.clients().room(room)
    }

    /// Everyone but this client.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     client.others().send(format!("{} is here", client.id()));
    ///     while client.recv().await.is_some() {}
    /// })?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// running.clients().wait_for(1).await;
    /// let (ben, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("#2 is here".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn others(&self) -> AudienceBut<'_> {
        self.clients().all().except(self)
    }
}
