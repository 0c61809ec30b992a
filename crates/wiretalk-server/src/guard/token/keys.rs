//! Keys that tokens are signed with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use tokio::time::Instant;
use wiretalk_net::{Blame, Config, Connector, Error, ErrorKind};

/// The largest set of keys that is read, in bytes.
const MOST: usize = 1024 * 1024;
/// How long the keys at a URL may take.
const FETCH: Duration = Duration::from_secs(10);
/// How old keys may be before they are asked for anew.
const REFRESH: Duration = Duration::from_secs(300);
/// How often keys are asked for at most, because a token names one that is unknown.
const PAUSE: Duration = Duration::from_secs(5);

/// The keys that tokens may be signed with: one, or a set of them (JWK Set, RFC 7517 5) that is read anew.
///
/// A key is for the algorithms of its kind alone, so that no public key is ever taken for a secret, and never for `none`.
#[derive(Clone, Debug)]
pub struct Keys(Arc<Set>);

#[derive(Debug)]
struct Set {
    keys: RwLock<Arc<[Key]>>,
    source: Option<Source>,
    /// When they were asked for last, and whether that went well.
    asked: Mutex<Option<(Instant, bool)>>,
    /// Held by whoever asks, so that one does it for all.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Url(String),
}

/// A key, and what it is for.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

const HS: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

impl Keys {
    /// A secret that both sides know: HS256, HS384 and HS512, as far as it is long enough.
    ///
    /// ```
    /// use wiretalk_server::guard::Keys;
    ///
    /// assert!(Keys::secret(&[7; 32]).is_ok());
    /// assert!(Keys::secret(b"secret").is_err(), "anybody can guess it");
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it has less than 32 bytes (RFC 7518 3.2): such a secret is found by trying.
    pub fn secret(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < 32 {
            return Err(invalid(format!(
                "a secret for HS256 has 32 bytes or more (RFC 7518 3.2), and this one {}",
                secret.len()
            )));
        }
        let algorithms = HS.into_iter().zip([32, 48, 64]);
        let algorithms = algorithms.filter(|(_, bytes)| secret.len() >= *bytes);
        Ok(Self::fixed(vec![Key {
            id: None,
            algorithms: algorithms.map(|(algorithm, _)| algorithm).collect(),
            key: DecodingKey::from_secret(secret),
        }]))
    }

    /// A public key in PEM: RSA (RS256 to RS512, PS256 to PS512), of the curves P-256 (ES256) or P-384 (ES384), or
    /// Ed25519 (EdDSA).
    ///
    /// ```
    /// # let own = rcgen::KeyPair::generate().unwrap();
    /// # let public_key_pem = own.public_key_pem();
    /// use wiretalk_server::guard::Keys;
    ///
    /// assert!(Keys::pem(public_key_pem.as_bytes()).is_ok());
    /// assert!(Keys::pem(b"no key").is_err());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for anything else, a private key included: it has no place on a server that only checks.
    pub fn pem(pem: &[u8]) -> Result<Self, Error> {
        let is_private = pem.windows(11).any(|part| part == b"PRIVATE KEY");
        if is_private {
            return Err(invalid(
                "this is a private key: give the public one, `openssl pkey -in key.pem -pubout`"
                    .into(),
            ));
        }
        let (key, algorithms) = if let Ok(key) = DecodingKey::from_rsa_pem(pem) {
            (key, RS.to_vec())
        } else if let Ok(key) = DecodingKey::from_ec_pem(pem) {
            // An uncompressed point: a byte, and both numbers.
            let algorithm = match key.try_get_as_bytes().map(<[u8]>::len) {
                Ok(65) => Algorithm::ES256,
                Ok(97) => Algorithm::ES384,
                _ => {
                    return Err(invalid(
                        "this curve is not supported: P-256 and P-384 are".into(),
                    ));
                }
            };
            (key, vec![algorithm])
        } else if let Ok(key) = DecodingKey::from_ed_pem(pem) {
            (key, vec![Algorithm::EdDSA])
        } else {
            return Err(invalid(
                "this is no public key in PEM, of RSA, P-256, P-384 or Ed25519 (`-----BEGIN PUBLIC KEY-----`)".into(),
            ));
        };
        Ok(Self::fixed(vec![Key {
            id: None,
            algorithms,
            key,
        }]))
    }

