//! The types of holes: what text and what JSON each accepts, and what it makes up when it is sent.
//!
//! To add one: a file here (or a struct in one that fits), and a line in [`lookup`].

mod number;
mod text;

use std::fmt;
use std::sync::Arc;

use crate::value::{Json, Value};
use crate::world::World;

/// A type that a hole can have.
pub(crate) trait HoleType: fmt::Debug + Send + Sync {
    /// Whether such a text is of the type.
    fn accepts_text(&self, text: &str) -> bool;

    /// Whether every text is of the type.
    fn takes_any_text(&self) -> bool {
        false
    }

    /// Whether such a JSON value is of the type.
    fn accepts_json(&self, json: &Json) -> bool {
        json.as_str().is_some_and(|text| self.accepts_text(text))
    }

    /// The value that a text of this type stands for.
    fn read(&self, text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// How many bytes at the start of `rest` could belong to a value of the type at the most; a hole of such a
    /// type takes the longest match. `None` for a type without such a bound: it takes the shortest.
    fn reach(&self, _rest: &str) -> Option<usize> {
        None
    }

    /// A new value of the type, or `None` if none can be made up.
    fn fresh(&self, world: &dyn World) -> Option<Value>;

    /// What the type accepts, for a failure: "a UUID".
    fn describe(&self) -> String;
}

/// A type by what stands behind the colon of a hole: a name, a name with arguments, or `/regex/`.
///
/// # Errors
/// What is wrong, and how to mend it.
pub(crate) fn lookup(spec: &str) -> Result<Arc<dyn HoleType>, (String, String)> {
    if let Some(regex) = spec.strip_prefix('/') {
        let Some(regex) = regex.strip_suffix('/') else {
            return Err((
                format!("the regular expression `{spec}` has no end"),
                "close it with a second `/`".into(),
            ));
        };
        return text::Matching::new(regex).map(|ty| Arc::new(ty) as _);
    }
    let (name, arguments) = match spec.split_once('(') {
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => (name.trim_end(), Some(arguments)),
            None => {
                return Err((
                    format!("the arguments of `{spec}` have no end"),
                    "close them with `)`".into(),
                ));
            }
        },
        None => (spec, None),
    };
    if let (Some(_), false) = (arguments, matches!(name, "int" | "number")) {
        return Err((
            format!("the type `{name}` takes no arguments"),
            "only `int` and `number` do, a range: `int(1..100)`".into(),
        ));
    }
    Ok(match name {
        "any" => Arc::new(text::Any),
        "string" => Arc::new(text::Text),
        "word" => Arc::new(text::Word),
        "int" => Arc::new(number::Number::new(true, arguments)?),
        "number" => Arc::new(number::Number::new(false, arguments)?),
        "bool" => Arc::new(number::Bool),
        "uuid" => Arc::new(text::Uuid),
        "datetime" => Arc::new(text::Datetime),
        "json" => Arc::new(text::AnyJson),
        "base64" => Arc::new(text::Base64),
        "hex" => Arc::new(text::Hex),
        _ => {
            let mend = match crate::diagnostic::closest(name, NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the types are {}, and /regex/", NAMES.join(", ")),
            };
            return Err((format!("there is no type `{name}`"), mend));
        }
    })
}

/// Every name that [`lookup`] knows.
pub(crate) const NAMES: [&str; 11] = [
    "any", "string", "word", "int", "number", "bool", "uuid", "datetime", "json", "base64", "hex",
];

#[cfg(test)]
mod tests;
