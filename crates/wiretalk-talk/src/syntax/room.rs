//! Rooms and users of a mock: `join`, `leave`, `identify`, `keep`.

use super::directive::Rest;
use super::lines::Line;
use super::who::word_length;
use super::{Parser, Rooms, StatementKind, Who};
use crate::pattern::{Pattern, Payload, hole_length};
use crate::source::Span;

/// The rooms that one line names.
const MOST_ROOMS: usize = 1000;

impl Parser {
    /// `[WHO] join ROOM, ROOM` and `[WHO] leave ROOM`.
    pub(super) fn rooms(
        &mut self,
        line: &Line<'_>,
        word: &str,
        rest: &Rest<'_>,
        who: Option<Who>,
    ) -> Option<StatementKind> {
        self.no_children(line, &format!("`{word}`"));
        self.needed_behind(line, word, rest, &format!("a room: `{word} lobby`"))?;
        let mut rooms = Vec::new();
        for (at, name) in between_commas(rest.text) {
            if rooms.len() >= MOST_ROOMS {
                self.error(
                    Span::new(rest.start + at, rest.start + at + name.len().max(1)),
                    format!("one line names {MOST_ROOMS} rooms at the most"),
                    "put the others on lines of their own",
                );
                return None;
            }
            let start = rest.start + at;
            if name.is_empty() {
                self.error(
                    Span::new(start, start + 1),
                    "a room's name is missing here",
                    format!("separate the rooms by commas: `{word} lobby, news`"),
                );
                return None;
            }
            rooms.push(self.one_word(name, start, "a room")?);
        }
        let rooms = Rooms { who, rooms };
        Some(match word {
            "join" => StatementKind::Join(rooms),
            _ => StatementKind::Leave(rooms),
        })
    }

    /// `[WHO] identify NAME`
    pub(super) fn identify(
        &mut self,
        line: &Line<'_>,
        rest: &Rest<'_>,
        who: Option<Who>,
    ) -> Option<StatementKind> {
        self.no_children(line, "`identify`");
        let mend = "the user's name: `identify {{client.query.user}}`";
        self.needed_behind(line, "identify", rest, mend)?;
        let user = Box::new(self.one_word(rest.text, rest.start, "a user")?);
        Some(StatementKind::Identify { who, user })
    }

    /// `keep ROOM VALUE`
    pub(super) fn keep(&mut self, line: &Line<'_>, rest: &Rest<'_>) -> Option<StatementKind> {
        self.no_children(line, "`keep`");
        let mend = "a room and the value that it keeps: `keep prices {\"btc\":1}`";
        self.needed(line, rest, mend)?;
        let length = word_length(rest.text).unwrap_or(rest.text.len());
        let value = rest.behind(length);
        if value.text.is_empty() {
            self.error(
                rest.span(),
                "`keep` needs a value behind the room",
                format!("write {mend}"),
            );
            return None;
        }
        let room = Box::new(self.one_word(&rest.text[..length], rest.start, "a room")?);
        let value = Box::new(Pattern::parse(&value.payload(), &mut self.diagnostics));
        Some(StatementKind::Keep { room, value })
    }

    /// The name of a room or user: one word, in which holes may stand.
    fn one_word(&mut self, name: &str, start: usize, what: &str) -> Option<Pattern> {
        if let Some(length) = word_length(name)
            && length < name.len()
        {
            self.error(
                Span::new(start, start + name.len()),
                format!("`{name}` is not the name of {what}: it has a blank"),
                "a name is one word; holes may stand in it: `lobby-{{client.id}}`",
            );
            return None;
        }
        Some(Pattern::parse(
            &Payload::line(name, start),
            &mut self.diagnostics,
        ))
    }
}

/// The parts between the commas of a text, without blanks around them, each with its offset. A comma in a hole separates
/// nothing.
fn between_commas(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let part = |from: usize, to: usize| {
        let whole = &text[from..to];
        let blank = whole.len() - whole.trim_start().len();
        (from + blank, whole.trim())
    };
    while let Some(found) = text[at..].find([',', '{'])
        && parts.len() <= MOST_ROOMS
    {
        at += found;
        if text[at..].starts_with(',') {
            parts.push(part(start, at));
            at += 1;
            start = at;
            continue;
        }
        let inside = text[at..].strip_prefix("{{").and_then(|rest| {
            let literal = rest.starts_with("{{");
            if literal { Some(0) } else { hole_length(rest) }
        });
        match inside {
            Some(length) => at += length + 4,
            // A hole without an end is told by whoever reads the name.
            None if text[at..].starts_with("{{") => break,
            None => at += 1,
        }
    }
    parts.push(part(start, text.len()));
    parts
}