    /// A set of keys in a file, which is read anew when a token names a key that is unknown, and every five minutes.
    ///
    /// ```
    /// use wiretalk_server::guard::Keys;
    ///
    /// assert!(Keys::file("/no/such/file".as_ref()).is_err());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read, or is none.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let keys = read_set(&read_file(path)?, Secrets::Taken)?;
        Ok(Self::from_source(keys, Source::File(path.to_owned())))
    }

    /// A set of keys at an `https:` or `http:` URL, of 1 MiB at the most, which is asked for by
    /// [`Guard::refresh`](crate::guard::Guard::refresh): before the first token is checked, when a token names a key that is
    /// unknown, and every five minutes. What is had stays if it cannot be had again.
    ///
    /// Only public keys are taken from there: a secret (`"kty": "oct"`) that is published is none, and whoever reads it could
    /// sign tokens with it. Secrets come from a [`file`](Self::file), or from [`secret`](Self::secret).
    ///
    /// ```
    /// use wiretalk_server::guard::Keys;
    ///
    /// let keys = Keys::url("https://login.example/.well-known/jwks.json");
    /// ```
    #[must_use]
    pub fn url(url: &str) -> Self {
        Self::from_source(Vec::new(), Source::Url(url.to_owned()))
    }

    fn fixed(keys: Vec<Key>) -> Self {
        Self::new(keys, None)
    }

    fn from_source(keys: Vec<Key>, source: Source) -> Self {
        Self::new(keys, Some(source))
    }

    fn new(keys: Vec<Key>, source: Option<Source>) -> Self {
        super::signature::install();
        Self(Arc::new(Set {
            keys: RwLock::new(keys.into()),
            source,
            asked: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    /// The keys for tokens that are signed so: of those with this identifier, if the token names one.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<Key> {
        let keys = self.0.keys.read().unwrap_or_else(PoisonError::into_inner);
        let found = keys.iter().filter(|key| {
            let is_named = match (id, &key.id) {
                (Some(id), Some(own)) => id == own,
                // A key without a name may be any, and so may a token that names none be signed with any.
                _ => true,
            };
            is_named && key.algorithms.contains(&algorithm)
        });
        found.cloned().collect()
    }

    /// Whether other keys could be had by asking, which was not done just now.
    pub(super) fn may_change(&self) -> bool {
        let asked = *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let just_now = asked.is_some_and(|(at, well)| well && at.elapsed() < PAUSE);
        self.0.source.is_some() && !just_now
    }

    /// Whether they are to be asked for, though no token needs them.
    pub(in crate::guard) fn is_due(&self) -> bool {
        let Some(source) = &self.0.source else {
            return false;
        };
        let asked = *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Some((at, true)) => at.elapsed() >= REFRESH,
            Some((at, false)) => at.elapsed() >= PAUSE,
            None => matches!(source, Source::Url(_)),
        }
    }

    /// Asks for the keys anew, unless that was done just now; says whether there are new ones. One asks for all who wait.
    pub(in crate::guard) async fn refresh(&self) -> Result<bool, Error> {
        let Some(source) = &self.0.source else {
            return Ok(false);
        };
        let waiting = Instant::now();
        let _asking = self.0.asking.lock().await;
        let asked = *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            // Somebody else has just done it.
            Some((at, well)) if at >= waiting => return Ok(well),
            Some((at, _)) if at.elapsed() < PAUSE => return Ok(false),
            _ => {}
        }
        let (read, secrets) = match source {
            Source::File(path) => (read_file(path), Secrets::Taken),
            Source::Url(url) => {
                let config = Config {
                    handshake_timeout: FETCH,
                    ..Config::default()
                };
                let fetched = Connector::new().config(config).fetch(url, MOST).await;
                (fetched.map(|document| document.to_vec()), Secrets::Refused)
            }
        };
        let keys = read.and_then(|document| read_set(&document, secrets));
        let now = Instant::now();
        *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, keys.is_ok()));
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys?.into();
        Ok(true)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let cannot = |why: String| invalid(format!("cannot read `{}`: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
    if length.len() > MOST as u64 {
        return Err(cannot(format!("it is longer than {MOST} bytes")));
    }
    std::fs::read(path).map_err(|error| cannot(error.to_string()))
}

/// What is done with secrets in a set: keys that sign as well as check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Taken,
    /// Passed over: the set is published.
    Refused,
}

/// Reads a JWK Set. Keys of kinds that are unknown are passed over (RFC 7517 5), and so are those that do not sign.
fn read_set(document: &[u8], secrets: Secrets) -> Result<Vec<Key>, Error> {
    let none = |why: &str| {
        invalid(format!(
            "this is no set of keys (JWK Set, RFC 7517 5): {why}"
        ))
    };
    let set: Value = serde_json::from_slice(document).map_err(|error| none(&error.to_string()))?;
    let Some(list) = set.get("keys").and_then(Value::as_array) else {
        return Err(none("it has no `keys`"));
    };
    let is_secret = |key: &&Value| key.get("kty").is_some_and(|kind| kind == "oct");
    let refused = |key: &&Value| secrets == Secrets::Refused && is_secret(key);
    let taken = list.iter().filter(|key| !refused(key));
    let keys: Vec<_> = taken.filter_map(read_key).collect();
    match keys.is_empty() {
        true if list.iter().any(|key| refused(&key)) => Err(none(
            "its only keys are secrets (`oct`), which are not taken from a URL",
        )),
        true => Err(none(
            "there is no key in it that a signature can be checked with",
        )),
        false => Ok(keys),
    }
}

fn read_key(value: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if matches!(&jwk.common.public_key_use, Some(purpose) if *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let of_kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => RS.to_vec(),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        AlgorithmParameters::OctetKey(_) => HS.to_vec(),
        // A kind that is younger than this.
        _ => return None,
    };
    let algorithms = match value.get("alg").and_then(Value::as_str) {
        Some(name) => {
            let named: Algorithm = name.parse().ok()?;
            of_kind.into_iter().filter(|own| *own == named).collect()
        }
        None => of_kind,
    };
    Some(Key {
        id: jwk.common.key_id.clone(),
        algorithms,
        key: DecodingKey::from_jwk(&jwk).ok()?,
    })
}

fn invalid(sentence: String) -> Error {
    Error::new(ErrorKind::InvalidInput, Blame::Us, sentence)
}

#[cfg(test)]
mod tests;
