//! Payloads with holes: a pattern when expected, a template when sent.

mod cover;
mod json;
mod parse;
mod render;
mod text;

use std::fmt;
use std::sync::Arc;

use crate::expression::Expression;
use crate::scope::Context;
use crate::source::Span;
use crate::types::HoleType;
use crate::value::Value;
use crate::value::document::{Document, Parsed};

pub(crate) use json::JsonPattern;

/// The text behind an arrow, with the places in the source that its bytes come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Payload {
    pub(crate) text: String,
    /// Offset in `text` and offset in the source, for each line.
    pub(crate) lines: Vec<(usize, usize)>,
}

impl Payload {
    /// A payload of one line.
    pub(crate) fn line(text: &str, start: usize) -> Self {
        Self {
            text: text.to_owned(),
            lines: vec![(0, start)],
        }
    }

    /// The span in the source of a range of `text`.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| {
            let before = self.lines.partition_point(|(from, _)| *from <= offset);
            let line = before.checked_sub(1).map(|line| self.lines[line]);
            line.map_or(offset, |(from, source)| source + (offset - from))
        };
        let from = at(start);
        Span::new(from, at(end).max(from))
    }

    /// The span of it all.
    pub(crate) fn whole(&self) -> Span {
        self.span(0, self.text.len())
    }
}

/// A compiled payload.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// The payload as it stands in the talk.
    pub(crate) raw: String,
    pub(crate) span: Span,
    /// Literal text and holes in turn.
    pub(crate) segments: Vec<Segment>,
    /// What is sent, if that is something else: without the `...` of JSON.
    pub(crate) sent: Option<Box<[Segment]>>,
    /// The holes, in order.
    pub(crate) holes: Vec<Hole>,
    /// What it is as JSON, if it is.
    json: Option<Box<json::Lazy>>,
    /// Whether the payload is taken to the letter.
    pub(crate) literal: bool,
}

/// A piece of a pattern.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    Literal(String),
    /// The index of a hole.
    Hole(usize),
}

/// A hole.
#[derive(Clone, Debug)]
pub(crate) struct Hole {
    pub(crate) span: Span,
    /// As it stands in the talk, without the braces.
    pub(crate) raw: String,
    pub(crate) kind: HoleKind,
    pub(crate) place: Place,
}

/// What a hole is.
#[derive(Clone, Debug)]
pub(crate) enum HoleKind {
    /// `_`, `_:type`
    Wildcard(Option<Arc<dyn HoleType>>),
    /// `name:type`, `name=example`, `name:type=example`
    Declare {
        name: String,
        ty: Option<Arc<dyn HoleType>>,
        example: Option<Value>,
    },
    /// `name`
    Name(String),
    /// Anything else
    Expression(Expression),
}

/// Where a hole stands: it says how its value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Text,
    JsonString,
    JsonValue,
}

/// A place in which JSON differs from what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonDifference {
    /// Where: `$.items[0]`.
    pub path: String,
    /// What was expected there, if anything was.
    pub expected: Option<String>,
    /// What came there, if anything did.
    pub came: Option<String>,
}

impl fmt::Display for JsonDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (&self.expected, &self.came) {
            (Some(expected), Some(came)) => write!(f, "{path}: expected {expected}, came {came}"),
            (Some(expected), None) => write!(f, "{path} is missing: expected {expected}"),
            (None, Some(came)) => write!(f, "{path} is not expected: {came} came"),
            (None, None) => f.write_str(path),
        }
    }
}

/// A text that differs from what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which header, or empty for a message.
    pub path: String,
    /// What was expected there.
    pub expected: String,
    /// What came.
    pub came: String,
}

/// Why a payload does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A message of another kind: `expected` and `came` name them.
    Kind {
        /// The kind that was expected.
        expected: String,
        /// The kind that came.
        came: String,
    },
    /// A text, or bytes, that differ.
    Text(Difference),
    /// JSON that differs in these places.
    Json(Vec<JsonDifference>),
    /// JSON was expected, and what came is none, for this reason.
    NotJson(String),
    /// A check under the message does not hold.
    Check {
        /// The check, as it stands in the talk.
        check: String,
        /// What it was applied to.
        came: String,
    },
    /// An expression in the pattern failed, for this reason.
    Expression(String),
}

