//! The values that a talk's names are bound to.

pub(crate) mod document;
pub(crate) mod number;

use std::fmt;

pub(crate) use serde_json::Value as Json;

/// What a name is bound to. A number keeps the digits it came with.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, also the text of a JSON string.
    Text(String),
    /// Any other JSON value: a number, `true`, an array …
    Json(Json),
}

impl Value {
    /// A value as `set NAME = VALUE` and `--set` read it: as JSON if it is JSON, else as text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match serde_json::from_str::<Json>(text) {
            Ok(json) => Self::from_json(json),
            Err(_) => Self::Text(text.to_owned()),
        }
    }

    /// The value of a JSON value: a string becomes text.
    #[must_use]
    pub fn from_json(json: Json) -> Self {
        match json {
            Json::String(text) => Self::Text(text),
            other @ (Json::Null
            | Json::Bool(_)
            | Json::Number(_)
            | Json::Array(_)
            | Json::Object(_)) => Self::Json(other),
        }
    }

    /// The value as JSON: text becomes a string.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::String(text.clone()),
            Self::Json(json) => json.clone(),
        }
    }

    /// Whether it equals a JSON value, numbers compared exactly.
    pub(crate) fn equals_json(&self, json: &Json) -> bool {
        match (self, json) {
            (Self::Text(a), Json::String(b)) => a == b,
            (Self::Text(_), _) => false,
            (Self::Json(a), b) => json_equal(a, b),
        }
    }

    /// The value for an expression.
    pub(crate) fn to_expression(&self) -> minijinja::Value {
        match self {
            Self::Text(text) => minijinja::Value::from(text.as_str()),
            Self::Json(json) => json_to_expression(json),
        }
    }

    /// What an expression came to.
    pub(crate) fn from_expression(value: &minijinja::Value) -> Self {
        Self::from_json(expression_to_json(value))
    }
}

impl fmt::Display for Value {
    /// As it stands in a text: a string without quotes, anything else as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Json(json) => write!(f, "{json}"),
        }
    }
}

/// Whether two JSON values are the same: order of keys does not matter, numbers are compared exactly.
pub(crate) fn json_equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => number::equal(a.as_str(), b.as_str()),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equal(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| json_equal(a, b)))
        }
        _ => a == b,
    }
}

/// A JSON value for an expression.
pub(crate) fn json_to_expression(json: &Json) -> minijinja::Value {
    use minijinja::Value as V;
    match json {
        Json::Null => V::from(()),
        Json::Bool(yes) => V::from(*yes),
        Json::Number(number) => number
            .as_i64()
            .map(V::from)
            .or_else(|| number.as_u64().map(V::from))
            .or_else(|| number.as_f64().map(V::from))
            .unwrap_or_else(|| V::from(number.as_str())),
        Json::String(text) => V::from(text.as_str()),
        Json::Array(items) => V::from(items.iter().map(json_to_expression).collect::<Vec<_>>()),
        Json::Object(members) => V::from_pairs(
            members
                .iter()
                .map(|(key, value)| (key.clone(), json_to_expression(value))),
        ),
    }
}

fn expression_to_json(value: &minijinja::Value) -> Json {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        // JSON has no NaN and no infinity: what is no JSON number stays a text.
        ValueKind::Number => serde_json::from_str(&value.to_string())
            .unwrap_or_else(|_| Json::String(value.to_string())),
        ValueKind::Seq | ValueKind::Iterable => Json::Array(
            value
                .try_iter()
                .map(|items| items.map(|item| expression_to_json(&item)).collect())
                .unwrap_or_default(),
        ),
        ValueKind::Map => Json::Object(
            value
                .try_iter()
                .map(|keys| {
                    keys.map(|key| {
                        let member = value.get_item(&key).unwrap_or_default();
                        (key.to_string(), expression_to_json(&member))
                    })
                    .collect()
                })
                .unwrap_or_default(),
        ),
        _ => Json::String(value.to_string()),
    }
}
