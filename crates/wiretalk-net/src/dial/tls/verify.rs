//! Whether a server is the one that is wanted.

use std::{error::Error as StdError, fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::Pin;

/// Asks for a chain to a root, unless any certificate will do, and for one of the pins, if there are any. In any case the
/// server must hold the key of the certificate that it shows.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Roots that were given: a server's own certificate may be among them.
    given: Vec<CertificateDer<'static>>,
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The key is none of those that are pinned.
#[derive(Debug)]
pub(super) struct OtherKey {
    pub(super) came: Pin,
}

/// Nobody but the certificate itself says that it is right.
#[derive(Debug)]
pub(super) struct SelfSigned;

impl Verifier {
    pub(super) fn new(
        chain: Option<Arc<WebPkiServerVerifier>>,
        given: &[CertificateDer<'static>],
        pins: &[Pin],
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self {
            chain,
            given: given.to_vec(),
            pins: pins.to_vec(),
            algorithms,
        }
    }

    /// Looks again at what webpki found wrong: a server's own certificate may be among the roots that were given, which to
    /// webpki is an error still; and one that is signed by itself is worth a word of its own.
    fn reconsider(
        &self,
        end_entity: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
        error: rustls::Error,
    ) -> Result<(), rustls::Error> {
        let certificate = webpki::EndEntityCert::try_from(end_entity);
        let (rustls::Error::InvalidCertificate(why), Ok(certificate)) = (&error, certificate)
        else {
            return Err(error);
        };
        let self_signed = match why {
            CertificateError::UnknownIssuer => {
                certificate.issuer() == certificate.subject()
                    && self.leads_to(&certificate, end_entity, now)
            }
            // webpki looks at the dates before it minds that an authority is a server.
            CertificateError::Other(OtherError(why))
                if matches!(why.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) =>
            {
                if self.given.iter().any(|root| root == end_entity) {
                    let parsed = ParsedCertificate::try_from(end_entity)?;
                    return verify_server_name(&parsed, server_name);
                }
                certificate.issuer() == certificate.subject()
            }
            _ => false,
        };
        Err(if self_signed {
            other(SelfSigned)
        } else {
            error
        })
    }

    /// Whether a certificate would be right if this were a root.
    fn leads_to(
        &self,
        certificate: &webpki::EndEntityCert<'_>,
        root: &CertificateDer<'_>,
        now: UnixTime,
    ) -> bool {
        webpki::anchor_from_trusted_cert(root).is_ok_and(|anchor| {
            let anchors = [anchor];
            let verified = certificate.verify_for_usage(
                self.algorithms.all,
                &anchors,
                &[],
                now,
                webpki::KeyUsage::server_auth(),
                None,
                None,
            );
            verified.is_ok()
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(chain) = &self.chain {
            let verified = chain.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
            if let Err(error) = verified {
                self.reconsider(end_entity, server_name, now, error)?;
            }
        }
        if !self.pins.is_empty() {
            let came = Pin::of(end_entity)?;
            if !self.pins.contains(&came) {
                return Err(other(OtherKey { came }));
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn other(why: impl StdError + Send + Sync + 'static) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}

impl fmt::Display for OtherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its key is {}, which is not pinned", self.came)
    }
}

impl StdError for OtherKey {}

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is signed by itself")
    }
}

impl StdError for SelfSigned {}