/// What a match captured, in order.
pub(crate) type Captures = Vec<(String, Value)>;

/// What a comparison is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// To know whether it matches: it ends at the first difference.
    Ask,
    /// To tell every difference.
    Report,
}

/// How many differences one mismatch lists.
const MOST_DIFFERENCES: usize = 20;

/// How many holes a payload can have, if it is JSON.
const MOST_JSON_HOLES: usize = 10_000;
/// Mistakes in the holes of one payload that are told.
const MOST_FAULTS: usize = 100;

/// How many holes one text can have: a whole payload, or a string in JSON.
const MOST_HOLES: usize = 256;

impl Pattern {
    /// What stands before the JSON, and the JSON, if the payload is one.
    pub(crate) fn json(&self) -> Option<(&str, &JsonPattern)> {
        let json = self.json.as_ref()?;
        Some((json.prefix(), json.root(&self.segments)))
    }

    /// Compares a text that came with the pattern.
    ///
    /// # Errors
    /// Why it does not match.
    pub(crate) fn matches(&self, text: &str, context: &Context<'_>) -> Result<Captures, Mismatch> {
        self.matches_document(Document::new(text, &Parsed::default()), context)
    }

    /// As [`Pattern::matches`], for a text whose JSON others look at too.
    ///
    /// # Errors
    /// Why it does not match.
    pub(crate) fn matches_document(
        &self,
        came: Document<'_>,
        context: &Context<'_>,
    ) -> Result<Captures, Mismatch> {
        self.compare(came, context, Manner::Report)
            .map_err(|fault| fault.unwrap_or_else(|| self.text_mismatch(came.text(), context)))
    }

    /// Whether a text matches, and what it captures then: as [`Pattern::matches_document`], but nobody finds out why
    /// it does not, which costs much more than to see that it does not.
    pub(crate) fn takes(&self, came: Document<'_>, context: &Context<'_>) -> Option<Captures> {
        self.compare(came, context, Manner::Ask).ok()
    }

    /// What a JSON text captures that differs from the pattern: by those parts that do not differ.
    pub(crate) fn captures_despite(&self, came: Document<'_>, context: &Context<'_>) -> Captures {
        let Some((prefix, pattern)) = self.json() else {
            return Captures::new();
        };
        let Some(Ok(json)) = came.json_behind(prefix) else {
            return Captures::new();
        };
        let mut comparison = json::Comparison::new(&self.holes, context, Manner::Report);
        comparison.compare(pattern, &json);
        comparison.captured()
    }

    /// What is captured, or why it does not match; `None` for a text that differs.
    fn compare(
        &self,
        came: Document<'_>,
        context: &Context<'_>,
        manner: Manner,
    ) -> Result<Captures, Option<Mismatch>> {
        if let Some((prefix, pattern)) = self.json() {
            let Some(json) = came.json_behind(prefix) else {
                return Err(None);
            };
            let json = json.map_err(|why| Some(Mismatch::NotJson(why)))?;
            let mut comparison = json::Comparison::new(&self.holes, context, manner);
            comparison.compare(pattern, &json);
            return comparison.finish().map_err(Some);
        }
        if let [Segment::Literal(only)] = &self.segments[..] {
            return if only == came.text() {
                Ok(Captures::new())
            } else {
                Err(None)
            };
        }
        if let [Segment::Hole(only)] = self.segments[..]
            && let Some(value) = self.holes[only].known(context, &[])
        {
            // A hole that holds a whole JSON document is compared as one.
            let value = value.map_err(|why| Some(Mismatch::Expression(why)))?;
            if let Value::Json(json) = &value
                && (json.is_object() || json.is_array())
                && let Ok(came) = came.json()
            {
                return if value.equals_json(came) {
                    Ok(Captures::new())
                } else {
                    Err(None)
                };
            }
        }
        text::matches(&self.segments, &self.holes, came.text(), context, &[])
            .map_err(|why| Some(Mismatch::Expression(why)))?
            .ok_or(None)
    }

