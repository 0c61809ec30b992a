//! Why a test failed, part by part: what every format shows in its own way.

use std::time::Duration;

use wiretalk_talk::player::{ConnectionId, Failure, Fault, Incoming};
use wiretalk_talk::{Difference, JsonDifference, Mismatch};

use super::human::describe_mismatch;
use super::text::{count, seconds};
use crate::record::{Direction, Kind, Record, show};
use crate::runner::TestResult;

/// Lines of the talk shown before the statement that failed.
const LINES_BEFORE: usize = 2;
/// Lines of the talk shown at the most: checks may stand far below their message.
const MOST_LINES: usize = 12;

/// Why a test failed.
#[derive(Debug)]
pub(super) struct Explanation<'a> {
    /// The line of the file, from 1: of the check that does not hold, if that is why.
    pub(super) line: usize,
    /// The column in it, in characters, from 1.
    pub(super) column: usize,
    /// Lines of the talk with their numbers; the last is the one that failed.
    pub(super) context: Vec<(usize, String)>,
    /// The connection in question, if the talk names it.
    pub(super) connection: Option<&'a str>,
    /// What happened, in one word.
    pub(super) kind: &'static str,
    /// What was expected, as the talk would write it.
    pub(super) expected: String,
    /// What came, as the talk would write it.
    pub(super) came: String,
    /// At which character of `came` it parts from `expected`, where that is easily overlooked.
    pub(super) parting: Option<usize>,
    /// The places that differ, of JSON or of headers.
    pub(super) differences: Vec<JsonDifference>,
    /// Why it does not match, where `expected` and `came` do not tell.
    pub(super) because: Option<String>,
    /// What may help to understand: a label and a sentence.
    pub(super) notes: Vec<(&'static str, String)>,
    /// Under `strict`, the messages that no line took.
    pub(super) unconsumed: &'a [(Option<String>, Incoming)],
}

impl<'a> Explanation<'a> {
    /// Explains a failure; of each payload, `most` characters.
    pub(super) fn of(result: &'a TestResult, failure: &'a Failure, most: usize) -> Self {
        let shown = |text: &str| show(text.as_bytes(), false, most);
        let (statement, _) = result.position(failure.span);
        let (line, column) = result.position(failure.check.unwrap_or(failure.span));
        let first = statement.saturating_sub(LINES_BEFORE);
        let context = (first.max((line + 1).saturating_sub(MOST_LINES)).max(1)..=line)
            .map(|number| (number, shown(result.source.line(number))))
            .collect();
        let connection = failure
            .connection
            .and_then(|id| result.connection_name(id.0));
        let (kind, expected, came) = expected_and_came(failure, most);
        let who = match (connection, &failure.fault) {
            (Some(who), Fault::Mismatch { .. } | Fault::NotSilent { .. }) => format!("{who} "),
            _ => String::new(),
        };
        let mut explanation = Self {
            line,
            column,
            context,
            connection,
            kind,
            expected,
            came: format!("{who}{came}"),
            parting: None,
            differences: Vec::new(),
            because: None,
            notes: Vec::new(),
            unconsumed: &[],
        };
        if failure.passed_over > 0 {
            let mut note = count(failure.passed_over, "message", "messages");
            if let Some(last) = failure.passed_over_last.last() {
                note.push_str(&format!(", the last {}", came_as(last, most)));
            }
            explanation.notes.push(("skipped", note));
        }
        match &failure.fault {
            // The expected message did not come, for there was an end: that is said already.
            Fault::Mismatch {
                came: Incoming::End { .. },
                ..
            } => {}
            Fault::Mismatch { came, at, mismatch } => {
                explanation.take_mismatch(mismatch);
                explanation.parting = parting(mismatch, &format!("{who}< "), most);
                if let Some(at) = came_before(result, failure, came, *at) {
                    let note = format!("the same message came at {at} already");
                    explanation.notes.push(("note", note));
                }
            }
            Fault::Handshake { mismatch, body, .. } => {
                explanation.take_mismatch(mismatch);
                if !body.is_empty() {
                    explanation.notes.push(("body", shown(body)));
                }
            }
            Fault::Nothing { .. } => {
                if let Some(late) = came_late(result, failure) {
                    let note = format!("{} at {}", line_of(late, most), seconds(late.at));
                    explanation.notes.push(("too late", note));
                }
            }
            Fault::Unconsumed { messages } => explanation.unconsumed = messages,
            Fault::NotSilent { .. } | Fault::NotConnected { .. } | Fault::Impossible { .. } => {}
        }
        explanation
    }

    /// All of it in one sentence.
    pub(super) fn sentence(&self) -> String {
        match (&self.because, &self.differences[..]) {
            (Some(because), _) => because.clone(),
            (None, [only]) => only.to_string(),
            (None, [first, rest @ ..]) => format!("{first}, and {} more", rest.len()),
            (None, []) => format!("expected {}, came {}", self.expected, self.came),
        }
    }

    fn take_mismatch(&mut self, mismatch: &Mismatch) {
        match mismatch {
            Mismatch::Json(differences) => self.differences.clone_from(differences),
            Mismatch::Text(Difference {
                path,
                expected,
                came,
            }) if !path.is_empty() => self.differences.push(JsonDifference {
                path: path.clone(),
                expected: Some(expected.clone()),
                came: Some(came.clone()),
            }),
            // Both texts are there already.
            Mismatch::Text(_) => {}
            Mismatch::Kind { .. }
            | Mismatch::NotJson(_)
            | Mismatch::Check { .. }
            | Mismatch::Expression(_) => self.because = Some(describe_mismatch(mismatch)),
        }
    }
}

