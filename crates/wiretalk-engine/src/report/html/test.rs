//! One test in the page: a line that opens.

use std::time::Duration;

use wiretalk_talk::player::{Failure, Fault, Incoming};

use super::super::explain::{Explanation, came_as, ended};
use super::super::text::{count, cut, in_one_line, size};
use super::markup::Markup;
use super::time_line::{self, time};
use crate::record::{Direction, Kind, Record};
use crate::runner::{Outcome, TestResult};

/// Messages of a test that are shown: so many of the first, and so many of the last.
const FIRST_MESSAGES: usize = 20;
const LAST_MESSAGES: usize = 180;
/// Characters of a payload that are shown.
const MOST_SHOWN: usize = 4000;
/// Bytes of a binary payload that are shown.
const MOST_BYTES: usize = 512;
/// A payload of more characters, or lines, is folded.
const UNFOLDED: usize = 240;
const UNFOLDED_LINES: usize = 6;
/// Characters of a folded payload that are seen.
const FOLDED: usize = 100;
/// Characters of a title.
const MOST_TITLE: usize = 500;

/// What is kept of a test until the page is written.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its id in the page.
    pub(super) id: String,
    /// Its title, with what it was run with.
    pub(super) title: String,
    /// Why it failed, in a sentence.
    pub(super) sentence: String,
    status: Status,
    tags: Vec<String>,
    attempts: u32,
    duration: Duration,
    line: usize,
    /// What is seen when it is opened; none if there was no room.
    body: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Passed,
    Failed,
    Skipped,
}

impl Status {
    /// Its name, and a sign that tells it without a colour.
    fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::Passed => ("passed", "✓"),
            Self::Failed => ("failed", "✕"),
            Self::Skipped => ("skipped", "–"),
        }
    }
}

