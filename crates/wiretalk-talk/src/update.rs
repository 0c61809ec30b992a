//! `wiretalk test --update`: what came is written into the lines that expected something else. Holes that still fit, the
//! `...` of JSON, options, checks and the layout stay.

mod json;
mod text;

use base64::Engine as _;

use crate::pattern::Pattern;
use crate::player::{Change, Incoming};
use crate::source::Span;
use crate::syntax::frame::{Head, arrow_offset, head};
use crate::syntax::{Content, Data, Frame, Statement, StatementKind, Talk};
use crate::write::hex;

/// Lines of a talk written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The first line, from 1.
    pub line: usize,
    /// How many lines of the talk it replaces.
    pub count: usize,
    /// The lines in their place, without line endings.
    pub lines: Vec<String>,
}

/// What becomes of a talk's lines that did not say what came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// The lines that are written anew, from the first on; none overlap.
    pub edits: Vec<Edit>,
    /// What is left for somebody to look at: a line, and a sentence.
    pub notes: Vec<(usize, String)>,
}

/// Writes what came into the lines of a talk that expected something else.
#[must_use]
pub fn update(talk: &Talk, changes: &[Change]) -> Update {
    let mut update = Update::default();
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_by_key(|change| change.span);
    for same in changes.chunk_by(|a, b| a.span == b.span) {
        let line = talk.source.position(same[0].span.start).0;
        if same.iter().any(|change| change.came != same[0].came) {
            let why = "what came differed from one time to the next";
            update.notes.push((line, why.into()));
            continue;
        }
        match rewrite(talk, same[0], &mut update.notes) {
            Ok(edit) => update.edits.push(edit),
            Err(why) => update.notes.push((line, why)),
        }
    }
    update
}

/// A frame's line and its bars, as they stand in the talk.
struct Place<'a> {
    line: usize,
    /// How many lines there are, the bars included.
    count: usize,
    indent: &'a str,
    bar_indent: &'a str,
    /// The line without its indentation.
    text: &'a str,
    arrow_at: usize,
}

impl<'a> Place<'a> {
    fn of(talk: &'a Talk, span: Span) -> Option<Self> {
        let source = &talk.source;
        let line = source.position(span.start).0;
        let indented = |line: usize| {
            let whole = source.line(line);
            whole.split_at(whole.len() - whole.trim_start_matches([' ', '\t']).len())
        };
        let (indent, text) = indented(line);
        let bars = (line + 1..).take_while(|line| indented(*line).1.starts_with('|'));
        let count = 1 + bars.count();
        Some(Self {
            line,
            count,
            indent,
            bar_indent: if count > 1 {
                indented(line + 1).0
            } else {
                indent
            },
            text,
            arrow_at: arrow_offset(text)?,
        })
    }

    /// The lines with this kind, these options and this payload.
    fn with(&self, kind: &str, options: Option<&str>, payload: &str) -> Edit {
        let mut first = format!("{}{}{kind}", self.indent, &self.text[..=self.arrow_at]);
        if let Some(options) = options.filter(|options| !options.trim().is_empty()) {
            first.push_str(&format!("({options})"));
        }
        let mut lines = Vec::new();
        if payload.contains('\n') {
            lines.push(first);
            lines.extend(payload.split('\n').map(|line| {
                format!("{}| {line}", self.bar_indent)
                    .trim_end_matches(' ')
                    .to_owned()
            }));
        } else {
            if !payload.is_empty() {
                first.push(' ');
                first.push_str(payload);
            }
            lines.push(first);
        }
        Edit {
            line: self.line,
            count: self.count,
            lines,
        }
    }
}