/// What happened in one word, what was expected, and what came.
fn expected_and_came(failure: &Failure, most: usize) -> (&'static str, String, String) {
    let expected = show(failure.expected.as_bytes(), false, most);
    match &failure.fault {
        Fault::Mismatch { came, .. } => ("mismatch", expected, came_as(came, most)),
        Fault::Nothing { waited } => (
            "nothing",
            expected,
            format!("nothing, for {}", seconds(*waited)),
        ),
        Fault::NotSilent { came, after } if after.is_zero() => (
            "not-silent",
            expected,
            format!(
                "{} (it had come before the silence began)",
                came_as(came, most)
            ),
        ),
        Fault::NotSilent { came, after } => (
            "not-silent",
            expected,
            format!("{} after {}", came_as(came, most), seconds(*after)),
        ),
        Fault::NotConnected { why, .. } => {
            ("not-connected", expected, format!("no connection: {why}"))
        }
        Fault::Handshake { status, .. } => {
            let expected = if expected.starts_with("connect") {
                "HTTP 101".into()
            } else {
                expected
            };
            ("handshake", expected, format!("HTTP {status}"))
        }
        Fault::Impossible { why } => ("impossible", expected, show(why.as_bytes(), false, most)),
        Fault::Unconsumed { messages } => (
            "unconsumed",
            expected,
            format!(
                "{} that no line took",
                count(messages.len(), "message", "messages")
            ),
        ),
    }
}

/// What came, as the talk would write it.
pub(super) fn came_as(came: &Incoming, most: usize) -> String {
    match came {
        Incoming::Text(text) => format!("< {}", show(text.as_bytes(), false, most)),
        Incoming::Binary(bytes) => format!("<hex {}", show(bytes, true, most)),
        Incoming::Ping(bytes) => format!("<ping {}", show(bytes, false, most)),
        Incoming::Pong(bytes) => format!("<pong {}", show(bytes, false, most)),
        Incoming::Close { code, reason } => {
            let reason = show(reason.as_bytes(), false, most);
            format!("<close {code} {reason}")
        }
        Incoming::End { why, .. } => {
            let why = show(why.as_bytes(), false, most);
            format!("the end of the connection: {why}")
        }
    }
    .trim_end()
    .to_owned()
}

/// A record as the talk would write it, with its size.
pub(super) fn line_of(record: &Record, most: usize) -> String {
    let arrow = match record.direction {
        Direction::Sent => '>',
        Direction::Received => '<',
    };
    let shown = record.shown(most);
    match record.kind {
        Kind::Event => format!("({shown})"),
        Kind::Text => format!("{arrow} {shown}  ({} B)", record.payload.len()),
        Kind::Binary | Kind::Frame | Kind::Raw => {
            format!("{arrow}hex {shown}  ({} B)", record.payload.len())
        }
        Kind::Ping | Kind::Pong => format!("{arrow}{} {shown}", record.kind.name()),
        Kind::Close(code) => format!("{arrow}close {code} {shown}"),
    }
    .trim_end()
    .to_owned()
}

/// When a message that was not expected, and came `at` that time, had come before on the same connection: the peer may
/// repeat itself.
fn came_before(
    result: &TestResult,
    failure: &Failure,
    came: &Incoming,
    at: Duration,
) -> Option<String> {
    let (kind, payload): (_, &[u8]) = match came {
        Incoming::Text(text) => (Kind::Text, text.as_bytes()),
        Incoming::Binary(bytes) => (Kind::Binary, bytes),
        _ => return None,
    };
    let mut same = result.log.iter().rev().filter(|record| {
        Some(ConnectionId(record.connection)) == failure.connection
            && record.direction == Direction::Received
            && record.kind == kind
            && record.payload == payload
            && record.at < at
    });
    same.next().map(|record| seconds(record.at))
}

/// The first message that came on a connection after the test had failed for want of one.
fn came_late<'a>(result: &'a TestResult, failure: &Failure) -> Option<&'a Record> {
    result.log.iter().find(|record| {
        Some(ConnectionId(record.connection)) == failure.connection
            && record.direction == Direction::Received
            && matches!(record.kind, Kind::Text | Kind::Binary)
            && record.at > ended(result)
    })
}

/// When a test ended, apart from its `finally`; that of one that failed, when it did.
pub(super) fn ended(result: &TestResult) -> Duration {
    result.finally.unwrap_or(result.duration)
}

/// Where two texts part, which is not always easy to see; `before` is what stands before the one that came.
fn parting(mismatch: &Mismatch, before: &str, most: usize) -> Option<usize> {
    let Mismatch::Text(Difference {
        path,
        expected,
        came,
    }) = mismatch
    else {
        return None;
    };
    let same = expected.chars().zip(came.chars());
    // Of other characters than these, nobody knows how wide a terminal shows them.
    let narrow = |c: char| matches!(c, ' '..='~');
    let same: Vec<_> = same.take_while(|(a, b)| a == b).collect();
    let hidden = !path.is_empty()
        || same.is_empty()
        || same.len() >= most
        || expected.contains("{{")
        || !before
            .chars()
            .chain(same.iter().map(|(c, _)| *c))
            .all(narrow);
    (!hidden).then(|| before.chars().count() + same.len())
}
