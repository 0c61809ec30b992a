//! A connection under test: an echo at either end, without a network.

use wiretalk_proto::{Agreed, Codecs, Compression, Config, Connection, Event, Lent, Role, State};

use crate::cases::{Case, Cut, Said, read_frame, write};

/// An echo on a connection, and what it wrote.
pub(crate) struct Subject {
    connection: Connection,
    codecs: Codecs,
    unread: Vec<u8>,
    pub(crate) written: Vec<u8>,
}

/// A message that is to be echoed.
enum Echo {
    Text(String),
    Binary(Vec<u8>),
}

impl Subject {
    pub(crate) fn new(role: Role, deflate: Option<Agreed>) -> Self {
        let config = Config {
            deflate,
            ..Config::default()
        };
        Self {
            connection: Connection::new(role, config),
            codecs: Codecs::new(),
            unread: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Takes bytes, echoes the messages in them, and answers what is due after each event.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let keys = &mut || [0x12, 0x34, 0x56, 0x78];
        let mut consumed = 0;
        loop {
            let echo = match self
                .connection
                .handle_input(&mut self.unread[consumed..], &mut self.codecs)
            {
                Ok(step) => {
                    consumed += step.consumed;
                    match step.event {
                        Some(Event::Text(text)) => Some(Echo::Text(text.to_owned())),
                        Some(Event::Binary(payload)) => Some(Echo::Binary(payload.to_owned())),
                        Some(Event::Ping(_) | Event::Pong(_) | Event::Close(_)) => None,
                        None => break,
                    }
                }
                Err(_) => {
                    consumed = self.unread.len();
                    break;
                }
            };
            let out = &mut self.written;
            let lent = &mut Lent {
                keys,
                codecs: &mut self.codecs,
            };
            let auto = Compression::Auto;
            let sent = match echo {
                Some(Echo::Text(text)) => self.connection.send_text(&text, auto, lent, out),
                Some(Echo::Binary(payload)) => {
                    self.connection.send_binary(&payload, auto, lent, out)
                }
                None => Ok(()),
            };
            sent.expect("a message that comes may be echoed");
            self.connection.poll_reply(keys, out);
        }
        self.connection.poll_reply(keys, &mut self.written);
        self.unread.drain(..consumed);
    }
}

/// Plays a case against a connection of that role, with the bytes cut in that way.
///
/// # Panics
/// If it answers anything else than it must.
pub(crate) fn play(case: &Case, role: Role, cut: Cut) {
    let mut subject = Subject::new(role, None);
    let mut asked = Vec::new();
    let what = format!(
        "suite {:?}, RFC 6455 {}: {} ({role:?}, {cut:?})",
        case.suite, case.section, case.name
    );
    for turn in &case.turns {
        asked.clear();
        for piece in &turn.send {
            write(piece, role == Role::Server, &mut asked);
            if cut == Cut::Frames {
                subject.read(&asked);
                asked.clear();
            }
        }
        let chunk = match cut {
            Cut::Whole | Cut::Frames => asked.len(),
            Cut::Bytes(count) => count,
        };
        for chunk in asked.chunks(chunk.max(1)) {
            subject.read(chunk);
        }
        let mut said = Vec::new();
        while let Some(answer) = read_frame(&mut subject.written, role == Role::Server) {
            said.push(answer);
        }
        assert_eq!(said, turn.answers, "{what}");
        assert_eq!(subject.written, b"", "{what}: half a frame was answered");
    }
    let closes = case.turns.last().and_then(|turn| turn.answers.last());
    assert!(matches!(closes, Some(Said::Close(_))), "{what}: no end");
    assert_eq!(subject.connection.state(), State::Closed, "{what}");
    // What is behind the end changes nothing.
    subject.read(&[0xff; 20]);
    assert_eq!(subject.written, b"", "{what}: an answer behind the end");
}