impl Kept {
    /// What to keep of a test, of `room` bytes at the most, which become less by what was taken; `number` is another one
    /// for each test.
    pub(super) fn of(result: &TestResult, number: usize, room: &mut usize) -> Self {
        let id = format!("t{number}");
        let (status, sentence) = match &result.outcome {
            Outcome::Passed { .. } => (Status::Passed, String::new()),
            Outcome::Skipped(why) => (Status::Skipped, why.reason().to_owned()),
            Outcome::Failed(failure) => {
                let explanation = Explanation::of(result, failure, UNFOLDED);
                (Status::Failed, explanation.sentence())
            }
        };
        let mut title = cut(&result.title, MOST_TITLE).0.to_owned();
        if result.repetition > 1 {
            title.push_str(&format!(" [run {}]", result.repetition));
        }
        // One that passed is not even written where there is no room.
        let body = (*room > 0).then(|| body(result, &id));
        let body = body.filter(|body| body.len() <= *room);
        *room = body.as_ref().map_or(0, |body| *room - body.len());
        Self {
            id,
            title,
            sentence,
            status,
            tags: result.tags.clone(),
            attempts: result.attempts,
            duration: result.duration,
            line: result.line,
            body,
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.status == Status::Failed
    }

    /// Writes it.
    pub(super) fn write(&self, page: &mut Markup) {
        let (status, sign) = self.status.shown();
        let class = format!("test {status}");
        let mut attributes = vec![
            ("id", self.id.as_str()),
            ("class", &class),
            ("data-status", status),
        ];
        if self.failed() {
            attributes.push(("open", ""));
        }
        page.open("details", &attributes);
        page.open("summary", &[]);
        page.open("span", &[("class", "sign")]);
        page.element("span", &[("aria-hidden", "true")], sign);
        page.element("span", &[("class", "sr")], status);
        page.close("span");
        page.open("h3", &[])
            .element("bdi", &[], &self.title)
            .close("h3");
        page.open("span", &[("class", "about")]);
        for tag in &self.tags {
            page.element("span", &[("class", "tag")], tag);
        }
        if self.attempts > 1 {
            let told = format!("{} attempts", self.attempts);
            page.element("span", &[("class", "tag flaky")], &told);
        }
        if self.status == Status::Skipped {
            page.element("span", &[("class", "quiet")], &self.sentence);
        } else {
            page.element("span", &[("class", "took")], &time(self.duration));
        }
        page.close("span").close("summary").line();
        page.open("div", &[("class", "body")]).line();
        match &self.body {
            Some(body) => {
                page.piece(body);
            }
            None => {
                if !self.sentence.is_empty() {
                    page.element("p", &[], &self.sentence);
                }
                let said = format!(
                    "Line {}. Its messages are not in this report, which would grow too large: run it with fewer \
                     tests, or ask for JSON.",
                    self.line
                );
                page.element("p", &[("class", "quiet")], &said);
            }
        }
        page.close("div").close("details").line();
    }
}

/// What is seen of a test when it is opened.
fn body(result: &TestResult, test: &str) -> String {
    let mut page = Markup::default();
    let mut failed = None;
    let mut culprit = None;
    let messages: Vec<(String, &Record)> = (1..)
        .zip(result.log.iter())
        .map(|(number, record)| (format!("{test}m{number}"), record))
        .collect();
    match &result.outcome {
        Outcome::Failed(failure) => {
            let explanation = Explanation::of(result, failure, MOST_SHOWN);
            explain(&mut page, &result.file, &explanation);
            failed = Some(ended(result));
            culprit = culprit_of(failure, &messages);
        }
        Outcome::Passed { unconsumed } => {
            place(&mut page, &format!("{}:{}", result.file, result.line));
            if !unconsumed.is_empty() {
                let told = format!(
                    "{} that no line took:",
                    count(unconsumed.len(), "message", "messages")
                );
                page.element("p", &[], &told).line();
                left(&mut page, unconsumed);
            }
        }
        Outcome::Skipped(why) => {
            place(&mut page, &format!("{}:{}", result.file, result.line));
            page.element("p", &[], &format!("It was not run: {}.", why.reason()));
            return page.finish();
        }
    }
    if let Some(seed) = result.seed {
        page.element("p", &[("class", "quiet")], &format!("seed {seed}"));
    }
    time_line::draw(&mut page, result, &messages, failed, culprit);
    list(&mut page, result, &messages, culprit);
    page.finish()
}

/// The message that a test failed by, by the id of its row.
fn culprit_of<'a>(failure: &Failure, messages: &'a [(String, &Record)]) -> Option<&'a str> {
    let Fault::Mismatch { at, .. } = &failure.fault else {
        return None;
    };
    let connection = failure.connection?;
    let mut before = messages.iter().rev().filter(|(_, record)| {
        record.connection == connection.0
            && record.direction == Direction::Received
            && record.kind != Kind::Event
            && record.at <= *at
    });
    before.next().map(|(id, _)| id.as_str())
}

fn place(page: &mut Markup, place: &str) {
    page.element("p", &[("class", "place")], place).line();
}

/// Why it failed.
fn explain(page: &mut Markup, file: &str, explanation: &Explanation<'_>) {
    place(
        page,
        &format!("{file}:{}:{}", explanation.line, explanation.column),
    );
    page.open(
        "ol",
        &[("class", "talk"), ("aria-label", "Lines of the talk")],
    );
    for (number, text) in &explanation.context {
        let failing = *number == explanation.line;
        let class = if failing { "failing" } else { "" };
        page.open("li", &[("class", class)]);
        page.element("span", &[("class", "number")], &number.to_string());
        page.element("code", &[], text);
        page.close("li");
    }
    page.close("ol").line();
    page.open("dl", &[("class", "pair")]);
    page.element("dt", &[], "expected");
    page.open("dd", &[("class", "expected")])
        .element("code", &[], &explanation.expected)
        .close("dd");
    page.element("dt", &[], "came");
    page.open("dd", &[("class", "came")]).open("code", &[]);
    let (same, other) = match explanation.parting {
        Some(at) => {
            let same = cut(&explanation.came, at).0;
            (same, &explanation.came[same.len()..])
        }
        None => (&explanation.came[..], ""),
    };
    page.text(same);
    if !other.is_empty() {
        page.element("mark", &[("title", "here they part")], other);
    }
    page.close("code").close("dd");
    if let Some(because) = &explanation.because {
        page.element("dt", &[], "because")
            .element("dd", &[], because);
    }
    for (label, note) in &explanation.notes {
        page.element("dt", &[], label)
            .open("dd", &[])
            .element("code", &[], note)
            .close("dd");
    }
    page.close("dl").line();
    differences(page, explanation);
    left(page, explanation.unconsumed);
}

