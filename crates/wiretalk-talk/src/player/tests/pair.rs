//! A talk as a test against the same talk as a mock, at virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::stage::{plan, setup};
use crate::Client;
use crate::player::{
    Action, ConnectionId, ErrorKind, HandshakeAnswer, HandshakeResponse, Incoming, Manner, Outcome,
    Outgoing, Player, Request, Setup, Target, Time,
};

/// Both players, and what is between them. Connections are called as the mock calls them.
struct Pair {
    test: Player,
    mock: Player,
    now: Time,
    /// What the test calls them.
    of_test: BTreeMap<ConnectionId, ConnectionId>,
    open: BTreeSet<ConnectionId>,
    /// Who has sent a close frame: the client, the server.
    closing: BTreeMap<ConnectionId, (bool, bool)>,
    rooms: BTreeMap<String, BTreeSet<ConnectionId>>,
    users: BTreeMap<ConnectionId, String>,
    kept: BTreeMap<String, Outgoing>,
    problems: Vec<String>,
}

/// Plays a talk in both roles at once; how the test ends, and what the mock has to say.
fn play(talk: &str, manner: Manner) -> (Outcome, Vec<String>) {
    let plan = plan(talk);
    let setup = || Setup {
        manner,
        ..setup(&[])
    };
    let index = plan.tests().next().expect("a test").index;
    let mut pair = Pair {
        test: Player::test(Arc::clone(&plan), index, setup()),
        mock: Player::mock(plan, Some(index), setup()),
        now: Time::ZERO,
        of_test: BTreeMap::new(),
        open: BTreeSet::new(),
        closing: BTreeMap::new(),
        rooms: BTreeMap::new(),
        users: BTreeMap::new(),
        kept: BTreeMap::new(),
        problems: Vec::new(),
    };
    for _ in 0..10_000 {
        if let Some(outcome) = pair.advance() {
            return (outcome, pair.problems);
        }
        let next = [pair.test.deadline(), pair.mock.deadline()];
        let next = next.into_iter().flatten().min();
        pair.now = next.expect("somebody waits for the time");
        let now = pair.now;
        pair.mock.tick(now);
        pair.test.tick(now);
    }
    panic!("it does not end");
}

impl Pair {
    /// All that happens at this moment.
    fn advance(&mut self) -> Option<Outcome> {
        loop {
            let mut idle = true;
            let mut actions = VecDeque::new();
            while let Some(action) = self.mock.poll_action() {
                actions.push_back(action);
            }
            for action in actions {
                idle = false;
                self.of_mock(action);
            }
            // One at a time: what the mock says to it comes before the next.
            if let Some(action) = self.test.poll_action() {
                idle = false;
                if let Action::Finished(outcome) = action {
                    return Some(outcome);
                }
                self.of_test(action);
            }
            if idle {
                return None;
            }
        }
    }

    fn of_test(&mut self, action: Action) {
        match action {
            Action::Connect {
                connection, url, ..
            } => {
                let target = url.split_once("://").map_or(&*url, |(_, rest)| rest);
                let target = target.find('/').map_or("/", |at| &target[at..]);
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                // A client encodes what an address may not have, and a server decodes the query.
                let path = path.replace('ä', "%C3%A4");
                let query = form_urlencoded::parse(query.as_bytes());
                let request = Request {
                    client: Client {
                        path: path.into(),
                        query: query.into_owned().collect(),
                        ..Client::default()
                    },
                    subprotocols: Vec::new(),
                };
                let now = self.now;
                match self.mock.handshake(&request) {
                    HandshakeAnswer::Accept {
                        connection: theirs,
                        headers,
                        ..
                    } => {
                        self.of_test.insert(theirs, connection);
                        self.open.insert(theirs);
                        let response = HandshakeResponse {
                            status: 101,
                            headers,
                            body: String::new(),
                        };
                        self.mock.opened(now, theirs, &response);
                        self.test.opened(now, connection, &response);
                    }
                    HandshakeAnswer::Refuse(answer) => {
                        let response = HandshakeResponse {
                            status: answer.status,
                            headers: answer.headers,
                            body: answer.body,
                        };
                        self.test.refused(now, connection, &response);
                    }
                    HandshakeAnswer::RefuseByClose { .. } => panic!("nobody asked for that"),
                }
            }
            Action::Send {
                to: Target::One(id),
                frame,
                ..
            } => self.carry(self.of_mock_side(id), frame, true),
            Action::ReplyClose(id) => self.carry(self.of_mock_side(id), reply(), true),
            other => panic!("not of a test: {other:?}"),
        }
    }