/// The lines that say what came, or why they cannot be had.
fn rewrite(talk: &Talk, change: &Change, notes: &mut Vec<(usize, String)>) -> Result<Edit, String> {
    let frame = frame_at(&talk.statements, change.span).ok_or("the line is no message")?;
    let place = Place::of(talk, change.span).ok_or("the line is no message")?;
    let Head { kind, options, .. } = head(place.text, place.arrow_at);
    let mut holes = |lost: Vec<String>| {
        for hole in lost {
            let why = format!("the hole `{{{{{hole}}}}}` has no place in what came, and is gone");
            notes.push((place.line, why));
        }
    };
    Ok(match (&frame.content, &change.came) {
        (Content::Text(pattern), Incoming::Text(came)) if !pattern.literal => {
            match kept(pattern, came, &mut holes) {
                Some(payload) => place.with("", options, &payload),
                None => place.with("esc", options, &escaped(came.as_bytes())),
            }
        }
        (Content::Text(_), Incoming::Text(came)) if kind == "text" && fits_lines(came) => {
            place.with("text", options, came)
        }
        (Content::Text(_), Incoming::Text(came)) => {
            place.with("esc", options, &escaped(came.as_bytes()))
        }
        (Content::Binary(_), Incoming::Binary(came)) => {
            place.with(kind, options, &binary(kind, came))
        }
        (Content::Close { reason, .. }, Incoming::Close { code, reason: came }) => {
            let reason = match reason {
                Some(pattern) => kept(pattern, came, &mut holes),
                None => plain(came),
            };
            let reason = reason.ok_or("the reason of the close that came fits no line")?;
            place.with("close", options, format!("{code} {reason}").trim_end())
        }
        (Content::Ping(Some(Data::Text(pattern))), Incoming::Ping(came))
        | (Content::Pong(Some(Data::Text(pattern))), Incoming::Pong(came)) => {
            let came = std::str::from_utf8(came).map_err(|_| "what came is no text")?;
            let payload = kept(pattern, came, &mut holes).ok_or("what came fits no line")?;
            place.with(kind, options, &payload)
        }
        (Content::Ping(Some(Data::Bytes(_))), Incoming::Ping(came))
        | (Content::Pong(Some(Data::Bytes(_))), Incoming::Pong(came)) => {
            place.with(kind, options, &binary("hex", came))
        }
        (
            Content::Text(_)
            | Content::Binary(_)
            | Content::Close { .. }
            | Content::Ping(_)
            | Content::Pong(_),
            came,
        ) => other_kind(&place, options, came)?,
        _ => return Err(format!("a line of the kind `{kind}` is left as it is")),
    })
}

/// The line with another kind, that of what came.
fn other_kind(place: &Place<'_>, options: Option<&str>, came: &Incoming) -> Result<Edit, String> {
    // `hex` is about the payload that was.
    let options = options.map(|options| {
        let kept = options.split(',').filter(|option| option.trim() != "hex");
        kept.collect::<Vec<_>>().join(",").trim().to_owned()
    });
    let options = options.as_deref();
    let control = |came: &[u8]| {
        let text = std::str::from_utf8(came).ok();
        text.and_then(plain)
            .ok_or("a control frame came whose bytes are no line of text")
    };
    Ok(match came {
        Incoming::Text(came) => match plain(came) {
            Some(payload) => place.with("", options, &payload),
            None => place.with("esc", options, &escaped(came.as_bytes())),
        },
        Incoming::Binary(came) => place.with("hex", options, &binary("hex", came)),
        Incoming::Ping(came) => place.with("ping", options, &control(came)?),
        Incoming::Pong(came) => place.with("pong", options, &control(came)?),
        Incoming::Close { code, reason } => {
            let reason = plain(reason).ok_or("the reason of the close that came fits no line")?;
            place.with("close", options, format!("{code} {reason}").trim_end())
        }
        Incoming::End { .. } => {
            return Err("the connection ended where it expects a message".into());
        }
    })
}

/// The message that stands there.
fn frame_at(statements: &[Statement], span: Span) -> Option<&Frame> {
    statements
        .iter()
        .find_map(|statement| match &statement.kind {
            StatementKind::Frame(frame) if statement.span == span => Some(&**frame),
            StatementKind::Finally(body) | StatementKind::Unordered(body) => frame_at(body, span),
            StatementKind::Repeat(repeat) => frame_at(&repeat.body, span),
            StatementKind::Every(every) => frame_at(&every.body, span),
            StatementKind::On(on) => frame_at(&on.body, span),
            _ => None,
        })
}

/// A payload with holes as it must be for this text; none if that cannot be written without escapes. The holes that
/// have no place any more are told.
fn kept(pattern: &Pattern, came: &str, lost: &mut impl FnMut(Vec<String>)) -> Option<String> {
    let written = json::kept(pattern, came).or_else(|| {
        let text = fits_lines(came).then(|| text::kept(pattern, came))?;
        Some(text)
    });
    let (payload, gone) = written?;
    lost(gone);
    fits_lines(&payload).then_some(payload)
}

/// A text as a payload without holes; none if it needs escapes.
fn plain(text: &str) -> Option<String> {
    fits_lines(text).then(|| text.replace("{{", "{{{{"))
}

/// Whether a text can stand in lines of its own: nothing in it is lost to an editor, or to the reader of lines.
fn fits_lines(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && c != '\n')
        && text
            .split('\n')
            .all(|line| !line.ends_with(char::is_whitespace))
        && !text.starts_with('\n')
}

fn binary(kind: &str, bytes: &[u8]) -> String {
    match kind {
        "base64" => base64::engine::general_purpose::STANDARD.encode(bytes),
        "bin" => escaped(bytes),
        _ => hex(bytes),
    }
}

/// Bytes with escapes for all that is no printable text.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    // A blank at the end is what an editor takes away.
    match text.pop() {
        Some(' ') => text.push_str("\\x20"),
        Some(last) if last.is_whitespace() => {
            text.push_str(&format!("\\u{{{:x}}}", u32::from(last)));
        }
        Some(last) => text.push(last),
        None => {}
    }
    text
}

#[cfg(test)]
mod tests;
