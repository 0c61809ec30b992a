//! The language: lines, frames, directives, and the tree they make.

mod check;
mod connect;
mod decode;
pub(crate) mod directive;
mod flow;
pub(crate) mod frame;
mod http;
mod kinds;
pub(crate) mod lines;
mod options;
mod room;
mod rule;
mod who;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::diagnostic::{Diagnostic, Findings, MOST_FINDINGS};
use crate::files::Files;
use crate::pattern::{Pattern, Payload};
use crate::query::Check;
use crate::source::{Source, Span};

pub use decode::{NotUtf8, decode};
pub(crate) use directive::somebodys_directive;
pub(crate) use kinds::MOST_REGEX;
pub(crate) use who::word_length;
pub(crate) use words::{DURATION_MEND, duration, first_word, header_name};

/// A talk as it was understood.
#[derive(Clone, Debug)]
pub struct Talk {
    pub(crate) source: Source,
    pub(crate) statements: Vec<Statement>,
    /// What stands in the files that it names, once they are linked.
    pub(crate) files: Arc<Files>,
    /// The lines, from 1, that were not understood as a whole.
    pub(crate) broken: Vec<usize>,
}

impl Talk {
    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

/// A talk with everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// What was understood.
    pub talk: Talk,
    /// What was not, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a talk. `name` is what it is called in messages: the path as the user wrote it.
#[must_use]
pub fn parse(name: &str, text: &str) -> Parsed {
    let text = without_mark(text);
    let (statements, diagnostics) = read(text, true);
    let source = Source::new(name, text);
    let wrong = diagnostics.iter().filter(|finding| finding.is_error());
    let mut broken: Vec<usize> = wrong
        .map(|finding| source.line_of(finding.span.start))
        .collect();
    broken.dedup();
    Parsed {
        talk: Talk {
            source,
            statements,
            files: Arc::default(),
            broken,
        },
        diagnostics,
    }
}

/// What is wrong with a talk: as [`parse`], but the tree, which takes many times the room of the text, is not kept.
pub(crate) fn look_through(text: &str) -> Vec<Diagnostic> {
    let (_, diagnostics) = read(without_mark(text), false);
    diagnostics
}

/// Reads a text without a byte order mark: the tree, if it is to be kept, and all that is wrong.
fn read(text: &str, keeps: bool) -> (Vec<Statement>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let lines = lines::tree(text, &mut findings);
    let mut parser = Parser {
        diagnostics: Vec::new(),
        findings,
        regexes: BTreeMap::new(),
        keeps,
    };
    let statements = parser.block(&lines, Place::Top);
    drop(lines);
    let mut findings = parser.findings;
    let more = findings.more();
    let diagnostics = &mut findings.list;
    for diagnostic in &mut *diagnostics {
        // Whoever found it may have pointed at the next byte, of whatever character that is, or at the end of the text.
        diagnostic.span = diagnostic.span.fitted(text);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.extend(Diagnostic::and_more(more, text.len()));
    (statements, findings.list)
}

/// The text without a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A statement and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) span: Span,
    pub(crate) kind: StatementKind,
}

#[derive(Clone, Debug)]
pub(crate) enum StatementKind {
    Frame(Box<Frame>),
    Connect(Box<Connect>),
    Http(Box<Http>),
    Listen(Box<Pattern>),
    Test(String),
    Finally(Vec<Statement>),
    Set(Box<Set>),
    Option(TalkOption),
    Wait(Duration),
    Silence {
        who: Option<Who>,
        duration: Duration,
    },
    On(Box<On>),
    Every(Every),
    /// `tag WORD…`
    Tag(Vec<String>),
    /// `unordered`: the expected messages of its body come in any order.
    Unordered(Vec<Statement>),
    /// `ignore < PATTERN`
    Ignore(Box<Frame>),
    Repeat(Box<Repeat>),
    /// `each FILE`: where the rows are.
    Each(FileName),
    Join(Rooms),
    Leave(Rooms),
    /// `identify NAME`
    Identify {
        who: Option<Who>,
        user: Box<Pattern>,
    },
    /// `keep ROOM VALUE`
    Keep {
        room: Box<Pattern>,
        value: Box<Pattern>,
    },
    /// `retry 3 every 1s`
    Retry(Retry),
}

impl StatementKind {
    /// The statements indented under it.
    pub(crate) fn body(&self) -> &[Statement] {
        match self {
            Self::Finally(body) | Self::Unordered(body) => body,
            Self::On(on) => &on.body,
            Self::Every(every) => &every.body,
            Self::Repeat(repeat) => &repeat.body,
            _ => &[],
        }
    }

