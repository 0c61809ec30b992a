//! Who we are to a server that asks.

use std::{fmt, sync::Arc};

use rustls::{InconsistentKeys, crypto::ring, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};

use super::certificates;
use crate::error::Error;

/// A certificate and its private key, which a client shows to a server that asks for them.
///
/// The key is shown nowhere, not even by `Debug`.
///
/// ```
/// use wiretalk_net::{Identity, TlsOptions};
///
/// # fn main() -> Result<(), wiretalk_net::Error> {
/// # let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
/// # let (certificate_pem, key_pem) = (own.cert.pem(), own.signing_key.serialize_pem());
/// let identity = Identity::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())?;
/// let tls = TlsOptions::new().identity(identity);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads a chain of certificates, the client's own first, and its private key: PKCS#8, PKCS#1 or SEC 1, in PEM. They
    /// may be one and the same text.
    ///
    /// ```
    /// let error = wiretalk_net::Identity::from_pem(b"", b"").unwrap_err();
    /// assert_eq!(error.kind(), wiretalk_net::ErrorKind::InvalidInput);
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if one is missing, cannot be read, is encrypted, or the key does not fit the certificate.
    pub fn from_pem(certificate_chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(certificate_chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| no_key(key, &error))?;
        Self::new(chain, key)
    }

    /// [`from_pem`](Identity::from_pem) with a key that is encrypted (`BEGIN ENCRYPTED PRIVATE KEY`: PKCS#8 with PBES2, RFC
    /// 8018). A key that is not encrypted is taken as well. Takes some milliseconds, since guessing passphrases is to be
    /// slow.
    ///
    /// ```
    /// let error = wiretalk_net::Identity::from_pem_encrypted(b"", b"", "secret").unwrap_err();
    /// assert_eq!(error.kind(), wiretalk_net::ErrorKind::InvalidInput);
    /// ```
    ///
    /// # Errors
    /// As `from_pem`, and if the passphrase is wrong, or the key is encrypted in another way.
    #[cfg(feature = "pkcs12")]
    pub fn from_pem_encrypted(
        certificate_chain: &[u8],
        key: &[u8],
        passphrase: &str,
    ) -> Result<Self, Error> {
        let chain = certificates(certificate_chain)?;
        let key = match PrivateKeyDer::from_pem_slice(key) {
            Ok(key) => key,
            Err(error) => {
                super::encrypted::pem(key, passphrase)?.ok_or_else(|| no_key(key, &error))?
            }
        };
        Self::new(chain, key)
    }

    /// Reads a PKCS#12 file (`.p12`, `.pfx`; RFC 7292): the first private key in it, the certificate that fits it, and
    /// those that lead on from there. Takes some milliseconds, since guessing passphrases is to be slow.
    ///
    /// ```
    /// let error = wiretalk_net::Identity::from_pkcs12(b"", "secret").unwrap_err();
    /// assert_eq!(error.kind(), wiretalk_net::ErrorKind::InvalidInput);
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read, the passphrase is wrong, it is encrypted in a way that is not known, or it has
    /// no private key with a certificate.
    #[cfg(feature = "pkcs12")]
    pub fn from_pkcs12(der: &[u8], passphrase: &str) -> Result<Self, Error> {
        let (chain, key) = super::encrypted::pkcs12(der, passphrase)?;
        Self::new(chain, key)
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            Ok(key) => Ok(Self(Arc::new(key))),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(
                Error::invalid("the private key does not fit the certificate"),
            ),
            Err(error) => Err(Error::invalid(format!(
                "the client certificate and its key cannot be used: {error}"
            ))),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.0.cert.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no private key in a PEM text.
fn no_key(pem: &[u8], error: &pem::Error) -> Error {
    let has = |words: &[u8]| pem.windows(words.len()).any(|window| window == words);
    Error::invalid(if has(b"Proc-Type: 4,ENCRYPTED") {
        "the private key is encrypted in a way that is too weak to be used any more (`Proc-Type: 4,ENCRYPTED`); \
         convert it: `openssl pkcs8 -topk8 -in OLD -out NEW`"
            .to_owned()
    } else if has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        "the private key is encrypted, and wants its passphrase".to_owned()
    } else if matches!(error, pem::Error::NoItemsFound) {
        "there is no private key (`-----BEGIN PRIVATE KEY-----`) in the PEM text".to_owned()
    } else {
        format!("the private key cannot be read as PEM: {error}")
    })
}
