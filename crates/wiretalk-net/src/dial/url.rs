//! From a URL to what has to be dialed: RFC 6455 section 3.

use rustls_pki_types::ServerName;
use url::{Host, Url};

use crate::error::Error;

/// Where to connect to, and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// A name, or an address without brackets: what is resolved.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The `Host` header: with brackets around IPv6, and the port unless it is the scheme's own.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) resource: String,
}

impl Target {
    /// Reads `ws:`, `wss:`, `http:` and `https:` URLs; no scheme means `ws:`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        // The parser would take line breaks and tabs out, and dial something else than was asked for.
        if text.contains(|character: char| character.is_ascii_control()) {
            return Err(invalid(
                text,
                "it holds a line break or another control character",
            ));
        }
        let full = match text.split_once("://") {
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
            None => format!("ws://{text}"),
        };
        let url = Url::parse(&full).map_err(|error| invalid(text, &error.to_string()))?;
        if url.fragment().is_some() {
            return Err(invalid(
                text,
                "it has a fragment (`#`), which a WebSocket URL must not have; write %23",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                text,
                "it holds a user name or a password; send an Authorization header instead",
            ));
        }
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
        })
    }

    /// The name that the server's certificate must be for.
    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, Error> {
        ServerName::try_from(self.host.clone()).map_err(|_| {
            Error::invalid(format!(
                "`{}` is not a name that a certificate can be for",
                self.host
            ))
        })
    }
}

fn invalid(url: &str, why: &str) -> Error {
    Error::invalid(format!(
        "`{}` is not a WebSocket URL: {why}",
        url.escape_debug()
    ))
}

#[cfg(test)]
mod tests;
