//! What came against what a line expects.

use super::plan::Rule;
use super::run::Run;
use super::{ConnectionId, ErrorKind, Incoming, Outgoing, Player};
use crate::files::Files;
use crate::pattern::{Captures, Difference, Mismatch, Pattern};
use crate::query::{self, Check, Subject};
use crate::scope::Context;
use crate::syntax::{Content, Data, FilePart, Frame, Who};
use crate::value::Value;
use crate::write::hex;

impl Player {
    /// What a line expects, with the values that are known here.
    pub(super) fn describe(&self, run: &Run, on: Option<ConnectionId>, frame: &Frame) -> String {
        let context = self.context_on(run, on);
        let sign = frame.arrow.sign();
        let who = match &frame.who {
            Some(Who::Name(name)) => format!("{name} "),
            Some(Who::All) => "all ".into(),
            Some(Who::Others) => "others ".into(),
            Some(Who::Room(room)) => format!("room {} ", room.filled(&context)),
            Some(Who::User(user)) => format!("user {} ", user.filled(&context)),
            None => String::new(),
        };
        let payload = match &frame.content {
            Content::Text(pattern) => format!(" {}", pattern.filled(&context)),
            Content::Binary(bytes) => format!("hex {}", hex(bytes)),
            Content::Echo => "echo".into(),
            Content::Any => "any".into(),
            Content::Ping(data) => format!("ping{}", describe_data(data.as_ref(), &context)),
            Content::Pong(data) => format!("pong{}", describe_data(data.as_ref(), &context)),
            Content::Close { code, reason } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                let reason = reason.as_ref().map(|reason| reason.filled(&context));
                let reason = reason.map(|reason| format!(" {reason}"));
                format!("close{code}{}", reason.unwrap_or_default())
            }
            Content::Re(regex) => format!("re {}", written(regex)),
            Content::File(part) => format!("file {}", part.name.path),
            Content::Error(kind) => format!("error {}", error_name(*kind)),
            Content::Fail(Some(code)) => format!("fail {code}"),
            Content::Fail(None) => "fail".into(),
            Content::Drop => "drop".into(),
            Content::Stall(time) => format!("stall {time:?}"),
            Content::RawFrame(_) => "frame".into(),
            Content::Raw(bytes) => format!("raw {}", hex(bytes)),
        };
        format!("{who}{sign}{payload}")
    }
}

fn describe_data(data: Option<&Data>, context: &Context<'_>) -> String {
    match data {
        None => String::new(),
        Some(Data::Text(pattern)) => format!(" {}", pattern.filled(context)),
        Some(Data::Bytes(bytes)) => format!("(hex) {}", hex(bytes)),
    }
}

/// The payload as text, if it is UTF-8.
pub(super) fn text_of(what: &Incoming) -> Option<&str> {
    match what {
        Incoming::Text(text) => Some(text),
        Incoming::End { .. } => None,
        other => std::str::from_utf8(other.bytes()).ok(),
    }
}

/// How far a message is from what a rule wants: the least is the nearest.
pub(super) fn how_far(mismatch: &Mismatch) -> usize {
    match mismatch {
        Mismatch::Check { .. } | Mismatch::Expression(_) => 0,
        Mismatch::Json(differences) => differences.len(),
        Mismatch::Text(Difference { expected, came, .. }) => {
            let same = expected
                .bytes()
                .zip(came.bytes())
                .take_while(|(a, b)| a == b);
            100 - same.count().min(90)
        }
        Mismatch::NotJson(_) => 200,
        Mismatch::Kind { .. } => 300,
    }
}

/// The word behind `error`.
fn error_name(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::Refused => "refused".into(),
        ErrorKind::Dns => "dns".into(),
        ErrorKind::Tls => "tls".into(),
        ErrorKind::Handshake => "handshake".into(),
        ErrorKind::Timeout => "timeout".into(),
        ErrorKind::Reset => "reset".into(),
        ErrorKind::Protocol(Some(code)) => format!("protocol {code}"),
        ErrorKind::Protocol(None) => "protocol".into(),
    }
}

/// Whether a connection failed as a line expects.
pub(super) fn fails_so(expected: ErrorKind, came: ErrorKind) -> Result<(), Mismatch> {
    let same = match (expected, came) {
        (ErrorKind::Protocol(None), ErrorKind::Protocol(_)) => true,
        _ => expected == came,
    };
    if same {
        return Ok(());
    }
    Err(Mismatch::Text(Difference {
        path: String::new(),
        expected: format!("error {}", error_name(expected)),
        came: format!("error {}", error_name(came)),
    }))
}

