//! What can go wrong, said in a sentence, with a kind to match on and somebody to blame.

mod kind;

use std::{error::Error as StdError, fmt, io, sync::Arc, time::Duration};

use wiretalk_proto::{
    CloseCode, ProtocolError, SendError,
    handshake::client::{Response, ResponseError},
};

pub use self::kind::{Blame, ErrorKind, ProxyFailure, RefusedHandshake};
use crate::dial::{Failed, TlsFailure};

/// What went wrong. Cheap to clone, since every half of a connection may have to tell it.
///
/// `Display` is a sentence for a person; [`kind`](Error::kind) is for a program.
///
/// ```
/// use wiretalk_net::{Blame, ErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// // Nobody listens on this port.
/// let error = wiretalk_net::connect("ws://127.0.0.1:1/").await.unwrap_err();
/// assert_eq!(error.to_string(), "127.0.0.1:1 refused the connection");
/// assert_eq!((error.kind(), error.blame()), (ErrorKind::Refused, Blame::Peer));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    blame: Blame,
    sentence: String,
    detail: Detail,
    source: Option<Source>,
}

type Source = Box<dyn StdError + Send + Sync>;

enum Detail {
    None,
    Protocol(ProtocolError),
    Refusal(RefusedHandshake),
    /// A response that was a 101, or meant to be one, but not right.
    Response(Response),
    Proxy(ProxyFailure, Option<RefusedHandshake>),
}

