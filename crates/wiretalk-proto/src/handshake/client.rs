//! The client's side of the handshake: RFC 6455 section 4.1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::head::{self, HeadError, HeaderError, Headers, Lines, Progress, Repeated, is_token};
use super::{Extension, VERSION, accept_value};
use crate::deflate::{Agreed, AnswerError, DeflateConfig, NAME as DEFLATE};

/// Headers that the handshake writes itself, or that would give the request a body.
const OWN_HEADERS: [&str; 9] = [
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
];

/// The request that asks for a WebSocket.
///
/// ```
/// use wiretalk_proto::handshake::client::Request;
///
/// // The key must be random; a client that has a source of randomness takes it from there.
/// let mut request = Request::new("example.com:8080", "/chat?room=1", *b"the sample nonce")?;
/// request.subprotocol("superchat")?.header("Origin", "http://example.com")?;
/// let mut wire = Vec::new();
/// request.encode(&mut wire);
/// assert!(wire.starts_with(b"GET /chat?room=1 HTTP/1.1\r\nHost: example.com:8080\r\n"));
/// # Ok::<(), wiretalk_proto::handshake::client::RequestError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) host: String,
    pub(super) target: String,
    key: String,
    pub(super) headers: Headers,
    subprotocols: Vec<String>,
    deflate: Vec<DeflateConfig>,
}

