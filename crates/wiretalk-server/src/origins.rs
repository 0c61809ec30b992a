//! Which pages may open a connection: RFC 6455 10.2.

use std::fmt;

use http::{HeaderMap, Uri, header, uri::Authority};

use wiretalk_net::{Blame, Error, ErrorKind, server::Reply};

/// The origins whose pages may connect (RFC 6455 10.2, RFC 6454).
///
/// A browser lets any page open a WebSocket to any server, with the user's cookies, and names the page's origin in the
/// header `Origin`; to look at it is what keeps other sites out. A client that is no browser need not send one, so a
/// handshake without the header is always let in: whom it comes from is for a token to prove.
///
/// ```
/// use wiretalk_server::Origins;
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// let origins = Origins::list(["https://chat.example", "http://localhost:3000", "https://*.chat.example"])?;
/// assert!(origins.allow(Some("https://eu.chat.example"), "api.chat.example"));
/// assert!(!origins.allow(Some("http://chat.example"), "api.chat.example"), "another scheme");
/// assert!(Origins::same().allow(Some("https://chat.example"), "chat.example:443"));
/// assert!(!Origins::same().allow(Some("https://evil.example"), "chat.example"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Rule);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Rule {
    Any,
    #[default]
    Same,
    List(Vec<Allowed>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// `null`, as sandboxed pages and local files send it.
    Null,
    One(Origin),
    /// Every host below this one.
    Below(Origin),
}

/// A scheme, a host and a port, the latter filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origins {
    /// Every origin: for a server that knows its clients by something no browser adds by itself, such as a token in a
    /// message, or one that has nothing to hide.
    ///
    /// ```
    /// use wiretalk_server::Origins;
    ///
    /// assert!(Origins::any().allow(Some("https://anywhere.example"), "chat.example"));
    /// ```
    #[must_use]
    pub fn any() -> Self {
        Self(Rule::Any)
    }

    /// Only pages that come from the very host and port that they connect to (the header `Host`). This is the default.
    ///
    /// The scheme is not compared, so that it also holds behind a proxy that ends TLS.
    ///
    /// ```
    /// use wiretalk_server::Origins;
    ///
    /// assert!(Origins::same().allow(Some("https://chat.example"), "chat.example"));
    /// assert!(!Origins::same().allow(Some("https://evil.example"), "chat.example"));
    /// ```
    #[must_use]
    pub fn same() -> Self {
        Self(Rule::Same)
    }

    /// These origins and no others: `https://chat.example`, `http://localhost:3000`, `https://*.chat.example` (any host
    /// below that one, itself not), or `null` (sandboxed pages and local files).
    ///
    /// ```
    /// use wiretalk_server::Origins;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let origins = Origins::list(["https://chat.example", "null"])?;
    /// assert!(origins.allow(Some("https://chat.example"), "api.example"));
    /// assert!(Origins::list(["https://chat.example/path"]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what is no origin, with a path behind the host, say: it would never match.
    pub fn list<S: AsRef<str>>(origins: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let allowed = origins.into_iter().map(|origin| {
            let text = origin.as_ref();
            Allowed::parse(text).ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, Blame::Us, format!(
                    "`{}` is no origin: write scheme and host as in `https://chat.example`, with a port if it is not the scheme's own, and nothing behind",
                    text.escape_debug()
                ))
            })
        });
        Ok(Self(Rule::List(allowed.collect::<Result<_, _>>()?)))
    }

    /// Whether a page of this origin may connect to a server that it called by this host; `None`: the client sent no
    /// origin.
    ///
    /// ```
    /// use wiretalk_server::Origins;
    ///
    /// assert!(Origins::same().allow(Some("https://chat.example:8443"), "chat.example:8443"));
    /// assert!(Origins::same().allow(None, "chat.example"), "no browser");
    /// ```
    #[must_use]
    pub fn allow(&self, origin: Option<&str>, host: &str) -> bool {
        let Some(origin) = origin else {
            return true;
        };
        match &self.0 {
            Rule::Any => true,
            Rule::Same => Origin::parse(origin).is_some_and(|origin| origin.is_at(host)),
            Rule::List(allowed) if origin == "null" => allowed.contains(&Allowed::Null),
            Rule::List(allowed) => Origin::parse(origin)
                .is_some_and(|origin| allowed.iter().any(|allowed| allowed.takes(&origin))),
        }
    }

    /// Looks at a request's `Origin` and `Host` (over HTTP/2: `:authority`), and gives the answer for a page that may not
    /// connect: 403.
    ///
    /// ```
    /// use wiretalk_server::Origins;
    /// use http::{HeaderMap, HeaderValue, Uri};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("host", HeaderValue::from_static("chat.example"));
    /// headers.insert("origin", HeaderValue::from_static("https://evil.example"));
    /// let refusal = Origins::same().refusal(&Uri::from_static("/"), &headers);
    /// assert_eq!(refusal.map(|reply| reply.status().as_u16()), Some(403));
    /// ```
    #[must_use]
    pub fn refusal(&self, uri: &Uri, headers: &HeaderMap) -> Option<Reply> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (first, more) = (origins.next(), origins.next());
        let host = match headers.get(header::HOST) {
            Some(host) => host.to_str().ok(),
            None => uri.authority().map(Authority::as_str),
        };
        let origin = match (first.map(|origin| origin.to_str()), more) {
            (None, _) => return None,
            (Some(Ok(origin)), None) => origin,
            // Two of them, or one that is not even ASCII: no browser does that.
            _ => "",
        };
        if self.allow(Some(origin), host.unwrap_or_default()) {
            return None;
        }
        let origin = origin.escape_debug();
        let why = format!("pages of `{origin}` may not connect to this server\n");
        Some(Reply::text(403, why))
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        match text.split_once("://*.") {
            Some((scheme, rest)) => {
                let origin = Origin::parse(&format!("{scheme}://{rest}"))?;
                Some(Self::Below(origin))
            }
            None => Origin::parse(text).map(Self::One),
        }
    }

    fn takes(&self, origin: &Origin) -> bool {
        match self {
            Self::Null => false,
            Self::One(one) => one == origin,
            Self::Below(above) => {
                let below = origin.host.strip_suffix(above.host.as_str());
                (&above.scheme, above.port) == (&origin.scheme, origin.port)
                    && below.is_some_and(|below| below.len() > 1 && below.ends_with('.'))
            }
        }
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_scheme) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = host_and_port(authority)?;
        let port = port.or_else(|| default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Whether a `Host` header names the same place.
    fn is_at(&self, host: &str) -> bool {
        host_and_port(host).is_some_and(|(host, port)| {
            host == self.host && port.or_else(|| default_port(&self.scheme)) == self.port
        })
    }
}

/// The host in lower case, and the port if there is one.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._~[]:%".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return None;
    }
    Some((host.to_ascii_lowercase(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Any => f.write_str("any origin"),
            Rule::Same => f.write_str("the same origin"),
            Rule::List(allowed) => write!(f, "{} origins", allowed.len()),
        }
    }
}

#[cfg(test)]
mod tests;
