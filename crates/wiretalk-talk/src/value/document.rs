//! A text that came, and the JSON in it: parsed when it is first looked at, and once, for all that look at it.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::Json;

/// What a text is as JSON, once somebody has asked. It is kept with the text.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    whole: OnceLock<Result<Json, String>>,
    /// What stands behind the literal prefix that was asked for first, as in `42["chat",{}]`, and its length.
    behind: OnceLock<(usize, Result<Json, String>)>,
}

/// A text, with what is known of it as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    parsed: &'a Parsed,
}

impl<'a> Document<'a> {
    /// The text, with what `parsed` knows of it: nothing yet, or what was parsed of the same text before.
    pub(crate) fn new(text: &'a str, parsed: &'a Parsed) -> Self {
        Self { text, parsed }
    }

    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// The text as JSON, or why it is none.
    pub(crate) fn json(self) -> Result<&'a Json, &'a str> {
        let whole = self.parsed.whole.get_or_init(|| parse(self.text));
        whole.as_ref().map_err(String::as_str)
    }

    /// What stands behind a literal prefix as JSON, or why it is none; `None` if the text begins otherwise.
    pub(crate) fn json_behind(self, prefix: &str) -> Option<Result<Cow<'a, Json>, String>> {
        let rest = self.text.strip_prefix(prefix)?;
        if prefix.is_empty() {
            return Some(self.json().map(Cow::Borrowed).map_err(str::to_owned));
        }
        let (length, json) = self
            .parsed
            .behind
            .get_or_init(|| (prefix.len(), parse(rest)));
        Some(if *length == prefix.len() {
            json.as_ref().map(Cow::Borrowed).map_err(Clone::clone)
        } else {
            parse(rest).map(Cow::Owned)
        })
    }
}

/// A text as JSON, or why it is none, with the place in it.
fn parse(text: &str) -> Result<Json, String> {
    let first = text.trim_ascii_start().as_bytes().first();
    match first {
        None => Err("it is empty".into()),
        // Most texts that are no JSON are seen by their first letter.
        Some(b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            serde_json::from_str(text).map_err(|error| error.to_string())
        }
        Some(_) => Err("expected value at line 1 column 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_parsed_once_and_behind_any_prefix() {
        let parsed = Parsed::default();
        let document = Document::new(r#"42["a"]"#, &parsed);
        assert!(document.json().is_err());
        let first = document
            .json_behind("42")
            .expect("the prefix")
            .expect("JSON");
        let again = document
            .json_behind("42")
            .expect("the prefix")
            .expect("JSON");
        assert!(
            matches!((&first, &again), (Cow::Borrowed(a), Cow::Borrowed(b)) if std::ptr::eq(*a, *b))
        );
        assert!(document.json_behind("4").expect("the prefix").is_err());
        assert!(document.json_behind("43").is_none());

        let parsed = Parsed::default();
        let document = Document::new("[1]", &parsed);
        assert!(std::ptr::eq(
            document.json().expect("JSON"),
            document.json().expect("JSON")
        ));
        assert_eq!(
            Document::new(" ", &Parsed::default()).json(),
            Err("it is empty")
        );
    }
}
