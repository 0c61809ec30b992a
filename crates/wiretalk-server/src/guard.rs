//! Who is let in, and what a client may cost.
//!
//! A [`Guard`] decides on a handshake by its headers, its URI, where it comes from and what time it is, and by nothing
//! else. Whom it lets in has a [`Gate`] that is asked for each message.

mod country;
mod counts;
mod door;
mod networks;
mod proxy_protocol;
mod rate;
mod refusal;
#[cfg(feature = "schema")]
mod schema;
mod token;
mod watch;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Uri, header};
use serde_json::Value;
use wiretalk_net::Error;
use wiretalk_net::server::Request;

use crate::Origins;
use crate::gate::Gate;
use counts::{Buckets, Counts};
use watch::Watch;

pub use country::Countries;
pub use door::{First, few_words, first_text, see_off, upgrade_to_close};
pub use networks::{ForwardedBy, Networks};
pub use proxy_protocol::read_proxy_header;
pub use rate::Rate;
pub use refusal::{Reason, Refusal};
#[cfg(feature = "schema")]
pub use schema::Schema;
pub use token::{Jwt, Keys, Proof, TokenFrom, Tokens};

/// What may come: so many messages, and so many bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limit {
    /// Messages.
    pub messages: Option<Rate>,
    /// Bytes of messages, inflated. A message of more bytes than the rate's burst never comes through.
    pub bytes: Option<Rate>,
}

impl Limit {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whom a guard lets in, and what each may cost. By default everybody, and whatever they like.
#[derive(Debug)]
pub struct GuardOptions {
    /// The pages that may connect.
    pub origins: Origins,
    /// The networks that may connect; none: all.
    pub allow: Networks,
    /// The networks that may not, even if they are among those that may.
    pub deny: Networks,
    /// The proxies whose word on where a client is counts.
    pub trusted_proxies: Networks,
    /// How they give it.
    pub forwarded_by: ForwardedBy,
    /// The countries that may connect.
    pub countries: Option<Countries>,
    /// The tokens that let a client in; `None`: none is needed.
    pub tokens: Option<Tokens>,
    /// How many connections an address may have at a time; of IPv6, a network of 64 bits.
    pub most_per_address: Option<usize>,
    /// What may come on one connection.
    pub connection: Limit,
    /// What may come from one user, on all connections: one whose token says `sub`.
    pub user: Limit,
    /// What may come from one address, on all connections; of IPv6, from a network of 64 bits.
    pub address: Limit,
    /// How long a client may send no message.
    pub idle: Option<Duration>,
    /// What messages must look like.
    #[cfg(feature = "schema")]
    pub schema: Option<Schema>,
}

impl Default for GuardOptions {
    fn default() -> Self {
        Self {
            origins: Origins::any(),
            allow: Networks::default(),
            deny: Networks::default(),
            trusted_proxies: Networks::default(),
            forwarded_by: ForwardedBy::default(),
            countries: None,
            tokens: None,
            most_per_address: None,
            connection: Limit::default(),
            user: Limit::default(),
            address: Limit::default(),
            idle: None,
            #[cfg(feature = "schema")]
            schema: None,
        }
    }
}

/// Decides who is let in, and watches what clients cost.
///
/// ```
/// use std::time::{Instant, SystemTime};
/// use http::{HeaderMap, HeaderValue, Uri};
/// use wiretalk_server::guard::{Asked, Guard, GuardOptions, Networks, Reason, Tokens};
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let guard = Guard::new(GuardOptions {
///     deny: Networks::list(["192.0.2.0/24"])?,
///     tokens: Some(Tokens::default().known("s3cret")),
///     ..GuardOptions::default()
/// });
/// let mut headers = HeaderMap::new();
/// headers.insert("authorization", HeaderValue::from_static("Bearer s3cret"));
/// let mut asked = Asked {
///     uri: &Uri::from_static("/chat"),
///     headers: &headers,
///     peer: "198.51.100.7:50000".parse().unwrap(),
///     now: Instant::now(),
///     time: SystemTime::now(),
/// };
/// assert!(guard.admit(&asked).is_ok());
///
/// asked.peer = "192.0.2.7:50000".parse().unwrap();
/// assert_eq!(guard.admit(&asked).unwrap_err().refusal.reason, Reason::Address);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Guard {
    options: GuardOptions,
    /// What buckets count from.
    began: Instant,
    addresses: Counts<IpAddr>,
    /// Of those whose handshake is still to end.
    newcomers: Counts<IpAddr>,
    users: Counts<Arc<str>>,
}

/// A handshake, as far as it matters for who is let in.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its target.
    pub uri: &'a Uri,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The other end of its connection: a client, or a proxy.
    pub peer: SocketAddr,
    /// What a monotonic clock says.
    pub now: Instant,
    /// What the calendar says: tokens end by it.
    pub time: std::time::SystemTime,
}

impl<'a> Asked<'a> {
    /// What a request asks for that came just now.
    #[must_use]
    pub fn of(request: &'a Request) -> Self {
        Self {
            uri: &request.uri,
            headers: &request.headers,
            peer: request.peer_addr,
            now: Instant::now(),
            time: std::time::SystemTime::now(),
        }
    }
}

/// A client that is let in.
pub struct Admitted {
    /// Where it is: behind trusted proxies, as far as they tell. The port is 0 if only they know it.
    pub peer: SocketAddr,
    /// What its token says, if it is a signed one.
    pub claims: Option<Arc<Value>>,
    /// The subprotocol that must be agreed on if no other is: a browser takes no answer without one.
    pub subprotocol: Option<&'static str>,
    /// Its token is still to come, in its first message: give that to [`Guard::prove`] before anything else is done with
    /// the client.
    pub unproven: bool,
    /// What is asked for each of its messages; `None` if nothing is watched. It counts the client as connected until it is
    /// dropped.
    pub gate: Option<Box<dyn Gate>>,
}

impl fmt::Debug for Admitted {
    /// Without what the token says, which is the client's own affair.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("peer", &self.peer)
            .field("subprotocol", &self.subprotocol)
            .field("unproven", &self.unproven)
            .finish_non_exhaustive()
    }
}

