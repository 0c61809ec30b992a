//! Signed tokens: JSON Web Tokens (RFC 7519), checked as RFC 8725 wants it.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde_json::{Map, Value};

use super::super::refusal::{Reason, Refusal};
use super::{Keys, Proof};

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 10.0;

/// How signed tokens are checked.
///
/// Every token must say when it ends (`exp`), and be signed with one of the keys by an algorithm of that key's kind.
///
/// ```
/// use wiretalk_server::guard::{Jwt, Keys};
///
/// let jwt = Jwt::new(Keys::secret(&[7; 32]).unwrap())
///     .audience("chat")
///     .issuer("https://login.example");
/// ```
#[derive(Clone, Debug)]
pub struct Jwt {
    keys: Keys,
    audience: Vec<String>,
    issuer: Vec<String>,
}

impl Jwt {
    /// Tokens signed with one of these keys.
    ///
    /// ```
    /// # use wiretalk_server::guard::{Jwt, Keys};
    /// let jwt = Jwt::new(Keys::secret(&[7; 32]).unwrap());
    /// ```
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self {
            keys,
            audience: Vec::new(),
            issuer: Vec::new(),
        }
    }

    /// Tokens for this audience (`aud`), or for another that is named so. Without any, nobody looks at it.
    ///
    /// ```
    /// # use wiretalk_server::guard::{Jwt, Keys};
    /// let jwt = Jwt::new(Keys::secret(&[7; 32]).unwrap()).audience("chat");
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Tokens of this issuer (`iss`), or of another that is named so. Without any, nobody looks at it.
    ///
    /// ```
    /// # use wiretalk_server::guard::{Jwt, Keys};
    /// let jwt = Jwt::new(Keys::secret(&[7; 32]).unwrap()).issuer("https://login.example");
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer.push(issuer.into());
        self
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn check(&self, token: &str, time: f64) -> Result<Proof, Refusal> {
        let invalid = |why: String| Refusal::new(Reason::TokenInvalid, why);
        let header = header(token).ok_or_else(|| invalid("this is no signed token".into()))?;
        // RFC 7515 4.1.11: whoever does not understand what is critical must refuse.
        if header.contains_key("crit") {
            return Err(invalid("the token has critical extensions".into()));
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let name = text("alg").unwrap_or_default();
        let Ok(algorithm) = name.parse::<Algorithm>() else {
            let name = name.escape_debug();
            return Err(invalid(format!("the token is signed by `{name}`")));
        };
        let keys = self.keys.find(text("kid"), algorithm);
        if keys.is_empty() {
            let why = format!("no key is known for a token of {name}");
            return Err(match self.keys.may_change() {
                true => Refusal::new(Reason::TokenUnchecked, why),
                false => invalid(why),
            });
        }
        let validation = self.validation(algorithm);
        let mut why = String::new();
        for key in &keys {
            match decode::<Map<String, Value>>(token, &key.key, &validation) {
                Ok(data) => return in_time(data.claims, time),
                // Another key may have signed it.
                Err(error) => {
                    why = match error.kind() {
                        ErrorKind::InvalidSignature => "its signature is wrong".to_owned(),
                        ErrorKind::InvalidAudience => "it is for another audience".to_owned(),
                        ErrorKind::InvalidIssuer => "it is of another issuer".to_owned(),
                        _ => error.to_string(),
                    }
                }
            }
        }
        Err(invalid(format!("the token is not accepted: {why}")))
    }

    /// What the library looks at. When a token begins and ends is looked at below, by the clock that is given.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        let mut required = Vec::new();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = !self.audience.is_empty();
        if !self.audience.is_empty() {
            validation.set_audience(&self.audience);
            required.push("aud");
        }
        if !self.issuer.is_empty() {
            validation.set_issuer(&self.issuer);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn in_time(claims: Map<String, Value>, time: f64) -> Result<Proof, Refusal> {
    let at = |name: &str| match claims.get(name) {
        None => Ok(None),
        // A number of seconds, with a fraction if need be (RFC 7519 2).
        Some(value) => value.as_f64().map(Some).ok_or_else(|| {
            let why = format!("the token's `{name}` is no time");
            Refusal::new(Reason::TokenInvalid, why)
        }),
    };
    let Some(expires) = at("exp")? else {
        let why = "the token does not say when it ends (`exp`)";
        return Err(Refusal::new(Reason::TokenInvalid, why));
    };
    if time >= expires + LEEWAY {
        let why = format!("the token ended {:.0} s ago", time - expires);
        return Err(Refusal::new(Reason::TokenExpired, why));
    }
    if at("nbf")?.is_some_and(|begins| time < begins - LEEWAY) {
        let why = "the token has not begun yet (`nbf`)";
        return Err(Refusal::new(Reason::TokenInvalid, why));
    }
    Ok(Proof {
        claims: Some(Arc::new(Value::Object(claims))),
        expires: Some(expires + LEEWAY),
    })
}

/// The header of a token, before anything of it is believed.
fn header(token: &str) -> Option<Map<String, Value>> {
    let (header, _) = token.split_once('.')?;
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
    serde_json::from_slice(&header).ok()
}
