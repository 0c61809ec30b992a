//! Dialogues with a player, at virtual time and as text: lines that begin with `*` are what happens, the lines behind
//! each are what the player wants done.
//!
//!     connect #1 ws://h
//!     * 1 opened
//!     #1 > hello
//!     * at 500ms
//!     * 1 text hello
//!     passed

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::pattern::Mismatch;
use crate::player::{
    Action, Change, ConnectionId, Delivery, ErrorKind, Failure, Fault, HandshakeAnswer,
    HandshakeResponse, Incoming, Manner, Outcome, Outgoing, Plan, Player, Request, Setup, Target,
    Time,
};
use crate::syntax::{duration, parse};
use crate::testing::StillWorld;
use crate::{Bindings, Client, Value};

pub(super) fn plan(talk: &str) -> Arc<Plan> {
    let talk = &unindented(talk);
    let mut parsed = parse("chat.talk", talk);
    let wrong = parsed.talk.link(&mut file);
    parsed.diagnostics.extend(wrong);
    let errors: Vec<_> = parsed
        .diagnostics
        .iter()
        .filter(|d| Diagnostic::is_error(d))
        .collect();
    assert!(errors.is_empty(), "{errors:?} in\n{talk}");
    Arc::new(Plan::new(&parsed.talk))
}

/// The files that talks of tests name.
fn file(path: &str) -> Result<Vec<u8>, String> {
    Ok(match path {
        "users.csv" => b"name,age\nann,30\nbob,40\n".to_vec(),
        "photo.bin" => b"a photo".to_vec(),
        _ if path.ends_with(".csv") => b"name\nann\n".to_vec(),
        _ if path.ends_with('l') || path.ends_with("json") => b"{\"name\":\"ann\"}".to_vec(),
        _ => b"0123456789".to_vec(),
    })
}

/// A talk as it stands in a test, without the blanks that all its lines begin with. Its first line is line 1.
fn unindented(talk: &str) -> String {
    let talk = talk.strip_prefix('\n').unwrap_or(talk);
    let indents = talk
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or_default();
    let lines = talk
        .lines()
        .map(|line| line.get(indent..).unwrap_or_default());
    lines.flat_map(|line| [line, "\n"]).collect()
}

pub(super) struct Stage {
    plan: Arc<Plan>,
    player: Player,
    now: Time,
    heard: Arc<Heard>,
}

/// What rooms have heard since the stage was set, whoever is on other nodes being in `lobby`.
#[derive(Default)]
pub(super) struct Heard {
    others: Vec<Value>,
    said: std::sync::Mutex<Vec<(String, Value)>>,
}

impl Heard {
    fn note(&self, action: &Action) {
        let Action::Send {
            to: Target::Room(room),
            frame: Outgoing::Text(text),
            delivery,
        } = action
        else {
            return;
        };
        if !delivery.unremembered {
            let mut said = self.said.lock().expect("nobody panics");
            said.push((room.clone(), Value::read(text)));
        }
    }
}

impl crate::Directory for Heard {
    fn others(&self, room: &str) -> Vec<Value> {
        match room {
            "lobby" => self.others.clone(),
            _ => Vec::new(),
        }
    }

    fn history(&self, room: &str, limit: usize, after: Option<u64>) -> crate::History {
        let said = self.said.lock().expect("nobody panics");
        let numbered = (1..).zip(said.iter());
        let of_room = numbered.filter(|(_, (own, _))| own == room);
        let mut messages: Vec<(u64, Value)> = of_room
            .map(|(offset, (_, value))| (offset, value.clone()))
            .filter(|(offset, _)| after.is_none_or(|after| *offset > after))
            .collect();
        match after {
            Some(_) => messages.truncate(limit),
            None => drop(messages.drain(..messages.len().saturating_sub(limit))),
        }
        crate::History {
            epoch: "e1".into(),
            offset: said.len() as u64,
            complete: true,
            messages,
        }
    }
}

pub(super) fn setup(variables: &[(&str, &str)]) -> Setup {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::read(value)));
    Setup {
        variables: variables.collect::<Bindings>(),
        ..Setup::new(Arc::new(StillWorld::default()))
    }
}

