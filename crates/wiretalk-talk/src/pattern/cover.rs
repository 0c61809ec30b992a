//! Whether one pattern takes every message that another one does: then a rule behind it is never reached.
//!
//! The answer is only yes where it is sure; no is always right.

use super::{Hole, HoleKind, JsonPattern, Pattern, Segment};
use crate::value::json_equal;

/// Bytes of a pattern beyond which nobody asks.
const LONGEST: usize = 4096;

impl Pattern {
    /// Whether every message that `other` takes is taken by this pattern too. `bound` tells the names that may have a
    /// value: a hole that captures one of them takes nothing but that value.
    pub(crate) fn covers(&self, other: &Self, bound: &dyn Fn(&str) -> bool) -> bool {
        if self.takes_all(bound) {
            return true;
        }
        if self.raw.len() > LONGEST || other.raw.len() > LONGEST {
            return false;
        }
        if self.raw == other.raw && self.literal == other.literal {
            return true;
        }
        let cover = Cover {
            own: &self.holes,
            others: &other.holes,
            bound,
        };
        match (self.json(), other.json()) {
            (Some((prefix, own)), Some((other_prefix, other))) => {
                prefix == other_prefix && cover.json(own, other)
            }
            (None, None) => cover.text(&self.segments, &other.segments),
            _ => false,
        }
    }

    /// Whether it takes every text.
    fn takes_all(&self, bound: &dyn Fn(&str) -> bool) -> bool {
        match &self.segments[..] {
            [Segment::Hole(only)] => takes_any(&self.holes[*only], bound),
            _ => false,
        }
    }
}

/// Whether a hole takes any text at all.
fn takes_any(hole: &Hole, bound: &dyn Fn(&str) -> bool) -> bool {
    let free = match &hole.kind {
        HoleKind::Wildcard(_) => true,
        HoleKind::Declare { name, .. } => !bound(name),
        HoleKind::Name(_) | HoleKind::Expression(_) => false,
    };
    free && hole.ty().is_none_or(|ty| ty.takes_any_text())
}

struct Cover<'a> {
    own: &'a [Hole],
    others: &'a [Hole],
    bound: &'a dyn Fn(&str) -> bool,
}

impl Cover<'_> {
    fn json(&self, own: &JsonPattern, other: &JsonPattern) -> bool {
        match (own, other) {
            (JsonPattern::Hole(index), other) => self.hole(&self.own[*index], other),
            (JsonPattern::Scalar(own), JsonPattern::Scalar(other)) => json_equal(own, other),
            (JsonPattern::String(own), JsonPattern::String(other)) => self.text(own, other),
            (
                JsonPattern::Array { items, open },
                JsonPattern::Array {
                    items: others,
                    open: other_open,
                },
            ) => {
                let lengths = match (open, other_open) {
                    (true, _) => items.len() <= others.len(),
                    (false, true) => false,
                    (false, false) => items.len() == others.len(),
                };
                lengths && items.iter().zip(others).all(|(a, b)| self.json(a, b))
            }
            (
                JsonPattern::Object { members, open },
                JsonPattern::Object {
                    members: others,
                    open: other_open,
                },
            ) => {
                let lengths = *open || (!other_open && members.len() == others.len());
                lengths
                    && members.iter().all(|(key, own)| {
                        let same = others
                            .iter()
                            .find(|(other, _)| literal(key) == literal(other));
                        literal(key).is_some()
                            && same.is_some_and(|(_, other)| self.json(own, other))
                    })
            }
            _ => false,
        }
    }

    fn hole(&self, own: &Hole, other: &JsonPattern) -> bool {
        let free = match &own.kind {
            HoleKind::Wildcard(_) => true,
            HoleKind::Declare { name, .. } => !(self.bound)(name),
            HoleKind::Name(_) | HoleKind::Expression(_) => false,
        };
        if let JsonPattern::Hole(index) = other
            && self.others[*index].raw == own.raw
        {
            return true;
        }
        let Some(ty) = own.ty().filter(|_| free) else {
            return free;
        };
        match other {
            JsonPattern::Scalar(value) => ty.accepts_json(value),
            JsonPattern::String(parts) => match literal(parts) {
                Some(text) => ty.accepts_json(&crate::value::Json::String(text.to_owned())),
                None => ty.takes_any_text(),
            },
            _ => ty.describe() == "anything" || ty.describe() == "JSON",
        }
    }

    /// Text with holes that take anything, over text whose holes stand for something unknown.
    fn text(&self, own: &[Segment], other: &[Segment]) -> bool {
        let mut text = String::new();
        for segment in other {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                // What no literal can hold: only a hole takes it.
                Segment::Hole(_) => text.push('\u{10ffff}'),
            }
        }
        let mut rest = text.as_str();
        let mut floating = false;
        for (index, segment) in own.iter().enumerate() {
            match segment {
                Segment::Hole(hole) if takes_any(&self.own[*hole], self.bound) => floating = true,
                Segment::Hole(_) => return false,
                Segment::Literal(literal) if literal.contains('\u{10ffff}') => return false,
                Segment::Literal(literal) if index + 1 == own.len() && floating => {
                    return rest.ends_with(literal.as_str());
                }
                Segment::Literal(literal) if floating => {
                    let Some(at) = rest.find(literal.as_str()) else {
                        return false;
                    };
                    rest = &rest[at + literal.len()..];
                    floating = false;
                }
                Segment::Literal(literal) => {
                    let Some(behind) = rest.strip_prefix(literal.as_str()) else {
                        return false;
                    };
                    rest = behind;
                }
            }
        }
        floating || rest.is_empty()
    }
}

/// The text of segments without a hole.
fn literal(parts: &[Segment]) -> Option<&str> {
    match parts {
        [] => Some(""),
        [Segment::Literal(text)] => Some(text),
        _ => None,
    }
}