    fn of_mock(&mut self, action: Action) {
        match action {
            Action::Send { to, frame, .. } => {
                let open = self.open.iter().copied();
                let to: Vec<ConnectionId> = match to {
                    Target::One(id) => vec![id],
                    Target::All => open.collect(),
                    Target::Others(but) => open.filter(|id| *id != but).collect(),
                    Target::Room(room) => {
                        let members = self.rooms.get(&room).into_iter().flatten();
                        members.copied().collect()
                    }
                    Target::User(user) => {
                        let users = self.users.iter().filter(|(_, own)| **own == user);
                        users.map(|(id, _)| *id).collect()
                    }
                };
                for id in to {
                    self.carry(id, frame.clone(), false);
                }
            }
            Action::ReplyClose(id) => self.carry(id, reply(), false),
            Action::Join { connection, room } => {
                let kept = self.kept.get(&room).cloned();
                self.rooms.entry(room).or_default().insert(connection);
                if let Some(kept) = kept {
                    self.carry(connection, kept, false);
                }
            }
            Action::Leave { connection, room } => {
                self.rooms.entry(room).or_default().remove(&connection);
            }
            Action::Identify { connection, user } => {
                self.users.insert(connection, user);
            }
            Action::Keep { room, value } => {
                self.kept.insert(room, value);
            }
            Action::Unmatched {
                connection,
                nearest,
            } => {
                let why = nearest.map(|(_, why)| why);
                self.problems
                    .push(format!("{connection} unmatched {why:?}"));
            }
            Action::Problem { what, .. } => self.problems.push(what),
            // What is handed over is never held back here.
            Action::TakesMore(_) | Action::Matched { .. } => {}
            Action::Connect { .. } | Action::Finished(_) => panic!("not of a mock"),
        }
    }

    /// What the mock calls a connection of the test.
    fn of_mock_side(&self, id: ConnectionId) -> ConnectionId {
        let known = self.of_test.iter().find(|(_, own)| **own == id);
        *known.expect("a connection").0
    }

    /// Carries a frame over a connection.
    fn carry(&mut self, id: ConnectionId, frame: Outgoing, from_client: bool) {
        if !self.open.contains(&id) {
            return;
        }
        let now = self.now;
        let ended = matches!(frame, Outgoing::Drop);
        let what = match frame {
            Outgoing::Text(text) => Incoming::Text(text),
            Outgoing::Binary(bytes) => Incoming::Binary(bytes),
            Outgoing::Ping(bytes) => Incoming::Ping(bytes),
            Outgoing::Pong(bytes) => Incoming::Pong(bytes),
            Outgoing::Close { code, reason } => {
                let closing = self.closing.entry(id).or_default();
                match from_client {
                    true => closing.0 = true,
                    false => closing.1 = true,
                }
                let code = code.unwrap_or(1005);
                Incoming::Close { code, reason }
            }
            Outgoing::Drop => Incoming::End {
                kind: ErrorKind::Reset,
                why: "it was reset".into(),
            },
            Outgoing::Frame { .. } | Outgoing::Raw(_) | Outgoing::Stall(_) => return,
        };
        match from_client {
            true => self.mock.received(now, id, what),
            false => self.test.received(now, self.of_test[&id], what),
        }
        if ended || self.closing.get(&id) == Some(&(true, true)) {
            self.open.remove(&id);
            self.users.remove(&id);
            self.mock.gone(now, id);
            self.test.gone(now, self.of_test[&id]);
        }
    }
}

