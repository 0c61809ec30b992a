//! The names and blocks of a talk, with where they stand, read from a text that may be half written.

use crate::pattern::{Pattern, Segment, is_name};
use crate::source::{Source, Span};
use crate::syntax::{self, Arrow, Content, Statement, StatementKind, Trigger, first_word, frame};

/// Something in a talk that has a name or a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// What it is.
    pub kind: SymbolKind,
    /// Its name: of a test the title, of a rule its line.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
}

/// What a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// `test TITLE`
    Test,
    /// `on …`
    Rule,
    /// `every …`
    Clock,
    /// `connect NAME …`
    Client,
    /// What `set`, a capture or a hole binds.
    Variable,
}

/// All symbols, in the order of the text.
pub(super) fn symbols(source: &Source) -> impl Iterator<Item = Symbol> {
    let mut found = Vec::new();
    let mut start = 0;
    for whole in source.text().split_inclusive('\n') {
        let line = whole.trim_end_matches(['\n', '\r']);
        of_line(line, start, &mut found);
        start += whole.len();
    }
    found.into_iter()
}

fn of_line(line: &str, start: usize, found: &mut Vec<Symbol>) {
    let body = line.trim_start();
    if body.starts_with('#') {
        return;
    }
    let at = start + line.len() - body.len();
    let mut add = |kind: SymbolKind, name: &str, at: usize| {
        found.push(Symbol {
            kind,
            name: name.to_owned(),
            span: Span::new(at, at + name.len()),
        });
    };
    let (word, rest) = first_word(body.trim_end());
    let rest_at = at + body.trim_end().len() - rest.len();
    let is_frame = frame::is_frame(body);
    match word {
        _ if is_frame || body.starts_with('|') => {}
        "test" if !rest.is_empty() => add(SymbolKind::Test, rest, rest_at),
        "on" => add(SymbolKind::Rule, body.trim_end(), at),
        "every" => add(SymbolKind::Clock, body.trim_end(), at),
        "connect" => {
            let (name, url) = first_word(rest);
            if is_name(name) && !url.is_empty() {
                add(SymbolKind::Client, name, rest_at);
            }
        }
        "set" => {
            let name = rest.split(['=', ' ', '\t']).next().unwrap_or_default();
            let bare = name.rsplit('.').next().unwrap_or_default();
            if is_name(bare) {
                add(
                    SymbolKind::Variable,
                    bare,
                    rest_at + name.len() - bare.len(),
                );
            }
        }
        _ => {
            let captures = line.starts_with([' ', '\t'])
                && is_name(word)
                && rest
                    .strip_prefix('=')
                    .is_some_and(|behind| !behind.starts_with('='));
            if captures {
                add(SymbolKind::Variable, word, at);
            }
        }
    }
    let to_the_letter = is_frame && {
        let arrow = frame::arrow_offset(body).unwrap_or_default();
        let kind = frame::head(body, arrow).kind;
        matches!(
            kind,
            "text" | "esc" | "bin" | "hex" | "base64" | "raw" | "file" | "re"
        )
    };
    if to_the_letter {
        return;
    }
    // What a hole declares: a name, then a colon or an equals sign.
    for (hole, _) in line.match_indices("{{") {
        let inside = &line[hole + 2..];
        let trimmed = inside.trim_start();
        let end = trimmed
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(trimmed.len());
        let (name, behind) = trimmed.split_at(end);
        let behind = behind.trim_start();
        let declares =
            behind.starts_with(':') || behind.starts_with('=') && !behind.starts_with("==");
        if is_name(name) && name != "_" && declares {
            let at = start + hole + 2 + inside.len() - trimmed.len();
            add(SymbolKind::Variable, name, at);
        }
    }
}

