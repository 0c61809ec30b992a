//! From a URL to what has to be dialed: RFC 6455 section 3.

use url::{Host, Url};

use super::{
    credentials::{Credentials, split_scheme, without_secrets},
    unix::{self, UnixAddress},
};
use crate::error::Error;

/// Where to connect to, and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// A name, or an address without brackets: what is resolved. `localhost` behind a Unix socket.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header: with brackets around IPv6, and the port unless it is the scheme's own.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) resource: String,
    /// The socket of a `ws+unix:` URL.
    pub(crate) unix: Option<UnixAddress>,
    /// What the URL names before its `@`; it goes into a header, and into nothing that is shown.
    pub(crate) credentials: Option<Credentials>,
}

impl Target {
    /// Reads `ws:`, `wss:`, `http:`, `https:`, `ws+unix:` and `wss+unix:` URLs; no scheme means `ws:`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // The parser would take line breaks and tabs out, and dial something else than was asked for.
        if text.contains(|character: char| character.is_ascii_control()) {
            return Err(invalid(
                text,
                "it holds a line break or another control character",
            ));
        }
        if let Some((scheme, rest)) = text.split_once(':') {
            match scheme.to_ascii_lowercase().as_str() {
                "ws+unix" | "http+unix" => return Self::parse_unix(text, "ws", rest),
                "wss+unix" | "https+unix" => return Self::parse_unix(text, "wss", rest),
                _ => {}
            }
        }
        let full = match split_scheme(text) {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "ws" | "http" => format!("ws://{rest}"),
                "wss" | "https" => format!("wss://{rest}"),
                _ => {
                    return Err(invalid(
                        text,
                        &format!("it begins with `{scheme}:`, not with `ws:` or `wss:`"),
                    ));
                }
            },
            None => {
                // Where such a text holds a password cannot be told, so nothing before an `@` is shown.
                let shown = text.rsplit('@').next().unwrap_or(text);
                if let Some(scheme) = without_slashes(text) {
                    let why = format!("`{scheme}://` has a colon and two slashes");
                    return Err(invalid(shown, &why));
                }
                if text.starts_with('/') {
                    return Err(invalid(shown, "it begins with a path, and names no host"));
                }
                format!("ws://{text}")
            }
        };
        Self::read(text, &full)
    }

    /// The form of Node's `ws`: the path of the socket, a colon, and what to ask for.
    fn parse_unix(text: &str, scheme: &str, rest: &str) -> Result<Self, Error> {
        let (socket, resource) = unix::split_url(rest).map_err(|why| invalid(text, why))?;
        let target = Self::read(text, &format!("{scheme}://localhost{resource}"))?;
        Ok(Self {
            unix: Some(socket),
            ..target
        })
    }

    /// Reads what is a `ws:` or `wss:` URL by now. Errors show the `text` that it was made of.
    fn read(text: &str, full: &str) -> Result<Self, Error> {
        let url = Url::parse(full).map_err(|error| invalid(text, &error.to_string()))?;
        if url.fragment().is_some() {
            return Err(invalid(
                text,
                "it has a fragment (`#`), which a WebSocket URL must not have; write %23",
            ));
        }
        let credentials = Credentials::of_url(&url).map_err(|why| invalid(text, why))?;
        let secure = url.scheme() == "wss";
        let Some(host) = url.host() else {
            return Err(invalid(text, "it names no host"));
        };
        let bare = match &host {
            Host::Domain(name) => (*name).to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let resource = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let port = url.port().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self {
            secure,
            host: bare,
            port,
            authority,
            resource,
            unix: None,
            credentials,
        })
    }

    /// The URL, without user name and password.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        match &self.unix {
            Some(socket) => format!("{scheme}+unix:{}:{}", socket.in_url(), self.resource),
            None => format!("{scheme}://{}{}", self.place(), self.resource),
        }
    }

    /// How the server is called in an error.
    pub(crate) fn name(&self) -> String {
        match &self.unix {
            Some(socket) => socket.to_string(),
            None => self.place(),
        }
    }

    /// Host and port of the URL; the authority may be a `Host` header of the caller's.
    fn place(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether both are the same server, so that what is meant for one may go to the other.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        self.secure == other.secure
            && self.host == other.host
            && self.port == other.port
            && self.unix == other.unix
    }
}

/// The scheme of a text that is not quite a URL: `ws:host`, `wss:/host`, `ws//host`. A host may be called `ws` all the same:
/// `ws:4000`, `ws/chat`.
fn without_slashes(text: &str) -> Option<&'static str> {
    ["wss", "ws", "https", "http"].into_iter().find(|scheme| {
        let rest = match text.get(..scheme.len()) {
            Some(start) if start.eq_ignore_ascii_case(scheme) => &text[scheme.len()..],
            _ => return false,
        };
        match rest.strip_prefix(':') {
            Some(after) => !after.starts_with(|first: char| first.is_ascii_digit()),
            None => rest.starts_with("//"),
        }
    })
}

fn invalid(url: &str, why: &str) -> Error {
    Error::invalid(format!(
        "`{}` is not a WebSocket URL: {why}",
        without_secrets(url).escape_debug()
    ))
}

#[cfg(test)]
mod tests;
