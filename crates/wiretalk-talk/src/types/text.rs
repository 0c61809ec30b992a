//! Types of text: `any string word uuid datetime json base64 hex` and `/regex/`.

use std::sync::LazyLock;

use base64::Engine as _;
use regex::Regex;

use super::HoleType;
use crate::value::{Json, Value};
use crate::world::{self, World};

/// `any`: any text, any JSON value.
#[derive(Debug)]
pub(super) struct Any;

impl HoleType for Any {
    fn accepts_text(&self, _: &str) -> bool {
        true
    }

    fn takes_any_text(&self) -> bool {
        true
    }

    fn accepts_json(&self, _: &Json) -> bool {
        true
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(letters(world))
    }

    fn describe(&self) -> String {
        "anything".into()
    }
}

/// `string`: any text; in JSON, a string.
#[derive(Debug)]
pub(super) struct Text;

impl HoleType for Text {
    fn accepts_text(&self, _: &str) -> bool {
        true
    }

    fn takes_any_text(&self) -> bool {
        true
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(letters(world))
    }

    fn describe(&self) -> String {
        "a string".into()
    }
}

/// `word`: one or more letters, digits and underscores.
#[derive(Debug)]
pub(super) struct Word;

impl HoleType for Word {
    fn accepts_text(&self, text: &str) -> bool {
        !text.is_empty() && self.reach(text) == Some(text.len())
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        Some(reach_of(rest, |c| c.is_alphanumeric() || c == '_'))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(letters(world))
    }

    fn describe(&self) -> String {
        "a word".into()
    }
}

/// `uuid`: 8-4-4-4-12 hexadecimal digits (RFC 9562 section 4), of any version.
#[derive(Debug)]
pub(super) struct Uuid;

impl HoleType for Uuid {
    fn accepts_text(&self, text: &str) -> bool {
        text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        Some(reach_of(rest, |c| c.is_ascii_hexdigit() || c == '-').min(36))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(Value::Text(world::uuid(world)))
    }

    fn describe(&self) -> String {
        "a UUID".into()
    }
}

/// `datetime`: a date and a time as RFC 3339 section 5.6 writes them; the offset may be left out.
#[derive(Debug)]
pub(super) struct Datetime;

static DATETIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^[0-9]{4}-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?$",
    )
    .ok()
});

impl HoleType for Datetime {
    fn accepts_text(&self, text: &str) -> bool {
        let Some(parts) = DATETIME.as_ref().and_then(|regex| regex.captures(text)) else {
            return false;
        };
        let part = |index| {
            parts
                .get(index)
                .and_then(|part| part.as_str().parse::<u8>().ok())
        };
        part(1).is_some_and(|month| (1..=12).contains(&month))
            && part(2).is_some_and(|day| (1..=31).contains(&day))
            && part(3).is_some_and(|hour| hour < 24)
            && part(4).is_some_and(|minute| minute < 60)
            && part(5).is_none_or(|second| second <= 60)
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        let belongs = |c: char| c.is_ascii_digit() || "TtZz:+-., ".contains(c);
        Some(reach_of(rest, belongs).min(64))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        world
            .local_time("%Y-%m-%dT%H:%M:%S%:z")
            .ok()
            .map(Value::Text)
    }

    fn describe(&self) -> String {
        "a date and time (RFC 3339)".into()
    }
}

/// `json`: any JSON value; in a text, one JSON value.
#[derive(Debug)]
pub(super) struct AnyJson;

impl HoleType for AnyJson {
    fn accepts_text(&self, text: &str) -> bool {
        serde_json::from_str::<Json>(text).is_ok()
    }

    fn accepts_json(&self, _: &Json) -> bool {
        true
    }

    fn read(&self, text: &str) -> Value {
        Value::read(text)
    }

    fn fresh(&self, _: &dyn World) -> Option<Value> {
        None
    }

    fn describe(&self) -> String {
        "JSON".into()
    }
}

/// `base64`: RFC 4648 section 4 or 5, padded or not.
#[derive(Debug)]
pub(super) struct Base64;

impl HoleType for Base64 {
    fn accepts_text(&self, text: &str) -> bool {
        use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        let bare = text.trim_end_matches('=');
        let padding = text.len() - bare.len();
        (padding == 0 || (padding <= 2 && text.len().is_multiple_of(4)))
            && (STANDARD_NO_PAD.decode(bare).is_ok() || URL_SAFE_NO_PAD.decode(bare).is_ok())
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        let belongs = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
        Some(reach_of(rest, belongs))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        let bytes = world.random().to_be_bytes();
        Some(Value::Text(
            base64::engine::general_purpose::STANDARD.encode(bytes),
        ))
    }

    fn describe(&self) -> String {
        "base64".into()
    }
}

/// `hex`: pairs of hexadecimal digits.
#[derive(Debug)]
pub(super) struct Hex;

impl HoleType for Hex {
    fn accepts_text(&self, text: &str) -> bool {
        !text.is_empty() && text.len().is_multiple_of(2) && self.reach(text) == Some(text.len())
    }

    fn reach(&self, rest: &str) -> Option<usize> {
        Some(reach_of(rest, |c| c.is_ascii_hexdigit()))
    }

    fn fresh(&self, world: &dyn World) -> Option<Value> {
        Some(Value::Text(format!("{:016x}", world.random())))
    }

    fn describe(&self) -> String {
        "hexadecimal digits".into()
    }
}

/// `/regex/`: a text that the whole expression matches.
#[derive(Debug)]
pub(super) struct Matching {
    source: String,
    regex: Regex,
}

impl Matching {
    pub(super) fn new(source: &str) -> Result<Self, (String, String)> {
        // The caller's anchors still work; what is matched is always the whole value. The source is looked at alone
        // first: `a)|(b` is no expression, although it would be one between these brackets.
        Regex::new(source)
            .and_then(|_| Regex::new(&format!("^(?:{source})$")))
            .map(|regex| Self {
                source: source.to_owned(),
                regex,
            })
            .map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                (
                    format!("`/{source}/` is not a regular expression: {reason}"),
                    "the syntax is that of the Rust crate `regex`; a literal `.` or `(` needs a backslash"
                        .to_owned(),
                )
            })
    }
}

impl HoleType for Matching {
    fn accepts_text(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    fn fresh(&self, _: &dyn World) -> Option<Value> {
        None
    }

    fn describe(&self) -> String {
        format!("a text that matches /{}/", self.source)
    }
}

fn reach_of(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c: char| !belongs(c)).unwrap_or(rest.len())
}

/// Twelve random letters.
fn letters(world: &dyn World) -> Value {
    let mut bits = world.random();
    let text = (0..12)
        .map(|_| {
            let letter = char::from(b'a' + (bits % 26) as u8);
            bits /= 26;
            letter
        })
        .collect();
    Value::Text(text)
}
