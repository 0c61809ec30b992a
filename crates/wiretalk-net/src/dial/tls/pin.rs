//! The key that a server must have.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;

use crate::error::Error;

/// The SHA-256 of a public key (the certificate's SubjectPublicKeyInfo in DER), as HPKP (RFC 7469 section 2.4) and curl's
/// `--pinnedpubkey` have it. It outlives the certificate if the key does.
///
/// ```
/// use wiretalk_net::Pin;
///
/// let text = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// let pin: Pin = text.parse()?;
/// assert_eq!(pin.sha256(), [0; 32]);
/// assert_eq!(pin.to_string(), text);
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
///
/// That of a certificate is printed by
/// `openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// From the digest itself.
    ///
    /// ```
    /// let pin = wiretalk_net::Pin::new([0; 32]);
    /// ```
    #[must_use]
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The digest.
    ///
    /// ```
    /// assert_eq!(wiretalk_net::Pin::new([7; 32]).sha256(), [7; 32]);
    /// ```
    #[must_use]
    pub const fn sha256(self) -> [u8; 32] {
        self.0
    }

    /// That of the key in a certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, rustls::Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &key).as_ref());
        Ok(Self(sha256))
    }
}

impl FromStr for Pin {
    type Err = Error;

    /// `sha256//` and 32 bytes in base64.
    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = text
            .strip_prefix("sha256//")
            .and_then(|base64| STANDARD.decode(base64).ok());
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "`{}` is no pin: that is `sha256//` and 32 bytes in base64",
                    text.escape_debug()
                ))
            })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}
