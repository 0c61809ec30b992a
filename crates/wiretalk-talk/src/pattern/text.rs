//! Matching text with holes: literals must stand where they are, an untyped hole takes the shortest match, a typed
//! one the longest that is of its type.
//!
//! A place from which the rest did not match is not tried again, and between two holes that take anything the first
//! place of the text between them is as good as any later one, so that usual patterns take time in proportion to the
//! message. What still takes long (holes that look at each other's captures) is given up after a bounded amount of work.

use std::collections::{BTreeMap, BTreeSet};

use super::{Captures, Hole, HoleKind, MOST_HOLES, Segment};
use crate::scope::Context;
use crate::value::Value;

/// Bytes looked at, roughly, before a match is given up.
const MOST_WORK: usize = 20_000_000;

/// What the segments capture from `text`, or `None` if it does not match.
///
/// # Errors
/// A sentence, if an expression fails, or if finding out takes too long.
pub(super) fn matches(
    segments: &[Segment],
    holes: &[Hole],
    text: &str,
    context: &Context<'_>,
    captured: &[(String, Value)],
) -> Result<Option<Captures>, String> {
    let count = segments
        .iter()
        .filter(|segment| matches!(segment, Segment::Hole(_)))
        .count();
    if count > MOST_HOLES {
        return Err(format!(
            "there are {count} holes in one text, and {MOST_HOLES} are the most"
        ));
    }
    let mut matcher = Matcher {
        segments,
        holes,
        text,
        context,
        captures: captured.to_vec(),
        looks: looks(segments, holes),
        known: BTreeMap::new(),
        dead: BTreeSet::new(),
        work: 0,
    };
    if matcher.from(0, 0)? {
        matcher.captures.drain(..captured.len());
        Ok(Some(matcher.captures))
    } else {
        Ok(None)
    }
}

/// Whether the segments from one on look at what this match captures.
#[derive(Clone, Copy)]
struct Looks {
    /// At what was captured before this segment.
    back: bool,
    /// At anything that was captured.
    anywhere: bool,
}

fn looks(segments: &[Segment], holes: &[Hole]) -> Vec<Looks> {
    let hole = |segment: &Segment| match segment {
        Segment::Literal(_) => None,
        Segment::Hole(index) => Some(&holes[*index]),
    };
    let looks_at = |hole: &Hole, name: &str| match &hole.kind {
        HoleKind::Wildcard(_) => false,
        HoleKind::Declare { name: own, .. } | HoleKind::Name(own) => own == name,
        HoleKind::Expression(expression) => expression.names().iter().any(|own| own == name),
    };
    // For each segment the last one that looks at a name declared by it: `to` reaches from the declaration to there.
    let mut spans = Vec::new();
    for (from, declaring) in segments.iter().enumerate() {
        let Some(name) = hole(declaring).and_then(Hole::captures) else {
            continue;
        };
        let last = segments[from + 1..]
            .iter()
            .rposition(|later| hole(later).is_some_and(|hole| looks_at(hole, name)));
        if let Some(last) = last {
            spans.push((from, from + 1 + last));
        }
    }
    (0..segments.len())
        .map(|at| Looks {
            back: spans
                .iter()
                .any(|(from, to)| (from + 1..=*to).contains(&at)),
            anywhere: spans.iter().any(|(_, to)| at <= *to),
        })
        .collect()
}

struct Matcher<'a> {
    segments: &'a [Segment],
    holes: &'a [Hole],
    text: &'a str,
    context: &'a Context<'a>,
    captures: Captures,
    looks: Vec<Looks>,
    /// The text of holes whose value is known whatever is captured here.
    known: BTreeMap<usize, String>,
    /// Places (segment, offset) from which the rest is known not to match. Only kept where nothing that follows looks
    /// at what was captured before.
    dead: BTreeSet<(usize, usize)>,
    work: usize,
}

impl<'a> Matcher<'a> {
    fn spend(&mut self, work: usize) -> Result<(), String> {
        self.work = self.work.saturating_add(work);
        if self.work > MOST_WORK {
            return Err(format!(
                "comparing it with this message of {} bytes takes too long: give the holes types, or put more text between them",
                self.text.len()
            ));
        }
        Ok(())
    }

