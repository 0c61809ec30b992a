//! A client at the door: what it asks for, and what is known of it if it is let in.

use http::{Extensions, HeaderMap, header};

use crate::server::Request;

/// A client's opening handshake, before it is answered: what [`Server::check`](super::Server::check) looks at.
///
/// It has passed the origin check, and is a handshake as RFC 6455 wants it. What a check learns of the client it writes
/// here, and the [`Client`](super::Client) tells it again.
///
/// ```
/// use wiretalk::server::{Handshake, Reply};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk::Error> {
/// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
/// let server = server.check(async |mut handshake: Handshake| {
///     match handshake.query("token").as_deref() {
///         Some("swordfish") => handshake.user = Some("ann".to_owned()),
///         _ => return Err(Reply::text(401, "who are you?")),
///     }
///     Ok(handshake)
/// });
/// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
/// wiretalk::connect(format!("{}/?token=swordfish", running.url())).await?;
/// assert!(wiretalk::connect(running.url()).await.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Handshake {
    /// The request: its target, its headers, where it comes from.
    pub request: Request,
    /// The subprotocol that will be agreed on (RFC 6455 1.9): the first of [`Server::subprotocols`](super::Server::subprotocols)
    /// that the client offers. It can be changed to another of [`offered`](Self::offered).
    pub subprotocol: Option<String>,
    /// The subprotocols that the client offers, the one that it likes best first.
    pub offered: Vec<String>,
    /// Headers of the answer beside those of the handshake, such as `Set-Cookie`.
    pub headers: HeaderMap,
    /// The user that the client is: [`Clients::user`](super::Clients::user) reaches all connections of one.
    pub user: Option<String>,
    /// Anything else that is known of the client: [`Client::get`](super::Client::get) finds it by its type.
    pub extensions: Extensions,
}

impl Handshake {
    pub(super) fn new(request: Request, offered: Vec<String>, subprotocol: Option<String>) -> Self {
        Self {
            request,
            subprotocol,
            offered,
            headers: HeaderMap::new(),
            user: None,
            extensions: Extensions::new(),
        }
    }

    /// The path that the client asks for, without the query.
    ///
    /// ```
    /// use wiretalk::server::{Handshake, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.check(async |handshake: Handshake| {
    ///     if handshake.path() == "/chat" {
    ///         Ok(handshake)
    ///     } else {
    ///         Err(Reply::text(401, "who are you?"))
    ///     }
    /// });
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// wiretalk::connect(format!("{}/chat?room=7", running.url())).await?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn path(&self) -> &str {
        self.request.uri.path()
    }

    /// The value of a header; `None` if there is none, or its value is not visible ASCII.
    ///
    /// ```
    /// use wiretalk::Request;
    /// use wiretalk::server::{Handshake, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.check(async |handshake: Handshake| {
    ///     if handshake.header("x-api-key") == Some("swordfish") {
    ///         Ok(handshake)
    ///     } else {
    ///         Err(Reply::text(401, "who are you?"))
    ///     }
    /// });
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let mut request = Request::new(running.url());
    /// request.headers.push(("X-Api-Key".into(), "swordfish".into()));
    /// wiretalk::connect(request).await?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers.get(name)?.to_str().ok()
    }

    /// The value of a name in the query, with `%41` and `+` decoded: `?token=…`.
    ///
    /// ```
    /// use wiretalk::server::{Handshake, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.check(async |handshake: Handshake| {
    ///     if handshake.query("name").as_deref() == Some("Ann Lee") {
    ///         Ok(handshake)
    ///     } else {
    ///         Err(Reply::text(401, "who are you?"))
    ///     }
    /// });
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// wiretalk::connect(format!("{}/?name=Ann+Lee", running.url())).await?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        query(self.request.uri.query()?, name)
    }

    /// The token of `Authorization: Bearer …` (RFC 6750), which browsers cannot send.
    ///
    /// ```
    /// use wiretalk::Request;
    /// use wiretalk::server::{Handshake, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.check(async |handshake: Handshake| {
    ///     if handshake.bearer() == Some("swordfish") {
    ///         Ok(handshake)
    ///     } else {
    ///         Err(Reply::text(401, "who are you?"))
    ///     }
    /// });
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let mut request = Request::new(running.url());
    /// request.headers.push(("Authorization".into(), "Bearer swordfish".into()));
    /// wiretalk::connect(request).await?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header(header::AUTHORIZATION.as_str())?;
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_start())
    }

    /// The value of a cookie (RFC 6265).
    ///
    /// ```
    /// use wiretalk::Request;
    /// use wiretalk::server::{Handshake, Reply};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk::Error> {
    /// # let server = wiretalk::Server::bind("127.0.0.1:0").await?;
    /// let server = server.check(async |handshake: Handshake| {
    ///     if handshake.cookie("session") == Some("swordfish") {
    ///         Ok(handshake)
    ///     } else {
    ///         Err(Reply::text(401, "who are you?"))
    ///     }
    /// });
    /// # let running = server.spawn(async |mut client: wiretalk::server::Client| while client.recv().await.is_some() {})?;
    /// let mut request = Request::new(running.url());
    /// request.headers.push(("Cookie".into(), "lang=de; session=swordfish".into()));
    /// wiretalk::connect(request).await?;
    /// assert!(wiretalk::connect(running.url()).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.request.headers.get_all(header::COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok());
        let mut pairs = pairs.flat_map(|line| line.split(';'));
        pairs.find_map(|pair| {
            let (own, value) = pair.split_once('=')?;
            (own.trim() == name).then(|| value.trim().trim_matches('"'))
        })
    }
}

/// The value of a name in a query (application/x-www-form-urlencoded).
fn query(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs.find(|(own, _)| own == name)?;
    Some(value.into_owned())
}
