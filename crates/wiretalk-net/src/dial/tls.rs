//! The client's side of TLS.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use crate::error::{Blame, Error, ErrorKind};

/// Whom to trust.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Any certificate will do.
    pub(crate) insecure: bool,
    /// Roots beside those of the system.
    pub(crate) roots: Vec<CertificateDer<'static>>,
}

/// Reads the certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            Error::invalid(format!("the certificates cannot be read as PEM: {error}"))
        })?;
    if certificates.is_empty() {
        return Err(Error::invalid(
            "there is no certificate (`-----BEGIN CERTIFICATE-----`) in the PEM text",
        ));
    }
    Ok(certificates)
}

/// Builds the configuration. Reads the system's roots from disk, so it blocks for some milliseconds.
pub(crate) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    let mut config = if trust.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth()
    } else {
        builder
            .with_root_certificates(roots(trust)?)
            .with_no_client_auth()
    };
    // The opening handshake is HTTP/1.1; a server that also speaks HTTP/2 must not pick that.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(trust: &Trust) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for root in &trust.roots {
        store.add(root.clone()).map_err(|error| {
            Error::invalid(format!("a root certificate cannot be used: {error}"))
        })?;
    }
    let native = rustls_native_certs::load_native_certs();
    // The system's store often holds a few that rustls does not take; the others are enough.
    store.add_parsable_certificates(native.certs);
    match native.errors.first() {
        Some(error) if store.is_empty() => Err(setup(&format!(
            "no root certificates of the system: {error}"
        ))),
        _ => Ok(store),
    }
}

/// Says why no TLS came about.
pub(super) fn failed(authority: &str, error: io::Error) -> Error {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match tls {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let why = untrusted(why);
            format!("the certificate of {authority} is not trusted: {why}")
        }
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            format!("{authority} does not speak TLS")
        }
        Some(other) => format!("TLS with {authority} failed: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!("{authority} ended the stream in the TLS handshake")
        }
        None => return Error::io("the TLS handshake failed", error),
    };
    Error::with_source(ErrorKind::Tls, Blame::Peer, why, error)
}

fn setup(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Tls,
        Blame::Us,
        format!("TLS cannot be set up: {why}"),
    )
}

/// Believes any certificate, and still checks that the peer holds the key of the one that it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What is wrong with a certificate, for people.
fn untrusted(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Why;
    match why {
        Why::UnknownIssuer => "it is signed by nobody that is known here".to_owned(),
        Why::Expired | Why::ExpiredContext { .. } => "it has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        Why::Revoked => "it has been revoked".to_owned(),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        // The name of webpki's reason is all there is; it says enough (`CaUsedAsEndEntity`).
        Why::Other(other) => format!("{:?}", other.0),
        other => other.to_string(),
    }
}