    /// Whether the segments from `segment` on match the text from `at` on.
    fn from(&mut self, mut segment: usize, mut at: usize) -> Result<bool, String> {
        let segments = self.segments;
        let hole = loop {
            match segments.get(segment) {
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
                    match self.known(segment, hole)? {
                        Some(known) if self.text[at..].starts_with(&known) => at += known.len(),
                        Some(_) => return Ok(false),
                        None => break hole,
                    }
                    segment += 1;
                }
            }
        };
        if self.dead.contains(&(segment, at)) {
            return Ok(false);
        }
        let found = self.hole(hole, segment, at)?;
        if !found && !self.looks[segment].back {
            self.dead.insert((segment, at));
        }
        Ok(found)
    }

    /// The text that a hole must be equal to, if it is known.
    fn known(&mut self, segment: usize, hole: &Hole) -> Result<Option<String>, String> {
        if let Some(known) = self.known.get(&segment) {
            return Ok(Some(known.clone()));
        }
        self.spend(64)?;
        let Some(known) = hole.known(self.context, &self.captures) else {
            return Ok(None);
        };
        let known = known?.to_string();
        if !self.looks[segment].back {
            self.known.insert(segment, known.clone());
        }
        Ok(Some(known))
    }

    /// Tries each end that a hole can have.
    fn hole(&mut self, hole: &'a Hole, segment: usize, at: usize) -> Result<bool, String> {
        let rest = &self.text[at..];
        let reach = hole.ty().and_then(|ty| ty.reach(rest));
        let longest = reach.unwrap_or(rest.len());
        let segments = self.segments;
        let next = match segments.get(segment + 1) {
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
            self.spend(longest / 8 + 1)?;
            for end in (0..=longest).rev().filter(is_end) {
                if self.take(hole, segment, at, end)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        if let (Some(next), None) = (next, segments.get(segment + 2)) {
            // Nothing follows but this literal: it stands at the very end.
            let end = rest.len().checked_sub(next.len());
            return match end.filter(is_end) {
                Some(end) => self.take(hole, segment, at, end),
                None => Ok(false),
            };
        }
        let first_will_do = self.first_will_do(segment);
        let mut from = 0;
        while from <= longest {
            let end = match next {
                Some(next) => match rest[from..].find(next) {
                    Some(found) => from + found,
                    None => return Ok(false),
                },
                None => from,
            };
            self.spend((end - from) / 64 + 1)?;
            if self.accepts(hole, &rest[..end])? {
                if self.go_on(hole, segment, at, end)? {
                    return Ok(true);
                }
                if first_will_do {
                    return Ok(false);
                }
            }
            from = end + 1;
            while from < rest.len() && !rest.is_char_boundary(from) {
                from += 1;
            }
        }
        Ok(false)
    }

    /// Whether behind the literal that follows stands a hole that takes anything: then a later place of the literal
    /// cannot match if the first one did not.
    fn first_will_do(&self, segment: usize) -> bool {
        match self.segments.get(segment + 2) {
            Some(Segment::Hole(index)) => {
                let hole = &self.holes[*index];
                hole.takes_any_text()
                    && !self.looks[segment + 2].anywhere
                    && hole.known(self.context, &self.captures).is_none()
            }
            _ => false,
        }
    }

    /// Lets the hole have `length` bytes, if they are of its type, and matches the rest.
    fn take(
        &mut self,
        hole: &Hole,
        segment: usize,
        at: usize,
        length: usize,
    ) -> Result<bool, String> {
        let text = self.text;
        Ok(self.accepts(hole, &text[at..at + length])? && self.go_on(hole, segment, at, length)?)
    }

    fn accepts(&mut self, hole: &Hole, part: &str) -> Result<bool, String> {
        match hole.ty() {
            Some(ty) if !ty.takes_any_text() => {
                self.spend(part.len() + 1)?;
                Ok(ty.accepts_text(part))
            }
            _ => Ok(true),
        }
    }

    /// Matches the rest, the hole having `length` bytes.
    fn go_on(
        &mut self,
        hole: &Hole,
        segment: usize,
        at: usize,
        length: usize,
    ) -> Result<bool, String> {
        let before = self.captures.len();
        if let Some(name) = hole.captures() {
            let value = hole.read(&self.text[at..at + length]);
            self.captures.push((name.to_owned(), value));
        }
        let found = self.from(segment + 1, at + length)?;
        if !found {
            self.captures.truncate(before);
        }
        Ok(found)
    }
}