/// A connection whose handshake is still to end. It counts as one of its address's until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Newcomer(Option<(Arc<Guard>, IpAddr)>);

impl Drop for Newcomer {
    fn drop(&mut self) {
        if let Some((guard, key)) = &self.0 {
            let now = guard.nanoseconds(Instant::now());
            guard.newcomers.leave(key, now);
        }
    }
}

/// A client that is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where it is, as in [`Admitted::peer`].
    pub peer: SocketAddr,
    /// Why.
    pub refusal: Refusal,
}

impl Guard {
    /// A guard.
    #[must_use]
    pub fn new(options: GuardOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            began: Instant::now(),
            addresses: Counts::default(),
            newcomers: Counts::default(),
            users: Counts::default(),
        })
    }

    /// How it decides.
    #[must_use]
    pub fn options(&self) -> &GuardOptions {
        &self.options
    }

    /// Decides on a connection before a byte of it is read: by where it comes from, and by how many others of its address
    /// have not ended their handshakes yet, of which there may be as many as clients. What a trusted proxy brings is let
    /// through, for only its headers tell where that comes from.
    ///
    /// ```
    /// use std::time::Instant;
    /// use wiretalk_server::guard::{Guard, GuardOptions, Reason};
    ///
    /// let guard = Guard::new(GuardOptions {
    ///     most_per_address: Some(1),
    ///     ..GuardOptions::default()
    /// });
    /// let address = "192.0.2.7".parse().unwrap();
    /// let first = guard.begin(address, Instant::now()).unwrap();
    /// let second = guard.begin(address, Instant::now()).unwrap_err();
    /// assert_eq!(second.reason, Reason::AddressFull);
    /// drop(first);
    /// assert!(guard.begin(address, Instant::now()).is_ok());
    /// ```
    ///
    /// # Errors
    /// Why the connection is not wanted.
    pub fn begin(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Newcomer, Refusal> {
        let address = address.to_canonical();
        let none = Newcomer(None);
        if self.options.trusted_proxies.contains(address) {
            return Ok(none);
        }
        self.place(address)?;
        let Some(most) = self.options.most_per_address else {
            return Ok(none);
        };
        let key = networks::counted_as(address);
        let now = self.nanoseconds(now);
        match self.newcomers.enter(key, Some(most), now) {
            Some(_) => Ok(Newcomer(Some((Arc::clone(self), key)))),
            None => {
                let why = format!("{address} has {most} handshakes under way already");
                Err(Refusal::new(Reason::AddressFull, why))
            }
        }
    }

    /// Decides on a handshake: by where it comes from, then by its origin, then by its token.
    ///
    /// # Errors
    /// Why the client is not let in. After [`Reason::TokenUnchecked`], [`refresh`](Self::refresh) and ask once more.
    pub fn admit(self: &Arc<Self>, asked: &Asked<'_>) -> Result<Admitted, Refused> {
        let peer = self.peer_of(asked);
        self.judge(asked, peer)
            .map_err(|refusal| Refused { peer, refusal })
    }

    /// Decides on a plain request, to which origins and tokens do not matter: by where it comes from.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn admit_plain(&self, asked: &Asked<'_>) -> Result<SocketAddr, Refused> {
        let peer = self.peer_of(asked);
        self.place(peer.ip())
            .map(|()| peer)
            .map_err(|refusal| Refused { peer, refusal })
    }

    /// Decides on a plain request that there is an answer to which not everybody may have: where tokens are needed, it must
    /// bring one too. A page of a foreign origin cannot read the answer, so origins do not matter.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn admit_answer(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let Some(tokens) = &self.options.tokens else {
            return Ok(());
        };
        match tokens.find(asked.uri, asked.headers) {
            Some(found) => tokens.check(&found.token, seconds(asked.time)).map(drop),
            None => Err(Refusal::new(Reason::TokenMissing, "there is no token")),
        }
    }

    /// Takes the first message of a client whose token is still to come. What comes back has the claims and the gate that
    /// hold from now on.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn prove(
        self: &Arc<Self>,
        admitted: Admitted,
        first: &str,
        now: Instant,
        time: std::time::SystemTime,
    ) -> Result<Admitted, Refused> {
        let peer = admitted.peer;
        let Some(tokens) = self.options.tokens.as_ref().filter(|_| admitted.unproven) else {
            return Ok(admitted);
        };
        let proven = match &*Tokens::of_message(first) {
            "" => Err(Refusal::new(
                Reason::TokenMissing,
                "the first message has no token",
            )),
            token => tokens.check(token, seconds(time)),
        };
        let refused = |refusal| Refused { peer, refusal };
        let proof = proven.map_err(refused)?;
        // The old gate goes when the new one is there, so the address must have room for one: its place is given back before.
        drop(admitted.gate);
        let gate = self.gate(peer.ip(), &proof, now, time).map_err(refused)?;
        Ok(Admitted {
            claims: proof.claims,
            unproven: false,
            gate,
            ..Admitted {
                gate: None,
                ..admitted
            }
        })
    }

    /// Whether keys of tokens are to be asked for by [`refresh`](Self::refresh), though no token needs them yet.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let keys = self.options.tokens.as_ref().and_then(Tokens::keys);
        keys.is_some_and(Keys::is_due)
    }

    /// Asks for keys of tokens anew, if they come from a file or a URL and that was not done just now; says whether there
    /// are new ones. Dropping the future leaves all as it was.
    ///
    /// # Errors
    /// Why they are not to be had; those that are there stay.
    pub async fn refresh(&self) -> Result<bool, Error> {
        match self.options.tokens.as_ref().and_then(Tokens::keys) {
            Some(keys) => keys.refresh().await,
            None => Ok(false),
        }
    }

    fn peer_of(&self, asked: &Asked<'_>) -> SocketAddr {
        let own = asked.peer.ip().to_canonical();
        let options = &self.options;
        let real = networks::real_address(
            own,
            asked.headers,
            &options.trusted_proxies,
            options.forwarded_by,
        );
        let port = if real == own { asked.peer.port() } else { 0 };
        SocketAddr::new(real, port)
    }

    fn judge(self: &Arc<Self>, asked: &Asked<'_>, peer: SocketAddr) -> Result<Admitted, Refusal> {
        self.place(peer.ip())?;
        let options = &self.options;
        if options.origins.refusal(asked.uri, asked.headers).is_some() {
            let origin = asked.headers.get(header::ORIGIN);
            let origin = String::from_utf8_lossy(origin.map_or(b"", |origin| origin.as_bytes()));
            let why = format!("pages of `{}` may not connect", origin.escape_debug());
            return Err(Refusal::new(Reason::Origin, why));
        }
        let (mut proof, mut subprotocol, mut unproven) = (Proof::default(), None, false);
        if let Some(tokens) = &options.tokens {
            match tokens.find(asked.uri, asked.headers) {
                Some(found) => {
                    subprotocol = found.as_subprotocol.then_some(token::BEARER);
                    proof = tokens.check(&found.token, seconds(asked.time))?;
                }
                None if tokens.in_message() => unproven = true,
                None => return Err(Refusal::new(Reason::TokenMissing, "there is no token")),
            }
        }
        let gate = self.gate(peer.ip(), &proof, asked.now, asked.time)?;
        Ok(Admitted {
            peer,
            claims: proof.claims,
            subprotocol,
            unproven,
            gate,
        })
    }

    /// Whether an address may connect at all.
    fn place(&self, address: IpAddr) -> Result<(), Refusal> {
        let options = &self.options;
        let refused = |why: &str| Err(Refusal::new(Reason::Address, format!("{address} {why}")));
        if options.deny.contains(address) {
            return refused("is denied");
        }
        if !options.allow.is_empty() && !options.allow.contains(address) {
            return refused("is not among those that are allowed");
        }
        match &options.countries {
            Some(countries) => countries.check(address),
            None => Ok(()),
        }
    }

    fn gate(
        self: &Arc<Self>,
        address: IpAddr,
        proof: &Proof,
        now: Instant,
        time: std::time::SystemTime,
    ) -> Result<Option<Box<dyn Gate>>, Refusal> {
        let options = &self.options;
        let nanoseconds = self.nanoseconds(now);
        let counts_address = options.most_per_address.is_some() || !options.address.is_none();
        let user = proof.subject().filter(|_| !options.user.is_none());
        #[cfg(feature = "schema")]
        let has_schema = options.schema.is_some();
        #[cfg(not(feature = "schema"))]
        let has_schema = false;
        let watches = counts_address
            || user.is_some()
            || proof.expires.is_some()
            || options.idle.is_some()
            || !options.connection.is_none()
            || has_schema;
        if !watches {
            return Ok(None);
        }
        let mut watch = Watch {
            guard: Arc::clone(self),
            own: Buckets::default(),
            control: Default::default(),
            address: None,
            user: None,
            expires: proof
                .expires
                .and_then(|expires| watch::end_of(expires, now, seconds(time))),
            heard: now,
        };
        if counts_address {
            let key = networks::counted_as(address);
            let most = options.most_per_address;
            let Some(buckets) = self.addresses.enter(key, most, nanoseconds) else {
                let why = match most.unwrap_or(0) {
                    1 => format!("{address} has a connection already"),
                    most => format!("{address} has {most} connections already"),
                };
                return Err(Refusal::new(Reason::AddressFull, why));
            };
            watch.address = Some((key, buckets));
        }
        if let Some(user) = user {
            let user: Arc<str> = user.into();
            let buckets = self.users.enter(Arc::clone(&user), None, nanoseconds);
            watch.user = buckets.map(|buckets| (user, buckets));
        }
        Ok(Some(Box::new(watch)))
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        // Five hundred years.
        now.saturating_duration_since(self.began).as_nanos() as u64
    }
}

/// Seconds since 1970.
fn seconds(time: std::time::SystemTime) -> f64 {
    match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests;
