//! Signatures of tokens, checked by `ring`, which TLS uses already (RFC 7518 3, RFC 8037).

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::{hmac, signature};

/// Makes `jsonwebtoken` check signatures by `ring`. A program that has chosen something else for it keeps that.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: never_signs,
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    ONCE.call_once(|| {
        let _ = RING.install_default();
    });
}

fn never_signs(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // A public key is no secret: whoever knows it could sign with it, if it were taken for one.
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Ring {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

struct Ring {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> std::result::Result<(), Error> {
        let checked = match self.algorithm {
            Algorithm::HS256 => self.mac(hmac::HMAC_SHA256, message, signed),
            Algorithm::HS384 => self.mac(hmac::HMAC_SHA384, message, signed),
            Algorithm::HS512 => self.mac(hmac::HMAC_SHA512, message, signed),
            Algorithm::RS256 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA256, message, signed),
            Algorithm::RS384 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA384, message, signed),
            Algorithm::RS512 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA512, message, signed),
            Algorithm::PS256 => self.rsa(&signature::RSA_PSS_2048_8192_SHA256, message, signed),
            Algorithm::PS384 => self.rsa(&signature::RSA_PSS_2048_8192_SHA384, message, signed),
            Algorithm::PS512 => self.rsa(&signature::RSA_PSS_2048_8192_SHA512, message, signed),
            Algorithm::ES256 => self.public(&signature::ECDSA_P256_SHA256_FIXED, message, signed),
            Algorithm::ES384 => self.public(&signature::ECDSA_P384_SHA384_FIXED, message, signed),
            Algorithm::EdDSA => self.public(&signature::ED25519, message, signed),
            _ => Err(ring::error::Unspecified),
        };
        checked.map_err(|_| Error::new())
    }
}

impl Ring {
    fn bytes(&self) -> std::result::Result<&[u8], ring::error::Unspecified> {
        let bytes = self.key.try_get_as_bytes();
        bytes.map_err(|_| ring::error::Unspecified)
    }

    fn mac(
        &self,
        algorithm: hmac::Algorithm,
        message: &[u8],
        signed: &[u8],
    ) -> std::result::Result<(), ring::error::Unspecified> {
        let key = hmac::Key::new(algorithm, self.bytes()?);
        hmac::verify(&key, message, signed)
    }

    fn rsa(
        &self,
        parameters: &'static signature::RsaParameters,
        message: &[u8],
        signed: &[u8],
    ) -> std::result::Result<(), ring::error::Unspecified> {
        match self.key.kind() {
            DecodingKeyKind::SecretOrDer(_) => self.public(parameters, message, signed),
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                // A leading zero is no part of the number (RFC 7518 6.3.1.1), and ring takes none.
                let significant = |number: &[u8]| {
                    let zeros = number.iter().take_while(|byte| **byte == 0).count();
                    number[zeros..].to_vec()
                };
                let (n, e) = (significant(n), significant(e));
                signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
        }
    }

    fn public(
        &self,
        algorithm: &'static dyn signature::VerificationAlgorithm,
        message: &[u8],
        signed: &[u8],
    ) -> std::result::Result<(), ring::error::Unspecified> {
        signature::UnparsedPublicKey::new(algorithm, self.bytes()?).verify(message, signed)
    }
}
