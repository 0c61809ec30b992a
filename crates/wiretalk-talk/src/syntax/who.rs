//! Who a line is about: `[WHO] …`.

use super::directive::KEYWORDS;
use super::{Parser, Who};
use crate::pattern::{Pattern, Payload, hole_length, is_name};
use crate::source::Span;

/// Where what stands behind a who begins, if a text begins with one: a name, `all`, `others`, `room NAME`, `user NAME`.
///
/// A `room` without a name counts as one, to be told.
pub(crate) fn behind_who(text: &str) -> Option<usize> {
    let end = text.find([' ', '\t'])?;
    let word = &text[..end];
    let behind = end + blanks(&text[end..]);
    if matches!(word, "room" | "user") {
        if text[behind..].starts_with(['>', '<']) {
            return Some(behind);
        }
        let end = behind + word_length(&text[behind..])?;
        return Some(end + blanks(&text[end..]));
    }
    let known = matches!(word, "all" | "others") || !KEYWORDS.contains(&word);
    (known && is_name(word)).then_some(behind)
}

/// The length of a word in which holes may stand; blanks inside a hole do not end it. None if a hole has no end.
pub(crate) fn word_length(text: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find([' ', '\t', '{']) {
        at += found;
        if !text[at..].starts_with('{') {
            return Some(at);
        }
        at += match text[at..].strip_prefix("{{") {
            Some(rest) if rest.starts_with("{{") => 4,
            Some(rest) => hole_length(rest)? + 4,
            None => 1,
        };
    }
    Some(text.len())
}

/// Bytes of blanks at the start of a text.
fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

impl Parser {
    /// The who in `text`, which stands at `start`: `Some(None)` for none at all, `None` for one that cannot be.
    pub(super) fn who(&mut self, text: &str, start: usize) -> Option<Option<Who>> {
        let text = text.trim_end();
        let (word, name) = super::first_word(text);
        Some(match word {
            "" => None,
            "all" => Some(Who::All),
            "others" => Some(Who::Others),
            "room" | "user" if name.is_empty() => {
                self.error(
                    Span::new(start, start + word.len()),
                    format!("`{word}` needs a name"),
                    format!("write it behind: `{word} NAME <`"),
                );
                return None;
            }
            "room" | "user" => {
                let payload = Payload::line(name, start + text.len() - name.len());
                let name = Box::new(Pattern::parse(&payload, &mut self.diagnostics));
                Some(match word {
                    "room" => Who::Room(name),
                    _ => Who::User(name),
                })
            }
            name => Some(Who::Name(name.to_owned())),
        })
    }
}
