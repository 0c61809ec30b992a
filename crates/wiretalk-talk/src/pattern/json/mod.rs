//! JSON with holes: compiled from a payload, and compared with what came.

mod compare;

use std::sync::OnceLock;

use super::{Place, Segment};
use crate::value::{Json, number};

pub(super) use compare::Comparison;

/// JSON as a pattern.
#[derive(Clone, Debug)]
pub(crate) enum JsonPattern {
    /// `null`, `true`, `false` or a number.
    Scalar(Json),
    /// A string, its escapes resolved.
    String(Vec<Segment>),
    Array {
        items: Vec<JsonPattern>,
        /// `...` at the end: more items are welcome.
        open: bool,
    },
    Object {
        members: Vec<(Vec<Segment>, JsonPattern)>,
        open: bool,
    },
    /// The index of a hole.
    Hole(usize),
}

impl JsonPattern {
    /// Whether a pattern without holes is this JSON.
    pub(super) fn is(&self, json: &Json) -> bool {
        match (self, json) {
            (Self::Scalar(own), json) => crate::value::json_equal(own, json),
            (Self::String(parts), Json::String(text)) => match &parts[..] {
                [] => text.is_empty(),
                [Segment::Literal(own)] => own == text,
                _ => false,
            },
            (Self::Array { items, .. }, Json::Array(others)) => {
                items.len() == others.len() && items.iter().zip(others).all(|(a, b)| a.is(b))
            }
            (Self::Object { members, .. }, Json::Object(others)) => {
                members.len() == others.len()
                    && members
                        .iter()
                        .zip(others)
                        .all(|((key, own), (name, other))| {
                            let named = match &key[..] {
                                [] => name.is_empty(),
                                [Segment::Literal(key)] => key == name,
                                _ => false,
                            };
                            named && own.is(other)
                        })
            }
            _ => false,
        }
    }
}

/// What became of trying to read a payload as JSON.
pub(super) enum JsonParse {
    No,
    /// It begins like JSON, and breaks for this reason.
    Broken(String),
    Json(Box<Document>),
}

/// A payload that is JSON, as a pattern: made when it is first compared with something, for it takes many times the room
/// of the text.
#[derive(Clone, Debug)]
pub(crate) struct Lazy {
    /// The literal text before it.
    prefix: Box<str>,
    /// Where it begins in the first segment.
    start: usize,
    root: OnceLock<JsonPattern>,
}

impl Lazy {
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The JSON in `segments`, those that it was found in.
    pub(super) fn root(&self, segments: &[Segment]) -> &JsonPattern {
        self.root.get_or_init(|| {
            let mut parser = Parser::new(segments, self.start, true);
            // It was read to its end before.
            parser.document().unwrap_or(JsonPattern::Scalar(Json::Null))
        })
    }
}

/// A payload that is JSON.
pub(super) struct Document {
    pub(super) json: Lazy,
    /// The place of each hole.
    pub(super) places: Vec<Place>,
    /// The segments as they are sent, if there is a `...` to leave out.
    pub(super) sent: Option<Vec<Segment>>,
}

/// Objects and arrays within each other; as deep as `serde_json` goes.
const DEEPEST: usize = 127;

/// Brackets from which on a payload is tried as JSON.
const MOST_STARTS: usize = 8;

/// Reads segments as a literal prefix and then a JSON object or array.
pub(super) fn parse(segments: &[Segment]) -> JsonParse {
    let Some(Segment::Literal(first)) = segments.first() else {
        return JsonParse::No;
    };
    let ends_like_json = match segments.last() {
        Some(Segment::Literal(last)) => last.trim_end().ends_with(['}', ']']),
        _ => false,
    };
    let Some(start) = first.find(['{', '[']) else {
        return JsonParse::No;
    };
    let looks_like_json = first[..start].trim().is_empty()
        && first[start + 1..]
            .trim_start()
            .starts_with(['"', '{', '[', '}', ']'])
        && !first[start..].starts_with("[[")
        && !first[start..].starts_with("{{");
    if !ends_like_json && !looks_like_json {
        return JsonParse::No;
    }
    // A bracket may belong to the prefix: `[log] {"a":1}`.
    let starts = first.match_indices(['{', '[']).map(|(at, _)| at);
    for start in starts.take(MOST_STARTS) {
        let mut parser = Parser::new(segments, start, false);
        match parser.document() {
            Ok(_) => {
                let prefix = match first[..start].trim() {
                    "" => "",
                    _ => &first[..start],
                };
                return JsonParse::Json(Box::new(Document {
                    json: Lazy {
                        prefix: prefix.into(),
                        start,
                        root: OnceLock::new(),
                    },
                    sent: parser.sent(),
                    places: parser.places,
                }));
            }
            Err(reason) if looks_like_json => return JsonParse::Broken(reason),
            Err(_) => {}
        }
    }
    JsonParse::No
}

