//! The server's side of the handshake: RFC 6455 section 4.2.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::head::{self, HeadError, HeaderError, Headers, Lines, Progress, Repeated, is_token};
use super::{Extension, VERSION, accept_value};
use crate::deflate::{Agreed, DeflateConfig};

/// Section 4.2.1 asks of a key only that it decodes to 16 bytes: keys made up as 22 characters and `==` leave bits
/// over at the end.
const KEY_ENCODING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The version of HTTP in which a request came, such as `HttpVersion(1, 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpVersion(pub u8, pub u8);

/// Judges a request by its method, HTTP version and header lines (section 4.2.1).
///
/// # Errors
/// The refusal to answer with. [`RefusalKind::NotUpgrade`] says that the request did not ask for a WebSocket at all,
/// and may be answered as the plain HTTP that it is.
pub fn check<'h>(
    method: &str,
    version: HttpVersion,
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
) -> Result<Offer, Refusal> {
    judge(method, version, &Lines::new(headers)).map_err(|kind| Refusal { kind })
}

/// Judges the target of a request that [`check`] has taken: a path, or the whole URI that a proxy was asked for (section
/// 4.2.1 step 1).
///
/// # Errors
/// The refusal to answer with, for what stands in the place of a path only in OPTIONS and CONNECT.
pub fn check_target(target: &str) -> Result<(), Refusal> {
    let is_uri = || {
        ["http://", "https://", "ws://", "wss://"]
            .iter()
            .any(|scheme| matches!(target.get(..scheme.len()), Some(start) if start.eq_ignore_ascii_case(scheme)))
    };
    if target.starts_with('/') || is_uri() {
        Ok(())
    } else {
        Err(Refusal {
            kind: RefusalKind::Target(target.to_owned()),
        })
    }
}

fn judge(method: &str, version: HttpVersion, lines: &Lines<'_>) -> Result<Offer, RefusalKind> {
    use RefusalKind as Kind;
    let repeated = |Repeated(name): Repeated| Kind::RepeatedHeader(name);

    if !lines.has_token("Upgrade", "websocket") {
        let meant = lines.contains("Sec-WebSocket-Key") || lines.contains("Sec-WebSocket-Version");
        return Err(if meant {
            Kind::UpgradeMissing
        } else {
            Kind::NotUpgrade
        });
    }
    // Step 1.
    if method != "GET" {
        return Err(Kind::Method(method.to_owned()));
    }
    if version != HttpVersion(1, 1) {
        return Err(Kind::HttpVersion(version));
    }
    // What is behind the head must be frames and nothing else: where a body ends, others may see otherwise.
    if lines.contains("Transfer-Encoding")
        || lines.values("Content-Length").any(|length| length != b"0")
    {
        return Err(Kind::Body);
    }
    // Step 2.
    let host = lines
        .single("Host")
        .map_err(repeated)?
        .ok_or(Kind::HostMissing)?;
    if !head::is_host(host) {
        return Err(Kind::Host(String::from_utf8_lossy(host).into_owned()));
    }
    // Step 4; step 3, the upgrade, came first.
    if !lines.has_token("Connection", "upgrade") {
        return Err(Kind::Connection(lines.shown("Connection")));
    }
    // Step 6, before the key of step 5: what the key must be is for the version to say.
    judge_version(lines)?;
    // Step 5.
    let key = lines
        .single("Sec-WebSocket-Key")
        .map_err(repeated)?
        .ok_or(Kind::KeyMissing)?;
    let is_key = KEY_ENCODING
        .decode(key)
        .is_ok_and(|decoded| decoded.len() == 16);
    let Some(key) = std::str::from_utf8(key).ok().filter(|_| is_key) else {
        return Err(Kind::Key(String::from_utf8_lossy(key).into_owned()));
    };
    offer(lines, Some(accept_value(key)))
}

/// Step 6: the version of the protocol.
pub(super) fn judge_version(lines: &Lines<'_>) -> Result<(), RefusalKind> {
    let version = lines
        .single("Sec-WebSocket-Version")
        .map_err(|Repeated(name)| RefusalKind::RepeatedHeader(name))?
        .ok_or(RefusalKind::VersionMissing)?;
    if version == VERSION.as_bytes() {
        Ok(())
    } else {
        let version = String::from_utf8_lossy(version).into_owned();
        Err(RefusalKind::Version(version))
    }
}

/// Steps 8 and 9: what the client offers.
pub(super) fn offer(lines: &Lines<'_>, accept: Option<String>) -> Result<Offer, RefusalKind> {
    use RefusalKind as Kind;
    // Step 8.
    let mut subprotocols: Vec<String> = Vec::new();
    for element in lines.elements("Sec-WebSocket-Protocol") {
        let name = String::from_utf8_lossy(element).into_owned();
        if !is_token(element) || subprotocols.contains(&name) {
            return Err(Kind::Subprotocol(name));
        }
        subprotocols.push(name);
    }
    // Step 9.
    let mut extensions = Vec::new();
    for value in lines.values("Sec-WebSocket-Extensions") {
        match Extension::parse_list(value) {
            Some(list) => extensions.extend(list),
            None => {
                return Err(Kind::Extensions(
                    String::from_utf8_lossy(value).into_owned(),
                ));
            }
        }
    }
    Ok(Offer {
        subprotocols,
        extensions,
        accept,
    })
}

/// A request that can be accepted, and what the client offers in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Subprotocols, the one the client likes best first.
    pub subprotocols: Vec<String>,
    /// Extensions, the one the client likes best first.
    pub extensions: Vec<Extension>,
    accept: Option<String>,
}

impl Offer {
    /// The value of `Sec-WebSocket-Accept`; `None` over HTTP/2, which has no such header (RFC 8441 5).
    #[must_use]
    pub fn accept_value(&self) -> Option<&str> {
        self.accept.as_deref()
    }

    /// The response that opens the connection, 101 (section 4.2.2, step 5) or 200 (RFC 8441 5): with that subprotocol, and with permessage-deflate if the
    /// client offers it in a way that `deflate` can accept.
    ///
    /// # Errors
    /// The subprotocol was not offered.
    pub fn accept(
        &self,
        subprotocol: Option<&str>,
        deflate: Option<&DeflateConfig>,
    ) -> Result<Acceptance, NotOffered> {
        let (status, mut headers) = match &self.accept {
            Some(accept) => (
                101,
                vec![
                    ("Upgrade", "websocket".to_owned()),
                    ("Connection", "Upgrade".to_owned()),
                    ("Sec-WebSocket-Accept", accept.clone()),
                ],
            ),
            None => (200, Vec::new()),
        };
        if let Some(name) = subprotocol {
            if !self.subprotocols.iter().any(|offered| offered == name) {
                return Err(NotOffered(name.to_owned()));
            }
            headers.push(("Sec-WebSocket-Protocol", name.to_owned()));
        }
        let deflate = deflate.and_then(|config| config.accept(&self.extensions));
        let deflate = deflate.map(|(agreed, element)| {
            headers.push(("Sec-WebSocket-Extensions", element));
            agreed
        });
        Ok(Acceptance {
            status,
            headers,
            deflate,
        })
    }
}

/// The response that opens a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The status: 101, and 200 over HTTP/2.
    pub status: u16,
    /// The headers of the handshake.
    pub headers: Vec<(&'static str, String)>,
    /// What they agree to: for [`Config::deflate`](crate::Config::deflate).
    pub deflate: Option<Agreed>,
}

/// A subprotocol was to be accepted that the client did not offer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client did not offer the subprotocol `{}`", .0.escape_debug())]
pub struct NotOffered(pub String);

/// A request that cannot be accepted, and how to say so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Refusal {
    pub(super) kind: RefusalKind,
}

impl Refusal {
    /// What was wrong.
    #[must_use]
    pub fn kind(&self) -> &RefusalKind {
        &self.kind
    }

    /// The status to answer with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.kind {
            RefusalKind::NotUpgrade
            | RefusalKind::UpgradeMissing
            | RefusalKind::VersionMissing
            | RefusalKind::Version(_) => 426,
            RefusalKind::Method(_) => 405,
            RefusalKind::NotUpgradable => 500,
            // RFC 9220 3 says so for HTTP/3; RFC 8441 leaves it open.
            RefusalKind::Protocol(_) => 501,
            RefusalKind::HttpVersion(_) => 505,
            RefusalKind::Target(_)
            | RefusalKind::Scheme(_)
            | RefusalKind::Body
            | RefusalKind::HostMissing
            | RefusalKind::Host(_)
            | RefusalKind::Connection(_)
            | RefusalKind::KeyMissing
            | RefusalKind::Key(_)
            | RefusalKind::Subprotocol(_)
            | RefusalKind::Extensions(_)
            | RefusalKind::RepeatedHeader(_) => 400,
        }
    }

    /// The headers to answer with, besides those that describe the body.
    #[must_use]
    pub fn headers(&self) -> &'static [(&'static str, &'static str)] {
        match self.status() {
            // RFC 9110 section 15.5.22 asks for `Upgrade`, and 7.8 for `Connection` with it; section 4.4 for the
            // version.
            426 => &[
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", VERSION),
            ],
            405 => &[("Allow", "GET")],
            // Nothing behind the body is to be taken for a request.
            _ if matches!(self.kind, RefusalKind::Body) => &[("Connection", "close")],
            _ => &[],
        }
    }

    /// The section that was broken.
    #[must_use]
    pub fn section(&self) -> &'static str {
        match self.kind {
            RefusalKind::Version(_) | RefusalKind::VersionMissing => "RFC 6455 4.4",
            RefusalKind::RepeatedHeader("Sec-WebSocket-Key") => "RFC 6455 11.3.1",
            RefusalKind::RepeatedHeader("Sec-WebSocket-Version") => "RFC 6455 11.3.5",
            RefusalKind::Body => "RFC 9110 9.3.1",
            RefusalKind::RepeatedHeader(_) | RefusalKind::Host(_) => "RFC 9112 3.2",
            RefusalKind::Subprotocol(_) => "RFC 6455 11.3.4",
            RefusalKind::Extensions(_) => "RFC 6455 9.1",
            RefusalKind::Protocol(_) => "RFC 8441 4",
            RefusalKind::Scheme(_) => "RFC 8441 5",
            _ => "RFC 6455 4.2.1",
        }
    }
}

/// What was wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalKind {
    /// Plain HTTP: nothing in the request speaks of a WebSocket.
    #[error("the request does not ask for a WebSocket")]
    NotUpgrade,
    /// Headers of the handshake, but no `Upgrade: websocket`.
    #[error(
        "the request has no `Upgrade: websocket`, though it has headers of the handshake; a proxy may drop it"
    )]
    UpgradeMissing,
    /// A method other than GET.
    #[error("a WebSocket is asked for with GET, not {}", .0.escape_debug())]
    Method(String),
    /// Neither a path nor a URI.
    #[error("`{}` is not the path of a WebSocket", .0.escape_debug())]
    Target(String),
    /// A `:protocol` other than `websocket`, over HTTP/2.
    #[error("`{}` is asked for, and only `websocket` is spoken here", .0.escape_debug())]
    Protocol(String),
    /// A `:scheme` other than `https` and `http`, or none, over HTTP/2.
    #[error("`:scheme` is `{}`, and must be `https` or `http`", .0.escape_debug())]
    Scheme(String),
    /// A version of HTTP other than 1.1.
    #[error("a WebSocket is asked for in HTTP/1.1, not HTTP/{}.{}", .0.0, .0.1)]
    HttpVersion(HttpVersion),
    /// No `Host`.
    #[error("the request has no `Host`")]
    HostMissing,
    /// A `Host` that is empty, or has a character that no host and port have.
    #[error("`Host: {0}` is not a host")]
    Host(String),
    /// A `Transfer-Encoding`, or a `Content-Length` other than 0.
    #[error("the request has a body, and a request for a WebSocket has none")]
    Body,
    /// No `Connection`, or one without `Upgrade` in its list.
    #[error("the request has `Connection: {0}`, without `Upgrade`")]
    Connection(String),
    /// No `Sec-WebSocket-Version`.
    #[error("the request has no `Sec-WebSocket-Version`; version {VERSION} is spoken here")]
    VersionMissing,
    /// A version that is not spoken.
    #[error("the request asks for version `{0}` of the protocol; version {VERSION} is spoken here")]
    Version(String),
    /// No `Sec-WebSocket-Key`.
    #[error("the request has no `Sec-WebSocket-Key`")]
    KeyMissing,
    /// Not 16 bytes in base64.
    #[error("`Sec-WebSocket-Key: {0}` is not 16 bytes in base64")]
    Key(String),
    /// A subprotocol that is not a token, or is offered twice.
    #[error("the subprotocol `{0}` is not a token, or is offered twice")]
    Subprotocol(String),
    /// Extensions that do not follow the grammar.
    #[error("`Sec-WebSocket-Extensions: {0}` does not follow the grammar")]
    Extensions(String),
    /// A header twice that may come once.
    #[error("the request has `{0}` more than once")]
    RepeatedHeader(&'static str),
    /// The request is right, but the HTTP server under this does not give its stream away. [`check`] never says so.
    #[error("the HTTP server does not hand over the stream of this request")]
    NotUpgradable,
}

impl From<RefusalKind> for Refusal {
    fn from(kind: RefusalKind) -> Self {
        Self { kind }
    }
}

/// A request's head, for servers that have no HTTP library in front of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method, in the case in which it came.
    pub method: String,
    /// Path and query, or whatever stands in their place.
    pub target: String,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// All headers.
    pub headers: Headers,
}

impl Request {
    /// Parses the head in `input`, which starts with its first byte.
    ///
    /// # Errors
    /// Not HTTP/1, or too long.
    pub fn parse(input: &[u8]) -> Result<Progress<Self>, HeadError> {
        let input = head::bounded(input);
        let mut lines = [httparse::EMPTY_HEADER; head::HEADER_COUNT_LIMIT];
        let mut parsed = httparse::Request::new(&mut lines);
        let Some(consumed) = head::verdict(parsed.parse(input), input)? else {
            return Ok(Progress::Partial);
        };
        let head = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
            version: HttpVersion(1, parsed.version.unwrap_or_default()),
            headers: Headers::parsed(parsed.headers),
        };
        Ok(Progress::Complete { consumed, head })
    }

    /// Judges the request; see [`check`].
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn check(&self) -> Result<Offer, Refusal> {
        let offer = check(&self.method, self.version, self.headers.iter())?;
        check_target(&self.target)?;
        Ok(offer)
    }
}

/// Appends the head of a response to `out`: status line, headers, empty line.
///
/// # Errors
/// A header, or the reason (told of as a header of that name), that would not be read as what it is. Nothing is
/// appended then.
pub fn encode_response<'h>(
    status: u16,
    reason: &str,
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    out: &mut Vec<u8>,
) -> Result<(), HeaderError> {
    let start = out.len();
    if !head::is_field_text(reason.as_bytes()) {
        return Err(HeaderError::InvalidValue {
            name: "reason".to_owned(),
        });
    }
    out.extend_from_slice(format!("HTTP/1.1 {status:03} {reason}\r\n").as_bytes());
    for (name, value) in headers {
        if let Err(error) = head::check_line(name, value) {
            out.truncate(start);
            return Err(error);
        }
        head::write_line(name, value, out);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests;
