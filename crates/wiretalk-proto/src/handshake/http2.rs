//! The opening handshake over HTTP/2: RFC 8441, the extended CONNECT.
//!
//! There is no key and no `Upgrade` in it: the stream of the request becomes the connection if the answer is 2xx. The
//! frames of HTTP/2 are for others to write; here are the header lists that go into them and come out of them.

use super::VERSION;
use super::client::{Request, Response, ResponseError, ResponseErrorKind};
use super::head::{self, Headers, Lines, Repeated};
use super::server::{Offer, Refusal, RefusalKind, check_target, judge_version, offer};

/// The value of `:protocol` that asks for a WebSocket (RFC 8441 5).
pub const PROTOCOL: &str = "websocket";

/// Headers about one connection, which HTTP/2 does not have (RFC 9113 8.2.2).
const OF_A_CONNECTION: [&str; 6] = [
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
];

/// Whether a header is about one connection of HTTP/1, and must not be sent over HTTP/2 (RFC 9113 8.2.2).
#[must_use]
pub fn is_connection_header(name: &str) -> bool {
    OF_A_CONNECTION
        .iter()
        .any(|other| other.eq_ignore_ascii_case(name))
}

/// The pseudo-headers of a request, as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PseudoHeaders<'h> {
    /// `:method`.
    pub method: &'h str,
    /// `:protocol`.
    pub protocol: Option<&'h str>,
    /// `:scheme`.
    pub scheme: Option<&'h str>,
    /// `:authority`.
    pub authority: Option<&'h str>,
    /// `:path`.
    pub path: Option<&'h str>,
}

/// Judges a request by its pseudo-headers and header lines (RFC 8441 4 and 5).
///
/// ```
/// use wiretalk_proto::handshake::http2::{PseudoHeaders, check};
///
/// let pseudo = PseudoHeaders {
///     method: "CONNECT",
///     protocol: Some("websocket"),
///     scheme: Some("https"),
///     authority: Some("server.example.com"),
///     path: Some("/chat"),
/// };
/// let headers: [(&str, &[u8]); 2] = [
///     ("sec-websocket-version", b"13"),
///     ("sec-websocket-protocol", b"chat, superchat"),
/// ];
/// let offer = check(&pseudo, headers)?;
/// assert_eq!(offer.subprotocols, ["chat", "superchat"]);
/// # Ok::<(), wiretalk_proto::handshake::server::Refusal>(())
/// ```
///
/// # Errors
/// The refusal to answer with. [`RefusalKind::NotUpgrade`] says that the request is no extended CONNECT, and may be
/// answered as the plain HTTP that it is.
pub fn check<'h>(
    pseudo: &PseudoHeaders<'_>,
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
) -> Result<Offer, Refusal> {
    use RefusalKind as Kind;
    let lines = Lines::new(headers);
    let Some(protocol) = pseudo.protocol else {
        return Err(Kind::NotUpgrade.into());
    };
    // Section 4: `:protocol` belongs to CONNECT alone.
    if pseudo.method != "CONNECT" {
        return Err(Kind::NotUpgrade.into());
    }
    if !protocol.eq_ignore_ascii_case(PROTOCOL) {
        return Err(Kind::Protocol(protocol.to_owned()).into());
    }
    let scheme = pseudo.scheme.unwrap_or_default();
    if !["https", "http"].contains(&scheme) {
        return Err(Kind::Scheme(scheme.to_owned()).into());
    }
    let path = pseudo.path.unwrap_or_default();
    if !path.starts_with('/') {
        check_target(path)?;
    }
    // What follows must be frames and nothing else.
    if lines.contains("Transfer-Encoding")
        || lines.values("Content-Length").any(|length| length != b"0")
    {
        return Err(Kind::Body.into());
    }
    // Section 5: `:authority` is what `Host` is in HTTP/1.1 (RFC 9113 8.3.1).
    let host = match pseudo.authority {
        Some(authority) => authority.as_bytes(),
        None => lines
            .single("Host")
            .map_err(|Repeated(name)| Kind::RepeatedHeader(name))?
            .ok_or(Kind::HostMissing)?,
    };
    if !head::is_host(host) {
        return Err(Kind::Host(String::from_utf8_lossy(host).into_owned()).into());
    }
    judge_version(&lines)?;
    Ok(offer(&lines, None)?)
}

impl Request {
    /// The pseudo-headers that ask for the same over HTTP/2; `secure` tells `wss:` from `ws:`.
    #[must_use]
    pub fn pseudo_headers(&self, secure: bool) -> PseudoHeaders<'_> {
        PseudoHeaders {
            method: "CONNECT",
            protocol: Some(PROTOCOL),
            scheme: Some(if secure { "https" } else { "http" }),
            authority: Some(&self.host),
            path: Some(&self.target),
        }
    }

    /// The header lines that ask for the same over HTTP/2. Those about one connection of HTTP/1 are left out; the names
    /// are in lower case (RFC 9113 8.2).
    pub fn connect_headers(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let version = ("sec-websocket-version".to_owned(), VERSION.into());
        let offers = self.offers().into_iter();
        let offers = offers.map(|(name, value)| (name.to_ascii_lowercase(), value.into()));
        let others = self.headers.iter();
        let others = others.filter(|(name, _)| !is_connection_header(name));
        let others = others.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        std::iter::once(version).chain(offers).chain(others)
    }

    /// Judges the response to an extended CONNECT (RFC 8441 5).
    ///
    /// # Errors
    /// [`ResponseErrorKind::ConnectStatus`] for any status but 2xx; an extension or a subprotocol that was not offered.
    /// The error keeps the response.
    pub fn check_connect_response(
        &self,
        status: u16,
        headers: Headers,
    ) -> Result<Response, ResponseError> {
        let mut response = Response {
            status,
            reason: String::new(),
            headers,
            subprotocol: None,
            deflate: None,
        };
        let verdict = if (200..300).contains(&status) {
            self.judge_agreement(&Lines::new(response.headers.iter()))
        } else {
            Err(ResponseErrorKind::ConnectStatus(status))
        };
        match verdict {
            Ok((subprotocol, deflate)) => {
                (response.subprotocol, response.deflate) = (subprotocol, deflate);
                Ok(response)
            }
            Err(kind) => Err(ResponseError {
                kind,
                response: Some(Box::new(response)),
                consumed: 0,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
