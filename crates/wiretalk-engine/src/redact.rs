//! Secrets are taken out of whatever is told, in each of the forms in which they go about.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use wiretalk_talk::{Source, Value};

/// What stands in the place of a secret.
pub const HIDDEN: &str = "***";

/// A line of a secret of several lines is looked for by itself if it has so many characters: a `}` is no secret.
const LEAST_LINE: usize = 4;

/// Characters that a secret must have left in the middle of somebody else's base64 to be looked for there: shorter
/// ones are in every other base64 by chance.
const LEAST_BASE64: usize = 6;

/// Replaces secrets by [`HIDDEN`]. Without any, it costs nothing; a copy is cheap.
///
/// A secret is found as it is, escaped as in JSON, encoded as in a URL, in base64 (also in the midst of one, as the
/// password in `Authorization: Basic …`), and in hex.
#[derive(Clone, Debug, Default)]
pub struct Redactor(Search);

#[derive(Clone, Debug, Default)]
enum Search {
    #[default]
    Nothing,
    For(Arc<AhoCorasick>),
    /// There is more to look for than can be looked for: nothing is shown at all.
    Everything,
}

impl Redactor {
    /// A redactor that hides nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(Search::Nothing)
    }

    /// A redactor of these secrets. Empty ones are none.
    #[must_use]
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            add_forms(secret.as_ref(), &mut forms);
        }
        forms.sort_unstable();
        forms.dedup();
        Self(if forms.is_empty() {
            Search::Nothing
        } else {
            match AhoCorasick::new(forms) {
                Ok(search) => Search::For(Arc::new(search)),
                Err(_) => Search::Everything,
            }
        })
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Search::Nothing)
    }

    /// A text without the secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replaced(text, |_| HIDDEN.into())
    }

    /// The same in place.
    pub fn hide(&self, text: &mut String) {
        if let Cow::Owned(without) = self.text(text) {
            *text = without;
        }
    }

    /// Bytes without the secrets.
    #[must_use]
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        let found = self.found(&bytes);
        if found.is_empty() {
            return bytes;
        }
        let mut without = Vec::with_capacity(bytes.len());
        let mut shown = 0;
        for secret in found {
            without.extend_from_slice(&bytes[shown..secret.start]);
            without.extend_from_slice(HIDDEN.as_bytes());
            shown = secret.end;
        }
        without.extend_from_slice(&bytes[shown..]);
        without.into()
    }

    /// A talk's text without the secrets, line by line the same.
    #[must_use]
    pub fn source(&self, source: &Source) -> Source {
        let text = self.replaced(source.text(), |secret| {
            let ends = secret.matches('\n').count();
            Cow::Owned(format!("{HIDDEN}{}", "\n".repeat(ends)))
        });
        match (text, self.text(source.name())) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => source.clone(),
            (text, name) => Source::new(&name, &text),
        }
    }

    fn replaced<'a>(
        &self,
        text: &'a str,
        with: impl Fn(&str) -> Cow<'static, str>,
    ) -> Cow<'a, str> {
        let found = self.found(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut without = String::with_capacity(text.len());
        let mut shown = 0;
        for secret in found {
            // All that is looked for is text, so it begins and ends with a character.
            without.push_str(&text[shown..secret.start]);
            without.push_str(&with(&text[secret.clone()]));
            shown = secret.end;
        }
        without.push_str(&text[shown..]);
        Cow::Owned(without)
    }

    /// Where secrets stand, in order. Two that overlap are one: neither may show what the other leaves.
    fn found(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let search = match &self.0 {
            Search::Nothing => return Vec::new(),
            Search::Everything if bytes.is_empty() => return Vec::new(),
            Search::Everything => return std::iter::once(0..bytes.len()).collect(),
            Search::For(search) => search,
        };
        let mut found: Vec<Range<usize>> = search
            .find_overlapping_iter(bytes)
            .map(|found| found.range())
            .collect();
        found.sort_unstable_by_key(|range| range.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }
}

/// What the `set` lines of a talk give these variables, as far as it can be told without playing it.
#[must_use]
pub fn set_in(talk: &Source, names: &[String]) -> Vec<String> {
    let mut values = Vec::new();
    for line in talk.text().lines() {
        let Some((name, value)) = line
            .trim_start()
            .strip_prefix("set ")
            .and_then(|rest| rest.split_once('='))
        else {
            continue;
        };
        let name = name.trim();
        let name = name.rsplit('.').next().unwrap_or(name);
        if names.iter().any(|secret| secret == name) {
            let value = value.trim();
            values.push(value.to_owned());
            values.push(Value::read(value).to_string());
        }
    }
    values
}

/// The forms in which a secret goes about.
fn add_forms(secret: &str, forms: &mut Vec<String>) {
    if secret.is_empty() {
        return;
    }
    let bytes = secret.as_bytes();
    forms.push(secret.to_owned());
    if secret.contains('\n') {
        let lines = secret.lines().map(str::trim);
        let long = lines.filter(|line| line.chars().count() >= LEAST_LINE);
        forms.extend(long.map(str::to_owned));
    }
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    forms.push(json.replace('/', "\\/"));
    forms.push(json.chars().map(ascii_only).collect());
    forms.push(json);
    // As our own reports show control characters.
    forms.push(crate::record::show(bytes, false, usize::MAX));
    forms.push(crate::record::show(bytes, true, usize::MAX));
    for kept in ["-._~", "-._~!*'()", "-._~!*'();:@&=+$,/?", "*-._"] {
        let encoded = in_url(bytes, kept);
        forms.push(encoded.replace("%20", "+"));
        forms.push(encoded.clone());
        forms.push(in_lower_case(&encoded));
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase());
    forms.push(hex);
    forms.push(base64::engine::general_purpose::STANDARD.encode(bytes));
    forms.push(base64::engine::general_purpose::URL_SAFE.encode(bytes));
    for before in 0..3 {
        for encoded in [
            STANDARD_NO_PAD.encode([&[0; 2][..before.min(2)], bytes].concat()),
            URL_SAFE_NO_PAD.encode([&[0; 2][..before.min(2)], bytes].concat()),
        ] {
            // What other bytes have a part in is left out, at both ends.
            let start = [0, 2, 3][before];
            let end = (before + bytes.len()) * 8 / 6;
            if let Some(own) = encoded.get(start..end)
                && own.len() >= LEAST_BASE64
            {
                forms.push(own.to_owned());
            }
        }
    }
}

/// A character as JSON in ASCII has it.
fn ascii_only(c: char) -> String {
    if c.is_ascii() {
        return c.to_string();
    }
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units);
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Bytes as in a URL (RFC 3986 section 2.1), with letters, digits and these kept.
fn in_url(bytes: &[u8], kept: &str) -> String {
    bytes
        .iter()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(byte) {
                char::from(*byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// The same with `%3a` for `%3A`.
fn in_lower_case(encoded: &str) -> String {
    let mut left = 0;
    encoded
        .chars()
        .map(|c| {
            if c == '%' {
                left = 2;
            } else if left > 0 {
                left -= 1;
                return c.to_ascii_lowercase();
            }
            c
        })
        .collect()
}

#[cfg(test)]
mod tests;