/// The first rule of the talk that could take the message at an offset.
pub(super) fn rule_for(source: &Source, offset: usize) -> Option<Span> {
    let talk = syntax::parse(source.name(), source.text()).talk;
    let (arrow, content) = message_at(&talk.statements, offset)?;
    talk.statements
        .iter()
        .find_map(|statement| match &statement.kind {
            StatementKind::On(on) => match &on.trigger {
                Trigger::Message {
                    arrow: of_rule,
                    content: wanted,
                } if *of_rule == arrow && could_take(wanted, content) => Some(statement.span),
                _ => None,
            },
            _ => None,
        })
}

fn message_at(statements: &[Statement], offset: usize) -> Option<(Arrow, &Content)> {
    statements
        .iter()
        .find_map(|statement| match &statement.kind {
            StatementKind::Frame(frame)
                if (statement.span.start..=statement.span.end).contains(&offset) =>
            {
                Some((frame.arrow, &frame.content))
            }
            StatementKind::Finally(body) | StatementKind::Unordered(body) => {
                message_at(body, offset)
            }
            StatementKind::Repeat(repeat) => message_at(&repeat.body, offset),
            StatementKind::Every(every) => message_at(&every.body, offset),
            StatementKind::On(on) => message_at(&on.body, offset),
            _ => None,
        })
}

/// Whether a rule could take what a line sends, as far as the texts tell.
fn could_take(wanted: &Content, sent: &Content) -> bool {
    match (wanted, sent) {
        (Content::Any, Content::Text(_) | Content::Binary(_) | Content::File(_)) => true,
        (Content::Text(wanted), Content::Text(sent)) => could_match(wanted, sent),
        (Content::Re(regex), Content::Text(sent)) => {
            sent.holes.is_empty() && regex.is_match(&sent.raw)
        }
        (Content::Binary(wanted), Content::Binary(sent)) => wanted == sent,
        (Content::Ping(_), Content::Ping(_)) | (Content::Pong(_), Content::Pong(_)) => true,
        _ => false,
    }
}

/// Stands for what a hole will be.
const HOLE: char = '\u{fffc}';

/// Whether a pattern could match what another one is filled to: holes are taken for anything.
fn could_match(wanted: &Pattern, sent: &Pattern) -> bool {
    let (wanted, sent) = (with_marks(wanted), with_marks(sent));
    match (json(&wanted), json(&sent)) {
        (Some(wanted), Some(sent)) => json_could_match(&wanted, &sent),
        _ => text_could_match(&wanted, &sent),
    }
}

/// The payload with a mark in the place of each hole.
fn with_marks(pattern: &Pattern) -> String {
    let text = |segment: &Segment| match segment {
        Segment::Literal(text) => text.clone(),
        Segment::Hole(_) => HOLE.to_string(),
    };
    let segments = pattern.sent.as_deref().unwrap_or(&pattern.segments);
    segments.iter().map(text).collect()
}

/// The payload as JSON, holes outside its strings being null.
fn json(text: &str) -> Option<serde_json::Value> {
    let mut quoted = false;
    let mut escaped = false;
    let mut whole = String::new();
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            HOLE if !quoted => {
                whole.push_str("null");
                continue;
            }
            _ => {}
        }
        whole.push(c);
    }
    serde_json::from_str(&whole)
        .ok()
        .filter(|json: &serde_json::Value| json.is_object() || json.is_array())
}

fn json_could_match(wanted: &serde_json::Value, sent: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (wanted, sent) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::String(wanted), Value::String(sent)) => text_could_match(wanted, sent),
        (Value::Object(wanted), Value::Object(sent)) => wanted.iter().all(|(key, value)| {
            let other = sent.get(key);
            other.is_some_and(|other| json_could_match(value, other))
        }),
        (Value::Array(wanted), Value::Array(sent)) => wanted
            .iter()
            .zip(sent)
            .all(|(wanted, sent)| json_could_match(wanted, sent)),
        _ => wanted == sent,
    }
}

/// Whether the literal pieces of `wanted` stand in `sent`, one behind the other.
fn text_could_match(wanted: &str, sent: &str) -> bool {
    if sent.contains(HOLE) && sent.trim_matches(HOLE).is_empty() {
        return true;
    }
    let mut pieces = wanted.split(HOLE);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = sent.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}
