//! Which part of a line an editor's cursor is in: said from the text alone, which is rarely whole while it is written.

use crate::syntax::frame;

/// What stands at a place of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// The first word of a line, which may also be a who.
    Start,
    /// The kind behind an arrow.
    Kind,
    /// A word in the parentheses behind a kind.
    Options,
    /// A name in a hole or an expression.
    Hole,
    /// The type in a hole.
    Type,
    /// A filter of an expression.
    Filter,
    /// The query of a check.
    Query,
    /// What follows the query of a check.
    Predicate,
    /// The first word behind a directive.
    Behind(&'a str),
    /// Anywhere else: in a payload, say, or a comment.
    Elsewhere,
}

/// The word around an offset of a line, and what it is: bytes from, bytes to.
pub(super) fn at(line: &str, offset: usize) -> (Place<'_>, usize, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = &line[..offset];
    let from = before.rfind(|c: char| !is_word(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let to = line[offset..]
        .find(|c: char| !is_word(c))
        .map_or(line.len(), |length| offset + length);
    (place(line, from), from, to)
}

/// What a word that begins at `from` is.
fn place(line: &str, from: usize) -> Place<'_> {
    let before = &line[..from];
    let body = line.trim_start();
    let indent = line.len() - body.len();
    if body.starts_with('#') {
        return Place::Elsewhere;
    }
    if let Some(inside) = open_hole(before) {
        let last = inside.trim_end().chars().next_back();
        return match last {
            Some(':') if !inside.contains('=') => Place::Type,
            Some('|') => Place::Filter,
            Some('.') => Place::Elsewhere,
            _ => Place::Hole,
        };
    }
    if from <= indent {
        return Place::Start;
    }
    if let Some(check) = body.strip_prefix('?') {
        let behind = &before[(indent + 1).min(from)..];
        return match behind.split_whitespace().next() {
            None => Place::Query,
            Some(_) if check.trim_start().starts_with('$') && !behind.ends_with([' ', '\t']) => {
                Place::Elsewhere
            }
            Some(_) => Place::Predicate,
        };
    }
    // A rule's and an ignored message's arrow stands behind its directive.
    let (word, rest) = crate::syntax::first_word(body);
    let arrow = match word {
        "on" | "ignore" if rest.starts_with(['>', '<']) => Some(line.len() - rest.len()),
        _ => frame::arrow_offset(body).map(|at| at + indent),
    };
    if let Some(arrow) = arrow {
        return in_frame(line, arrow, from);
    }
    let keyword = body.split([' ', '\t']).next().unwrap_or_default();
    if before[indent..].trim() == keyword {
        return Place::Behind(keyword);
    }
    Place::Elsewhere
}

fn in_frame(line: &str, arrow: usize, from: usize) -> Place<'_> {
    if from < arrow {
        return Place::Start;
    }
    if from == arrow + 1 {
        return Place::Kind;
    }
    let behind = &line[arrow + 1..from];
    let kind = behind.find(|c: char| !c.is_ascii_alphanumeric());
    match kind {
        Some(end) if behind[end..].starts_with('(') && !behind.contains(')') => Place::Options,
        _ => Place::Elsewhere,
    }
}

/// What stands in the hole that is open at the end of `before`.
fn open_hole(before: &str) -> Option<&str> {
    let start = before.rfind("{{")?;
    let inside = &before[start + 2..];
    // `{{{{` is a literal.
    let literal = before[..start].ends_with("{{");
    (!literal && !inside.contains("}}")).then_some(inside)
}