/// The places that differ, as a table.
fn differences(page: &mut Markup, explanation: &Explanation<'_>) {
    if explanation.differences.is_empty() {
        return;
    }
    page.open("table", &[("class", "diff")]);
    page.element("caption", &[("class", "sr")], "Where they differ");
    page.open("thead", &[]).open("tr", &[]);
    for name in ["path", "expected", "came"] {
        page.element("th", &[("scope", "col")], name);
    }
    page.close("tr").close("thead").line();
    page.open("tbody", &[]);
    for difference in &explanation.differences {
        page.open("tr", &[]);
        page.open("th", &[("scope", "row")])
            .element("code", &[], &difference.path)
            .close("th");
        for (class, name, value) in [
            ("expected", "expected", &difference.expected),
            ("came", "came", &difference.came),
        ] {
            page.open("td", &[("class", class), ("data-name", name)]);
            match value {
                Some(value) => {
                    let (value, more) = cut(value, MOST_SHOWN);
                    page.element("code", &[], value);
                    if more > 0 {
                        page.text(&format!(" … {} more", size(more)));
                    }
                }
                None => {
                    page.element("i", &[("class", "quiet")], "nothing");
                }
            }
            page.close("td");
        }
        page.close("tr").line();
    }
    page.close("tbody").close("table").line();
}

/// Messages that no line took.
fn left(page: &mut Markup, unconsumed: &[(Option<String>, Incoming)]) {
    const MOST_LEFT: usize = 20;
    if unconsumed.is_empty() {
        return;
    }
    page.open("ul", &[("class", "left")]);
    for (name, message) in unconsumed.iter().take(MOST_LEFT) {
        let name = name.as_ref().map(|name| format!("{name} "));
        let shown = format!("{}{}", name.unwrap_or_default(), came_as(message, UNFOLDED));
        page.open("li", &[])
            .element("code", &[], &shown)
            .close("li");
    }
    if unconsumed.len() > MOST_LEFT {
        let more = format!("and {} more", unconsumed.len() - MOST_LEFT);
        page.element("li", &[("class", "quiet")], &more);
    }
    page.close("ul").line();
}

/// The messages one under the other.
fn list(
    page: &mut Markup,
    result: &TestResult,
    messages: &[(String, &Record)],
    culprit: Option<&str>,
) {
    if messages.is_empty() {
        page.element(
            "p",
            &[("class", "quiet")],
            "Nothing went over a connection.",
        );
        return;
    }
    let hidden = messages
        .len()
        .saturating_sub(FIRST_MESSAGES + LAST_MESSAGES);
    let named = result.connections.len() > 1 || result.connections.iter().any(|c| c.name.is_some());
    page.open("ol", &[("class", "messages"), ("aria-label", "Messages")])
        .line();
    if result.log.dropped() > 0 {
        gap(page, result.log.dropped());
    }
    let mut finally = result.finally;
    for (index, (id, record)) in messages.iter().enumerate() {
        if hidden > 0 && index == FIRST_MESSAGES {
            gap(page, hidden);
        }
        if (FIRST_MESSAGES..FIRST_MESSAGES + hidden).contains(&index) {
            continue;
        }
        if finally.take_if(|at| record.at >= *at).is_some() {
            page.element("li", &[("class", "gap quiet")], "finally")
                .line();
        }
        let name = named.then(|| match result.connection_name(record.connection) {
            Some(name) => name.to_owned(),
            None => format!("#{}", record.connection),
        });
        message(
            page,
            id,
            record,
            name.as_deref(),
            Some(id.as_str()) == culprit,
        );
    }
    page.close("ol").line();
}

