//! The log of a server: who comes, who goes, and with `-v` every message.

mod json;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anstyle::Style;
use clap::ValueEnum;
use wiretalk_engine::record::{show, without_query_values};
use wiretalk_engine::report::describe_mismatch;
use wiretalk_engine::serve::{ClientId, Count, Event, HubEvent, Observer, Recipient};
use wiretalk_talk::player::{Delivery, Incoming, Outgoing};
use wiretalk_talk::{Mismatch, Source, Span};

use crate::terminal::{self, BAD, GOOD, QUIET, RECEIVED, SENT, WARNING};

/// Lines that may wait for a slow terminal; more are counted and left out, for the server waits for nobody.
const WAITING: usize = 10_000;
/// Characters of a payload in a line.
const MOST_SHOWN: usize = 500;
/// How long the end of the program waits until all lines are written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// An object of JSON on each line, for programs
    Json,
}

/// Writes lines from a thread of its own.
pub(super) struct Log {
    verbose: bool,
    quiet: bool,
    format: Format,
    /// `None` once nothing more is written.
    lines: RwLock<Option<SyncSender<String>>>,
    left_out: Arc<AtomicUsize>,
    /// Ends when the writer does.
    done: Mutex<Receiver<()>>,
}

impl Log {
    /// A log: with every message, or with nothing but what goes wrong.
    pub(super) fn start(verbose: bool, quiet: bool, format: Format) -> Arc<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&left_out);
        let (writing, done) = channel();
        std::thread::spawn(move || {
            write(&waiting, &counted);
            drop(writing);
        });
        Arc::new(Self {
            verbose,
            quiet,
            format,
            lines: RwLock::new(Some(lines)),
            left_out,
            done: Mutex::new(done),
        })
    }

    /// Writes a line without the time, if it is for people.
    pub(super) fn line(&self, text: &str) {
        match self.format {
            Format::Text => self.write(text.to_owned()),
            Format::Json => self.write(json::words(text)),
        }
    }

    fn write(&self, line: String) {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &*lines
            && lines.try_send(line).is_err()
        {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nothing more is written. What waits is, before the program ends; but not if nobody reads it, for that would never
    /// end.
    pub(super) fn finish(&self) {
        let lines = self.lines.write();
        *lines.unwrap_or_else(PoisonError::into_inner) = None;
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(WRITTEN_WITHIN);
    }

    /// Writes a line with the time.
    pub(super) fn timed(&self, text: &str) {
        match self.format {
            Format::Text => {
                let time = terminal::clock();
                self.write(format!("{QUIET}{time}{QUIET:#}  {text}"));
            }
            Format::Json => self.write(json::words(text)),
        }
    }

    /// Whether an event has a line.
    fn shows(&self, event: &Event<'_>) -> bool {
        match event {
            Event::Connected { .. }
            | Event::Left { .. }
            | Event::Refused { .. }
            | Event::Http { .. } => !self.quiet,
            Event::Received { what, .. } => self.verbose && came(what).is_some(),
            Event::Sent { .. }
            | Event::JoinedRoom { .. }
            | Event::LeftRoom { .. }
            | Event::Identified { .. }
            | Event::Kept { .. } => self.verbose,
            Event::Backplane { what, .. } => {
                !self.quiet || !matches!(what, HubEvent::Up | HubEvent::Ready)
            }
            _ => true,
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write(lines: &Receiver<String>, left_out: &AtomicUsize) {
    for line in lines {
        if !terminal::out(&line) {
            return;
        }
        let missing = left_out.swap(0, Ordering::Relaxed);
        if missing > 0 {
            terminal::out(&format!(
                "{WARNING}({missing} lines were left out: the terminal is too slow){WARNING:#}"
            ));
        }
    }
}

/// A line of a talk.
fn place(source: &Source, span: Span) -> String {
    let line = source.position(span.start).0;
    let text = show(source.line(line).trim().as_bytes(), false, 60);
    format!("{}:{line} `{text}`", source.name())
}

fn clients(count: usize) -> String {
    terminal::count(count, "client", "clients")
}

/// What has passed one way, such as `3 messages (12 B)`.
fn passed(count: Count) -> String {
    let messages = match count.messages {
        1 => "1 message".to_owned(),
        messages => format!("{messages} messages"),
    };
    format!("{messages} ({} B)", count.bytes)
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

impl Observer for Log {
    fn event(&self, event: &Event<'_>) {
        if !self.shows(event) {
            return;
        }
        if self.format == Format::Json {
            return self.write(json::line(event));
        }
        match event {
            Event::Connected {
                client,
                peer,
                target,
                subprotocol,
                extensions,
                clients: count,
            } => {
                let subprotocol = subprotocol.map(|name| format!(", subprotocol {}", shown(name)));
                // Every browser agrees on the same, so it is for who looks at messages.
                let extensions = extensions
                    .filter(|_| self.verbose)
                    .map(|agreed| format!(", {agreed}"));
                self.timed(&format!(
                    "{client} {} from {peer} to {}{}{} ({})",
                    styled(GOOD, "connected"),
                    shown_target(target),
                    subprotocol.unwrap_or_default(),
                    extensions.unwrap_or_default(),
                    clients(*count)
                ));
            }
            Event::Left {
                client,
                code,
                why,
                after,
                traffic,
                clients: count,
                ..
            } => {
                let style = if matches!(code, 1000 | 1001 | 1005) {
                    QUIET
                } else {
                    WARNING
                };
                let why = match *why {
                    "" => String::new(),
                    why => format!(": {}", shown(why)),
                };
                self.timed(&format!(
                    "{client} {} with {code}{why} after {:.3}s, {} in, {} out ({})",
                    styled(style, "left"),
                    after.as_secs_f64(),
                    passed(traffic.received),
                    passed(traffic.sent),
                    clients(*count)
                ));
            }
            Event::Expelled { client, why } => self.timed(&format!(
                "{client} {} with {}: {}",
                styled(WARNING, "has to leave"),
                why.code,
                shown(&why.reason)
            )),
            Event::Refused {
                peer,
                target,
                status,
                reason,
                why,
            } => {
                let with = if *status < 1000 { "HTTP" } else { "close" };
                let to = match *target {
                    "" => String::new(),
                    target => format!(" to {}", shown_target(target)),
                };
                self.timed(&format!(
                    "{} {peer}{} with {with} {status} ({reason}): {}",
                    styled(WARNING, "refused"),
                    to,
                    shown(why)
                ));
            }
            Event::KeptOut {
                peer,
                reason,
                why,
                times,
            } => {
                let others = match times {
                    0 | 1 => String::new(),
                    times => format!(" and {} before it", times - 1),
                };
                self.timed(&format!(
                    "{} {peer}{others} before the handshake ({reason}): {}",
                    styled(WARNING, "kept out"),
                    shown(why)
                ));
            }
            Event::NoKeys { why } => {
                self.timed(&format!(
                    "{}: {}",
                    styled(BAD, "no keys for tokens"),
                    shown(why)
                ));
            }
            Event::Http {
                peer,
                method,
                target,
                status,
            } => self.timed(&format!(
                "{peer} {} {}: HTTP {status}",
                shown(method),
                shown_target(target)
            )),
            Event::Received { client, what } => {
                if let Some(line) = came(what) {
                    self.timed(&format!("{client} {}", styled(RECEIVED, &line)));
                }
            }
            Event::Sent { to, what, how } => {
                let to = match to {
                    Recipient::One(client) => client.to_string(),
                    Recipient::All(count) => format!("all ({})", clients(*count)),
                    Recipient::Others(client, count) => {
                        format!("all but {client} ({})", clients(*count))
                    }
                    Recipient::Room(room, count) => {
                        format!("room {} ({})", shown(room), clients(*count))
                    }
                    Recipient::User(user, count) => {
                        format!("user {} ({})", shown(user), clients(*count))
                    }
                };
                let line = styled(SENT, &goes(what));
                self.timed(&format!("{to} {line}{}", manner(how)));
            }
            Event::JoinedRoom { client, room } => {
                self.timed(&format!("{client} joins room {}", shown(room)));
            }
            Event::LeftRoom { client, room } => {
                self.timed(&format!("{client} leaves room {}", shown(room)));
            }
            Event::Identified { client, user } => {
                self.timed(&format!("{client} is user {}", shown(user)));
            }
            Event::Kept { room, value } => {
                self.timed(&format!(
                    "room {} keeps {}",
                    shown(room),
                    styled(SENT, &goes(value))
                ));
            }
            Event::Unmatched {
                client,
                source,
                nearest,
            } => {
                self.timed(&unmatched(*client, source, *nearest));
            }
            Event::Problem {
                source,
                span,
                client,
                what,
            } => self.timed(&problem(*client, source, *span, what)),
            Event::TooSlow { client } => self.timed(&format!(
                "{client} {}: what waits for it is over the limit",
                styled(WARNING, "reads too slowly")
            )),
            Event::ConnectionFailed { peer, why } => {
                self.timed(&format!(
                    "{peer} {}: {}",
                    styled(WARNING, "failed"),
                    shown(why)
                ));
            }
            Event::Backplane { path, what } => self.backplane(path, what),
            Event::TracesLost { why } => {
                self.timed(&format!("{}: {}", styled(BAD, "no traces"), shown(why)));
            }
            Event::TracesTaken => {
                self.timed(&format!(
                    "{} go to the collector again",
                    styled(GOOD, "traces")
                ));
            }
            Event::AcceptFailed { why } => {
                self.timed(&format!("{}: {why}", styled(BAD, "cannot accept")));
            }
        }
    }
}

impl Log {
    /// What happens to what a talk shares with other nodes.
    fn backplane(&self, path: &str, what: &HubEvent) {
        let line = match what {
            HubEvent::Up => format!("{path} {} by the backplane", styled(GOOD, "reached")),
            HubEvent::Ready => format!("{path} knows what the other nodes know"),
            HubEvent::Down { why } => format!(
                "{path} {}: {}; what it publishes waits",
                styled(BAD, "without its backplane"),
                shown(why)
            ),
            HubEvent::Lost { count } => format!(
                "{path} {} on the way here, for all of its clients",
                styled(
                    BAD,
                    &format!(
                        "{} lost",
                        terminal::count(wide(*count), "message", "messages")
                    )
                )
            ),
            // What a later version of the hub may tell.
            other => format!("{path} backplane: {other:?}"),
        };
        self.timed(&line);
    }
}

fn wide(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A message that no line of a talk takes.
pub(in crate::command) fn unmatched(
    client: ClientId,
    source: &Source,
    nearest: Option<(Span, &Mismatch)>,
) -> String {
    let nearest = match nearest {
        Some((span, why)) => format!(
            "; nearest is {}: {}",
            place(source, span),
            shown(&describe_mismatch(why))
        ),
        None => String::new(),
    };
    format!(
        "{client} {}: no line of the talk takes this message{nearest}",
        styled(WARNING, "unmatched")
    )
}

/// A line of a talk that could not be played.
pub(in crate::command) fn problem(
    client: Option<ClientId>,
    source: &Source,
    span: Span,
    what: &str,
) -> String {
    let client = client
        .map(|client| format!("{client} "))
        .unwrap_or_default();
    format!(
        "{client}{}: {}: {}",
        styled(BAD, "problem"),
        place(source, span),
        shown(what)
    )
}

/// What is special about the way in which something is sent.
fn manner(how: &Delivery) -> String {
    let mut manner = String::new();
    for (what, bytes) in [("fragments of", how.fragment), ("writes of", how.chop)] {
        if let Some(bytes) = bytes {
            manner.push_str(&format!(", in {what} {bytes} B"));
        }
    }
    match how.compress {
        Some(true) => manner.push_str(", compressed"),
        Some(false) => manner.push_str(", not compressed"),
        None => {}
    }
    manner
}

/// What may quote a peer, so that it can neither end its line nor command the terminal.
fn shown(text: &str) -> String {
    show(text.as_bytes(), false, MOST_SHOWN)
}

/// What a client asked for, without the values of its query: they may be secrets.
fn shown_target(target: &str) -> String {
    shown(&without_query_values(target))
}

/// What came, as the talk writes it; `None` for an end, which has a line of its own.
fn came(what: &Incoming) -> Option<String> {
    Some(match what {
        Incoming::Text(text) => frame('>', "", text.as_bytes(), false),
        Incoming::Binary(bytes) => frame('>', "hex", bytes, true),
        Incoming::Ping(bytes) => frame('>', "ping", bytes, false),
        Incoming::Pong(bytes) => frame('>', "pong", bytes, false),
        Incoming::Close { code, reason } => format!(">close {code} {}", shown(reason))
            .trim_end()
            .to_owned(),
        Incoming::End { .. } => return None,
    })
}

fn goes(what: &Outgoing) -> String {
    match what {
        Outgoing::Text(text) => frame('<', "", text.as_bytes(), false),
        Outgoing::Binary(bytes) => frame('<', "hex", bytes, true),
        Outgoing::Ping(bytes) => frame('<', "ping", bytes, false),
        Outgoing::Pong(bytes) => frame('<', "pong", bytes, false),
        Outgoing::Frame { payload, .. } => frame('<', "frame", payload, true),
        Outgoing::Raw(bytes) => frame('<', "raw", bytes, true),
        Outgoing::Drop => "<drop".to_owned(),
        Outgoing::Stall(time) => format!("<stall {time:?}"),
        Outgoing::Close { code, reason } => {
            let code = code.map(|code| format!(" {code}")).unwrap_or_default();
            format!("<close{code} {}", shown(reason))
                .trim_end()
                .to_owned()
        }
    }
}

fn frame(arrow: char, kind: &str, payload: &[u8], binary: bool) -> String {
    let shown = show(payload, binary, MOST_SHOWN);
    format!("{arrow}{kind} {shown}  ({} B)", payload.len())
}