    /// The checks and captures right under it.
    pub(crate) fn checks(&self) -> &[Check] {
        match self {
            Self::Frame(frame) | Self::Ignore(frame) => &frame.checks,
            Self::Http(http) => &http.checks,
            Self::On(on) => &on.checks,
            _ => &[],
        }
    }

    /// What is sent or expected, if it is a frame or waits for one.
    pub(crate) fn content(&self) -> Option<&Content> {
        match self {
            Self::Frame(frame) | Self::Ignore(frame) => Some(&frame.content),
            Self::On(on) => match &on.trigger {
                Trigger::Message { content, .. } => Some(content),
                _ => None,
            },
            _ => None,
        }
    }
}

/// `repeat 10` with its body.
#[derive(Clone, Debug)]
pub(crate) struct Repeat {
    /// A whole number once its holes are filled.
    pub(crate) times: Pattern,
    pub(crate) body: Vec<Statement>,
}

/// `retry 3 every 1s`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// How often a failed test is run again.
    pub(crate) times: u32,
    /// The pause before each of these runs.
    pub(crate) every: Duration,
}

/// `[WHO] join ROOM, ROOM` and `[WHO] leave ROOM`
#[derive(Clone, Debug)]
pub(crate) struct Rooms {
    pub(crate) who: Option<Who>,
    pub(crate) rooms: Vec<Pattern>,
}

/// A file that a talk names, relative to the talk.
#[derive(Clone, Debug)]
pub(crate) struct FileName {
    pub(crate) span: Span,
    pub(crate) path: String,
}

/// Who sends or receives, if a line says so.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Name(String),
    All,
    Others,
    /// `room NAME`: the clients in that room.
    Room(Box<Pattern>),
    /// `user NAME`: the clients of that user.
    User(Box<Pattern>),
}

/// The direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrow {
    /// `>`: from client to server.
    ToServer,
    /// `<`: from server to client.
    ToClient,
}

/// A line with an arrow.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) who: Option<Who>,
    pub(crate) arrow: Arrow,
    pub(crate) options: FrameOptions,
    pub(crate) content: Content,
    pub(crate) checks: Vec<Check>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameOptions {
    pub(crate) within: Option<Duration>,
    pub(crate) after: Option<Duration>,
    pub(crate) skip: bool,
    pub(crate) optional: bool,
    pub(crate) count: Option<Count>,
    /// Sent in fragments of so many payload bytes (RFC 6455 section 5.4).
    pub(crate) fragment: Option<usize>,
    /// Sent so many bytes to the stream at a time.
    pub(crate) chop: Option<usize>,
    /// Sent with or without permessage-deflate, whatever else is agreed.
    pub(crate) compress: Option<bool>,
    /// Sent to a room: whether it comes into what the room remembers.
    pub(crate) history: Option<bool>,
}

/// `x3` and `x2..5`: how many messages a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

