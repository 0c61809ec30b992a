//! A server that is set up: where it is, and how it serves.

use std::{future::Future, net::SocketAddr, sync::Arc};

use super::Server;
use crate::{
    Error,
    server::{Client, Clients, Outcome, Running, running},
};

impl Server {
    /// Where it listens.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// println!("listening on port {}", server.local_addr().port());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where clients connect: `ws://127.0.0.1:4000`, or `wss://` with TLS.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// assert_eq!(server.url(), format!("ws://{}", server.local_addr()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.listener.is_secure() {
            "wss"
        } else {
            "ws"
        };
        format!("{scheme}://{}", self.address)
    }

    /// All clients, to send to them from elsewhere in the program.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// let clients = server.clients();
    /// tokio::spawn(async move {
    ///     clients.wait_for(1).await;
    ///     clients.broadcast("hello");
    /// });
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert_eq!(ann.recv().await.transpose()?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Serves until [`Clients::stop`]. Each client has its handler, which runs in a task of its own; once it returns, its
    /// client is closed: with 1000, or with 1011 if it returns an error or panics, which ends no other.
    ///
    /// The handler is called for each client anew, so what it uses of its surroundings is cloned for each:
    /// `move |client| { let names = names.clone(); async move { … } }`.
    ///
    /// When it stops, it listens no more, closes every client with 1001, and waits up to
    /// [`stop_timeout`](Self::stop_timeout) for their handlers; those that are left then are dropped where they wait.
    /// When this returns, no task is left.
    ///
    /// If the future is dropped, all of that ends at once, without a close frame.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// # let clients = server.clients();
    /// # tokio::spawn(async move { clients.stop() });
    /// server.serve(async |mut client: Client| {
    ///     while client.recv().await.is_some() {}
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Io` if the listening socket breaks. That a client fails is no error: see [`on_error`](Self::on_error).
    pub async fn serve<H, F>(self, handler: H) -> Result<(), Error>
    where
        H: Fn(Client) -> F + Send + Sync + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        running::serve(self, handler, std::future::pending::<()>()).await
    }

    /// The same, until `stop` is done, too: `tokio::signal::ctrl_c()`, say.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// # drop(stop);
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// server.serve_until(stopped, async |mut client: Client| {
    ///     while client.recv().await.is_some() {}
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_until<H, F>(
        self,
        stop: impl Future<Output: Send> + Send,
        handler: H,
    ) -> Result<(), Error>
    where
        H: Fn(Client) -> F + Send + Sync + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        running::serve(self, handler, stop).await
    }

    /// Serves in a task of its own: for tests, and for programs that do something else beside.
    ///
    /// ```
    /// use wiretalk::server::{Client, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?;
    /// let running = server.spawn(async |mut client: Client| {
    ///     while client.recv().await.is_some() {}
    /// })?;
    /// let (socket, _) = wiretalk::connect(running.url()).await?;
    /// # drop(socket);
    /// running.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` outside a tokio runtime.
    pub fn spawn<H, F>(self, handler: H) -> Result<Running, Error>
    where
        H: Fn(Client) -> F + Send + Sync + 'static,
        F: Future<Output: Outcome> + Send + 'static,
    {
        Running::start(self, handler)
    }
}
