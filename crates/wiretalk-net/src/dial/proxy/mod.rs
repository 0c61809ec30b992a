//! Proxies: HTTP's CONNECT (RFC 9110 9.3.6) and SOCKS5 (RFC 1928).

mod choice;
mod connect;
mod no_proxy;
mod socks;

use std::{fmt, str::FromStr};

use url::{Host, Url};

pub use self::{choice::Proxies, no_proxy::NoProxy};
pub(super) use self::{connect::connect, socks::socks};
use super::{
    credentials::{Credentials, without_secrets},
    tls::TlsFailure,
};
use crate::error::{Error, ErrorKind, ProxyFailure};

/// A proxy, read from a URL:
///
/// | URL | what it is | port, if none is named |
/// | --- | --- | --- |
/// | `http://host:port` | HTTP with CONNECT; also if there is no scheme | 80 |
/// | `https://host:port` | the same over TLS with the proxy | 443 |
/// | `socks5://host:port` | SOCKS5; names are resolved here | 1080 |
/// | `socks5h://host:port` | SOCKS5; the proxy resolves names | 1080 |
///
/// A user name and a password stand before the host, percent-encoded: `http://user:password@host`. They are sent by
/// Basic authentication (RFC 7617), or by that of SOCKS (RFC 1929), and shown nowhere.
///
/// ```
/// use wiretalk_net::Proxy;
///
/// let proxy: Proxy = "http://me:secret@proxy.example:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// assert!("socks4://proxy.example".parse::<Proxy>().is_err());
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) scheme: Scheme,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Socks5,
    Socks5h,
}

impl Scheme {
    const ALL: [(&'static str, Self, u16); 4] = [
        ("http", Self::Http, 80),
        ("https", Self::Https, 443),
        ("socks5", Self::Socks5, 1080),
        ("socks5h", Self::Socks5h, 1080),
    ];

    fn is_socks(self) -> bool {
        matches!(self, Self::Socks5 | Self::Socks5h)
    }
}

impl Proxy {
    /// The same proxy with a user name and a password, as they are: not percent-encoded.
    ///
    /// ```
    /// use wiretalk_net::Proxy;
    ///
    /// let proxy: Proxy = "http://proxy.example:3128".parse()?;
    /// let proxy = proxy.credentials("me", "p@ss:word")?;
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be sent: a colon in the user name or a control character; for SOCKS, an empty user
    /// name, or more than 255 bytes.
    pub fn credentials(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Result<Self, Error> {
        let credentials = Credentials::new(user.into(), password.into());
        let credentials = credentials.and_then(|credentials| sendable(credentials, self.scheme));
        self.credentials = Some(credentials.map_err(|why| {
            Error::invalid(format!("the proxy {self} cannot be given this: {why}"))
        })?);
        Ok(self)
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains(|character: char| character.is_ascii_control()) {
            return Err("it holds a line break or another control character".to_owned());
        }
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&full).map_err(|error| error.to_string())?;
        let known = Scheme::ALL.iter().find(|(name, ..)| *name == url.scheme());
        let Some(&(_, scheme, default)) = known else {
            return Err(format!(
                "`{}:` is none of http:, https:, socks5: and socks5h:",
                url.scheme()
            ));
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("something follows the host and port".to_owned());
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| "it names no host".to_owned())?;
        // The URL standard leaves the host alone if it does not know the scheme.
        let host = match Host::parse(host).map_err(|error| error.to_string())? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let credentials = Credentials::of_url(&url)?
            .map(|credentials| sendable(credentials, scheme))
            .transpose()?;
        Ok(Self {
            scheme,
            host,
            port: url.port().unwrap_or(default),
            credentials,
        })
    }

    /// An error at this proxy.
    pub(super) fn failed(&self, failure: ProxyFailure, why: impl fmt::Display) -> Error {
        Error::proxy(failure, format!("the proxy {self} {why}"), None, None)
    }

    /// The error of a step that was to lead to this proxy.
    pub(super) fn not_reached(&self, error: Error) -> Error {
        let (failure, what) = match error.kind() {
            ErrorKind::InvalidInput => return error,
            ErrorKind::Timeout => (ProxyFailure::Timeout, " did not answer in time"),
            ErrorKind::Tls => (ProxyFailure::Tls, ""),
            _ => (ProxyFailure::Unreachable, " cannot be reached"),
        };
        let sentence = match error.tls() {
            // What a server would want instead is of no help here.
            Some(TlsFailure::NotTls) => {
                format!(
                    "the proxy {self} does not speak TLS; it may want http:// instead of https://"
                )
            }
            _ => format!("the proxy {self}{what}: {error}"),
        };
        Error::proxy(failure, sentence, None, Some(error.into()))
    }
}

/// RFC 1929 has one byte for each length.
fn sendable(credentials: Credentials, scheme: Scheme) -> Result<Credentials, &'static str> {
    let fits = |text: &str| text.len() <= usize::from(u8::MAX);
    if scheme.is_socks() && !(fits(&credentials.user) && fits(&credentials.password)) {
        return Err("SOCKS takes no user name and no password over 255 bytes (RFC 1929)");
    }
    if scheme.is_socks() && credentials.user.is_empty() {
        return Err("SOCKS takes no empty user name (RFC 1929)");
    }
    Ok(credentials)
}

impl FromStr for Proxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text).map_err(|why| {
            let shown = without_secrets(text);
            Error::invalid(format!(
                "`{}` is not the URL of a proxy: {why}",
                shown.escape_debug()
            ))
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Scheme::ALL.iter().find(|(_, it, _)| *it == self.scheme);
        let name = known.map_or("", |(name, ..)| *name);
        write!(f, "{name}://{}", authority(&self.host, self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.credentials.is_some() {
            " with credentials"
        } else {
            ""
        };
        write!(f, "Proxy({self}{with})")
    }
}

/// Host and port as they stand in a URL.
pub(super) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests;
