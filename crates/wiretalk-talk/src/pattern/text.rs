//! Matching text with holes: literals must stand where they are, an untyped hole takes the shortest match, a typed
//! one the longest that is of its type. Time is bounded by segments × length × candidates: a place from which the
//! rest did not match is not tried again.

use std::collections::HashSet;

use super::{Captures, Hole, HoleKind, Segment};
use crate::scope::Context;
use crate::value::Value;

/// What the segments capture from `text`, or `None` if it does not match.
///
/// # Errors
/// A sentence, if an expression fails.
pub(super) fn matches(
    segments: &[Segment],
    holes: &[Hole],
    text: &str,
    context: &Context<'_>,
    captured: &[(String, Value)],
) -> Result<Option<Captures>, String> {
    let mut matcher = Matcher {
        segments,
        holes,
        text,
        context,
        captures: captured.to_vec(),
        dead: HashSet::new(),
    };
    if matcher.from(0, 0)? {
        matcher.captures.drain(..captured.len());
        Ok(Some(matcher.captures))
    } else {
        Ok(None)
    }
}

struct Matcher<'a> {
    segments: &'a [Segment],
    holes: &'a [Hole],
    text: &'a str,
    context: &'a Context<'a>,
    captures: Captures,
    /// Places (segment, offset) from which the rest is known not to match, whatever was captured before. Only kept
    /// where nothing that follows depends on captures.
    dead: HashSet<(usize, usize)>,
}

impl Matcher<'_> {
    /// Whether the segments from `segment` on match the text from `at` on.
    fn from(&mut self, mut segment: usize, mut at: usize) -> Result<bool, String> {
        let hole = loop {
            match self.segments.get(segment) {
                None => return Ok(at == self.text.len()),
                Some(Segment::Literal(literal)) => {
                    if !self.text[at..].starts_with(literal.as_str()) {
                        return Ok(false);
                    }
                    at += literal.len();
                    segment += 1;
                }
                Some(Segment::Hole(index)) => {
                    let hole = &self.holes[*index];
                    if let Some(known) = hole.known(self.context, &self.captures) {
                        let known = known?.to_string();
                        if !self.text[at..].starts_with(&known) {
                            return Ok(false);
                        }
                        at += known.len();
                        segment += 1;
                        continue;
                    }
                    break hole;
                }
            }
        };
        if self.dead.contains(&(segment, at)) {
            return Ok(false);
        }
        let found = self.hole(hole, segment, at)?;
        if !found && self.independent(segment) {
            self.dead.insert((segment, at));
        }
        Ok(found)
    }

    /// Whether nothing from this segment on looks at captures.
    fn independent(&self, segment: usize) -> bool {
        self.segments[segment..]
            .iter()
            .all(|segment| match segment {
                Segment::Literal(_) => true,
                Segment::Hole(index) => match &self.holes[*index].kind {
                    HoleKind::Wildcard(_) => true,
                    HoleKind::Declare { name, .. } => {
                        !self.captures.iter().any(|(captured, _)| captured == name)
                    }
                    HoleKind::Name(_) | HoleKind::Expression(_) => false,
                },
            })
    }

    /// Tries each end that a hole can have.
    fn hole(&mut self, hole: &Hole, segment: usize, at: usize) -> Result<bool, String> {
        let rest = &self.text[at..];
        let reach = hole.ty().and_then(|ty| ty.reach(rest));
        let longest = reach.unwrap_or(rest.len());
        let next = match self.segments.get(segment + 1) {
            Some(Segment::Literal(literal)) => Some(literal.as_str()),
            Some(Segment::Hole(_)) => None,
            // The last hole takes all that is left, or nothing matches.
            None if longest == rest.len() => return self.take(hole, segment, at, rest.len()),
            None => return Ok(false),
        };
        let is_end = |end: &usize| {
            rest.is_char_boundary(*end) && next.is_none_or(|next| rest[*end..].starts_with(next))
        };
        if reach.is_some() {
            for end in (0..=longest).rev().filter(is_end) {
                if self.take(hole, segment, at, end)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        if let (Some(next), None) = (next, self.segments.get(segment + 2)) {
            // Nothing follows but this literal: it stands at the very end.
            let end = rest.len().checked_sub(next.len());
            return match end.filter(is_end) {
                Some(end) => self.take(hole, segment, at, end),
                None => Ok(false),
            };
        }
        let mut from = 0;
        while from <= longest {
            let end = match next {
                Some(next) => match rest[from..].find(next) {
                    Some(found) => from + found,
                    None => return Ok(false),
                },
                None => from,
            };
            if rest.is_char_boundary(end) && self.take(hole, segment, at, end)? {
                return Ok(true);
            }
            from = end + 1;
            while from < rest.len() && !rest.is_char_boundary(from) {
                from += 1;
            }
        }
        Ok(false)
    }

    /// Lets the hole have `length` bytes, if they are of its type, and matches the rest.
    fn take(
        &mut self,
        hole: &Hole,
        segment: usize,
        at: usize,
        length: usize,
    ) -> Result<bool, String> {
        let part = &self.text[at..at + length];
        if hole.ty().is_some_and(|ty| !ty.accepts_text(part)) {
            return Ok(false);
        }
        let before = self.captures.len();
        if let Some(name) = hole.captures() {
            let value = match hole.ty() {
                Some(ty) => ty.read(part),
                None => Value::Text(part.to_owned()),
            };
            self.captures.push((name.to_owned(), value));
        }
        let found = self.from(segment + 1, at + length)?;
        if !found {
            self.captures.truncate(before);
        }
        Ok(found)
    }
}
