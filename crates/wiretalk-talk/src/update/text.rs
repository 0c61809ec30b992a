//! Text with holes: what stands between the holes is taken from what came, the holes stay where their surroundings do.

use crate::pattern::{Hole, Pattern, Segment};

/// The payload that expects what came, and the holes that it has no place for.
pub(super) fn kept(pattern: &Pattern, came: &str) -> (String, Vec<String>) {
    aligned(&pattern.segments, &pattern.holes, came, |text| {
        text.replace("{{", "{{{{")
    })
}

/// The same for a text within another one, in which literals are written as `quote` does.
pub(super) fn aligned(
    segments: &[Segment],
    holes: &[Hole],
    came: &str,
    quote: impl Fn(&str) -> String,
) -> (String, Vec<String>) {
    let mut written = String::new();
    let mut lost = Vec::new();
    let mut at = 0;
    for (index, segment) in segments.iter().enumerate() {
        let Segment::Hole(hole) = segment else {
            continue;
        };
        let hole = &holes[*hole];
        let before = match index.checked_sub(1).map(|before| &segments[before]) {
            Some(Segment::Literal(text)) => Some(text.as_str()),
            Some(Segment::Hole(_)) => None,
            None => Some(""),
        };
        let behind = match segments.get(index + 1) {
            Some(Segment::Literal(text)) => Some(text.as_str()),
            Some(Segment::Hole(_)) => None,
            None => Some(""),
        };
        match place(hole, before, behind, came, at) {
            Some((start, end)) => {
                written.push_str(&quote(&came[at..start]));
                written.push_str(&format!("{{{{{}}}}}", hole.raw));
                at = end;
            }
            None => lost.push(hole.raw.clone()),
        }
    }
    written.push_str(&quote(&came[at..]));
    (written, lost)
}

/// Where the value of a hole stands in what came from `from` on: behind what stands before the hole, or as much of that
/// as is still there, and before what stands behind it.
fn place(
    hole: &Hole,
    before: Option<&str>,
    behind: Option<&str>,
    came: &str,
    from: usize,
) -> Option<(usize, usize)> {
    let (before, behind) = (before?, behind?);
    let starts: Vec<usize> = if before.is_empty() {
        vec![from]
    } else {
        let tails = std::iter::once(before).chain(words(before).map(|at| &before[at..]));
        tails
            .filter_map(|tail| came[from..].find(tail).map(|at| from + at + tail.len()))
            .collect()
    };
    for start in starts {
        let ends: Vec<usize> = if behind.is_empty() {
            vec![came.len()]
        } else {
            let cuts = words(behind).collect::<Vec<_>>();
            let heads = std::iter::once(behind).chain(cuts.iter().rev().map(|at| &behind[..*at]));
            heads
                .filter(|head| !head.is_empty())
                .filter_map(|head| came[start..].find(head).map(|at| start + at))
                .collect()
        };
        for end in ends {
            let value = &came[start..end];
            if !value.is_empty() && accepts(hole, value) {
                return Some((start, end));
            }
        }
    }
    None
}

/// Where words begin and end in a text, but for its ends.
fn words(text: &str) -> impl Iterator<Item = usize> + '_ {
    let kind = |c: char| (c.is_alphanumeric(), c.is_whitespace());
    let pairs = text.char_indices().zip(text.chars().skip(1));
    pairs
        .filter(move |((_, a), b)| kind(*a) != kind(*b))
        .map(|((at, a), _)| at + a.len_utf8())
}

/// Whether a hole can stand for such a text. What a bare name or an expression is worth is not known here.
fn accepts(hole: &Hole, text: &str) -> bool {
    hole.ty().is_none_or(|ty| ty.accepts_text(text))
}