impl Error {
    /// The class of the error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let error = wiretalk_net::connect("ws://127.0.0.1:1/").await.unwrap_err();
    /// assert_eq!(error.kind(), wiretalk_net::ErrorKind::Refused);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Who can mend it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let error = wiretalk_net::connect("ws:// /").await.unwrap_err();
    /// assert_eq!(error.blame(), wiretalk_net::Blame::Us);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn blame(&self) -> Blame {
        self.0.blame
    }

    /// Which rule the peer broke, if it broke one: section, and the code that it was told.
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// client.close(CloseCode::NORMAL, "").await?;
    /// let error = client.send("too late").await.unwrap_err();
    /// assert!(error.protocol().is_none(), "no rule was broken by the peer");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn protocol(&self) -> Option<&ProtocolError> {
        match &self.0.detail {
            Detail::Protocol(error) => Some(error),
            _ => None,
        }
    }

    /// The server's answer, if it refused the handshake with one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let listener = wiretalk_net::server::Listener::bind("127.0.0.1:0", None).await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     let incoming = listener.accept().await.unwrap();
    /// #     let options = wiretalk_net::server::ServeOptions::default();
    /// #     let refuse = async |_| wiretalk_net::server::Reply::text(401, "who are you?");
    /// #     let _ = wiretalk_net::server::serve_connection(incoming, options, refuse).await;
    /// # });
    /// let error = wiretalk_net::connect(url).await.unwrap_err();
    /// if let Some(refusal) = error.refusal() {
    ///     println!("{}: {:?}", refusal.response.status, refusal.body);
    /// }
    /// # assert_eq!(error.refusal().unwrap().response.status, 401);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<&RefusedHandshake> {
        match &self.0.detail {
            Detail::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The server's answer to the handshake, if there was one and the handshake failed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let listener = wiretalk_net::server::Listener::bind("127.0.0.1:0", None).await?;
    /// # let url = format!("ws://{}/", listener.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     let incoming = listener.accept().await.unwrap();
    /// #     let options = wiretalk_net::server::ServeOptions::default();
    /// #     let refuse = async |_| wiretalk_net::server::Reply::text(401, "who are you?");
    /// #     let _ = wiretalk_net::server::serve_connection(incoming, options, refuse).await;
    /// # });
    /// let error = wiretalk_net::connect(url).await.unwrap_err();
    /// let response = error.response().expect("there was an answer");
    /// assert_eq!(response.headers.get("content-length"), Some(&b"12"[..]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match &self.0.detail {
            Detail::Refusal(refusal) => Some(&refusal.response),
            Detail::Response(response) => Some(response),
            _ => None,
        }
    }

    /// What went wrong at the proxy, if it was there.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let proxy: wiretalk_net::Proxy = "socks5://127.0.0.1:1".parse()?;
    /// let connector = wiretalk_net::Connector::new().proxies(proxy);
    /// let error = connector.connect(&"ws://127.0.0.1:2/".into()).await.unwrap_err();
    /// assert!(error.proxy_failure().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn proxy_failure(&self) -> Option<ProxyFailure> {
        match &self.0.detail {
            Detail::Proxy(failure, _) => Some(*failure),
            _ => None,
        }
    }

    /// The answer of an HTTP proxy that did not make a tunnel. Of the server's own answers, [`refusal`](Error::refusal)
    /// tells.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let error = wiretalk_net::connect("ws://127.0.0.1:1/").await.unwrap_err();
    /// assert!(error.proxy_answer().is_none(), "there is no proxy");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn proxy_answer(&self) -> Option<&RefusedHandshake> {
        match &self.0.detail {
            Detail::Proxy(_, answer) => answer.as_ref(),
            _ => None,
        }
    }

    /// Why no TLS came about, if that is what failed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let error = wiretalk_net::connect("wss://127.0.0.1:1/").await.unwrap_err();
    /// assert!(error.tls().is_none(), "it did not come so far");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFailure> {
        let source = self.0.source.as_ref()?;
        Some(&source.downcast_ref::<Failed>()?.failure)
    }

    /// The close code that stands for the error: the one that was sent to a peer that broke the protocol or did not end
    /// a message, and 1006 for one that was silent or ended the stream without a close frame.
    ///
    /// ```
    /// use wiretalk_net::CloseCode;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let (mut client, mut server) = wiretalk_net::pair();
    /// drop(client);
    /// let error = server.recv().await.expect("it is told once").unwrap_err();
    /// assert_eq!(error.close_code(), Some(CloseCode::ABNORMAL));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        match self.0.kind {
            ErrorKind::Protocol => self.protocol().map(ProtocolError::code),
            ErrorKind::MessageTimeout => Some(CloseCode::POLICY),
            ErrorKind::Abnormal
            | ErrorKind::Reset
            | ErrorKind::PingTimeout
            | ErrorKind::IdleTimeout => Some(CloseCode::ABNORMAL),
            _ => None,
        }
    }

    /// An error of a library or a program above this one, so that it has one type for all that can go wrong with a
    /// connection. The sentence is for a person.
    ///
    /// ```
    /// use wiretalk_net::{Blame, Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::InvalidInput, Blame::Peer, "the first message names no user");
    /// assert_eq!(error.to_string(), "the first message names no user");
    /// let shown = "Error { kind: InvalidInput, blame: Peer, sentence: the first message names no user, .. }";
    /// assert_eq!(format!("{error:?}"), shown);
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, blame: Blame, sentence: impl Into<String>) -> Self {
        Self::build(kind, blame, sentence.into(), Detail::None, None)
    }

    pub(crate) fn invalid(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, Blame::Us, sentence)
    }

    pub(crate) fn handshake(sentence: impl Into<String>) -> Self {
        Self::new(ErrorKind::Handshake, Blame::Peer, sentence)
    }

    #[cfg(feature = "json")]
    pub(crate) fn json(blame: Blame, what: &str, error: serde_json::Error) -> Self {
        Self::with_source(ErrorKind::Json, blame, format!("{what}: {error}"), error)
    }

    pub(crate) fn timeout(blame: Blame, what: impl fmt::Display, limit: Duration) -> Self {
        Self::new(
            ErrorKind::Timeout,
            blame,
            format!("{what} within {limit:?}"),
        )
    }

    pub(crate) fn closed() -> Self {
        Self::new(
            ErrorKind::Closed,
            Blame::Us,
            "the connection is closed, nothing more can be sent",
        )
    }

    pub(crate) fn refused_handshake(refusal: RefusedHandshake) -> Self {
        Self::refused(refusal, "101 Switching Protocols")
    }

    /// As [`refused_handshake`](Self::refused_handshake), over HTTP/2.
    #[cfg(feature = "http2")]
    pub(crate) fn refused_connect(refusal: RefusedHandshake) -> Self {
        Self::refused(refusal, "200")
    }

    fn refused(refusal: RefusedHandshake, instead: &str) -> Self {
        let Response { status, reason, .. } = &refusal.response;
        let space = if reason.is_empty() { "" } else { " " };
        let sentence = format!("the server answered {status}{space}{reason} instead of {instead}");
        Self::build(
            ErrorKind::Handshake,
            Blame::Peer,
            sentence,
            Detail::Refusal(refusal),
            None,
        )
    }

    pub(crate) fn proxy(
        failure: ProxyFailure,
        sentence: String,
        answer: Option<RefusedHandshake>,
        source: Option<Source>,
    ) -> Self {
        let blame = match failure {
            ProxyFailure::Authentication => Blame::Us,
            _ => Blame::Network,
        };
        let detail = Detail::Proxy(failure, answer);
        Self::build(ErrorKind::Proxy, blame, sentence, detail, source)
    }

    /// A redirect that is not followed.
    pub(crate) fn redirect(sentence: String, refusal: RefusedHandshake) -> Self {
        let detail = Detail::Refusal(refusal);
        Self::build(ErrorKind::Handshake, Blame::Peer, sentence, detail, None)
    }

    /// The same error, with more behind its sentence. One that somebody else holds, too, stays as it is.
    pub(crate) fn extended(mut self, more: &str) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.sentence.push_str(more);
        }
        self
    }

    pub(crate) fn bad_response(error: &ResponseError) -> Self {
        let detail = error
            .response()
            .cloned()
            .map_or(Detail::None, Detail::Response);
        let sentence = format!("{error} ({})", error.section());
        Self::build(ErrorKind::Handshake, Blame::Peer, sentence, detail, None)
    }

    pub(crate) fn io(what: &str, error: io::Error) -> Self {
        let (kind, blame) = match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => {
                return Self::reset(error);
            }
            io::ErrorKind::ConnectionRefused => (ErrorKind::Refused, Blame::Peer),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut => (ErrorKind::Unreachable, Blame::Network),
            _ => (ErrorKind::Io, Blame::Us),
        };
        let sentence = format!("{what}: {error}");
        Self::build(kind, blame, sentence, Detail::None, Some(error.into()))
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        blame: Blame,
        sentence: String,
        source: impl Into<Source>,
    ) -> Self {
        Self::build(kind, blame, sentence, Detail::None, Some(source.into()))
    }

    fn reset(error: io::Error) -> Self {
        let sentence = "the connection was reset".to_owned();
        #[cfg(feature = "http2")]
        let sentence = match error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<crate::http2::Broken>())
        {
            Some(broken) => format!("{sentence}: {broken}"),
            None => sentence,
        };
        Self::build(
            ErrorKind::Reset,
            Blame::Peer,
            sentence,
            Detail::None,
            Some(error.into()),
        )
    }

    fn build(
        kind: ErrorKind,
        blame: Blame,
        sentence: String,
        detail: Detail,
        source: Option<Source>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            blame,
            sentence,
            detail,
            source,
        }))
    }
}

impl From<ProtocolError> for Error {
    fn from(error: ProtocolError) -> Self {
        let sentence = format!(
            "{error} ({}; close code {})",
            error.section(),
            error.code().as_u16()
        );
        Self::build(
            ErrorKind::Protocol,
            Blame::Peer,
            sentence,
            Detail::Protocol(error),
            None,
        )
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::closed(),
            other => Self::invalid(other.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("blame", &self.0.blame)
            // Not escaped: a sentence of several lines is to be read where a test unwraps it.
            .field("sentence", &format_args!("{}", self.0.sentence))
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