/// The bytes of a file that a talk names, or of a part of it.
pub(super) fn file<'a>(files: &'a Files, part: &FilePart) -> Result<&'a [u8], String> {
    let path = &part.name.path;
    let whole = files.bytes.get(path);
    let whole = whole.ok_or_else(|| format!("the file `{path}` was not read"))?;
    let Some(range) = &part.bytes else {
        return Ok(whole);
    };
    let at = |offset: u64| {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(whole.len())
    };
    Ok(&whole[at(range.start)..at(range.end)])
}

/// A line that expects something.
pub(super) struct Line<'a> {
    pub(super) content: &'a Content,
    pub(super) checks: &'a [Check],
    /// What we sent last: what `echo` repeats.
    pub(super) sent: Option<&'a Outgoing>,
    /// The files that the talk names.
    pub(super) files: &'a Files,
}

impl Rule {
    /// What it waits for.
    pub(super) fn line<'a>(&'a self, files: &'a Files) -> Line<'a> {
        Line {
            content: &self.content,
            checks: &self.checks,
            sent: None,
            files,
        }
    }
}

impl Line<'_> {
    /// Compares what came: the payload with what its sender had in sight, the checks with what we have.
    pub(super) fn matches(
        &self,
        subject: &Subject<'_>,
        came: &Incoming,
        theirs: &Context<'_>,
        ours: &Context<'_>,
    ) -> Result<Captures, Mismatch> {
        let mut captures = self.content_matches(subject, came, theirs)?;
        query::apply(self.checks, subject, ours, &mut captures)?;
        Ok(captures)
    }

    /// What is captured, if it matches: as [`Line::matches`] for whom it is enough to know that it does not.
    pub(super) fn takes(
        &self,
        subject: &Subject<'_>,
        came: &Incoming,
        theirs: &Context<'_>,
        ours: &Context<'_>,
    ) -> Option<Captures> {
        let mut captures = match (self.content, came, subject.document) {
            (Content::Text(pattern), Incoming::Text(_), Some(text)) => {
                pattern.takes(text, theirs)?
            }
            (Content::Text(_), ..) => return None,
            _ => self.content_matches(subject, came, theirs).ok()?,
        };
        query::hold(self.checks, subject, ours, &mut captures).then_some(captures)
    }

    fn content_matches(
        &self,
        subject: &Subject<'_>,
        came: &Incoming,
        context: &Context<'_>,
    ) -> Result<Captures, Mismatch> {
        let kind = |expected: &str| {
            Err(Mismatch::Kind {
                expected: expected.to_owned(),
                came: came.kind().to_owned(),
            })
        };
        match (self.content, came) {
            (Content::Any, Incoming::Text(_) | Incoming::Binary(_)) => Ok(Captures::new()),
            (Content::Any, _) => kind("a message"),
            (Content::Text(pattern), Incoming::Text(text)) => match subject.document {
                Some(document) => pattern.matches_document(document, context),
                None => pattern.matches(text, context),
            },
            (Content::Text(_), _) => kind("a text message"),
            (Content::Binary(expected), Incoming::Binary(bytes)) => same_bytes(expected, bytes),
            (Content::Binary(_), _) => kind("a binary message"),
            (Content::Ping(data), Incoming::Ping(bytes)) => control(data.as_ref(), bytes, context),
            (Content::Ping(_), _) => kind("a ping"),
            (Content::Pong(data), Incoming::Pong(bytes)) => control(data.as_ref(), bytes, context),
            (Content::Pong(_), _) => kind("a pong"),
            (
                Content::Close { code, reason },
                Incoming::Close {
                    code: came,
                    reason: text,
                },
            ) => close(*code, reason.as_ref(), *came, text, context),
            (Content::Close { .. }, _) => kind("a close"),
            (Content::Echo, _) => match (self.sent, came) {
                (Some(Outgoing::Text(sent)), Incoming::Text(text)) if sent == text => {
                    Ok(Captures::new())
                }
                (Some(Outgoing::Text(sent)), Incoming::Text(text)) => {
                    Err(Mismatch::Text(Difference {
                        path: String::new(),
                        expected: sent.clone(),
                        came: text.clone(),
                    }))
                }
                (Some(Outgoing::Binary(sent)), Incoming::Binary(bytes)) => same_bytes(sent, bytes),
                _ => kind("an echo of what was sent"),
            },
            (Content::Re(regex), Incoming::Text(text)) => expression(regex, text, context),
            (Content::Re(_), _) => kind("a text message"),
            (Content::File(part), Incoming::Binary(bytes)) => {
                let expected = file(self.files, part).map_err(Mismatch::Expression)?;
                same_bytes(expected, bytes)
            }
            (Content::File(_), _) => kind("a binary message"),
            (Content::Error(expected), Incoming::End { kind, .. }) => {
                fails_so(*expected, *kind).map(|()| Captures::new())
            }
            (Content::Error(_), _) => kind("a connection that fails"),
            (Content::Drop, Incoming::End { kind, .. }) => {
                fails_so(ErrorKind::Reset, *kind).map(|()| Captures::new())
            }
            (Content::Drop, _) => kind("the end of the connection, without a close frame"),
            (Content::Fail(code), Incoming::Close { code: came, reason }) => {
                close(*code, None, *came, reason, context)
            }
            (Content::Fail(_), Incoming::End { kind, .. }) => {
                fails_so(ErrorKind::Reset, *kind).map(|()| Captures::new())
            }
            (Content::Fail(_), _) => kind("a connection that the peer fails"),
            // Of these nothing is to be seen, or nothing can be expected.
            (Content::RawFrame(_) | Content::Raw(_) | Content::Stall(_), _) => kind("nothing"),
        }
    }
}

