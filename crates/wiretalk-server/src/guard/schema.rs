//! What messages must look like: JSON Schema.

use std::fmt;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;
use wiretalk_net::{Blame, Error, ErrorKind};

use crate::gate::Payload;

/// What clients' messages must look like: JSON that a JSON Schema (2020-12, or the one that it names) accepts.
///
/// ```
/// use wiretalk_server::guard::Schema;
///
/// assert!(Schema::parse(br#"{"type": "object", "required": ["type"]}"#).is_ok());
/// assert!(Schema::parse(br#"{"type": 3}"#).is_err());
/// ```
pub struct Schema(Validator);

impl Schema {
    /// Reads a schema. What it refers to must be in it.
    ///
    /// ```
    /// assert!(wiretalk_server::guard::Schema::parse(b"no JSON").is_err());
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what is no schema.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let invalid = |why: String| {
            let sentence = format!("this is no JSON Schema: {why}");
            Error::new(ErrorKind::InvalidInput, Blame::Us, sentence)
        };
        let schema: Value =
            serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
        let validator =
            jsonschema::validator_for(&schema).map_err(|error| invalid(error.to_string()))?;
        Ok(Self(validator))
    }

    /// Why a message is not as it must be.
    pub(super) fn check(&self, payload: Payload<'_>) -> Result<(), String> {
        let Payload::Text(text) = payload else {
            return Err("the message is binary, and must be JSON".to_owned());
        };
        let value: Value =
            serde_json::from_str(text).map_err(|_| "the message is no JSON".to_owned())?;
        let Some(error) = self.0.iter_errors(&value).next() else {
            return Ok(());
        };
        let path = error.instance_path().to_string();
        let what = match &*path {
            "" => "the message".to_owned(),
            path => format!("`{path}`"),
        };
        // What the client wrote stands not in it: it may be long.
        Err(match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                format!("{what} lacks `{name}`: `{}`", error.schema_path())
            }
            _ => format!("{what} breaks `{}`", error.schema_path()),
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}
