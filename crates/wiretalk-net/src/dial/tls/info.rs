//! What a TLS handshake came to.

use bytes::Bytes;
use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};

use super::{Pin, TlsOptions, TlsVersion};

/// What a TLS handshake came to.
///
/// ```
/// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, TlsConfig, serve_connection};
/// use wiretalk_net::{Connector, Request, TlsOptions, TlsVersion};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
/// # let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
/// # let listener = Listener::bind("127.0.0.1:0", Some(tls)).await?;
/// # let url = format!("wss://localhost:{}/", listener.local_addr()?.port());
/// # tokio::spawn(async move {
/// #     let incoming = listener.accept().await?;
/// #     serve_connection(incoming, ServeOptions::default(), async |mut request| {
/// #         request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap().0
/// #     })
/// #     .await
/// # });
/// # let tls = TlsOptions::new().root_certificates(certificate_pem.as_bytes())?;
/// # let connector = Connector::new().tls(tls).address_family(wiretalk_net::AddressFamily::V4);
/// let (socket, handshake) = connector.connect(&Request::new(url)).await?;
/// let tls = handshake.tls.expect("the URL is wss");
/// assert_eq!((tls.version, &*tls.server_name), (TlsVersion::Tls13, "localhost"));
/// assert!(tls.verified && !tls.pinned && !tls.resumed);
/// println!("{}, {} certificates", tls.cipher_suite, tls.peer_certificates.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version agreed on.
    pub version: TlsVersion,
    /// The cipher suite agreed on, by its name in IANA's registry: `TLS_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
    /// The protocol that the server chose of those offered (ALPN). `None`: it chose none.
    pub alpn: Option<String>,
    /// The name or the address that the certificate was to be for.
    pub server_name: String,
    /// The certificates that the server showed, its own first, in DER.
    pub peer_certificates: Vec<Bytes>,
    /// Whether the certificates lead to a root that is believed, and are for that name. False with
    /// [`TlsOptions::insecure`] alone: **then anybody may be at the other end.**
    pub verified: bool,
    /// Whether the key was one of those [pinned](TlsOptions::pin).
    pub pinned: bool,
    /// Whether the server asked who we are. It does not ask again when a session is resumed.
    pub client_certificate_wanted: bool,
    /// Whether the keys of an earlier connection of the same [`Connector`](crate::Connector) were used again.
    pub resumed: bool,
}

impl TlsInfo {
    /// The pin of the server's key, for [`TlsOptions::pin`].
    ///
    /// ```
    /// # use wiretalk_net::server::{AcceptOptions, Listener, ServeOptions, TlsConfig, serve_connection};
    /// use wiretalk_net::{Connector, Request, TlsOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
    /// # let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// # let listener = Listener::bind("127.0.0.1:0", Some(tls)).await?;
    /// # let url = format!("wss://localhost:{}/", listener.local_addr()?.port());
    /// # tokio::spawn(async move {
    /// #     let incoming = listener.accept().await?;
    /// #     serve_connection(incoming, ServeOptions::default(), async |mut request| {
    /// #         request.upgrade().unwrap().accept(AcceptOptions::default()).unwrap().0
    /// #     })
    /// #     .await
    /// # });
    /// # let tls = TlsOptions::new().root_certificates(certificate_pem.as_bytes())?;
    /// # let connector = Connector::new().tls(tls).address_family(wiretalk_net::AddressFamily::V4);
    /// let (socket, handshake) = connector.connect(&Request::new(&*url)).await?;
    /// let pin = handshake.tls.and_then(|tls| tls.pin()).expect("a certificate came");
    /// let only_this_key = Connector::new().tls(TlsOptions::new().pin(pin));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pin(&self) -> Option<Pin> {
        let own = self.peer_certificates.first()?;
        Pin::of(&CertificateDer::from(&own[..])).ok()
    }

    pub(super) fn of(
        connection: &ClientConnection,
        options: &TlsOptions,
        name: &ServerName<'_>,
        client_certificate_wanted: bool,
    ) -> Self {
        let suite = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default();
        let certificates = connection.peer_certificates().unwrap_or_default();
        let alpn = connection.alpn_protocol();
        Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
                // Nothing else is offered.
                _ => TlsVersion::Tls13,
            },
            // rustls tells those of TLS 1.3 apart by their names, IANA does not.
            cipher_suite: suite.replacen("TLS13_", "TLS_", 1),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
            server_name: name.to_str().into_owned(),
            peer_certificates: certificates
                .iter()
                .map(|certificate| Bytes::copy_from_slice(certificate))
                .collect(),
            verified: !options.insecure,
            pinned: !options.pins.is_empty(),
            client_certificate_wanted,
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}
