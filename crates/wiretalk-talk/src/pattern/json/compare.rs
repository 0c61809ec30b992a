//! JSON that came against a pattern: every difference, with its path.

use std::collections::BTreeSet;

use super::JsonPattern;
use crate::pattern::{Captures, Hole, JsonDifference, MOST_DIFFERENCES, Manner, Mismatch, Segment};
use crate::scope::Context;
use crate::value::{Json, Value};

/// A comparison that goes on behind a difference, to list them all.
pub(in crate::pattern) struct Comparison<'a> {
    holes: &'a [Hole],
    context: &'a Context<'a>,
    manner: Manner,
    differs: bool,
    captures: Captures,
    differences: Vec<JsonDifference>,
    failed: Option<String>,
    path: Vec<Step<'a>>,
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Comparison<'a> {
    pub(in crate::pattern) fn new(
        holes: &'a [Hole],
        context: &'a Context<'a>,
        manner: Manner,
    ) -> Self {
        Self {
            holes,
            context,
            manner,
            differs: false,
            captures: Captures::new(),
            differences: Vec::new(),
            failed: None,
            path: Vec::new(),
        }
    }

    pub(in crate::pattern) fn finish(self) -> Result<Captures, Mismatch> {
        match self.failed {
            Some(reason) => Err(Mismatch::Expression(reason)),
            None if !self.differs => Ok(self.captures),
            None => Err(Mismatch::Json(self.differences)),
        }
    }

    /// What was captured, whatever differs.
    pub(in crate::pattern) fn captured(self) -> Captures {
        self.captures
    }

    pub(in crate::pattern) fn compare(&mut self, pattern: &JsonPattern, came: &'a Json) {
        if self.is_decided() {
            return;
        }
        match (pattern, came) {
            (JsonPattern::Scalar(expected), came) => {
                if !crate::value::json_equal(expected, came) {
                    self.differ(|_| expected.to_string(), came);
                }
            }
            (JsonPattern::String(parts), Json::String(text)) => match self.text(parts, text) {
                Some(captures) => self.captures.extend(captures),
                None => self.differ(|own| own.show_string(parts), came),
            },
            (JsonPattern::String(parts), came) => {
                self.differ(|own| own.show_string(parts), came);
            }
            (JsonPattern::Array { items, open }, Json::Array(came_items)) => {
                for (index, came) in came_items.iter().enumerate() {
                    if (*open && index >= items.len()) || self.is_decided() {
                        break;
                    }
                    self.path.push(Step::Index(index));
                    match items.get(index) {
                        Some(item) => self.compare(item, came),
                        None => self.unexpected(came),
                    }
                    self.path.pop();
                }
                for (index, item) in items.iter().enumerate().skip(came_items.len()) {
                    if self.is_decided() {
                        break;
                    }
                    self.path.push(Step::Index(index));
                    self.missing(item);
                    self.path.pop();
                }
            }
            (JsonPattern::Object { members, open }, Json::Object(came_members)) => {
                self.object(members, *open, came_members);
            }
            (JsonPattern::Array { .. } | JsonPattern::Object { .. }, came) => {
                self.differ(|own| own.show(pattern), came);
            }
            (JsonPattern::Hole(index), came) => self.hole(*index, came),
        }
    }

    fn object(
        &mut self,
        members: &[(Vec<Segment>, JsonPattern)],
        open: bool,
        came: &'a serde_json::Map<String, Json>,
    ) {
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        for (key, pattern) in members {
            if self.is_decided() {
                return;
            }
            let found = match &key[..] {
                [] => came.get_key_value(""),
                [Segment::Literal(key)] => came.get_key_value(key.as_str()),
                parts => came.iter().find(|(name, _)| {
                    !taken.contains(name.as_str()) && self.text(parts, name).is_some()
                }),
            };
            let Some((name, value)) = found else {
                self.difference(|own| {
                    let path = own.path_to(&own.filled(key));
                    (path, Some(own.show(pattern)), None)
                });
                continue;
            };
            if key.iter().any(|part| matches!(part, Segment::Hole(_)))
                && let Some(captures) = self.text(key, name)
            {
                self.captures.extend(captures);
            }
            taken.insert(name);
            self.path.push(Step::Key(name));
            self.compare(pattern, value);
            self.path.pop();
        }
        if !open && came.len() > taken.len() {
            for (name, value) in came {
                if self.is_decided() {
                    break;
                }
                if !taken.contains(name.as_str()) {
                    self.path.push(Step::Key(name));
                    self.unexpected(value);
                    self.path.pop();
                }
            }
        }
    }

    fn hole(&mut self, index: usize, came: &Json) {
        let hole = &self.holes[index];
        match hole.known(self.context, &self.captures) {
            Some(Ok(value)) => {
                if !value.equals_json(came) {
                    self.differ(|_| value.to_json().to_string(), came);
                }
            }
            Some(Err(reason)) => self.failed = self.failed.take().or(Some(reason)),
            None => {
                if let Some(ty) = hole.ty()
                    && !ty.accepts_json(came)
                {
                    let ty = std::sync::Arc::clone(ty);
                    self.differ(|_| ty.describe(), came);
                } else if let Some(name) = hole.captures() {
                    let value = Value::from_json(came.clone());
                    self.captures.push((name.to_owned(), value));
                }
            }
        }
    }

    /// Matches a string with the parts of a pattern.
    fn text(&mut self, parts: &[Segment], text: &str) -> Option<Captures> {
        if let [Segment::Literal(literal)] = parts {
            return (literal == text).then(Captures::new);
        }
        match crate::pattern::text::matches(parts, self.holes, text, self.context, &self.captures) {
            Ok(captures) => captures,
            Err(reason) => {
                self.failed = self.failed.take().or(Some(reason));
                None
            }
        }
    }

    /// Whether nothing that follows could change the answer.
    fn is_decided(&self) -> bool {
        self.manner == Manner::Ask && (self.differs || self.failed.is_some())
    }

    fn missing(&mut self, pattern: &JsonPattern) {
        self.difference(|own| (own.here(), Some(own.show(pattern)), None));
    }

    fn differ(&mut self, expected: impl FnOnce(&Self) -> String, came: &Json) {
        self.difference(|own| (own.here(), Some(expected(own)), Some(came.to_string())));
    }

    fn unexpected(&mut self, came: &Json) {
        self.difference(|own| (own.here(), None, Some(came.to_string())));
    }

    /// Notes a difference: its path, what was expected, what came. It is only put into words if somebody will read it.
    fn difference(
        &mut self,
        words: impl FnOnce(&Self) -> (String, Option<String>, Option<String>),
    ) {
        self.differs = true;
        if self.manner == Manner::Report && self.differences.len() < MOST_DIFFERENCES {
            let (path, expected, came) = words(self);
            self.differences.push(JsonDifference {
                path,
                expected,
                came,
            });
        }
    }

    fn here(&self) -> String {
        let mut path = String::from("$");
        for step in &self.path {
            match step {
                Step::Key(key) => path.push_str(&path_step(key)),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    fn path_to(&self, key: &str) -> String {
        self.here() + &path_step(key)
    }

    fn show_string(&self, parts: &[Segment]) -> String {
        Json::String(self.filled(parts)).to_string()
    }

    fn filled(&self, parts: &[Segment]) -> String {
        let mut text = String::new();
        for part in parts {
            match part {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Hole(index) => {
                    let hole = &self.holes[*index];
                    match hole.known(self.context, &self.captures) {
                        Some(Ok(value)) => text.push_str(&value.to_string()),
                        _ => text.push_str(&format!("{{{{{}}}}}", hole.raw)),
                    }
                }
            }
        }
        text
    }

    /// A pattern as JSON, for a difference.
    fn show(&self, pattern: &JsonPattern) -> String {
        let list = |mut parts: Vec<String>, open: bool| {
            if open {
                parts.push("...".into());
            }
            parts.join(",")
        };
        match pattern {
            JsonPattern::Scalar(json) => json.to_string(),
            JsonPattern::String(parts) => self.show_string(parts),
            JsonPattern::Hole(index) => {
                let hole = &self.holes[*index];
                match (hole.known(self.context, &self.captures), hole.ty()) {
                    (Some(Ok(value)), _) => value.to_json().to_string(),
                    (_, Some(ty)) => ty.describe(),
                    _ => "anything".into(),
                }
            }
            JsonPattern::Array { items, open } => {
                let items = items.iter().map(|item| self.show(item)).collect();
                format!("[{}]", list(items, *open))
            }
            JsonPattern::Object { members, open } => {
                let members = members
                    .iter()
                    .map(|(key, value)| format!("{}:{}", self.show_string(key), self.show(value)))
                    .collect();
                format!("{{{}}}", list(members, *open))
            }
        }
    }
}

/// A member's name in a path: `.name`, or `["a b"]` where RFC 9535 wants quotes.
fn path_step(key: &str) -> String {
    let shorthand = key.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_alphanumeric() || c == '_');
    if shorthand {
        format!(".{key}")
    } else {
        format!("[{}]", Json::String(key.to_owned()))
    }
}
