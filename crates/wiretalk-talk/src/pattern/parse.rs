//! From the text of a payload to a pattern.

use super::json::{self, JsonParse};
use super::{
    Hole, HoleKind, MOST_FAULTS, MOST_HOLES, MOST_JSON_HOLES, Pattern, Payload, Place, Segment,
};
use crate::diagnostic::Diagnostic;
use crate::expression::Expression;
use crate::types;
use crate::value::Value;

impl Pattern {
    /// Compiles a payload. What is wrong with its holes is added to `errors`; the pattern then has those holes
    /// as literal text.
    pub(crate) fn parse(payload: &Payload, errors: &mut Vec<Diagnostic>) -> Self {
        let before = errors.len();
        let mut segments = Vec::new();
        let mut holes: Vec<Hole> = Vec::new();
        let mut literal = String::new();
        let text = payload.text.as_str();
        let mut at = 0;
        while let Some(found) = text[at..].find("{{") {
            let open = at + found;
            literal.push_str(&text[at..open]);
            if text[open..].starts_with("{{{{") {
                literal.push_str("{{");
                at = open + 4;
                continue;
            }
            let Some(length) = hole_length(&text[open + 2..]) else {
                errors.push(Diagnostic::error(
                    payload.span(open, text.len()),
                    "this hole has no end",
                    "close it with `}}`, or write `{{{{` for a literal `{{`",
                ));
                at = open;
                break;
            };
            let raw = &text[open + 2..open + 2 + length];
            let span = payload.span(open, open + length + 4);
            if holes.len() >= MOST_JSON_HOLES || errors.len() - before >= MOST_FAULTS {
                errors.push(Diagnostic::error(
                    span,
                    "there are more holes in this payload than can be read",
                    format!(
                        "{MOST_JSON_HOLES} are the most; this one and what follows is taken as text"
                    ),
                ));
                at = open;
                break;
            }
            at = open + length + 4;
            match hole_kind(raw) {
                Ok(kind) => {
                    if !literal.is_empty() {
                        segments.push(Segment::Literal(std::mem::take(&mut literal)));
                    }
                    segments.push(Segment::Hole(holes.len()));
                    holes.push(Hole {
                        span,
                        raw: raw.to_owned(),
                        kind,
                        place: Place::Text,
                    });
                }
                Err((what, mend)) => {
                    errors.push(Diagnostic::error(span, what, mend));
                    literal.push_str(&text[open..at]);
                }
            }
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            segments.push(Segment::Literal(literal));
        }
        let mut pattern = Self {
            raw: payload.text.clone(),
            span: payload.whole(),
            segments,
            sent: None,
            holes,
            json: None,
            literal: false,
        };
        // A hole that cannot be read leaves its braces in the text: what they break is no mistake of its own.
        let read = errors.len() == before;
        match json::parse(&pattern.segments) {
            _ if !read => {}
            JsonParse::No => {}
            JsonParse::Broken(reason) => errors.push(Diagnostic::warning(
                pattern.span,
                format!("this looks like JSON, but it is not: {reason}"),
                "it is compared as plain text; mend the JSON, or use the kind `text` if it is meant so",
            )),
            JsonParse::Json(document) => {
                for (hole, place) in pattern.holes.iter_mut().zip(document.places) {
                    hole.place = place;
                }
                pattern.sent = document.sent.map(Vec::into_boxed_slice);
                pattern.json = Some(Box::new(document.json));
            }
        }
        pattern.refuse_neighbours(errors);
        if pattern.json.is_none() && pattern.holes.len() > MOST_HOLES {
            errors.push(Diagnostic::error(
                pattern.span,
                format!(
                    "there are {} holes in one text, and {MOST_HOLES} are the most",
                    pattern.holes.len()
                ),
                "say less of the text: one `{{_}}` can stand for many",
            ));
        }
        pattern
    }

    /// A payload to the letter: no holes, no JSON.
    pub(crate) fn literal(text: String, payload: &Payload) -> Self {
        Self {
            raw: payload.text.clone(),
            span: payload.whole(),
            segments: vec![Segment::Literal(text)],
            sent: None,
            holes: Vec::new(),
            json: None,
            literal: true,
        }
    }

