//! A failure as a tester wants to read it: the line, what was expected, what came, and the messages around it.

use std::fmt::Write as _;
use std::time::Duration;

use wiretalk_talk::player::{ConnectionId, Failure, Fault, Incoming};
use wiretalk_talk::{Difference, Mismatch, Source};

use crate::record::{Direction, Kind, Record, show};
use crate::runner::{Outcome, Summary, TestResult};

/// Characters of a payload that a report shows.
const MOST_SHOWN: usize = 300;
/// Messages that stand around a failure.
const MOST_MESSAGES: usize = 12;
/// Lines of the talk shown before the one that failed.
const LINES_BEFORE: usize = 2;

/// Why a test failed, over several lines; empty for one that passed with every message consumed.
#[must_use]
pub fn failure(result: &TestResult) -> String {
    let mut text = String::new();
    match &result.outcome {
        Outcome::Passed { unconsumed } if unconsumed.is_empty() => {}
        Outcome::Skipped(_) => {}
        Outcome::Passed { unconsumed } => {
            let _ = writeln!(text, "  {} that no line took:", messages(unconsumed.len()));
            write_messages(&mut text, unconsumed);
        }
        Outcome::Failed(failure) => write_failure(&mut text, result, failure),
    }
    text
}

/// How a run ended, in one line.
#[must_use]
pub fn summary(summary: &Summary) -> String {
    format!(
        "{} passed, {} failed in {}",
        summary.passed,
        summary.failed,
        seconds(summary.duration)
    )
}

fn write_failure(text: &mut String, result: &TestResult, failure: &Failure) {
    let source = result.plan.source();
    write_line(text, source, failure);
    let who = failure.connection.and_then(|id| name(result, id));
    let (expected, came) = expected_and_came(failure);
    write_pair(text, "expected", &expected);
    let who = match (who, &failure.fault) {
        (Some(who), Fault::Mismatch { .. } | Fault::NotSilent { .. }) => format!("{who} "),
        _ => String::new(),
    };
    write_pair(text, "came", &format!("{who}{came}"));
    match &failure.fault {
        // The expected message did not come, for there was an end: that stands above.
        Fault::Mismatch {
            came: Incoming::End { .. },
            ..
        } => {}
        Fault::Mismatch { came, at, mismatch } => {
            write_mismatch(text, mismatch);
            write_parting(text, mismatch, &format!("{who}< "));
            if let Some(at) = came_before(result, failure, came, *at) {
                write_pair(
                    text,
                    "note",
                    &format!("the same message came at {at} already"),
                );
            }
        }
        Fault::Handshake { mismatch, .. } => write_mismatch(text, mismatch),
        Fault::Nothing { .. } => {
            if let Some(late) = came_late(result, failure) {
                let line = format!("{} at {}", line_of(late), seconds(late.at));
                write_pair(text, "too late", &line);
            }
        }
        Fault::Unconsumed { messages } => write_messages(text, messages),
        _ => {}
    }
    if let Fault::Handshake { body, .. } = &failure.fault
        && !body.is_empty()
    {
        write_pair(text, "body", &show(body.as_bytes(), false, MOST_SHOWN));
    }
    write_log(text, result);
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
            && record.at > result.duration
    })
}

/// The lines of the talk up to the one that failed, and that one marked.
fn write_line(text: &mut String, source: &Source, failure: &Failure) {
    let (line, column) = source.position(failure.span.start);
    let _ = writeln!(text, "  {}:{line}:{column}", source.name());
    let width = line.to_string().len();
    for number in line.saturating_sub(LINES_BEFORE).max(1)..=line {
        let mark = if number == line { '>' } else { ' ' };
        let shown = show(source.line(number).as_bytes(), false, MOST_SHOWN);
        let _ = writeln!(text, "  {mark} {number:>width$} | {shown}");
    }
    text.push('\n');
}

fn expected_and_came(failure: &Failure) -> (String, String) {
    let expected = show(failure.expected.as_bytes(), false, MOST_SHOWN);
    match &failure.fault {
        Fault::Mismatch { came, .. } => (expected, came_as(came)),
        Fault::Nothing { waited } => (expected, format!("nothing, for {}", seconds(*waited))),
        Fault::NotSilent { came, after } if after.is_zero() => (
            expected,
            format!("{} (it had come before the silence began)", came_as(came)),
        ),
        Fault::NotSilent { came, after } => (
            expected,
            format!("{} after {}", came_as(came), seconds(*after)),
        ),
        Fault::NotConnected { why, .. } => (expected, format!("no connection: {why}")),
        Fault::Handshake { status, .. } => {
            let expected = if expected.starts_with("connect") {
                "HTTP 101".into()
            } else {
                expected
            };
            (expected, format!("HTTP {status}"))
        }
        Fault::Impossible { why } => (expected, show(why.as_bytes(), false, MOST_SHOWN)),
        Fault::Unconsumed { messages: left } => (
            expected,
            format!("{} that no line took", messages(left.len())),
        ),
    }
}

fn messages(count: usize) -> String {
    match count {
        1 => "1 message".into(),
        _ => format!("{count} messages"),
    }
}