fn reply() -> Outgoing {
    Outgoing::Close {
        code: None,
        reason: String::new(),
    }
}

#[test]
fn a_talk_passes_against_its_own_mock() {
    let talks = [
        r#"
        connect ws://h/ws
        HTTP 101
          X-Id: {{id:int=7}}
        > Hello {{name:word}}
        < Hello back {{name}} {{id}}
          ? latency < 50ms
        > {"op":"sub","list":[1,{{n1:number}}]}
          op = $.op
        < {"done":"{{op}}","n":{{n1}}, ...}
          ? $.n exists
        >bin \x00\xff
        <echo
        >ping a
        <pong a
        <ping b
        >pong b
        <(after 1s, within 10ms) late
        wait 100ms
        > more
        silence 200ms
        >close 4000 bye {{name}}
        <close
        "#,
        r#"
        connect ws://h/
        repeat 3
          > {{n}} {{what:word}}
          unordered
            < a {{what}}
            < b {{n}}
            <(x2) c
          unordered
            > x
            > y {{z:int}}
          < z {{z}}
        >(x3) again
        <(x2..5) tick
        > end
        <(x2..5, within 1s) tack
        > done
        < done
        "#,
        r#"
        connect ws://h/
        <(optional) hello
        >(optional) hello
        < a
        <(skip) b
        >(skip) c
        <text {{literal}}
        <esc \n\t\u{e9}
        <file photo.bin
        >file(bytes 2..3) photo.bin
        < tick 1
        ignore < tick {{_}}
        every 10ms
          all < tick {{n}}
        wait 100ms
        > go
        < end
        "#,
        r#"
        each users.csv
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        connect carl ws://h/?user=carl
        alice join lobby
        bob join lobby
        carl identify {{name}}
        alice > {{age}}
        all < {{age}}
        bob > psst
        others < psst
        carl > room
        room lobby < room
        user {{name}} < user
        repeat 2
          alice > say {{n}}
          bob < {{n}}
          bob > said {{n}}
          alice < said {{n}}
        alice silence 100ms
        carl >close 1000
        carl <close 1000
        bob <close 4001 go
        bob >close 4001
        connect carl ws://h/?user=carl
        carl < again
        "#,
        r#"
        connect ws://h/a
        HTTP 401
          WWW-Authenticate: Basic
          | no
        connect ws://h/b
        > a
        <drop
        connect ws://h/c
        > b
        >drop
        connect ws://h/d
        < c
        "#,
        r#"
        connect fans x3 ws://h/
        fans > {{id:uuid}}
        fans < got {{id}}
        fans > bye
        fans < bye
        "#,
        r#"
        connect ws://h/a%20b/ä?q=a%20b&r=%C3%A4&s=1+2
        > a
        < b
        "#,
        r#"
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        alice > hi {{id:uuid}}
        bob < hi {{id}}
        bob < you are {{nick:word}}
        alice < bob is {{nick}}
        alice > bye {{nick}}
          last = text
        all < {{last}}
        bob > {{id}}
        "#,
        r#"
        on > beat
          < beaten
        on < beaten
          > thanks
        on > thanks
        every 100ms
          > beat
        connect ws://h/
        wait 350ms
        > a
        < b
        "#,
    ];
    for talk in talks {
        for manner in [
            Manner::default(),
            Manner {
                paced: true,
                strict: true,
                ..Manner::default()
            },
        ] {
            let (outcome, problems) = play(talk, manner);
            let passed =
                matches!(&outcome, Outcome::Passed { unconsumed, .. } if unconsumed.is_empty());
            assert!(
                passed && problems.is_empty(),
                "{outcome:#?} {problems:#?} of {talk}"
            );
        }
    }
}