struct Parser<'a> {
    segments: &'a [Segment],
    segment: usize,
    at: usize,
    places: Vec<Place>,
    /// Segment, and the range in it that stands for `...`.
    elisions: Vec<(usize, usize, usize)>,
    /// Whether a pattern is made, or the text only looked over: then what comes out says nothing.
    makes: bool,
}

/// What comes of a value that is only looked over.
const LOOKED_OVER: JsonPattern = JsonPattern::Hole(0);

impl<'a> Parser<'a> {
    fn new(segments: &'a [Segment], start: usize, makes: bool) -> Self {
        Self {
            segments,
            segment: 0,
            at: start,
            places: vec![Place::Text; segments.len()],
            elisions: Vec::new(),
            makes,
        }
    }

    fn document(&mut self) -> Result<JsonPattern, String> {
        let root = self.value(0)?;
        self.white();
        match self.peek() {
            Next::End => Ok(root),
            _ => Err("something stands behind its end".into()),
        }
    }

    fn peek(&mut self) -> Next {
        loop {
            match self.segments.get(self.segment) {
                None => return Next::End,
                Some(Segment::Hole(index)) => return Next::Hole(*index),
                Some(Segment::Literal(text)) => match text.as_bytes().get(self.at) {
                    Some(byte) => return Next::Byte(*byte),
                    None => {
                        self.segment += 1;
                        self.at = 0;
                    }
                },
            }
        }
    }

