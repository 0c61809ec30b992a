//! Keys under a passphrase.

use p12_keystore::{Pkcs12Archive, error::Error as ArchiveError};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::{crypto::ring, server::ParsedCertificate};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::error::Error;

type Opened = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The key of the first `ENCRYPTED PRIVATE KEY` in a PEM text. `None`: there is none.
pub(super) fn pem(text: &[u8], passphrase: &str) -> Result<Option<PrivateKeyDer<'static>>, Error> {
    let Some(block) = block(text) else {
        return Ok(None);
    };
    let unreadable = |why: &dyn std::fmt::Display| {
        Error::invalid(format!("the encrypted private key cannot be read: {why}"))
    };
    let (_, document) = SecretDocument::from_pem(block).map_err(|error| unreadable(&error))?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
        .map_err(|error| unreadable(&error))?;
    let opened = match encrypted.decrypt(passphrase) {
        Ok(opened) => opened,
        Err(pkcs8::Error::EncryptedPrivateKey(
            pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed,
        )) => return Err(wrong_passphrase("the private key")),
        Err(pkcs8::Error::Asn1(_)) => return Err(wrong_passphrase("the private key")),
        Err(error) => {
            return Err(Error::invalid(format!(
                "the private key is encrypted in a way that is not known here ({error}); convert it: \
                 `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW`"
            )));
        }
    };
    Ok(Some(key(opened.as_bytes())))
}

/// From its first line to its last.
fn block(text: &[u8]) -> Option<&str> {
    const BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    const END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";
    let find = |words: &[u8], from: usize| {
        let found = text[from..]
            .windows(words.len())
            .position(|window| window == words);
        found.map(|at| from + at)
    };
    let begin = find(BEGIN, 0)?;
    let end = find(END, begin)? + END.len();
    std::str::from_utf8(&text[begin..end]).ok()
}

/// The first private key of a PKCS#12 file, and the certificates from the one that fits it up to, but without, the root.
pub(super) fn pkcs12(der: &[u8], passphrase: &str) -> Result<Opened, Error> {
    let archive = Pkcs12Archive::from_pkcs12(der, passphrase).map_err(|error| match error {
        ArchiveError::MacError(_) | ArchiveError::UnpadError => {
            wrong_passphrase("the PKCS#12 file")
        }
        // Of a file without a MAC, which would have told before.
        ArchiveError::Pkcs5Error(why) if why.contains("decryption failed") => {
            wrong_passphrase("the PKCS#12 file")
        }
        ArchiveError::Pkcs5Error(_)
        | ArchiveError::UnsupportedEncryptionScheme
        | ArchiveError::UnsupportedMacAlgorithm => Error::invalid(
            "the PKCS#12 file is encrypted in a way that is not known here; convert it: \
             `openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW`",
        ),
        other => Error::invalid(format!("the PKCS#12 file cannot be read: {other}")),
    })?;
    let Some(bag) = archive.keys.first() else {
        return Err(Error::invalid(
            "there is no private key in the PKCS#12 file",
        ));
    };
    let key = key(bag.key.as_der());
    let unusable = |error: rustls::Error| {
        Error::invalid(format!(
            "the key of the PKCS#12 file cannot be used: {error}"
        ))
    };
    let signing = ring::default_provider()
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(unusable)?;
    let fits = |der: &CertificateDer<'_>| {
        let parsed = ParsedCertificate::try_from(der).ok()?;
        Some(signing.public_key()? == parsed.subject_public_key_info())
    };
    let certificates: Vec<_> = archive.certs.iter().map(|bag| &bag.cert).collect();
    let own = certificates
        .iter()
        .find(|own| fits(&CertificateDer::from(own.as_der())) == Some(true));
    let Some(own) = own else {
        return Err(Error::invalid(
            "there is no certificate for the private key in the PKCS#12 file",
        ));
    };
    let mut chain = vec![*own];
    while let Some(issuer) = certificates.iter().find(|issuer| {
        chain
            .last()
            .is_some_and(|last| last.issuer() == issuer.subject())
            && issuer.issuer() != issuer.subject()
            && !chain.contains(issuer)
    }) {
        chain.push(issuer);
    }
    let chain = chain
        .into_iter()
        .map(|certificate| CertificateDer::from(certificate.as_der().to_vec()))
        .collect();
    Ok((chain, key))
}

fn key(pkcs8: &[u8]) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(pkcs8.to_vec()).into()
}

fn wrong_passphrase(of: &str) -> Error {
    Error::invalid(format!("the passphrase of {of} is wrong"))
}
