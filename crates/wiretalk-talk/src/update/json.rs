//! JSON with holes: each hole stays whose type takes what stands at its place now, and so do `...`, the order of the
//! keys, and the white space.

use std::ops::Range;

use super::text::aligned;
use crate::pattern::{Hole, Pattern, Segment, hole_length};
use crate::value::{Json, json_equal};

/// The payload that expects what came, and the holes that it has no place for; none if one of both is no JSON, or has
/// something else before it.
pub(super) fn kept(pattern: &Pattern, came: &str) -> Option<(String, Vec<String>)> {
    let (prefix, _) = pattern.json()?;
    let json: Json = serde_json::from_str(came.strip_prefix(prefix)?).ok()?;
    let raw = pattern.raw.as_str();
    let mut reader = Reader {
        raw,
        at: raw.strip_prefix(prefix).map(|_| prefix.len())?,
        holes: 0,
    };
    let start = reader.at;
    let root = reader.value()?;
    let end = reader.at;
    let mut writer = Writer {
        raw,
        holes: &pattern.holes,
        lost: Vec::new(),
    };
    let written = writer.value(&root, &json);
    let before = &raw[..start];
    let white = &raw[start..root.range.start];
    Some((
        format!("{before}{white}{written}{}", &raw[end..]),
        writer.lost,
    ))
}

/// A value in the pattern, and where it stands.
struct Node {
    range: Range<usize>,
    what: What,
}

enum What {
    /// The index of a hole.
    Hole(usize),
    Scalar(Option<Json>),
    /// A string: the pieces between and with its holes.
    String(Vec<Segment>),
    /// An array or object, with `...` as its last element if it is open.
    Several {
        object: bool,
        elements: Vec<Element>,
    },
}

struct Element {
    range: Range<usize>,
    /// Of an object's member; none if there is a hole in it.
    key: Option<String>,
    /// None for `...`.
    value: Option<Node>,
}

/// Reads the pattern's text, which is known to be right.
struct Reader<'a> {
    raw: &'a str,
    at: usize,
    /// How many holes are behind.
    holes: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.raw[self.at..]
    }

    fn white(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Eats a hole, if one is here.
    fn hole(&mut self) -> Option<usize> {
        let inside = self.rest().strip_prefix("{{")?;
        if inside.starts_with("{{") {
            return None;
        }
        self.at += hole_length(inside)? + 4;
        self.holes += 1;
        Some(self.holes - 1)
    }

    fn value(&mut self) -> Option<Node> {
        self.white();
        let start = self.at;
        let what = if let Some(hole) = self.hole() {
            What::Hole(hole)
        } else {
            match self.rest().as_bytes().first()? {
                b'{' => self.several(true)?,
                b'[' => self.several(false)?,
                b'"' => What::String(self.string()?),
                _ => {
                    let rest = self.rest();
                    let length = rest
                        .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                        .unwrap_or(rest.len());
                    let scalar = serde_json::from_str(&rest[..length]).ok();
                    self.at += length;
                    What::Scalar(scalar)
                }
            }
        };
        Some(Node {
            range: start..self.at,
            what,
        })
    }

    fn several(&mut self, object: bool) -> Option<What> {
        let close = if object { '}' } else { ']' };
        let mut elements = Vec::new();
        self.at += 1;
        loop {
            self.white();
            if self.rest().starts_with(close) {
                self.at += 1;
                return Some(What::Several { object, elements });
            }
            if !elements.is_empty() {
                self.rest().strip_prefix(',')?;
                self.at += 1;
                self.white();
            }
            let start = self.at;
            let (key, value) = if self.rest().starts_with("...") {
                self.at += 3;
                (None, None)
            } else if object {
                let key = match &self.string()?[..] {
                    [] => Some(String::new()),
                    [Segment::Literal(key)] => Some(key.clone()),
                    _ => None,
                };
                self.white();
                self.rest().strip_prefix(':')?;
                self.at += 1;
                (key, Some(self.value()?))
            } else {
                (None, Some(self.value()?))
            };
            elements.push(Element {
                range: start..self.at,
                key,
                value,
            });
        }
    }

    fn string(&mut self) -> Option<Vec<Segment>> {
        self.rest().strip_prefix('"')?;
        self.at += 1;
        let mut segments = Vec::new();
        let mut raw = String::new();
        loop {
            if let Some(hole) = self.hole() {
                flush(&mut raw, &mut segments)?;
                segments.push(Segment::Hole(hole));
                continue;
            }
            if self.rest().starts_with("{{{{") {
                self.at += 4;
                raw.push_str("{{");
                continue;
            }
            let c = self.rest().chars().next()?;
            self.at += c.len_utf8();
            match c {
                '"' => {
                    flush(&mut raw, &mut segments)?;
                    return Some(segments);
                }
                '\\' => {
                    let escaped = self.rest().chars().next()?;
                    self.at += escaped.len_utf8();
                    raw.push('\\');
                    raw.push(escaped);
                }
                c => raw.push(c),
            }
        }
    }
}

/// Adds what stood between two holes of a string, its escapes resolved.
fn flush(raw: &mut String, segments: &mut Vec<Segment>) -> Option<()> {
    if !raw.is_empty() {
        let text = serde_json::from_str(&format!("\"{raw}\"")).ok()?;
        segments.push(Segment::Literal(text));
        raw.clear();
    }
    Some(())
}