    fn text_mismatch(&self, came: &str, context: &Context<'_>) -> Mismatch {
        Mismatch::Text(Difference {
            path: String::new(),
            expected: self.filled(context),
            came: came.to_owned(),
        })
    }

    /// Whether a pattern without holes takes its own text: JSON in which two members have one name does not.
    pub(crate) fn takes_itself(&self) -> bool {
        match self.json() {
            None => true,
            Some((prefix, pattern)) => {
                let own = self.raw.strip_prefix(prefix).unwrap_or(&self.raw);
                serde_json::from_str(own).is_ok_and(|json| pattern.is(&json))
            }
        }
    }

    /// Whether every text message matches it: a lone wildcard.
    pub(crate) fn matches_everything(&self) -> bool {
        match &self.segments[..] {
            [Segment::Hole(only)] => self.holes[*only].takes_any_text(),
            _ => false,
        }
    }

    /// Whether it was written with holes in mind, and not as `text` to the letter.
    pub(crate) fn typed(&self) -> bool {
        !self.literal
    }

    /// Whether a hole in it looks at a name.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.holes.iter().any(|hole| match &hole.kind {
            HoleKind::Name(own) => own == name,
            HoleKind::Expression(expression) => expression.names().iter().any(|own| own == name),
            HoleKind::Wildcard(_) | HoleKind::Declare { .. } => false,
        })
    }

    /// The names that a match binds.
    pub(crate) fn declares(&self) -> impl Iterator<Item = (&str, Span)> {
        self.holes.iter().filter_map(|hole| match &hole.kind {
            HoleKind::Declare { name, .. } => Some((name.as_str(), hole.span)),
            _ => None,
        })
    }
}

impl Hole {
    /// The type it must be of, if it names one.
    pub(crate) fn ty(&self) -> Option<&Arc<dyn HoleType>> {
        match &self.kind {
            HoleKind::Wildcard(ty) | HoleKind::Declare { ty, .. } => ty.as_ref(),
            HoleKind::Name(_) | HoleKind::Expression(_) => None,
        }
    }

    /// Whether every text is welcome, if nothing is bound to its name.
    fn takes_any_text(&self) -> bool {
        match &self.kind {
            HoleKind::Wildcard(ty) | HoleKind::Declare { ty, .. } => {
                ty.as_ref().is_none_or(|ty| ty.takes_any_text())
            }
            HoleKind::Name(_) | HoleKind::Expression(_) => false,
        }
    }

    /// The value that it captures from a text.
    fn read(&self, text: &str) -> Value {
        match &self.kind {
            HoleKind::Wildcard(Some(ty)) | HoleKind::Declare { ty: Some(ty), .. } => ty.read(text),
            // The example says what is meant: a number, say.
            HoleKind::Declare {
                example: Some(Value::Json(_)),
                ..
            } => Value::read(text),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// The name that it captures into.
    fn captures(&self) -> Option<&str> {
        match &self.kind {
            HoleKind::Declare { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The value it must equal, if it is known here; what went wrong, if finding it failed.
    fn known(
        &self,
        context: &Context<'_>,
        captured: &[(String, Value)],
    ) -> Option<Result<Value, String>> {
        let bound = |name: &str| {
            let own = captured.iter().rev().find(|(known, _)| known == name);
            own.map(|(_, value)| value.clone())
                .or_else(|| context.value(name))
        };
        match &self.kind {
            HoleKind::Wildcard(_) => None,
            HoleKind::Declare { name, .. } => bound(name).map(Ok),
            HoleKind::Name(name) => {
                let value = bound(name).or_else(|| context.looked_at(name));
                Some(value.ok_or_else(|| format!("`{name}` is not bound here")))
            }
            HoleKind::Expression(expression) => Some(expression.evaluate(context, captured)),
        }
    }
}

pub(crate) use parse::{bind_name, hole_length, is_name};

#[cfg(test)]
mod tests;