/// Plays the only test of a talk.
#[track_caller]
pub(super) fn test(talk: &str, script: &str) {
    Stage::test(talk, 0, &[]).plays(script);
}

/// Plays a talk as a mock, with the test that is served by default.
#[track_caller]
pub(super) fn mock(talk: &str, script: &str) {
    Stage::mock(talk, None).plays(script);
}

impl Stage {
    pub(super) fn test(talk: &str, index: usize, variables: &[(&str, &str)]) -> Self {
        let plan = plan(talk);
        let player = Player::test(Arc::clone(&plan), index, setup(variables));
        Self::new(plan, player)
    }

    pub(super) fn mock(talk: &str, title: Option<&str>) -> Self {
        let plan = plan(talk);
        let part = match title {
            Some(title) => Some(plan.test_named(title).expect("a test of that title")),
            None => plan.served_by_default(),
        };
        let player = Player::mock(Arc::clone(&plan), part, setup(&[]));
        Self::new(plan, player)
    }

    /// The only test of a talk, played in another manner.
    pub(super) fn test_in(talk: &str, manner: Manner) -> Self {
        let plan = plan(talk);
        let setup = Setup {
            manner,
            ..setup(&[])
        };
        let player = Player::test(Arc::clone(&plan), 0, setup);
        Self::new(plan, player)
    }

    /// A talk as a mock, played in another manner.
    pub(super) fn mock_in(talk: &str, manner: Manner) -> Self {
        let plan = plan(talk);
        let setup = Setup {
            manner,
            ..setup(&[])
        };
        let player = Player::mock(Arc::clone(&plan), plan.served_by_default(), setup);
        Self::new(plan, player)
    }

    /// A talk as a mock, with clients on other nodes.
    pub(super) fn mock_among(talk: &str, others: Vec<Value>) -> Self {
        let plan = plan(talk);
        let heard = Arc::new(Heard {
            others,
            ..Heard::default()
        });
        let setup = Setup {
            directory: Arc::clone(&heard) as _,
            ..setup(&[])
        };
        let player = Player::mock(Arc::clone(&plan), plan.served_by_default(), setup);
        Self {
            heard,
            ..Self::new(plan, player)
        }
    }

    pub(super) fn player(&mut self) -> &mut Player {
        &mut self.player
    }

    /// The talk is saved anew.
    pub(super) fn reload(&mut self, talk: &str) {
        self.plan = plan(talk);
        self.player.reload(self.now, Arc::clone(&self.plan));
    }

    fn new(plan: Arc<Plan>, player: Player) -> Self {
        Self {
            plan,
            player,
            now: Time::ZERO,
            heard: Arc::default(),
        }
    }

    /// Lets happen what a script says, and compares what the player wanted done with it.
    #[track_caller]
    pub(super) fn plays(mut self, script: &str) {
        self.goes_on(script);
    }

    /// The same, and more may come.
    #[track_caller]
    pub(super) fn goes_on(&mut self, script: &str) {
        let expected: Vec<&str> = script
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        let mut played = Vec::new();
        self.actions(&mut played);
        for line in &expected {
            if let Some(event) = line.strip_prefix("* ") {
                played.push((*line).to_owned());
                self.happens(event, &mut played);
                self.actions(&mut played);
            }
        }
        assert!(
            played == expected,
            "the talk was played so:\n\n{}\n\nand should be so:\n\n{}\n",
            played.join("\n"),
            expected.join("\n")
        );
    }

