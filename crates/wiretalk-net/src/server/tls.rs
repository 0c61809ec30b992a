//! A server's certificate, which may be replaced while it serves.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use super::ServeOptions;
#[cfg(feature = "http2")]
use crate::http2;
use crate::{
    dial::{Pin, certificates},
    error::Error,
};

/// A server's certificate and key.
///
/// ```
/// use wiretalk_net::server::{Listener, TlsConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), wiretalk_net::Error> {
/// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
/// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
/// let listener = Listener::bind("127.0.0.1:0", Some(tls)).await?;
/// assert!(listener.is_secure());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    certificate: Arc<Certificate>,
    http1: Arc<ServerConfig>,
    /// The same, for clients that may choose HTTP/2.
    #[cfg(feature = "http2")]
    http2: Arc<ServerConfig>,
}

impl TlsConfig {
    /// Reads a certificate chain, the server's own first, and its private key.
    ///
    /// ```
    /// use wiretalk_net::server::TlsConfig;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
    /// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// assert!(TlsConfig::from_pem(b"no certificate", key_pem.as_bytes()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if one is missing, cannot be read, or they do not belong together.
    pub fn from_pem(certificate_chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let certificate = Arc::new(Certificate(RwLock::new(certified(certificate_chain, key)?)));
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(unusable)?
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&certificate) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            #[cfg(feature = "http2")]
            http2: {
                let mut config = config.clone();
                config.alpn_protocols.insert(0, http2::ALPN.to_vec());
                Arc::new(config)
            },
            http1: Arc::new(config),
            certificate,
        })
    }

    /// Takes another certificate and key from now on, for this configuration and all clones of it, those that listen
    /// included. Connections that are there stay as they are.
    ///
    /// ```
    /// use wiretalk_net::server::{Listener, TlsConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = || {
    /// #     let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// #     (own.cert.pem(), own.signing_key.serialize_pem())
    /// # };
    /// # let ((certificate_pem, key_pem), (newer_pem, newer_key_pem)) = (own(), own());
    /// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// let listener = Listener::bind("127.0.0.1:0", Some(tls.clone())).await?;
    /// tls.replace(newer_pem.as_bytes(), newer_key_pem.as_bytes())?;
    /// assert!(tls.replace(certificate_pem.as_bytes(), newer_key_pem.as_bytes()).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); then all is as it was.
    pub fn replace(&self, certificate_chain: &[u8], key: &[u8]) -> Result<(), Error> {
        let certified = certified(certificate_chain, key)?;
        let mut current = self
            .certificate
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = certified;
        Ok(())
    }

    /// The pin of the key that is shown to clients now, for those who are to believe no other.
    ///
    /// ```
    /// use wiretalk_net::server::TlsConfig;
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    /// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
    /// let tls = TlsConfig::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
    /// println!("wiretalk connect -k --pin {}", tls.pin()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a certificate that cannot be read.
    pub fn pin(&self) -> Result<Pin, Error> {
        let current = self
            .certificate
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let own = current.end_entity_cert().map_err(unusable)?;
        Pin::of(own).map_err(unusable)
    }

    /// What is offered to a client (RFC 7301).
    pub(super) fn acceptor(self, options: &ServeOptions) -> TlsAcceptor {
        #[cfg(feature = "http2")]
        if options.http2 {
            return self.http2.into();
        }
        #[cfg(not(feature = "http2"))]
        let _ = options;
        self.http1.into()
    }
}

/// What is shown to clients, until another takes its place.
struct Certificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

fn certified(certificate_chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(certificate_chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
        Error::invalid(format!("the private key cannot be read as PEM: {error}"))
    })?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(unusable)?;
    Ok(Arc::new(certified))
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unusable(error: rustls::Error) -> Error {
    if matches!(error, rustls::Error::InconsistentKeys(_)) {
        return Error::invalid("the private key is not that of the certificate");
    }
    Error::invalid(format!("certificate and key cannot be used: {error}"))
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}