    /// What is left of the literal at hand.
    fn rest(&self) -> &'a str {
        match self.segments.get(self.segment) {
            Some(Segment::Literal(text)) => &text[self.at..],
            _ => "",
        }
    }

    fn white(&mut self) {
        while let Next::Byte(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = matches!(self.peek(), Next::Byte(next) if next == byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(match self.peek() {
            Next::End => format!("`{}` is missing at its end", char::from(byte)),
            _ => format!("`{}` is missing before `{}`", char::from(byte), self.near()),
        })
    }

    /// A few characters from here on, for a reason.
    fn near(&self) -> String {
        self.rest().chars().take(12).collect()
    }

    fn hole(&mut self, index: usize, place: Place) {
        self.places[index] = place;
        self.segment += 1;
        self.at = 0;
    }

    fn value(&mut self, depth: usize) -> Result<JsonPattern, String> {
        self.white();
        match self.peek() {
            Next::End => Err("it ends too early".into()),
            Next::Hole(index) => {
                self.hole(index, Place::JsonValue);
                Ok(JsonPattern::Hole(index))
            }
            Next::Byte(b'{' | b'[') if depth >= DEEPEST => Err("it is nested too deep".into()),
            Next::Byte(b'{') => self.object(depth),
            Next::Byte(b'[') => self.array(depth),
            Next::Byte(b'"') => self.string().map(JsonPattern::String),
            Next::Byte(_) => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<JsonPattern, String> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
            .unwrap_or(rest.len());
        let word = &rest[..length];
        // Most numbers are a few digits.
        let few = (1..=18).contains(&length) && word.bytes().all(|byte| byte.is_ascii_digit());
        if !self.makes && few && (length == 1 || !word.starts_with('0')) {
            self.at += length;
            return Ok(LOOKED_OVER);
        }
        let value = match word {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ if number::is_number(word, false) => {
                serde_json::from_str(word).map_err(|error| error.to_string())?
            }
            _ => return Err(format!("`{}` is no JSON value", self.near())),
        };
        self.at += length;
        Ok(JsonPattern::Scalar(value))
    }

    fn string(&mut self) -> Result<Vec<Segment>, String> {
        self.at += 1;
        if !self.makes {
            let rest = self.rest();
            // Most strings have neither holes nor escapes.
            if let Some(end) = rest.find(['"', '\\'])
                && rest.as_bytes()[end] == b'"'
                && rest.bytes().take(end).all(|byte| byte >= 0x20)
            {
                self.at += end + 1;
                return Ok(Vec::new());
            }
        }
        let mut parts = Vec::new();
        // The string's raw text between holes, its escapes still in.
        let mut raw = String::new();
        let flush = |raw: &mut String, parts: &mut Vec<Segment>| {
            if raw.is_empty() {
                return Ok(());
            }
            let text: String = serde_json::from_str(&format!("\"{raw}\"")).map_err(|_| {
                format!("`{raw}` has an escape or a character that JSON does not allow in a string")
            })?;
            raw.clear();
            parts.push(Segment::Literal(text));
            Ok::<_, String>(())
        };
        loop {
            match self.peek() {
                Next::End => return Err("a string has no end".into()),
                Next::Hole(index) => {
                    flush(&mut raw, &mut parts)?;
                    self.hole(index, Place::JsonString);
                    parts.push(Segment::Hole(index));
                }
                Next::Byte(b'"') => {
                    self.at += 1;
                    flush(&mut raw, &mut parts)?;
                    return Ok(parts);
                }
                Next::Byte(_) => {
                    let rest = self.rest();
                    let length = match rest.find(['"', '\\']) {
                        Some(0) => rest
                            .char_indices()
                            .nth(2)
                            .map_or(rest.len(), |(second, _)| second),
                        Some(length) => length,
                        None => rest.len(),
                    };
                    raw.push_str(&rest[..length]);
                    self.at += length;
                }
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<JsonPattern, String> {
        let mut items = Vec::new();
        let mut before = self.after_bracket();
        if self.eat(b']') {
            return Ok(JsonPattern::Array { items, open: false });
        }
        loop {
            if self.elision(before)? {
                self.expect(b']')?;
                return Ok(JsonPattern::Array { items, open: true });
            }
            let item = self.value(depth + 1)?;
            if self.makes {
                items.push(item);
            }
            self.white();
            if self.eat(b']') {
                return Ok(JsonPattern::Array { items, open: false });
            }
            before = (self.segment, self.at);
            self.expect(b',')?;
            self.white();
        }
    }

    fn object(&mut self, depth: usize) -> Result<JsonPattern, String> {
        let mut members: Vec<(Vec<Segment>, JsonPattern)> = Vec::new();
        let mut before = self.after_bracket();
        if self.eat(b'}') {
            return Ok(JsonPattern::Object {
                members,
                open: false,
            });
        }
        loop {
            if self.elision(before)? {
                self.expect(b'}')?;
                return Ok(JsonPattern::Object {
                    members,
                    open: true,
                });
            }
            if !matches!(self.peek(), Next::Byte(b'"')) {
                return Err(match self.peek() {
                    Next::End => "it ends too early".into(),
                    _ => format!("a name in quotes is missing before `{}`", self.near()),
                });
            }
            let key = self.string()?;
            self.white();
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            if self.makes {
                members.push((key, value));
            }
            self.white();
            if self.eat(b'}') {
                return Ok(JsonPattern::Object {
                    members,
                    open: false,
                });
            }
            self.peek();
            before = (self.segment, self.at);
            self.expect(b',')?;
            self.white();
        }
    }

    fn after_bracket(&mut self) -> (usize, usize) {
        self.at += 1;
        let place = (self.segment, self.at);
        self.white();
        place
    }

    /// Eats `...`; `before` is where the text that is not sent begins (the comma).
    fn elision(&mut self, before: (usize, usize)) -> Result<bool, String> {
        if !matches!(self.peek(), Next::Byte(b'.')) {
            return Ok(false);
        }
        if !self.rest().starts_with("...") {
            return Err(format!("`{}` is no JSON value", self.near()));
        }
        self.at += 3;
        if before.0 == self.segment {
            self.elisions.push((self.segment, before.1, self.at));
        }
        self.white();
        if matches!(self.peek(), Next::Byte(b',')) {
            return Err("`...` must be the last member".into());
        }
        Ok(true)
    }

    fn sent(&self) -> Option<Vec<Segment>> {
        if self.elisions.is_empty() {
            return None;
        }
        let mut sent = self.segments.to_vec();
        for (segment, from, to) in self.elisions.iter().rev() {
            if let Segment::Literal(text) = &mut sent[*segment] {
                text.replace_range(*from..*to, "");
            }
        }
        Some(sent)
    }
}

enum Next {
    Byte(u8),
    Hole(usize),
    End,
}