/// What came, as the talk would write it.
fn came_as(came: &Incoming) -> String {
    match came {
        Incoming::Text(text) => format!("< {}", show(text.as_bytes(), false, MOST_SHOWN)),
        Incoming::Binary(bytes) => format!("<hex {}", show(bytes, true, MOST_SHOWN)),
        Incoming::Ping(bytes) => format!("<ping {}", show(bytes, false, MOST_SHOWN)),
        Incoming::Pong(bytes) => format!("<pong {}", show(bytes, false, MOST_SHOWN)),
        Incoming::Close { code, reason } => {
            let reason = show(reason.as_bytes(), false, MOST_SHOWN);
            format!("<close {code} {reason}")
        }
        Incoming::End { why, .. } => {
            let why = show(why.as_bytes(), false, MOST_SHOWN);
            format!("the end of the connection: {why}")
        }
    }
    .trim_end()
    .to_owned()
}

fn write_pair(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:<9} {value}");
}

fn write_mismatch(text: &mut String, mismatch: &Mismatch) {
    match mismatch {
        Mismatch::Json(differences) => {
            text.push('\n');
            for difference in differences {
                let line = difference.to_string();
                let _ = writeln!(text, "  {}", show(line.as_bytes(), false, MOST_SHOWN));
            }
        }
        Mismatch::Text(difference) if !difference.path.is_empty() => {
            write_pair(text, "", &describe_mismatch(mismatch));
        }
        // Both texts stand above already.
        Mismatch::Text(_) => {}
        Mismatch::Kind { .. }
        | Mismatch::NotJson(_)
        | Mismatch::Check { .. }
        | Mismatch::Expression(_) => write_pair(text, "because", &describe_mismatch(mismatch)),
    }
}

/// Marks where two texts part, which is not always easy to see; `before` is what stands before the one that came.
fn write_parting(text: &mut String, mismatch: &Mismatch, before: &str) {
    let Mismatch::Text(Difference {
        path,
        expected,
        came,
    }) = mismatch
    else {
        return;
    };
    let same = expected.chars().zip(came.chars());
    // Of other characters than these, nobody knows how wide a terminal shows them.
    let narrow = |c: char| matches!(c, ' '..='~');
    let same: Vec<_> = same.take_while(|(a, b)| a == b).collect();
    let behind = before.chars().count() + same.len();
    if !path.is_empty()
        || same.is_empty()
        || same.len() >= MOST_SHOWN
        || expected.contains("{{")
        || !before
            .chars()
            .chain(same.iter().map(|(c, _)| *c))
            .all(narrow)
    {
        return;
    }
    let _ = writeln!(text, "  {:<9} {:behind$}^ here they part", "", "");
}

/// A mismatch in one sentence.
#[must_use]
pub fn describe_mismatch(mismatch: &Mismatch) -> String {
    let shown = |text: &str| show(text.as_bytes(), false, MOST_SHOWN);
    match mismatch {
        Mismatch::Kind { expected, came } => format!("it expects {expected}, and {came} came"),
        Mismatch::Text(Difference {
            path,
            expected,
            came,
        }) if path.is_empty() => {
            format!(
                "it expects `{}`, and `{}` came",
                shown(expected),
                shown(came)
            )
        }
        Mismatch::Text(Difference {
            path,
            expected,
            came,
        }) => format!("{path}: expected {}, came {}", shown(expected), shown(came)),
        Mismatch::Json(differences) => differences
            .iter()
            .map(|difference| shown(&difference.to_string()))
            .collect::<Vec<_>>()
            .join("; "),
        Mismatch::NotJson(reason) => format!("what came is not JSON: {reason}"),
        Mismatch::Check { check, came } => format!("`{check}` does not hold: {}", shown(came)),
        Mismatch::Expression(reason) => reason.clone(),
    }
}

fn write_messages(text: &mut String, unconsumed: &[(Option<String>, Incoming)]) {
    for (name, message) in unconsumed.iter().take(MOST_MESSAGES) {
        let name = name.as_ref().map(|name| format!("{name} "));
        let _ = writeln!(text, "    {}{}", name.unwrap_or_default(), came_as(message));
    }
    if unconsumed.len() > MOST_MESSAGES {
        let _ = writeln!(text, "    and {} more", unconsumed.len() - MOST_MESSAGES);
    }
}

/// The last messages of the test, with their times. The closes that end every test are no news.
fn write_log(text: &mut String, result: &TestResult) {
    let shown: Vec<&Record> = result
        .log
        .iter()
        .filter(|record| {
            record.at <= result.duration || matches!(record.kind, Kind::Text | Kind::Binary)
        })
        .collect();
    if shown.is_empty() {
        return;
    }
    text.push('\n');
    let from = shown.len().saturating_sub(MOST_MESSAGES);
    let before = from + result.log.dropped();
    if before > 0 {
        let _ = writeln!(text, "    ({before} before)");
    }
    for record in &shown[from..] {
        let name = name(result, ConnectionId(record.connection));
        let name = name.map(|name| format!("{name} ")).unwrap_or_default();
        let _ = writeln!(
            text,
            "    {:>8}  {name}{}",
            seconds(record.at),
            line_of(record)
        );
    }
}

fn name(result: &TestResult, id: ConnectionId) -> Option<&str> {
    result.connection_name(id.0)
}

/// A record as the talk would write it, with its size.
fn line_of(record: &Record) -> String {
    let arrow = match record.direction {
        Direction::Sent => '>',
        Direction::Received => '<',
    };
    let shown = record.shown(MOST_SHOWN);
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

fn seconds(time: Duration) -> String {
    format!("{:.3}s", time.as_secs_f64())
}