    pub(super) fn happens(&mut self, event: &str, played: &mut Vec<String>) {
        let (first, rest) = event.split_once(' ').unwrap_or((event, ""));
        match first {
            "at" => {
                self.now = duration(rest).unwrap_or_else(|| panic!("a time: {rest}"));
                self.player.tick(self.now);
            }
            // The caller comes late: the time has passed, but nobody said so.
            "late" => self.now = duration(rest).unwrap_or_else(|| panic!("a time: {rest}")),
            "connects" => self.connects(rest, played),
            "deadline" => played.push(match self.player.deadline() {
                Some(time) => format!("deadline {time:?}"),
                None => "no deadline".into(),
            }),
            "list" => {
                let clients = self.player.clients();
                played.extend(clients.map(|client| {
                    let name = client.name.map_or(String::new(), |name| format!(" {name}"));
                    let user = client
                        .user
                        .map_or(String::new(), |user| format!(" is {user}"));
                    let rooms = client.rooms.join(",");
                    format!("{}{name} at {}{user} in [{rooms}]", client.id, client.path)
                }));
            }
            "lost" => self.player.lost(self.now, rest.parse().expect("a number")),
            "clients" => played.push(format!("{} open", self.player.open_connections())),
            "GET" | "POST" => {
                let answer = self.player.plain_request(first, &request(rest));
                played.push(match answer {
                    Some(answer) => {
                        format!("{} {:?} {:?}", answer.status, answer.headers, answer.body)
                    }
                    None => "no answer".into(),
                });
            }
            id => {
                let id = ConnectionId(id.parse().unwrap_or_else(|_| panic!("an event: {event}")));
                self.happens_to(id, rest);
            }
        }
    }

