//! Who is let in, and what a client may cost.

use wiretalk_server::guard::{Countries, ForwardedBy, Limit, Networks, Tokens};

use super::Server;

impl Server {
    /// Lets in only who brings one of these tokens; others get 401. The claim `sub` of a signed token is the client's
    /// [user](super::super::Client::user), and what else it says are its [`Claims`](super::super::guard::Claims). A client is
    /// closed with 1008 when its token expires. Default: none is needed.
    ///
    /// A token that comes in the first message ([`TokenFrom::Message`](super::super::guard::TokenFrom::Message)) comes after a
    /// [`check`](Self::check). Until then the client is in no room, and its handler has not begun; the token may take as
    /// long as a [handshake](super::super::ServeOptions::handshake_timeout).
    ///
    /// ```
    /// use wiretalk::server::{Client, Server, guard::{TokenFrom, Tokens}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let tokens = Tokens::from_places([TokenFrom::Query("token".into())]).known("swordfish");
    /// let server = Server::bind("127.0.0.1:0").await?.tokens(tokens);
    /// let running = server.spawn(async |mut client: Client| while client.recv().await.is_some() {})?;
    /// wiretalk::connect(format!("{}/?token=swordfish", running.url())).await?;
    /// let error = wiretalk::connect(running.url()).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").response.status, 401);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.settings.guarding.options.tokens = Some(tokens);
        self
    }

    /// The networks from which clients may come; others get 403, for plain requests too. Default: all.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::Networks};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let office = Networks::list(["192.0.2.0/24"])?;
    /// let server = Server::bind("127.0.0.1:0").await?.allow(office);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let error = wiretalk::connect(running.url()).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").response.status, 403);
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow(mut self, networks: Networks) -> Self {
        self.settings.guarding.options.allow = networks;
        self
    }

    /// The networks from which nobody may come, even if they are among those [allowed](Self::allow). Default: none.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::Networks};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.deny(Networks::list(["127.0.0.1"])?);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn deny(mut self, networks: Networks) -> Self {
        self.settings.guarding.options.deny = networks;
        self
    }

    /// The proxies whose word on where a client is counts, and how they give it: [`Client::peer_addr`] is the real address
    /// then. Whoever else says such a thing is not believed. Default: none.
    ///
    /// [`Client::peer_addr`]: super::super::Client::peer_addr
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::{ForwardedBy, Networks}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let proxies = Networks::list(["10.0.0.0/8"])?;
    /// let server = Server::bind("127.0.0.1:0").await?.trust_proxies(proxies, ForwardedBy::default());
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn trust_proxies(mut self, proxies: Networks, by: ForwardedBy) -> Self {
        let options = &mut self.settings.guarding.options;
        (options.trusted_proxies, options.forwarded_by) = (proxies, by);
        self
    }

    /// The countries from which clients may come, by a database in MaxMind's format; others get 403. Default: all.
    ///
    /// ```no_run
    /// use wiretalk::server::{Server, guard::Countries};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let countries = Countries::open("countries.mmdb".as_ref())?.allow("NZ")?;
    /// let server = Server::bind("127.0.0.1:0").await?.countries(countries);
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn countries(mut self, countries: Countries) -> Self {
        self.settings.guarding.options.countries = Some(countries);
        self
    }

    /// How many clients an address may have at a time, a network of 64 bits for IPv6; the next one gets 429. Default: any
    /// number.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.max_per_address(1);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (ann, _) = wiretalk::connect(running.url()).await?;
    /// let error = wiretalk::connect(running.url()).await.unwrap_err();
    /// assert_eq!(error.refusal().expect("it is one").response.status, 429);
    /// # drop(ann);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_per_address(mut self, clients: usize) -> Self {
        self.settings.guarding.options.most_per_address = Some(clients);
        self
    }

    /// How fast a client may send; one that sends more is closed with 1008. Default: as fast as it likes.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::{Limit, Rate}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let one_a_minute = Limit { messages: Rate::new(1.0 / 60.0, None), ..Limit::default() };
    /// let server = Server::bind("127.0.0.1:0").await?.rate(one_a_minute);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.send("one").await?;
    /// ann.send("two").await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code.as_u16()), Some(1008));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rate(mut self, limit: Limit) -> Self {
        self.settings.guarding.options.connection = limit;
        self
    }

    /// How fast a user may send, on all connections together: one whose [token](Self::tokens) names it. Default: as fast as
    /// it likes.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::{Limit, Rate}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let kilobytes = Limit { bytes: Rate::new(1024.0, Some(65536.0)), ..Limit::default() };
    /// let server = Server::bind("127.0.0.1:0").await?.user_rate(kilobytes);
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_rate(mut self, limit: Limit) -> Self {
        self.settings.guarding.options.user = limit;
        self
    }

    /// How fast may come from one address, a network of 64 bits for IPv6, on all connections together. Default: as fast as
    /// they like.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::{Limit, Rate}};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let many = Limit { messages: Rate::new(1000.0, None), ..Limit::default() };
    /// let server = Server::bind("127.0.0.1:0").await?.address_rate(many);
    /// # drop(server);
    /// # Ok(())
    /// # }
    /// ```
    pub fn address_rate(mut self, limit: Limit) -> Self {
        self.settings.guarding.options.address = limit;
        self
    }

    /// What each message must look like; a client that sends another is closed with 1008. Default: as it likes.
    ///
    /// ```
    /// use wiretalk::server::{Server, guard::Schema};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let schema = Schema::parse(br#"{"type": "object", "required": ["text"]}"#)?;
    /// let server = Server::bind("127.0.0.1:0").await?.schema(schema);
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// ann.send("[]").await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code.as_u16()), Some(1008));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "schema")]
    pub fn schema(mut self, schema: wiretalk_server::guard::Schema) -> Self {
        self.settings.guarding.options.schema = Some(schema);
        self
    }

    /// Refuses by an upgrade and a close at once, 1008 or 1013, which pages in browsers can read; not by a status, which
    /// they cannot. What [`check`](Self::check) refuses is closed so too: with 1013 for the statuses 429 and 503, else with
    /// 1008. Default: by a status.
    ///
    /// ```
    /// use wiretalk::Server;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// let server = Server::bind("127.0.0.1:0").await?.max_clients(0).refuse_by_close();
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let (mut ann, _) = wiretalk::connect(running.url()).await?;
    /// assert!(ann.recv().await.is_none());
    /// assert_eq!(ann.close_frame().map(|frame| frame.code.as_u16()), Some(1013));
    /// # Ok(())
    /// # }
    /// ```
    pub fn refuse_by_close(mut self) -> Self {
        self.settings.guarding.by_close = true;
        self
    }
}