/// What a frame carries.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(Pattern),
    Binary(Vec<u8>),
    Echo,
    Ping(Option<Data>),
    Pong(Option<Data>),
    Close {
        code: Option<u16>,
        reason: Option<Pattern>,
    },
    Any,
    /// Expected only: a regular expression over the whole text; its named groups are captured.
    Re(Arc<Regex>),
    /// A binary message from a file.
    File(FilePart),
    /// Expected only: how the connection failed.
    Error(ErrorKind),
    /// Expected only: the peer fails the connection, with that close code or by ending the stream.
    Fail(Option<u16>),
    /// Sent only: a single frame as given, with what breaks the rules.
    RawFrame(Box<RawFrame>),
    /// Sent only: bytes outside any frame.
    Raw(Vec<u8>),
    /// The connection is reset; expected: it ended with no close frame.
    Drop,
    /// Stop reading for that long; expected of the other side it is not seen.
    Stall(Duration),
}

/// A part of a file: all of it, or the bytes from `first` to before `end`.
#[derive(Clone, Debug)]
pub(crate) struct FilePart {
    pub(crate) name: FileName,
    pub(crate) bytes: Option<std::ops::Range<u64>>,
}

/// How a connection failed, or could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody listens.
    Refused,
    /// The host's name has no address.
    Dns,
    /// TLS failed: the certificate, say.
    Tls,
    /// The server did not upgrade, or not by the rules.
    Handshake,
    /// It took too long.
    Timeout,
    /// The stream ended with no close frame.
    Reset,
    /// The peer broke the rules of the protocol: what we close with, if the line says so.
    Protocol(Option<u16>),
}

/// A frame as it is written: header fields left out are the right ones.
#[derive(Clone, Debug)]
pub(crate) struct RawFrame {
    pub(crate) header: RawHeader,
    pub(crate) payload: Pattern,
    /// Set for a payload in hex, `(hex)`; the pattern is then empty.
    pub(crate) bytes: Option<Vec<u8>>,
}

/// The header of a frame as it is written; `None` is what the rules ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawHeader {
    /// Whether it is the last frame of its message; the right value is yes.
    pub fin: Option<bool>,
    /// The opcode, 0 to 15; the right value is that of a text frame, 1.
    pub opcode: Option<u8>,
    /// The three reserved bits as a number from 0 to 7, RSV1 being 4; the right value is 0.
    pub rsv: Option<u8>,
    /// Whether it is masked; the right value is yes from a client and no from a server.
    pub mask: Option<bool>,
    /// The masking key.
    pub key: Option<[u8; 4]>,
    /// The payload length that the header announces, whatever follows.
    pub length: Option<u64>,
}

impl Content {
    /// The patterns in it.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let pattern = match self {
            Self::Text(pattern)
            | Self::Ping(Some(Data::Text(pattern)))
            | Self::Pong(Some(Data::Text(pattern))) => Some(pattern),
            Self::Close { reason, .. } => reason.as_ref(),
            Self::RawFrame(frame) => Some(&frame.payload),
            _ => None,
        };
        pattern.into_iter()
    }
}

impl Content {
    /// The names of the groups that a regular expression captures.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        let regex = match self {
            Self::Re(regex) => Some(regex),
            _ => None,
        };
        regex
            .into_iter()
            .flat_map(|regex| regex.capture_names().flatten())
    }
}

/// The payload of a ping or pong.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Text(Pattern),
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) struct Connect {
    pub(crate) name: Option<String>,
    /// How many connections of that name are opened.
    pub(crate) count: usize,
    pub(crate) url: Pattern,
    pub(crate) headers: Vec<Header>,
}

/// A header line.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) span: Span,
    pub(crate) name: String,
    pub(crate) value: Pattern,
}

/// `HTTP STATUS` with what hangs under it.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) checks: Vec<Check>,
    pub(crate) body: Option<Pattern>,
}

/// `set NAME = VALUE`
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) scope: SetScope,
    pub(crate) name: String,
    pub(crate) value: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetScope {
    /// `set NAME`
    Run,
    /// `set client.NAME`
    Client,
    /// `set global.NAME`
    Global,
}

