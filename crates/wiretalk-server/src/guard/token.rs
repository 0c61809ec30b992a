//! What proves who a client is: a token that is known, or one that is signed.

mod jwt;
mod keys;
mod signature;

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Uri, header};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};
use subtle::{Choice, ConstantTimeEq};

use super::refusal::{Reason, Refusal};

pub use jwt::Jwt;
pub use keys::Keys;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// Where a client puts its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// `Authorization: Bearer TOKEN` (RFC 6750 2.1).
    Header,
    /// A parameter of the URL's query, which ends up in logs of proxies: for browsers that can do nothing else.
    Query(String),
    /// A cookie, which browsers send by themselves: look at the origin, too.
    Cookie(String),
    /// A subprotocol that is offered behind the subprotocol `bearer`: `new WebSocket(url, ["bearer", token])`.
    Subprotocol,
    /// The first message, as text: the token alone, or `{"token": "…"}`.
    Message,
}

/// Which tokens let a client in, and where they are looked for.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    known: Vec<[u8; 32]>,
    jwt: Option<Jwt>,
    from: Vec<TokenFrom>,
}

/// What a token proves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proof {
    /// The claims of a signed token; none of a known one.
    pub claims: Option<Arc<Value>>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<f64>,
}

impl Proof {
    /// Whom the token is about: its claim `sub`.
    ///
    /// ```
    /// let proof = wiretalk_server::guard::Proof::default();
    /// assert_eq!(proof.subject(), None);
    /// ```
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.as_ref()?.get("sub")?.as_str()
    }
}

impl Tokens {
    /// Tokens from these places, each looked at in turn; from the header, if none is named.
    ///
    /// ```
    /// use wiretalk_server::guard::{TokenFrom, Tokens};
    ///
    /// let tokens = Tokens::from_places([TokenFrom::Header, TokenFrom::Message]).known("s3cret");
    /// assert!(tokens.in_message());
    /// ```
    #[must_use]
    pub fn from_places(places: impl IntoIterator<Item = TokenFrom>) -> Self {
        let from = places.into_iter().collect();
        Self {
            from,
            ..Self::default()
        }
    }

    /// Lets this token in. Only its digest is kept.
    ///
    /// ```
    /// let tokens = wiretalk_server::guard::Tokens::default().known("s3cret");
    /// assert!(!tokens.in_message());
    /// ```
    #[must_use]
    pub fn known(mut self, token: &str) -> Self {
        self.known.push(sha256(token));
        self
    }

    /// Lets tokens in that are signed so.
    ///
    /// ```
    /// use wiretalk_server::guard::{Jwt, Keys, Tokens};
    ///
    /// let keys = Keys::secret(b"a secret of thirty-two bytes or more").unwrap();
    /// let tokens = Tokens::default().jwt(Jwt::new(keys).audience("chat"));
    /// ```
    #[must_use]
    pub fn jwt(mut self, jwt: Jwt) -> Self {
        self.jwt = Some(jwt);
        self
    }

    /// Whether the token may come in the first message.
    ///
    /// ```
    /// assert!(!wiretalk_server::guard::Tokens::default().in_message());
    /// ```
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.from.contains(&TokenFrom::Message)
    }

    /// The keys of signed tokens.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.jwt.as_ref().map(Jwt::keys)
    }

    /// The token of a handshake. `None`: there is none, in none of the places.
    pub(super) fn find<'a>(&self, uri: &'a Uri, headers: &'a HeaderMap) -> Option<Found<'a>> {
        let places = match &self.from[..] {
            [] => &[TokenFrom::Header],
            places => places,
        };
        places.iter().find_map(|place| {
            let token = match place {
                TokenFrom::Header => of_header(headers).map(Cow::Borrowed),
                TokenFrom::Query(name) => of_query(uri, name),
                TokenFrom::Cookie(name) => of_cookie(headers, name).map(Cow::Borrowed),
                TokenFrom::Subprotocol => of_subprotocol(headers).map(Cow::Borrowed),
                TokenFrom::Message => None,
            };
            token.map(|token| Found {
                token,
                as_subprotocol: *place == TokenFrom::Subprotocol,
            })
        })
    }

    /// Checks a token, at a time in seconds since 1970.
    pub(super) fn check(&self, token: &str, time: f64) -> Result<Proof, Refusal> {
        let invalid = |why: &str| Err(Refusal::new(Reason::TokenInvalid, why));
        if token.is_empty() || token.len() > LONGEST {
            return invalid("the token is empty, or of more than 16 KiB");
        }
        let digest = sha256(token);
        // All of them are compared, so that the time says nothing of which came near.
        let is_known = self.known.iter().fold(Choice::from(0), |is, known| {
            is | known[..].ct_eq(&digest[..])
        });
        if bool::from(is_known) {
            return Ok(Proof::default());
        }
        match &self.jwt {
            Some(jwt) => jwt.check(token, time),
            None => invalid("the token is not among those that are known"),
        }
    }

    /// The token in a first message.
    pub(super) fn of_message(text: &str) -> Cow<'_, str> {
        let text = text.trim();
        if !text.starts_with('{') {
            return Cow::Borrowed(text);
        }
        let object = serde_json::from_str::<Map<String, Value>>(text);
        match object.ok().and_then(|mut object| object.remove("token")) {
            Some(Value::String(token)) => Cow::Owned(token),
            _ => Cow::Borrowed(""),
        }
    }
}

/// A token of a handshake.
pub(super) struct Found<'a> {
    pub(super) token: Cow<'a, str>,
    /// It was offered as a subprotocol, so one of those offered must be agreed on.
    pub(super) as_subprotocol: bool,
}

/// What is offered before a token as a subprotocol.
pub(super) const BEARER: &str = "bearer";

fn of_header(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        // Two of them: no proxy and no server may take different ones.
        return Some("");
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn of_query<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    let query = uri.query()?.as_bytes();
    let mut values = url::form_urlencoded::parse(query).filter(|(found, _)| found == name);
    match (values.next()?, values.next()) {
        ((_, value), None) => Some(value),
        _ => Some(Cow::Borrowed("")),
    }
}

fn of_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    cookies.into_iter().find_map(|cookie| {
        let (found, value) = cookie.trim().split_once('=')?;
        (found == name).then(|| value.trim_matches('"'))
    })
}

fn of_subprotocol(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    offered.find(|offered| *offered == BEARER)?;
    offered.next()
}

fn sha256(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}