struct Writer<'a> {
    raw: &'a str,
    holes: &'a [Hole],
    lost: Vec<String>,
}

impl Writer<'_> {
    /// A value's text that expects what came.
    fn value(&mut self, node: &Node, came: &Json) -> String {
        let same = || self.raw[node.range.clone()].to_owned();
        match (&node.what, came) {
            (What::Hole(hole), _) if self.takes(*hole, came) => same(),
            (What::Scalar(Some(scalar)), _) if json_equal(scalar, came) => same(),
            (What::String(segments), Json::String(text)) => {
                if let [Segment::Literal(own)] = &segments[..]
                    && own == text
                {
                    return same();
                }
                let (written, lost) = aligned(segments, self.holes, text, inside_string);
                self.lost.extend(lost);
                format!("\"{written}\"")
            }
            (
                What::Several {
                    object: true,
                    elements,
                },
                Json::Object(came),
            ) => {
                let known = |key: &str| elements.iter().any(|own| own.key.as_deref() == Some(key));
                let more = came.iter().filter(|(key, _)| !known(key));
                let more = more
                    .map(|(key, value)| {
                        let key = written(&Json::from(key.as_str()));
                        format!("{key}:{}", written(value))
                    })
                    .collect();
                self.several(node, elements, more, |element, _| {
                    match &element.key {
                        Some(key) => came.get(key).map(Some),
                        // Which member it stands for is not known.
                        None => Some(None),
                    }
                })
            }
            (
                What::Several {
                    object: false,
                    elements,
                },
                Json::Array(came),
            ) => {
                let own = elements.iter().filter(|own| own.value.is_some()).count();
                let more = came.iter().skip(own).map(written).collect();
                self.several(node, elements, more, |_, index| came.get(index).map(Some))
            }
            _ => {
                self.lose(node);
                written(came)
            }
        }
    }

    /// An array or object. `find` gives what came for an element: `None` for one that is not there any more, and
    /// `Some(None)` for one that stays whatever came. `more` came besides.
    fn several<'j>(
        &mut self,
        node: &Node,
        elements: &[Element],
        more: Vec<String>,
        find: impl Fn(&Element, usize) -> Option<Option<&'j Json>>,
    ) -> String {
        let (Some(first), Some(last)) = (elements.first(), elements.last()) else {
            let whole = &self.raw[node.range.clone()];
            let (open, close) = (&whole[..1], &whole[whole.len() - 1..]);
            return format!("{open}{}{close}", more.join(","));
        };
        let lead = &self.raw[node.range.start..first.range.start];
        let tail = &self.raw[last.range.end..node.range.end];
        let between = |a: &Element, b: &Element| &self.raw[a.range.end..b.range.start];
        let usual = match elements {
            [a, b, ..] => between(a, b).to_owned(),
            // One alone: the next one is laid out as it is.
            _ => format!(",{}", &lead[1..]),
        };
        // Each with what stands before it, if it is not the first.
        let mut parts: Vec<(String, String)> = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let before = match index.checked_sub(1) {
                Some(before) => between(&elements[before], element).to_owned(),
                None => usual.clone(),
            };
            let own = &self.raw[element.range.clone()];
            let Some(value) = &element.value else {
                parts.push((before, own.to_owned()));
                continue;
            };
            match find(element, index) {
                Some(Some(came)) => {
                    let name = &self.raw[element.range.start..value.range.start];
                    parts.push((before, format!("{name}{}", self.value(value, came))));
                }
                Some(None) => parts.push((before, own.to_owned())),
                None => self.lose(value),
            }
        }
        // An open one takes more without saying so.
        if last.value.is_some() {
            parts.extend(more.into_iter().map(|text| (usual.clone(), text)));
        }
        let mut text = lead.to_owned();
        for (index, (before, part)) in parts.iter().enumerate() {
            if index > 0 {
                text.push_str(before);
            }
            text.push_str(part);
        }
        text + tail
    }

    /// Whether a hole can stand for such a value. What a bare name or an expression is worth is not known here.
    fn takes(&self, hole: usize, came: &Json) -> bool {
        self.holes
            .get(hole)
            .is_some_and(|hole| hole.ty().is_none_or(|ty| ty.accepts_json(came)))
    }

    /// The holes of a value that is no more.
    fn lose(&mut self, node: &Node) {
        match &node.what {
            What::Hole(hole) => self
                .lost
                .extend(self.holes.get(*hole).map(|hole| hole.raw.clone())),
            What::Scalar(_) => {}
            What::String(segments) => {
                for segment in segments {
                    if let Segment::Hole(hole) = segment {
                        self.lost
                            .extend(self.holes.get(*hole).map(|hole| hole.raw.clone()));
                    }
                }
            }
            What::Several { elements, .. } => {
                elements
                    .iter()
                    .filter_map(|own| own.value.as_ref())
                    .for_each(|value| self.lose(value));
            }
        }
    }
}

/// JSON as a payload without holes.
fn written(json: &Json) -> String {
    json.to_string().replace("{{", "{{{{")
}

/// A text as it stands within a string of JSON.
fn inside_string(text: &str) -> String {
    let quoted = written(&Json::from(text));
    quoted[1..quoted.len() - 1].to_owned()
}
