//! Two endpoints and the wire between them.

use wiretalk_proto::frame::Header;
use wiretalk_proto::{
    CloseCode, Codecs, Compression, Config, Connection, Event, Lent, MessageKind, OpCode, Prepared,
    ProtocolError, Role, SendError, State,
};

/// What an endpoint heard, to be compared and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    Broken(ProtocolError),
}

impl From<Event<'_>> for Heard {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(payload) => Self::Binary(payload.to_owned()),
            Event::Ping(payload) => Self::Ping(payload.to_owned()),
            Event::Pong(payload) => Self::Pong(payload.to_owned()),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code.as_u16(), frame.reason.to_owned())))
            }
        }
    }
}

pub(crate) fn text(text: &str) -> Heard {
    Heard::Text(text.to_owned())
}

pub(crate) fn binary(payload: &[u8]) -> Heard {
    Heard::Binary(payload.to_owned())
}

pub(crate) fn ping(payload: &str) -> Heard {
    Heard::Ping(payload.into())
}

pub(crate) fn pong(payload: &str) -> Heard {
    Heard::Pong(payload.into())
}

pub(crate) fn close(code: u16, reason: &str) -> Heard {
    Heard::Close(Some((code, reason.to_owned())))
}

/// A connection with what it is to read, what it wrote, and what it heard since it was last asked.
pub(crate) struct Endpoint {
    pub(crate) connection: Connection,
    keys: Keys,
    pub(crate) codecs: Codecs,
    /// How messages are sent.
    pub(crate) compression: Compression,
    unread: Vec<u8>,
    pub(crate) outbox: Vec<u8>,
    heard: Vec<Heard>,
    /// Whether answers are written after each event, or only when all that came is read.
    pub(crate) eager: bool,
}

/// Keys that differ, and are the same in every run.
struct Keys(u32);

impl wiretalk_proto::MaskKeys for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        self.0.to_le_bytes()
    }
}

impl Endpoint {
    pub(crate) fn new(role: Role, config: Config) -> Self {
        Self {
            connection: Connection::new(role, config),
            keys: Keys(1),
            codecs: Codecs::new(),
            compression: Compression::Auto,
            unread: Vec::new(),
            outbox: Vec::new(),
            heard: Vec::new(),
            eager: true,
        }
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), SendError> {
        let mut lent = Lent {
            keys: &mut self.keys,
            codecs: &mut self.codecs,
        };
        self.connection
            .send_text(text, self.compression, &mut lent, &mut self.outbox)
    }

    pub(crate) fn binary(&mut self, payload: &[u8]) -> Result<(), SendError> {
        let mut lent = Lent {
            keys: &mut self.keys,
            codecs: &mut self.codecs,
        };
        self.connection
            .send_binary(payload, self.compression, &mut lent, &mut self.outbox)
    }

    pub(crate) fn prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        let mut lent = Lent {
            keys: &mut self.keys,
            codecs: &mut self.codecs,
        };
        self.connection
            .send_prepared(message, self.compression, &mut lent, &mut self.outbox)
    }

    pub(crate) fn fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let mut lent = Lent {
            keys: &mut self.keys,
            codecs: &mut self.codecs,
        };
        self.connection.send_fragment(
            kind,
            payload,
            fin,
            self.compression,
            &mut lent,
            &mut self.outbox,
        )
    }

    pub(crate) fn ping(&mut self, payload: &str) -> Result<(), SendError> {
        self.connection
            .send_ping(payload.as_bytes(), &mut self.keys, &mut self.outbox)
    }

    pub(crate) fn pong(&mut self, payload: &str) -> Result<(), SendError> {
        self.connection
            .send_pong(payload.as_bytes(), &mut self.keys, &mut self.outbox)
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) -> Result<(), SendError> {
        self.connection.send_close(
            Some(CloseCode::new(code)),
            reason,
            &mut self.keys,
            &mut self.outbox,
        )
    }

    pub(crate) fn close_without_code(&mut self) -> Result<(), SendError> {
        self.connection
            .send_close(None, "", &mut self.keys, &mut self.outbox)
    }

    pub(crate) fn state(&self) -> State {
        self.connection.state()
    }

    /// Writes the answers that are due.
    pub(crate) fn reply(&mut self) -> bool {
        self.connection.poll_reply(&mut self.keys, &mut self.outbox)
    }

    /// Reads bytes behind those that are still unread.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        loop {
            match self
                .connection
                .handle_input(&mut self.unread, &mut self.codecs)
            {
                Ok(step) => {
                    let is_done = step.event.is_none();
                    self.heard.extend(step.event.map(Heard::from));
                    let consumed = step.consumed;
                    self.unread.drain(..consumed);
                    if is_done {
                        break;
                    }
                    if self.eager {
                        self.reply();
                    }
                }
                Err(error) => {
                    self.unread.clear();
                    self.heard.push(Heard::Broken(error));
                    break;
                }
            }
        }
        assert!(
            self.unread.len() < 14 + 125,
            "{} bytes are left unread",
            self.unread.len()
        );
        self.reply();
    }

    /// What was heard since this was asked last.
    pub(crate) fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }
}

/// A client and a server, and the wire between them.
pub(crate) struct Pair {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    /// How many bytes the wire carries at once.
    pub(crate) packet: usize,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), Config::default())
    }

    pub(crate) fn with(client: Config, server: Config) -> Self {
        Self {
            client: Endpoint::new(Role::Client, client),
            server: Endpoint::new(Role::Server, server),
            packet: usize::MAX,
        }
    }

    /// Carries what was written to the other side, answers too, until the wire is silent.
    pub(crate) fn deliver(&mut self) {
        while !(self.client.outbox.is_empty() && self.server.outbox.is_empty()) {
            carry(&mut self.client, &mut self.server, self.packet);
            carry(&mut self.server, &mut self.client, self.packet);
        }
    }

    /// Carries, then says what the client heard and what the server heard.
    pub(crate) fn heard(&mut self) -> (Vec<Heard>, Vec<Heard>) {
        self.deliver();
        (self.client.heard(), self.server.heard())
    }

    pub(crate) fn states(&self) -> (State, State) {
        (self.client.state(), self.server.state())
    }
}

fn carry(from: &mut Endpoint, to: &mut Endpoint, packet: usize) {
    let bytes = std::mem::take(&mut from.outbox);
    for packet in bytes.chunks(packet) {
        to.read(packet);
    }
}

/// A frame as the peer of `role` would send it, with whatever first byte.
pub(crate) fn frame_to(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = match role {
        Role::Client => None,
        Role::Server => Some([0x11, 0x22, 0x33, 0x44]),
    };
    let mut wire = Vec::new();
    Header {
        fin: true,
        rsv: 0,
        opcode: OpCode::Binary,
        mask,
        length: payload.len() as u64,
    }
    .encode(&mut wire);
    wire[0] = first;
    let start = wire.len();
    wire.extend_from_slice(payload);
    if let Some(key) = mask {
        wiretalk_proto::mask::apply(&mut wire[start..], key, 0);
    }
    wire
}