/// Says that messages are left out.
fn gap(page: &mut Markup, number: usize) {
    let said = format!(
        "{} not in this report",
        count(number, "message is", "messages are")
    );
    page.element("li", &[("class", "gap quiet")], &said).line();
}

fn message(page: &mut Markup, id: &str, record: &Record, name: Option<&str>, culprit: bool) {
    let (class, arrow, said) = match (record.kind, record.direction) {
        (Kind::Event, _) => ("event", "", "event"),
        (_, Direction::Sent) => ("sent", ">", "sent"),
        (_, Direction::Received) => ("came", "<", "came"),
    };
    let class = if culprit {
        format!("{class} culprit")
    } else {
        class.to_owned()
    };
    page.open("li", &[("id", id), ("class", &class)]);
    page.element("span", &[("class", "at")], &time(record.at));
    if let Some(name) = name {
        page.element("span", &[("class", "who")], name);
    }
    page.open("span", &[("class", "way")]);
    page.element("span", &[("aria-hidden", "true")], arrow);
    page.element("span", &[("class", "sr")], said);
    page.close("span");
    if record.kind != Kind::Event {
        let kind = match record.kind {
            Kind::Close(code) => format!("close {code}"),
            kind => kind.name().to_owned(),
        };
        page.open("span", &[("class", "kind")]).text(&kind);
        // Of a control frame, only what is in it is of interest.
        if !record.payload.is_empty() || matches!(record.kind, Kind::Text | Kind::Binary) {
            page.text(" ")
                .element("small", &[], &size(record.payload.len()));
        }
        page.close("span");
    }
    payload(page, record);
    page.close("li").line();
}

fn payload(page: &mut Markup, record: &Record) {
    let binary = matches!(record.kind, Kind::Binary | Kind::Frame | Kind::Raw);
    let (text, more) = match std::str::from_utf8(&record.payload) {
        Ok(text) if !binary => {
            let (text, more) = cut(text, MOST_SHOWN);
            (text.to_owned(), more)
        }
        _ => {
            let shown = &record.payload[..record.payload.len().min(MOST_BYTES)];
            (dump(shown), record.payload.len() - shown.len())
        }
    };
    if text.is_empty() {
        page.open("span", &[("class", "payload")]).close("span");
        return;
    }
    let folded = text.chars().nth(UNFOLDED).is_some() || text.lines().count() > UNFOLDED_LINES;
    if !folded {
        page.element("code", &[("class", "payload")], &text);
        return;
    }
    page.open("details", &[("class", "payload")]);
    let start = in_one_line(cut(&text, FOLDED).0).into_owned();
    page.open("summary", &[]);
    page.open("span", &[("class", "start")])
        .element("code", &[], &start)
        .text(" …")
        .close("span");
    page.element("span", &[("class", "fold")], "fold");
    page.close("summary");
    page.element("code", &[], &text);
    if more > 0 {
        let said = format!("and {} more, not in this report", size(more));
        page.element("p", &[("class", "quiet")], &said);
    }
    page.close("details");
}

/// Bytes in hex and as text, sixteen a line; a few of them in hex alone.
fn dump(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        hex.join(" ")
    };
    if bytes.len() <= 16 {
        return hex(bytes);
    }
    let lines = bytes.chunks(16).enumerate().map(|(index, line)| {
        let text: String = line
            .iter()
            .map(|byte| match byte {
                b' '..=b'~' => char::from(*byte),
                _ => '.',
            })
            .collect();
        format!("{:04x}  {:<47}  {text}", index * 16, hex(line))
    });
    lines.collect::<Vec<_>>().join("\n")
}
