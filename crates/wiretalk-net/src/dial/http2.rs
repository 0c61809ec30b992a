//! Whether the opening handshake goes over HTTP/2 (RFC 8441).

use wiretalk_proto::handshake::client::Response;

use super::{TlsInfo, deadline::Deadline, http1::Opening, url::Target};
use crate::{
    error::{Blame, Error, ErrorKind},
    transport::Transport,
};

/// Whether a WebSocket is asked for over HTTP/2 (RFC 8441): for `Connector::http2`, which comes with the feature `http2`.
///
/// ```
/// use wiretalk_net::{Connector, Http2};
///
/// let connector = Connector::new().http2(Http2::Prefer);
/// assert_eq!(Http2::default(), Http2::Off);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Http2 {
    /// Never: HTTP/1.1.
    #[default]
    Off,
    /// Over TLS, if the server chooses HTTP/2 (ALPN) and takes WebSockets over it. If it chooses HTTP/2 and does not, or
    /// answers that it wants HTTP/1.1 for this, it is dialed once more with HTTP/1.1. Without TLS, HTTP/1.1.
    Prefer,
    /// Over HTTP/2, or not at all. Without TLS, the server is taken to know that (RFC 9113 3.3).
    Only,
}

impl Http2 {
    /// What TLS offers (RFC 7301). A server that also speaks HTTP/2 must not pick what we would not speak.
    pub(super) fn alpn(self) -> &'static [&'static str] {
        match self {
            Self::Off => &["http/1.1"],
            Self::Prefer => &["h2", "http/1.1"],
            Self::Only => &["h2"],
        }
    }

    /// Whether HTTP/2 is spoken on a connection.
    pub(super) fn is_chosen(
        self,
        secure: bool,
        tls: Option<&TlsInfo>,
        authority: &str,
    ) -> Result<bool, Error> {
        let agreed = tls.and_then(|tls| tls.alpn.as_deref());
        match self {
            // Only a list of the caller's own offers it then.
            Self::Off if agreed == Some("h2") => Err(Error::new(
                ErrorKind::Http2,
                Blame::Us,
                format!(
                    "{authority} chose HTTP/2 of the protocols that were offered (ALPN), which is not allowed here"
                ),
            )),
            Self::Off => Ok(false),
            Self::Prefer => Ok(agreed == Some("h2")),
            Self::Only if !secure || agreed == Some("h2") => Ok(true),
            Self::Only => Err(Error::new(
                ErrorKind::Http2,
                Blame::Peer,
                format!(
                    "{authority} did not choose HTTP/2 in the TLS handshake, and nothing else is allowed"
                ),
            )),
        }
    }
}

/// The opening handshake over HTTP/2. `None` if the server takes no WebSocket over it, and HTTP/1.1 may be tried.
#[cfg(feature = "http2")]
pub(super) async fn open(
    stream: Transport,
    opening: &Opening,
    http2: Http2,
    target: &Target,
    deadline: Deadline,
) -> Result<Option<(Transport, Response, Vec<u8>)>, Error> {
    use crate::http2::client::{self, Opened};
    let late = |limit| {
        let what = format_args!(
            "{} did not answer the opening handshake over HTTP/2",
            target.name()
        );
        Error::timeout(Blame::Peer, what, limit)
    };
    let opened = client::open(stream, opening, target.secure, deadline.at);
    match deadline.within(opened, late).await?? {
        Opened::Stream(stream, response) => Ok(Some((Transport::H2(stream), response, Vec::new()))),
        Opened::NoExtendedConnect | Opened::WantsHttp1(_) if http2 == Http2::Prefer => Ok(None),
        Opened::WantsHttp1(error) => Err(error),
        Opened::NoExtendedConnect => Err(Error::new(
            ErrorKind::Http2,
            Blame::Peer,
            format!(
                "{} speaks HTTP/2, but takes no WebSocket over it (RFC 8441 3: SETTINGS_ENABLE_CONNECT_PROTOCOL)",
                target.name()
            ),
        )),
    }
}

/// Without the feature, nobody asks for HTTP/2.
#[cfg(not(feature = "http2"))]
pub(super) async fn open(
    _: Transport,
    _: &Opening,
    _: Http2,
    _: &Target,
    _: Deadline,
) -> Result<Option<(Transport, Response, Vec<u8>)>, Error> {
    Ok(None)
}