impl Request {
    /// A request to `host` (with the port if it is not the scheme's own) for `target` (path and query). The `key` must
    /// be 16 random bytes, fresh for every connection.
    ///
    /// # Errors
    /// [`RequestError::InvalidHost`], [`RequestError::InvalidTarget`].
    pub fn new(host: &str, target: &str, key: [u8; 16]) -> Result<Self, RequestError> {
        if !head::is_host(host.as_bytes()) {
            return Err(RequestError::InvalidHost(host.to_owned()));
        }
        // Section 3: a fragment is not part of a request.
        let in_target = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !target.starts_with('/') || !target.bytes().all(in_target) {
            return Err(RequestError::InvalidTarget(target.to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            target: target.to_owned(),
            key: STANDARD.encode(key),
            headers: Headers::default(),
            subprotocols: Vec::new(),
            deflate: Vec::new(),
        })
    }

    /// Adds a header line behind the handshake's own.
    ///
    /// # Errors
    /// [`RequestError::Header`] for a line that would be read as another; [`RequestError::OwnHeader`] for one that the
    /// handshake writes itself.
    pub fn header(
        &mut self,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> Result<&mut Self, RequestError> {
        let value = value.as_ref();
        head::check_line(name, value)?;
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(RequestError::OwnHeader(name.to_owned()));
        }
        self.headers.push(name, value);
        Ok(self)
    }

    /// Offers a subprotocol, less preferred than those before it.
    ///
    /// # Errors
    /// [`RequestError::InvalidSubprotocol`], [`RequestError::RepeatedSubprotocol`].
    pub fn subprotocol(&mut self, name: &str) -> Result<&mut Self, RequestError> {
        if !is_token(name.as_bytes()) {
            return Err(RequestError::InvalidSubprotocol(name.to_owned()));
        }
        if self.subprotocols.iter().any(|other| other == name) {
            return Err(RequestError::RepeatedSubprotocol(name.to_owned()));
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    /// Offers permessage-deflate (RFC 7692), less preferred than what was offered before it (section 5.1).
    pub fn deflate(&mut self, config: DeflateConfig) -> &mut Self {
        self.deflate.push(config);
        self
    }

    /// The key as it stands in the request.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Appends the request to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in [
            ("Host", self.host.as_str()),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", &self.key),
            ("Sec-WebSocket-Version", VERSION),
        ] {
            head::write_line(name, value.as_bytes(), out);
        }
        for (name, value) in self.offers() {
            head::write_line(name, value.as_bytes(), out);
        }
        for (name, value) in self.headers.iter() {
            head::write_line(name, value, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The headers that offer something.
    pub(super) fn offers(&self) -> Vec<(&'static str, String)> {
        let mut offers = Vec::new();
        if !self.subprotocols.is_empty() {
            offers.push(("Sec-WebSocket-Protocol", self.subprotocols.join(", ")));
        }
        if !self.deflate.is_empty() {
            let deflate: Vec<_> = self.deflate.iter().map(DeflateConfig::offer).collect();
            offers.push(("Sec-WebSocket-Extensions", deflate.join(", ")));
        }
        offers
    }

    /// Parses and judges the response in `input`, which starts with its first byte. Informational responses before it
    /// are passed over (RFC 9110 section 15.2). What is behind it belongs to the connection, whatever the head says of
    /// a body: a 101 has none (RFC 9112 section 6.3).
    ///
    /// # Errors
    /// Whatever section 4.1 refuses. The error keeps the response if it was one, and says where its body begins.
    pub fn parse_response(&self, input: &[u8]) -> Result<Progress<Response>, ResponseError> {
        let progress = parse_head(input).map_err(|error| ResponseError {
            kind: ResponseErrorKind::Head(error),
            response: None,
            consumed: 0,
        })?;
        let (response, is_http_1_1, consumed) = match progress {
            Progress::Partial => return Ok(Progress::Partial),
            Progress::Complete {
                consumed,
                head: (response, is_http_1_1),
            } => (response, is_http_1_1, consumed),
        };
        match self.judge(&response, is_http_1_1) {
            Ok((subprotocol, deflate)) => Ok(Progress::Complete {
                consumed,
                head: Response {
                    subprotocol,
                    deflate,
                    ..response
                },
            }),
            Err(kind) => Err(ResponseError {
                kind,
                response: Some(Box::new(response)),
                consumed,
            }),
        }
    }

    /// The steps of section 4.1, "Once the client's opening handshake has been sent". Gives the subprotocol in use, and
    /// what was agreed on permessage-deflate.
    fn judge(
        &self,
        response: &Response,
        is_http_1_1: bool,
    ) -> Result<(Option<String>, Option<Agreed>), ResponseErrorKind> {
        use ResponseErrorKind as Kind;
        let lines = Lines::new(response.headers.iter());
        let repeated = |Repeated(name): Repeated| Kind::RepeatedHeader(name);

        // Step 1.
        if response.status != 101 {
            return Err(Kind::Status(response.status));
        }
        if !is_http_1_1 {
            return Err(Kind::HttpVersion);
        }
        // Step 2.
        let upgrade = lines.shown("Upgrade");
        if !upgrade.eq_ignore_ascii_case("websocket") {
            return Err(if lines.contains("Upgrade") {
                Kind::Upgrade(upgrade)
            } else {
                Kind::UpgradeMissing
            });
        }
        // Step 3.
        if !lines.has_token("Connection", "upgrade") {
            let connection = lines.shown("Connection");
            return Err(if lines.contains("Connection") {
                Kind::Connection(connection)
            } else {
                Kind::ConnectionMissing
            });
        }
        // Step 4.
        let accept = lines
            .single("Sec-WebSocket-Accept")
            .map_err(repeated)?
            .ok_or(Kind::AcceptMissing)?;
        let expected = accept_value(&self.key);
        if accept != expected.as_bytes() {
            return Err(Kind::Accept {
                expected,
                came: String::from_utf8_lossy(accept).into_owned(),
            });
        }
        self.judge_agreement(&lines)
    }

    /// Steps 5 and 6: what was agreed on.
    pub(super) fn judge_agreement(
        &self,
        lines: &Lines<'_>,
    ) -> Result<(Option<String>, Option<Agreed>), ResponseErrorKind> {
        use ResponseErrorKind as Kind;
        let repeated = |Repeated(name): Repeated| Kind::RepeatedHeader(name);
        // Step 5.
        let deflate = match lines.single("Sec-WebSocket-Extensions").map_err(repeated)? {
            Some(value) => self.judge_extensions(value)?,
            None => None,
        };
        // Step 6.
        let Some(subprotocol) = lines.single("Sec-WebSocket-Protocol").map_err(repeated)? else {
            return Ok((None, deflate));
        };
        match self
            .subprotocols
            .iter()
            .find(|asked| asked.as_bytes() == subprotocol)
        {
            Some(asked) => Ok((Some(asked.clone()), deflate)),
            None => Err(Kind::UnaskedSubprotocol(
                String::from_utf8_lossy(subprotocol).into_owned(),
            )),
        }
    }

    /// What the server accepts of the extensions that were offered.
    fn judge_extensions(&self, value: &[u8]) -> Result<Option<Agreed>, ResponseErrorKind> {
        use ResponseErrorKind as Kind;
        let Some(extensions) = Extension::parse_list(value) else {
            let value = String::from_utf8_lossy(value).into_owned();
            return Err(if self.deflate.is_empty() {
                Kind::UnaskedExtension(value)
            } else {
                Kind::Extensions(value)
            });
        };
        let mut agreed = None;
        for extension in &extensions {
            if extension.name != DEFLATE || self.deflate.is_empty() {
                return Err(Kind::UnaskedExtension(extension.name.clone()));
            }
            if agreed.is_some() {
                return Err(Kind::Deflate(AnswerError::AcceptedTwice));
            }
            // The server does not say which alternative it accepts: the first that the answer fits. If it fits none,
            // the last one, which usually demands the least, says why.
            let mut verdicts = self.deflate.iter().map(|config| config.judge(extension));
            let mut verdict = verdicts.next();
            while let Some(Err(_)) = verdict
                && let Some(next) = verdicts.next()
            {
                verdict = Some(next);
            }
            agreed = verdict.transpose().map_err(Kind::Deflate)?;
        }
        Ok(agreed)
    }
}

/// A request that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Empty, or with a character that no host and port have.
    #[error("`{}` is not a host", .0.escape_debug())]
    InvalidHost(String),
    /// Not a path with perhaps a query, percent-encoded.
    #[error("`{}` is not a request target: it must begin with `/` and be percent-encoded", .0.escape_debug())]
    InvalidTarget(String),
    /// A header that would not be read as what it is.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A header that the handshake writes itself.
    #[error("header `{0}` belongs to the handshake and cannot be set")]
    OwnHeader(String),
    /// Not a token of RFC 9110.
    #[error("`{}` is not a subprotocol: it must be a token of letters, digits and !#$%&'*+-.^_`|~", .0.escape_debug())]
    InvalidSubprotocol(String),
    /// Section 4.1: subprotocols must be unique.
    #[error("subprotocol `{0}` is offered twice")]
    RepeatedSubprotocol(String),
}

/// The server's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status: 101 if the handshake is done, 2xx over HTTP/2.
    pub status: u16,
    /// What stands behind the status; may be empty.
    pub reason: String,
    /// All headers.
    pub headers: Headers,
    /// The subprotocol that the server chose of those that were offered.
    pub subprotocol: Option<String>,
    /// What was agreed on permessage-deflate; `None` if the server did not accept it, or it was not offered.
    pub deflate: Option<Agreed>,
}

impl Response {
    /// Parses the head in `input`, which starts with its first byte, and judges nothing: a proxy's answer to CONNECT
    /// (RFC 9110 section 9.3.6), say. Informational responses before it are passed over.
    ///
    /// # Errors
    /// What is not HTTP/1, and a head that is too long.
    pub fn parse(input: &[u8]) -> Result<Progress<Self>, HeadError> {
        Ok(match parse_head(input)? {
            Progress::Partial => Progress::Partial,
            Progress::Complete {
                consumed,
                head: (head, _),
            } => Progress::Complete { consumed, head },
        })
    }
}

/// The head of a response, and whether it is in HTTP/1.1.
fn parse_head(input: &[u8]) -> Result<Progress<(Response, bool)>, HeadError> {
    let input = head::bounded(input);
    let mut lines = [httparse::EMPTY_HEADER; head::HEADER_COUNT_LIMIT];
    let mut start = 0;
    let (parsed, consumed) = loop {
        let mut parsed = httparse::Response::new(&mut lines);
        let mut parser = httparse::ParserConfig::default();
        // RFC 9112 section 5.2: a server refuses folded lines, a client must read them.
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let result = parser.parse_response(&mut parsed, &input[start..]);
        let Some(length) = head::verdict(result, input)? else {
            return Ok(Progress::Partial);
        };
        start += length;
        if !matches!(parsed.code, Some(100 | 102..=199)) {
            break (parsed, start);
        }
    };
    let response = Response {
        status: parsed.code.unwrap_or_default(),
        reason: parsed.reason.unwrap_or_default().to_owned(),
        headers: Headers::parsed(parsed.headers),
        subprotocol: None,
        deflate: None,
    };
    Ok(Progress::Complete {
        consumed,
        head: (response, parsed.version == Some(1)),
    })
}

/// The server refused, or what it answered is no answer to the handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ResponseError {
    pub(super) kind: ResponseErrorKind,
    pub(super) response: Option<Box<Response>>,
    pub(super) consumed: usize,
}

impl ResponseError {
    /// What was wrong.
    #[must_use]
    pub fn kind(&self) -> &ResponseErrorKind {
        &self.kind
    }