    /// Two holes of no type side by side: nobody could say where one ends.
    fn refuse_neighbours(&self, errors: &mut Vec<Diagnostic>) {
        for pair in self.segments.windows(2) {
            if let [Segment::Hole(left), Segment::Hole(right)] = pair {
                let open = |hole: &Hole| match &hole.kind {
                    HoleKind::Wildcard(None) | HoleKind::Declare { ty: None, .. } => true,
                    HoleKind::Wildcard(Some(_))
                    | HoleKind::Declare { ty: Some(_), .. }
                    | HoleKind::Name(_)
                    | HoleKind::Expression(_) => false,
                };
                if open(&self.holes[*left]) && open(&self.holes[*right]) {
                    errors.push(Diagnostic::error(
                        self.holes[*right].span,
                        "two holes without a type stand side by side, so nobody can say where one ends",
                        "put text between them, or give them types: `{{a:int}}{{b:word}}`",
                    ));
                }
            }
        }
    }
}

/// Names that are values in every expression.
const CONSTANTS: [&str; 6] = ["true", "false", "none", "True", "False", "None"];

/// The length of what stands before the `}}` that ends a hole. Quotes, brackets and regexes hide one.
pub(crate) fn hole_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'}' if depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            quote @ (b'"' | b'\'') => at = skip(bytes, at, quote)?,
            b'/' if at > 0 && bytes[..at].trim_ascii_end().last() == Some(&b':') => {
                at = skip(bytes, at, b'/')?;
            }
            b'\n' => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The offset of the quote that ends what the one at `at` begins.
fn skip(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' => return None,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// What a hole is, by what stands between its braces.
fn hole_kind(raw: &str) -> Result<HoleKind, (String, String)> {
    let text = raw.trim();
    let name_end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(name_end);
    let rest = rest.trim_start();
    if !is_name(name) {
        if text.is_empty() {
            return Err((
                "this hole is empty".into(),
                "write `{{_}}` for anything, or `{{{{` for a literal `{{`".into(),
            ));
        }
        return expression(text);
    }
    if rest.is_empty() {
        return Ok(match name {
            "_" => HoleKind::Wildcard(None),
            constant if CONSTANTS.contains(&constant) => return expression(constant),
            _ => HoleKind::Name(name.to_owned()),
        });
    }
    if let Some(spec) = rest.strip_prefix(':') {
        let (spec, example) = split_example(spec.trim());
        let ty = types::lookup(spec)?;
        if name == "_" {
            return match example {
                None => Ok(HoleKind::Wildcard(Some(ty))),
                Some(_) => Err((
                    "a hole without a name takes no example".into(),
                    "give it a name: `{{name:type=example}}`".into(),
                )),
            };
        }
        bind_name(name)?;
        let example = match example.map(unquote) {
            None => None,
            Some(text) if ty.accepts_text(&text) => Some(ty.read(&text)),
            Some(text) => {
                return Err((
                    format!("the example `{text}` is not {}", ty.describe()),
                    "give an example of the hole's own type".into(),
                ));
            }
        };
        return Ok(HoleKind::Declare {
            name: name.to_owned(),
            ty: Some(ty),
            example,
        });
    }
    if let Some(example) = rest.strip_prefix('=')
        && !example.starts_with('=')
    {
        bind_name(name)?;
        return Ok(HoleKind::Declare {
            name: name.to_owned(),
            ty: None,
            // As behind `set`: JSON if it is JSON, else text.
            example: Some(Value::read(example.trim())),
        });
    }
    expression(text)
}

fn expression(text: &str) -> Result<HoleKind, (String, String)> {
    Expression::compile(text)
        .map(HoleKind::Expression)
        .map_err(|reason| {
            (
                format!("`{text}` is not an expression: {reason}"),
                "a hole is `name`, `name:type`, `name=example`, `_`, or a MiniJinja expression such as `message|upper`"
                    .to_owned(),
            )
        })
}

/// The type and the example in `type=example`; a `=` in a regex or in brackets belongs to the type.
fn split_example(spec: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    if spec.starts_with('/') {
        from = skip(spec.as_bytes(), 0, b'/').map_or(spec.len(), |end| end + 1);
    }
    match spec[from..].find('=') {
        Some(at) => (
            spec[..from + at].trim_end(),
            Some(spec[from + at + 1..].trim()),
        ),
        None => (spec, None),
    }
}

/// An example in double quotes is a JSON string; any other stands for itself.
fn unquote(example: &str) -> String {
    match serde_json::from_str::<String>(example) {
        Ok(text) => text,
        Err(_) => example.to_owned(),
    }
}

/// Whether a word can be a name: a letter or underscore, then letters, digits and underscores.
pub(crate) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Refuses to bind a name that has a meaning of its own.
pub(crate) fn bind_name(name: &str) -> Result<(), (String, String)> {
    if crate::expression::BUILT_IN.contains(&name) || CONSTANTS.contains(&name) || name == "_" {
        return Err((
            format!("`{name}` has a meaning of its own and cannot be bound"),
            "choose another name".into(),
        ));
    }
    Ok(())
}
