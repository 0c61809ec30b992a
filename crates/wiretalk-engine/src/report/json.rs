//! JSON: all that is known of a run. `docs/report.schema.json` is its schema.
//!
//! Each test is written as soon as it has ended, in that order: nothing is kept, and nothing is left out.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use wiretalk_talk::player::Incoming;

use super::explain::Explanation;
use super::human::failure;
use super::{Format, Output, Report, Start};
use crate::record::{Direction, Kind, Record};
use crate::runner::{Outcome, Summary, TestResult};

/// `--json`
pub(super) const FORMAT: Format = Format {
    name: "json",
    help: "JSON, by the schema in docs/report.schema.json",
    begin: |output, start| {
        Box::new(Json {
            output,
            start,
            begun: false,
        })
    },
};

/// Which version of the schema this is. New members may come; what is there stays as it is.
const VERSION: u32 = 1;

struct Json {
    output: Output,
    start: Start,
    /// Whether something has been written.
    begun: bool,
}

impl Json {
    fn begin(&mut self) -> io::Result<()> {
        let version = serde_json::to_string(self.start.version)?;
        let started = serde_json::to_string(&rfc3339(self.start.at))?;
        writeln!(
            self.output,
            "{{\"format\":\"wiretalk-test-report\",\"version\":{VERSION},\"wiretalk\":{version},\"started\":{started},\"tests\":["
        )
    }
}

impl Report for Json {
    fn test(&mut self, result: &TestResult) -> io::Result<()> {
        if self.begun {
            self.output.write_all(b",\n")?;
        } else {
            self.begin()?;
            self.begun = true;
        }
        serde_json::to_writer(&mut self.output, &Test::of(result))?;
        Ok(())
    }

    fn finish(mut self: Box<Self>, summary: &Summary) -> io::Result<()> {
        if !self.begun {
            self.begin()?;
        }
        let counts = Counts {
            tests: summary.total(),
            passed: summary.passed,
            failed: summary.failed,
            skipped: summary.skipped,
            flaky: summary.flaky,
            duration_ms: milliseconds(summary.duration),
        };
        self.output.write_all(b"\n],\"summary\":")?;
        serde_json::to_writer(&mut self.output, &counts)?;
        self.output.write_all(b"}\n")?;
        self.output.commit()
    }
}

#[derive(Serialize)]
struct Counts {
    tests: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    flaky: usize,
    duration_ms: f64,
}

#[derive(Serialize)]
struct Test<'a> {
    file: &'a str,
    line: usize,
    title: &'a str,
    tags: &'a [String],
    /// From 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    repetition: usize,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    attempts: u32,
    started: String,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure<'a>>,
    unconsumed: Vec<Unconsumed<'a>>,
    connections: Vec<Connection<'a>>,
    messages: Messages<'a>,
    messages_left_out: usize,
}