    /// The response, unless it was not even HTTP.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.response.as_deref()
    }

    /// Bytes of the input that are the response's head. The body, if there is one, begins behind them.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// The section that was broken.
    #[must_use]
    pub fn section(&self) -> &'static str {
        match &self.kind {
            ResponseErrorKind::Deflate(error) => error.section(),
            ResponseErrorKind::Extensions(_) => "RFC 6455 9.1",
            ResponseErrorKind::Head(_) => "RFC 9112 4",
            ResponseErrorKind::RepeatedHeader("Sec-WebSocket-Accept") => "RFC 6455 11.3.3",
            ResponseErrorKind::RepeatedHeader("Sec-WebSocket-Extensions") => "RFC 6455 11.3.2",
            ResponseErrorKind::RepeatedHeader(_) => "RFC 6455 11.3.4",
            ResponseErrorKind::ConnectStatus(_) => "RFC 8441 5",
            _ => "RFC 6455 4.1",
        }
    }
}

/// What was wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseErrorKind {
    /// Not an HTTP head, or too long.
    #[error("the server's answer cannot be read: {0}")]
    Head(HeadError),
    /// Any status but 101.
    #[error("the server answered with status {0} instead of 101")]
    Status(u16),
    /// Any status but 2xx, over HTTP/2.
    #[error("the server answered with status {0} instead of 200")]
    ConnectStatus(u16),
    /// Status 101 in HTTP/1.0.
    #[error("the server answered in HTTP/1.0, which knows no upgrade")]
    HttpVersion,
    /// No `Upgrade`.
    #[error("the response has no `Upgrade: websocket`")]
    UpgradeMissing,
    /// An upgrade to something else.
    #[error("the response upgrades to `{0}`, not to `websocket`")]
    Upgrade(String),
    /// No `Connection`.
    #[error("the response has no `Connection: Upgrade`")]
    ConnectionMissing,
    /// A `Connection` without `Upgrade` in its list.
    #[error("the response has `Connection: {0}`, without `Upgrade`")]
    Connection(String),
    /// No `Sec-WebSocket-Accept`.
    #[error("the response has no `Sec-WebSocket-Accept`")]
    AcceptMissing,
    /// Not the value that the key demands.
    #[error("the response has `Sec-WebSocket-Accept: {came}`; the key demands `{expected}`")]
    Accept {
        /// What it should be.
        expected: String,
        /// What it is.
        came: String,
    },
    /// An extension that was not offered.
    #[error("the server chose the extension `{0}`, which was not offered")]
    UnaskedExtension(String),
    /// Extensions that do not follow the grammar.
    #[error("`Sec-WebSocket-Extensions: {0}` does not follow the grammar")]
    Extensions(String),
    /// permessage-deflate, but not as it was offered.
    #[error(transparent)]
    Deflate(AnswerError),
    /// A subprotocol that was not offered.
    #[error("the server chose the subprotocol `{0}`, which was not offered")]
    UnaskedSubprotocol(String),
    /// A header twice that may come once.
    #[error("the response has `{0}` more than once")]
    RepeatedHeader(&'static str),
}

#[cfg(test)]
mod tests;
