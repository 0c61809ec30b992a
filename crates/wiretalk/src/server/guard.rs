//! Who is let in to a [`Server`](super::Server), and what a client may cost (feature `guard`).
//!
//! Clients are looked at in this order: where they come from ([`allow`](super::Server::allow),
//! [`deny`](super::Server::deny), [`countries`](super::Server::countries)), which page they belong to
//! ([`origins`](super::Server::origins)), which [token](super::Server::tokens) they bring, how many their
//! [address](super::Server::max_per_address) has already; then how many [there are](super::Server::max_clients), and at last
//! a [check](super::Server::check) of your own. A refusal is told to [`on_error`](super::Server::on_error) as a [`Refusal`].
//!
//! ```
//! use wiretalk::Request;
//! use wiretalk::server::guard::{Claims, Jwt, Keys, Limit, Networks, Rate, TokenFrom, Tokens};
//! use wiretalk::server::{Client, Origins, Server};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), wiretalk::Error> {
//! let keys = Keys::secret(b"a secret of thirty-two bytes or more")?;
//! let tokens = Tokens::from_places([TokenFrom::Header, TokenFrom::Query("token".into())])
//!     .jwt(Jwt::new(keys).audience("chat"))
//!     .known("the token of a program");
//! let server = Server::bind("127.0.0.1:0").await?
//!     .origins(Origins::list(["https://chat.example"])?)
//!     .tokens(tokens)
//!     .deny(Networks::list(["192.0.2.0/24"])?)
//!     .message_size(16 * 1024)
//!     .rate(Limit { messages: Rate::new(10.0, Some(50.0)), ..Limit::default() })
//!     .max_per_address(20)
//!     .max_clients(10_000);
//! let running = server.spawn(async |mut client: Client| {
//!     let name = client.user().unwrap_or_else(|| "a program".into());
//!     client.send(format!("hello {name}")).await?;
//!     while client.recv().await.is_some() {}
//!     Ok::<_, wiretalk::Error>(())
//! })?;
//!
//! let error = wiretalk::connect(running.url()).await.expect_err("no token");
//! assert_eq!(error.refusal().map(|refusal| refusal.response.status), Some(401));
//! let mut request = Request::new(running.url());
//! request.headers.push(("Authorization".into(), "Bearer the token of a program".into()));
//! let (mut socket, _) = wiretalk::connect(request).await?;
//! assert_eq!(socket.recv().await.transpose()?, Some("hello a program".into()));
//! # running.stop().await;
//! # Ok(())
//! # }
//! ```

use std::{fmt, ops::Deref, sync::Arc};

use serde_json::Value;

#[cfg(feature = "schema")]
pub use wiretalk_server::guard::Schema;
pub use wiretalk_server::guard::{
    Countries, ForwardedBy, Jwt, Keys, Limit, Networks, Rate, Reason, Refusal, TokenFrom, Tokens,
};

/// What a client's signed token says (RFC 7519 section 4): [`Client::get`](super::Client::get) finds it.
///
/// Its claim `sub` is the client's user, unless a [check](super::Server::check) has said otherwise.
///
/// ```
/// use wiretalk::server::{Client, guard::Claims};
///
/// fn is_admin(client: &Client) -> bool {
///     client.get::<Claims>().is_some_and(|claims| claims["role"] == "admin")
/// }
/// ```
#[derive(Clone, PartialEq)]
pub struct Claims(pub(super) Arc<Value>);

impl Deref for Claims {
    type Target = Value;

    /// The object of the claims.
    fn deref(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Claims {
    /// Without what they say, which is the client's own affair.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}