/// A regular expression as it stands in the talk: without what makes it one over the whole text.
fn written(regex: &regex::Regex) -> &str {
    let whole = regex.as_str();
    let inner = whole
        .strip_prefix("^(?:")
        .and_then(|rest| rest.strip_suffix(")$"));
    inner.unwrap_or(whole).trim_end_matches('\n')
}

/// A regular expression over a whole text. A group whose name is bound must have that value.
fn expression(
    regex: &regex::Regex,
    text: &str,
    context: &Context<'_>,
) -> Result<Captures, Mismatch> {
    let differs = |expected: &str, came: &str| {
        Mismatch::Text(Difference {
            path: String::new(),
            expected: expected.to_owned(),
            came: came.to_owned(),
        })
    };
    let groups = regex.captures(text);
    let groups = groups.ok_or_else(|| differs(written(regex), text))?;
    let mut captures = Captures::new();
    for name in regex.capture_names().flatten() {
        let Some(group) = groups.name(name) else {
            continue;
        };
        match context.value(name) {
            Some(bound) if bound.to_string() == group.as_str() => {}
            Some(bound) => {
                return Err(Mismatch::Text(Difference {
                    path: format!("the group `{name}`"),
                    expected: bound.to_string(),
                    came: group.as_str().to_owned(),
                }));
            }
            None => captures.push((name.to_owned(), Value::Text(group.as_str().to_owned()))),
        }
    }
    Ok(captures)
}

/// Bytes on each side that a difference shows, and how many of them stand before the first that differs.
const MOST_BYTES: usize = 1024;
const BYTES_BEFORE: usize = 16;

fn same_bytes(expected: &[u8], came: &[u8]) -> Result<Captures, Mismatch> {
    if expected == came {
        return Ok(Captures::new());
    }
    let same = expected.iter().zip(came).take_while(|(a, b)| a == b);
    // Both begin at the same byte, and what differs first is in sight.
    let from = match expected.len().max(came.len()) {
        0..=MOST_BYTES => 0,
        _ => same.count().saturating_sub(BYTES_BEFORE),
    };
    Err(Mismatch::Text(Difference {
        path: String::new(),
        expected: hex_from(expected, from),
        came: hex_from(came, from),
    }))
}

/// Bytes from one on, as many as are shown, with what is left out said in place of it.
fn hex_from(bytes: &[u8], from: usize) -> String {
    let end = bytes.len().min(from.saturating_add(MOST_BYTES));
    let shown = hex(bytes.get(from..end).unwrap_or_default());
    let before = match from {
        0 => String::new(),
        _ => format!("({from} bytes) "),
    };
    match bytes.len() - end {
        0 => before + &shown,
        more => format!("{before}{shown} ({more} more bytes)"),
    }
}

fn control(data: Option<&Data>, came: &[u8], context: &Context<'_>) -> Result<Captures, Mismatch> {
    match data {
        None => Ok(Captures::new()),
        Some(Data::Bytes(expected)) => same_bytes(expected, came),
        Some(Data::Text(pattern)) => match std::str::from_utf8(came) {
            Ok(text) => pattern.matches(text, context),
            Err(_) => same_bytes(pattern.filled(context).as_bytes(), came),
        },
    }
}

fn close(
    code: Option<u16>,
    reason: Option<&Pattern>,
    came: u16,
    text: &str,
    context: &Context<'_>,
) -> Result<Captures, Mismatch> {
    if let Some(code) = code
        && code != came
    {
        return Err(Mismatch::Text(Difference {
            path: String::new(),
            expected: format!("close {code}"),
            came: format!("close {came} {text}").trim_end().to_owned(),
        }));
    }
    match reason {
        Some(reason) => reason.matches(text, context),
        None => Ok(Captures::new()),
    }
}

#[cfg(test)]
mod tests;