impl<'a> Test<'a> {
    fn of(result: &'a TestResult) -> Self {
        let (status, reason) = match &result.outcome {
            Outcome::Passed { .. } => ("passed", None),
            Outcome::Failed(_) => ("failed", None),
            Outcome::Skipped(why) => ("skipped", Some(why.reason())),
        };
        let mut unconsumed = &[][..];
        let why = match &result.outcome {
            Outcome::Passed { unconsumed: left } => {
                unconsumed = left;
                None
            }
            Outcome::Failed(why) => {
                let explanation = Explanation::of(result, why, usize::MAX);
                unconsumed = explanation.unconsumed;
                Some(Failure::of(result, explanation))
            }
            Outcome::Skipped(_) => None,
        };
        Self {
            file: &result.file,
            line: result.line,
            title: &result.title,
            tags: &result.tags,
            row: result.row,
            repetition: result.repetition,
            status,
            reason,
            attempts: result.attempts,
            started: rfc3339(result.started),
            duration_ms: milliseconds(result.duration),
            seed: result.seed,
            failure: why,
            unconsumed: unconsumed.iter().map(Unconsumed::of).collect(),
            connections: (1..)
                .zip(&result.connections)
                .map(|(number, connection)| Connection {
                    number,
                    name: connection.name.as_deref(),
                    url: &connection.url,
                })
                .collect(),
            messages: Messages(result),
            messages_left_out: result.log.dropped(),
        }
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    kind: &'static str,
    line: usize,
    column: usize,
    talk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a str>,
    expected: String,
    came: String,
    message: String,
    differences: Vec<Difference>,
    notes: Vec<String>,
    text: String,
}

#[derive(Serialize)]
struct Difference {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<String>,
}

impl<'a> Failure<'a> {
    fn of(result: &'a TestResult, explanation: Explanation<'a>) -> Self {
        Self {
            kind: explanation.kind,
            line: explanation.line,
            column: explanation.column,
            talk: result.source.line(explanation.line).to_owned(),
            connection: explanation.connection,
            message: explanation.sentence(),
            expected: explanation.expected,
            came: explanation.came,
            differences: explanation
                .differences
                .into_iter()
                .map(|difference| Difference {
                    path: difference.path,
                    expected: difference.expected,
                    came: difference.came,
                })
                .collect(),
            notes: explanation
                .notes
                .into_iter()
                .map(|(label, note)| format!("{label}: {note}"))
                .collect(),
            text: failure(result),
        }
    }
}

#[derive(Serialize)]
struct Connection<'a> {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    url: &'a str,
}

/// A payload: text if it is UTF-8 and was not sent as binary, else base64.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Payload<'a> {
    Text(&'a str),
    Base64(String),
}

impl<'a> Payload<'a> {
    fn of(bytes: &'a [u8], binary: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !binary => Self::Text(text),
            _ => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

#[derive(Serialize)]
struct Unconsumed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    size: usize,
    #[serde(flatten)]
    payload: Payload<'a>,
}

impl<'a> Unconsumed<'a> {
    fn of((name, incoming): &'a (Option<String>, Incoming)) -> Self {
        let (kind, code, bytes): (_, _, &[u8]) = match incoming {
            Incoming::Text(text) => (Kind::Text.name(), None, text.as_bytes()),
            Incoming::Binary(bytes) => (Kind::Binary.name(), None, bytes),
            Incoming::Ping(bytes) => (Kind::Ping.name(), None, bytes),
            Incoming::Pong(bytes) => (Kind::Pong.name(), None, bytes),
            Incoming::Close { code, reason } => ("close", Some(*code), reason.as_bytes()),
            Incoming::End { why, .. } => (Kind::Event.name(), None, why.as_bytes()),
        };
        Self {
            connection: name.as_deref(),
            kind,
            code,
            size: bytes.len(),
            payload: Payload::of(bytes, matches!(incoming, Incoming::Binary(_))),
        }
    }
}

/// The messages of a test, written one by one.
struct Messages<'a>(&'a TestResult);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.log.iter().map(Message::of))
    }
}

#[derive(Serialize)]
struct Message<'a> {
    connection: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    at_ms: f64,
    size: usize,
    #[serde(flatten)]
    payload: Payload<'a>,
}

impl<'a> Message<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            connection: record.connection,
            direction: match (record.kind, record.direction) {
                (Kind::Event, _) => None,
                (_, Direction::Sent) => Some("sent"),
                (_, Direction::Received) => Some("received"),
            },
            kind: record.kind.name(),
            code: match record.kind {
                Kind::Close(code) => Some(code),
                _ => None,
            },
            at_ms: milliseconds(record.at),
            size: record.payload.len(),
            payload: Payload::of(
                &record.payload,
                matches!(record.kind, Kind::Binary | Kind::Frame | Kind::Raw),
            ),
        }
    }
}

/// Milliseconds, with microseconds behind the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn rfc3339(at: SystemTime) -> String {
    match jiff::Timestamp::try_from(at) {
        Ok(at) => format!("{at:.3}"),
        // A clock that is set to before or after all years that have a name.
        Err(_) => "1970-01-01T00:00:00.000Z".to_owned(),
    }
}