    fn happens_to(&mut self, id: ConnectionId, event: &str) {
        let (what, rest) = event.split_once(' ').unwrap_or((event, ""));
        let bytes = || rest.as_bytes().to_vec();
        let incoming = match what {
            "opened" | "refused" => {
                let (status, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let (headers, body) = rest.split_once(" | ").unwrap_or((rest, ""));
                let response = HandshakeResponse {
                    status: status.parse().unwrap_or(101),
                    headers: headers_of(headers),
                    body: body.to_owned(),
                };
                match what {
                    "opened" => self.player.opened(self.now, id, &response),
                    _ => self.player.refused(self.now, id, &response),
                }
                return;
            }
            "failed" => {
                return self
                    .player
                    .failed(self.now, id, ErrorKind::Refused, rest.to_owned());
            }
            "fails" => {
                let (kind, why) = rest.split_once(' ').unwrap_or((rest, ""));
                let kind = match kind {
                    "dns" => ErrorKind::Dns,
                    "tls" => ErrorKind::Tls,
                    "timeout" => ErrorKind::Timeout,
                    _ => ErrorKind::Refused,
                };
                return self.player.failed(self.now, id, kind, why.to_owned());
            }
            "breaks" => {
                let code = rest.parse().expect("a code");
                Incoming::End {
                    kind: ErrorKind::Protocol(Some(code)),
                    why: "it broke the rules".into(),
                }
            }
            "gone" => return self.player.gone(self.now, id),
            "text" => Incoming::Text(rest.to_owned()),
            "hex" => Incoming::Binary(
                rest.split(' ')
                    .map(|pair| u8::from_str_radix(pair, 16).expect("two digits"))
                    .collect(),
            ),
            "ping" => Incoming::Ping(bytes()),
            "pong" => Incoming::Pong(bytes()),
            "close" => {
                let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
                Incoming::Close {
                    code: code.parse().expect("a code"),
                    reason: reason.to_owned(),
                }
            }
            "end" => Incoming::End {
                kind: ErrorKind::Reset,
                why: rest.to_owned(),
            },
            other => panic!("no event: {other}"),
        };
        self.player.received(self.now, id, incoming);
    }

    fn connects(&mut self, asked: &str, played: &mut Vec<String>) {
        match self.player.handshake(&request(asked)) {
            HandshakeAnswer::Accept {
                connection,
                subprotocol,
                headers,
                compression,
            } => {
                let mut line = format!("accepted {connection}");
                if let Some(subprotocol) = subprotocol {
                    line += &format!(" as {subprotocol}");
                }
                for (name, value) in headers {
                    line += &format!(" {name}: {value}");
                }
                match compression {
                    Some(true) => line += " compressed",
                    Some(false) => line += " uncompressed",
                    None => {}
                }
                played.push(line);
                self.player
                    .opened(self.now, connection, &HandshakeResponse::default());
            }
            HandshakeAnswer::RefuseByClose { code, reason } => {
                played.push(format!("refused by close {code} {reason}"));
            }
            HandshakeAnswer::Refuse(answer) => {
                played.push(format!(
                    "refused {} {:?} {:?}",
                    answer.status, answer.headers, answer.body
                ));
            }
        }
    }

    pub(super) fn actions(&mut self, played: &mut Vec<String>) {
        while let Some(action) = self.player.poll_action() {
            self.heard.note(&action);
            played.push(self.show(&action));
        }
    }

    fn show(&self, action: &Action) -> String {
        let sign = if self.player.is_mock() { '<' } else { '>' };
        match action {
            Action::Connect {
                connection,
                name,
                url,
                headers,
                subprotocols,
                compression,
            } => {
                let name = name
                    .as_ref()
                    .map(|name| format!("{name} "))
                    .unwrap_or_default();
                let mut line = format!("connect {connection} {name}{url}");
                for (name, value) in headers {
                    line += &format!(" {name}: {value}");
                }
                if !subprotocols.is_empty() {
                    line += &format!(" offering {}", subprotocols.join(","));
                }
                match compression {
                    Some(true) => line += " compressed",
                    Some(false) => line += " uncompressed",
                    None => {}
                }
                line
            }
            Action::Send {
                to,
                frame,
                delivery,
            } => {
                let to = match to {
                    Target::One(id) => id.to_string(),
                    Target::All => "all".into(),
                    Target::Others(id) => format!("all but {id}"),
                    Target::Room(room) => format!("room {room}"),
                    Target::User(user) => format!("user {user}"),
                };
                let mut line = format!("{to} {sign}{}", outgoing(frame));
                let how = Delivery {
                    unremembered: false,
                    ..*delivery
                };
                if !how.is_plain() {
                    line += &format!(" {how:?}");
                }
                if delivery.unremembered {
                    line += " (unremembered)";
                }
                line
            }
            Action::Join { connection, room } => format!("{connection} joins {room}"),
            Action::Leave { connection, room } => format!("{connection} leaves {room}"),
            Action::Identify { connection, user } => format!("{connection} is {user}"),
            Action::Keep { room, value } => format!("{room} keeps {}", outgoing(value)),
            Action::Matched { connection, span } => {
                format!("{connection} took line {}", self.line(span.start))
            }
            Action::TakesMore(id) => format!("{id} may send more"),
            Action::ReplyClose(id) => format!("{id} close is answered"),
            Action::Unmatched {
                connection,
                nearest,
            } => match nearest {
                Some((span, why)) => format!(
                    "{connection} unmatched, nearest is line {}: {}",
                    self.line(span.start),
                    mismatch(why)
                ),
                None => format!("{connection} unmatched"),
            },
            Action::Problem {
                span,
                connection,
                what,
            } => {
                let whose = connection.map(|id| format!("{id} ")).unwrap_or_default();
                format!("{whose}problem in line {}: {what}", self.line(span.start))
            }
            Action::Finished(Outcome::Passed {
                unconsumed,
                changes,
            }) => {
                let mut line = "passed".to_owned();
                if !unconsumed.is_empty() {
                    line += &format!(", unconsumed: {}", messages(unconsumed));
                }
                line + &self.changes(changes)
            }
            Action::Finished(Outcome::Failed(failure)) => self.failure(failure),
        }
    }

    fn failure(&self, failure: &Failure) -> String {
        let whose = failure
            .connection
            .map(|id| format!(" on {id}"))
            .unwrap_or_default();
        let fault = match &failure.fault {
            Fault::Mismatch {
                came,
                mismatch: why,
                ..
            } => {
                format!("came {}: {}", incoming(came), mismatch(why))
            }
            Fault::Nothing { waited } => format!("nothing came for {waited:?}"),
            Fault::NotSilent { came, after } => format!("{} after {after:?}", incoming(came)),
            Fault::NotConnected { why, .. } => format!("not connected: {why}"),
            Fault::Handshake {
                mismatch: why,
                status,
                body,
            } => format!("answered {status} {body:?}: {}", mismatch(why)),
            Fault::Impossible { why } => format!("impossible: {why}"),
            Fault::Unconsumed { messages: all } => format!("unconsumed: {}", messages(all)),
        };
        let mut line = format!(
            "failed in line {}{whose}: expected `{}`, {fault}",
            self.line(failure.span.start),
            failure.expected
        );
        if let Some(check) = failure.check {
            line += &format!(" (line {})", self.line(check.start));
        }
        if failure.passed_over > 0 {
            let last = failure.passed_over_last.iter().map(incoming);
            let last = last.collect::<Vec<_>>().join(", ");
            line += &format!(", passed over {}: {last}", failure.passed_over);
        }
        line + &self.changes(&failure.changes)
    }

    fn changes(&self, changes: &[Change]) -> String {
        let each = changes.iter().map(|change| {
            let line = self.line(change.span.start);
            format!(", line {line} is now {}", incoming(&change.came))
        });
        each.collect()
    }

    fn line(&self, offset: usize) -> usize {
        self.plan.source().position(offset).0
    }
}

/// `/path?a=b Name: value; Name: value | subprotocol, subprotocol`
fn request(text: &str) -> Request {
    let (text, subprotocols) = text.split_once(" | ").unwrap_or((text, ""));
    let (target, headers) = text.split_once(' ').unwrap_or((text, ""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let names = subprotocols.split(", ").filter(|name| !name.is_empty());
    Request {
        client: Client {
            ip: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            path: path.into(),
            query: query.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            headers: headers_of(headers),
            ..Client::default()
        },
        subprotocols: names.map(str::to_owned).collect(),
    }
}

fn headers_of(text: &str) -> Vec<(String, String)> {
    text.split("; ")
        .filter_map(|header| header.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn outgoing(frame: &Outgoing) -> String {
    match frame {
        Outgoing::Frame { header, payload } => {
            format!("frame {header:?} {}", String::from_utf8_lossy(payload))
        }
        Outgoing::Raw(bytes) => format!("raw {bytes:02x?}"),
        Outgoing::Drop => "drop".into(),
        Outgoing::Stall(time) => format!("stall {time:?}"),
        Outgoing::Text(text) => format!(" {text}"),
        Outgoing::Binary(bytes) => format!("hex {bytes:02x?}"),
        Outgoing::Ping(bytes) => format!("ping {}", String::from_utf8_lossy(bytes)),
        Outgoing::Pong(bytes) => format!("pong {}", String::from_utf8_lossy(bytes)),
        Outgoing::Close { code, reason } => {
            let code = code.map_or("without a code".into(), |code| code.to_string());
            format!("close {code} {reason}")
        }
    }
    .trim_end()
    .to_owned()
}

fn incoming(what: &Incoming) -> String {
    match what {
        Incoming::Text(text) => format!("text {text}"),
        Incoming::Binary(bytes) => format!("hex {bytes:02x?}"),
        Incoming::Ping(bytes) => format!("ping {}", String::from_utf8_lossy(bytes)),
        Incoming::Pong(bytes) => format!("pong {}", String::from_utf8_lossy(bytes)),
        Incoming::Close { code, reason } => format!("close {code} {reason}"),
        Incoming::End { why, .. } => format!("end {why}"),
    }
    .trim_end()
    .to_owned()
}

fn messages(all: &[(Option<String>, Incoming)]) -> String {
    let each = all.iter().map(|(name, what)| match name {
        Some(name) => format!("{name} {}", incoming(what)),
        None => incoming(what),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn mismatch(why: &Mismatch) -> String {
    match why {
        Mismatch::Kind { expected, came } => format!("{expected} was expected, not {came}"),
        Mismatch::Text(d) if d.path.is_empty() => format!("`{}` is not `{}`", d.came, d.expected),
        Mismatch::Text(d) => format!("{}: `{}` is not `{}`", d.path, d.came, d.expected),
        Mismatch::Json(all) => all
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        Mismatch::NotJson(reason) => format!("no JSON: {reason}"),
        Mismatch::Check { check, came } => format!("`{check}` does not hold of {came}"),
        Mismatch::Expression(why) => why.clone(),
    }
}