#[derive(Clone, Debug)]
pub(crate) enum TalkOption {
    Timeout(Duration),
    Strict(bool),
    Subprotocol(Vec<String>),
    /// Whether permessage-deflate is offered or agreed to.
    Compression(bool),
    /// How a mock refuses what it does not accept.
    Refuse(RefuseBy),
    /// `option history COUNT [AGE]`: how many messages a room remembers, and for how long.
    History(usize, Option<Duration>),
    /// `option workers N`: for how many clients bodies run at once.
    Workers(usize),
}

/// `option refuse status|close`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefuseBy {
    /// With the HTTP status, before the upgrade.
    Status,
    /// With a close frame behind an upgrade, for clients (browsers) that cannot see the status.
    Close,
}

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct On {
    pub(crate) trigger: Trigger,
    pub(crate) checks: Vec<Check>,
    pub(crate) body: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    /// The other side sends such a message.
    Message { arrow: Arrow, content: Content },
    /// `on connect [PATH]` with headers.
    Connect {
        path: Option<Pattern>,
        headers: Vec<Header>,
    },
    /// `on GET PATH` with headers.
    Get { path: Pattern, headers: Vec<Header> },
    /// `on open`: a client has come.
    Open,
    /// `on close`: a client has gone, and is in its rooms still.
    Close,
    /// `on lost`: messages from other nodes are lost for good.
    Lost,
}

#[derive(Clone, Debug)]
pub(crate) struct Every {
    pub(crate) period: Duration,
    pub(crate) per_client: bool,
    pub(crate) body: Vec<Statement>,
}

/// Where a block of lines stands: it says which statements may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Top,
    Body,
    /// `unordered`: nothing but messages.
    Unordered,
}

struct Parser {
    /// What was found in the line at hand.
    diagnostics: Vec<Diagnostic>,
    /// What was found before.
    findings: Findings,
    /// The regular expressions that were compiled, by their source: those that are the same share what they take.
    regexes: BTreeMap<String, Arc<Regex>>,
    /// Whether the tree is wanted, or only what is wrong.
    keeps: bool,
}

impl Parser {
    fn error(&mut self, span: Span, what: impl Into<String>, mend: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(span, what, mend));
        if self.diagnostics.len() > MOST_FINDINGS {
            self.findings.list.append(&mut self.diagnostics);
            self.findings.hold();
        }
    }

    fn block(&mut self, lines: &[lines::Line<'_>], place: Place) -> Vec<Statement> {
        // `unordered` is judged by what stands under it.
        let keeps = self.keeps || place == Place::Unordered;
        lines
            .iter()
            .filter_map(|line| {
                let kind = if frame::is_frame(line.text) {
                    self.frame(line)
                        .map(|frame| StatementKind::Frame(Box::new(frame)))
                } else if place == Place::Unordered {
                    self.error(
                        line.span(),
                        "only messages stand under `unordered`",
                        "put it before or behind the block",
                    );
                    None
                } else {
                    self.directive(line, place)
                };
                self.findings.list.append(&mut self.diagnostics);
                self.findings.hold();
                kind.filter(|_| keeps).map(|kind| Statement {
                    span: line.span(),
                    kind,
                })
            })
            .collect()
    }

    /// Says that nothing can hang under a line of this kind.
    fn no_children(&mut self, line: &lines::Line<'_>, what: &str) {
        if let Some(child) = line.children.first() {
            self.error(
                child.span(),
                format!("nothing can be indented under {what}"),
                "remove the indentation",
            );
        }
    }
}

/// The payload of a line: what follows at `start` in its text, and its bars.
fn payload(line: &lines::Line<'_>, start: usize) -> Payload {
    let first = &line.text[start..];
    let mut payload = Payload::line(first, line.start + start);
    for (index, bar) in line.bars.iter().enumerate() {
        if index == 0 && first.is_empty() {
            payload.lines.clear();
        } else {
            payload.text.push('\n');
        }
        payload.lines.push((payload.text.len(), bar.start));
        payload.text.push_str(bar.text);
    }
    payload
}

#[cfg(test)]
mod tests;
