//! Cookies that servers set, and that go back to them: RFC 6265.

use std::{
    cmp::Reverse,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cookie_store::{Cookie, CookieStore};
use url::Url;
use wiretalk_proto::handshake::client::Response;

use super::{request::Request, url::Target};
use crate::error::Error;

/// The most cookies that a jar keeps (section 6.1 asks for as many at least).
const MOST: usize = 3000;

/// The most for one domain, so that no server fills the jar for all.
const MOST_OF_DOMAIN: usize = 180;

/// The longest name and value together, in bytes.
const LONGEST: usize = 4096;

/// The longest cookie with its attributes, in bytes: all of it is kept.
const LONGEST_TEXT: usize = 2 * LONGEST;

/// Cookies that servers set in their answers to the opening handshake, be it a 101, a redirect or a refusal, and that are
/// sent to them again (RFC 6265): by domain, path, `Secure` and expiry. As for any cookies, the port makes no
/// difference; all servers behind Unix sockets are `localhost`.
///
/// A clone is the same jar, so several connectors can share one. It lives in memory, with at most 3000 cookies, and 180
/// for each domain. There is no list of public suffixes in it: a server of `a.co.uk` may set a cookie for all of
/// `co.uk`, but none for all of `uk`.
///
/// ```
/// use wiretalk_net::{Connector, CookieJar};
///
/// let jar = CookieJar::new();
/// jar.set("wss://example.com/login", "session=31d4; Path=/; Secure")?;
/// let connector = Connector::new().cookies(jar.clone());
/// assert_eq!(jar.header("wss://example.com/chat")?.as_deref(), Some("session=31d4"));
/// assert_eq!(jar.header("ws://example.com/chat")?, None);
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar {
    store: Arc<Mutex<CookieStore>>,
}

impl CookieJar {
    /// An empty jar.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// assert!(CookieJar::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a cookie as if a server at the URL had sent it as `Set-Cookie`. Tells whether it is kept: one for another
    /// domain is not, nor one that has expired already, which takes the one of its name away.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// assert!(jar.set("wss://example.com/login", "session=31d4; Path=/")?);
    /// assert!(!jar.set("wss://example.com/login", "session=31d4; Domain=example.org")?);
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a bad URL.
    pub fn set(&self, url: &str, cookie: &str) -> Result<bool, Error> {
        let from = Target::parse(url)?;
        Ok(location(&from).is_some_and(|url| self.insert(cookie, &url, &from)))
    }

    /// What is sent to the URL as `Cookie`: the cookies with the longest path first. `None`: no cookie is for it.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// jar.set("ws://example.com/", "theme=dark")?;
    /// jar.set("ws://example.com/", "room=7; Path=/chat")?;
    /// assert_eq!(jar.header("ws://example.com/chat")?.as_deref(), Some("room=7; theme=dark"));
    /// assert_eq!(jar.header("ws://example.org/")?, None);
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a bad URL.
    pub fn header(&self, url: &str) -> Result<Option<String>, Error> {
        Ok(self.header_for(&Target::parse(url)?))
    }

    /// How many cookies there are that have not expired.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// jar.set("ws://example.com/", "theme=dark")?;
    /// jar.set("ws://example.com/", "theme=light")?;
    /// assert_eq!(jar.len(), 1);
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().iter_unexpired().count()
    }

    /// Whether there is none.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// jar.set("ws://example.com/", "theme=dark")?;
    /// assert!(!jar.is_empty());
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws all away.
    ///
    /// ```
    /// use wiretalk_net::CookieJar;
    ///
    /// let jar = CookieJar::new();
    /// jar.set("ws://example.com/", "theme=dark")?;
    /// jar.clear();
    /// assert!(jar.is_empty());
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Adds the jar's cookies to what is asked, behind those of the caller's own.
    pub(super) fn add(&self, asked: &mut Request, target: &Target) {
        let Some(cookies) = self.header_for(target) else {
            return;
        };
        let mut headers = asked.headers.iter_mut();
        match headers.find(|(name, _)| name.eq_ignore_ascii_case("Cookie")) {
            Some((_, own)) => {
                own.push_str("; ");
                own.push_str(&cookies);
            }
            None => asked.headers.push(("Cookie".to_owned(), cookies)),
        }
    }

    /// Keeps the cookies of an answer.
    pub(super) fn keep(&self, response: &Response, from: &Target) {
        let Some(url) = location(from) else {
            return;
        };
        for cookie in response.headers.get_all("Set-Cookie") {
            if let Ok(cookie) = std::str::from_utf8(cookie) {
                self.insert(cookie, &url, from);
            }
        }
    }

    fn header_for(&self, target: &Target) -> Option<String> {
        let url = location(target)?;
        let store = self.lock();
        let mut cookies = store.matches(&url);
        // Section 5.4, step 2. The store has forgotten which is older; by name, it is at least always the same order.
        cookies.sort_by_key(|cookie| (Reverse(cookie.path.len()), cookie.name().to_owned()));
        let pairs: Vec<_> = cookies
            .iter()
            .map(|cookie| format!("{}={}", cookie.name(), cookie.value()))
            .filter(|pair| !pair.contains(|character: char| character.is_ascii_control()))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    fn insert(&self, text: &str, url: &Url, from: &Target) -> bool {
        let Ok(cookie) = Cookie::parse(text, url) else {
            return false;
        };
        let domain = String::from(&cookie.domain);
        let for_all_of_a_top_level =
            !domain.trim_end_matches('.').contains('.') && Some(domain.as_str()) != url.host_str();
        let insecure = cookie.secure() == Some(true) && !from.secure && !is_loopback(&from.host);
        if text.len() > LONGEST_TEXT
            || cookie.name().len() + cookie.value().len() > LONGEST
            || for_all_of_a_top_level
            || insecure
        {
            return false;
        }
        let mut store = self.lock();
        remove_expired(&mut store);
        let replaces = store.contains(&domain, &cookie.path, cookie.name());
        let is_same = |other: &&Cookie<'_>| String::from(&other.domain) == domain;
        let full = store.iter_any().count() >= MOST
            || store.iter_any().filter(is_same).count() >= MOST_OF_DOMAIN;
        if full && !replaces {
            return false;
        }
        use cookie_store::StoreAction::{Inserted, UpdatedExisting};
        let done = store.insert(cookie.into_owned(), url);
        matches!(done, Ok(Inserted | UpdatedExisting))
    }

    fn lock(&self) -> MutexGuard<'_, CookieStore> {
        // Nothing panics while it is held; were it so, the cookies would still be cookies.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieJar({} cookies)", self.len())
    }
}

fn remove_expired(store: &mut CookieStore) {
    let expired: Vec<_> = store
        .iter_any()
        .filter(|cookie| cookie.is_expired())
        .map(|cookie| {
            (
                String::from(&cookie.domain),
                String::from(&cookie.path),
                cookie.name().to_owned(),
            )
        })
        .collect();
    for (domain, path, name) in expired {
        store.remove(&domain, &path, &name);
    }
}

/// The server's URL in HTTP's scheme, which the rules of cookies speak of.
fn location(target: &Target) -> Option<Url> {
    let scheme = if target.secure { "https" } else { "http" };
    let host = if target.host.contains(':') {
        format!("[{}]", target.host)
    } else {
        target.host.clone()
    };
    Url::parse(&format!("{scheme}://{host}{}", target.resource)).ok()
}

fn is_loopback(host: &str) -> bool {
    let is_loopback = |address: IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests;
