//! What an endpoint is sent, and all that it must answer, as data: no endpoint is named here, so that the same cases
//! are played against the protocol core and, over TCP, against a client and a server.
//!
//! The endpoint under test echoes every message, and leaves pings and close frames to its automatic answers.

mod closing;
mod control;
pub(crate) mod deflate;
mod fragmentation;
mod framing;
mod large;
mod reserved;
mod utf8;
mod wire;

pub(crate) use wire::{Said, read_frame, write};

/// One behaviour.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The number of the case in the public conformance suite that tests the same; empty if there is none.
    pub(crate) suite: String,
    /// The section of RFC 6455 that asks for it.
    pub(crate) section: &'static str,
    /// The behaviour.
    pub(crate) name: String,
    /// What is sent, and what must have been answered before more is sent.
    pub(crate) turns: Vec<Turn>,
    /// How the bytes are cut when they are sent.
    pub(crate) cut: Cut,
}

/// What is sent in one go, and the answers that it must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    pub(crate) send: Vec<Piece>,
    pub(crate) answers: Vec<Said>,
}

/// Bytes to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// A frame: its first byte, and the payload before masking.
    Frame { first: u8, payload: Vec<u8> },
    /// A frame whose header announces `length` bytes, of which only the first come now.
    Begin {
        first: u8,
        length: u64,
        payload: Vec<u8>,
    },
    /// More of the payload of such a frame, behind `offset` bytes.
    More { offset: usize, payload: Vec<u8> },
}

/// How many bytes the endpoint gets at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// All of a turn.
    Whole,
    /// Frame by frame.
    Frames,
    /// So many bytes.
    Bytes(usize),
}

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;
pub(crate) const FIN: u8 = 0x80;

impl Case {
    fn new(suite: impl Into<String>, section: &'static str, name: impl Into<String>) -> Self {
        Self {
            suite: suite.into(),
            section,
            name: name.into(),
            turns: vec![Turn::default()],
            cut: Cut::Whole,
        }
    }

    fn cut(mut self, cut: Cut) -> Self {
        self.cut = cut;
        self
    }

    /// A frame with this first byte.
    fn frame(mut self, first: u8, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        self.turn().send.push(Piece::Frame { first, payload });
        self
    }

    /// The last frame of a message, or its only one.
    fn last(self, opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        self.frame(FIN | opcode, payload)
    }

    /// The header of a frame, and the first bytes of its payload.
    fn begin(mut self, first: u8, length: usize, payload: impl AsRef<[u8]>) -> Self {
        let (length, payload) = (length as u64, payload.as_ref().to_vec());
        self.turn().send.push(Piece::Begin {
            first,
            length,
            payload,
        });
        self
    }

    /// More of the payload that has begun.
    fn more(mut self, offset: usize, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        self.turn().send.push(Piece::More { offset, payload });
        self
    }

    /// A close frame with a code and a reason.
    fn close(self, code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
        self.last(CLOSE, payload)
    }

    fn answers(mut self, said: Said) -> Self {
        self.turn().answers.push(said);
        self
    }

    fn echoes_text(self, text: impl AsRef<[u8]>) -> Self {
        self.answers(Said::Text(text.as_ref().to_vec()))
    }

    fn echoes_binary(self, payload: impl AsRef<[u8]>) -> Self {
        self.answers(Said::Binary(payload.as_ref().to_vec()))
    }

    fn pongs(self, payload: impl AsRef<[u8]>) -> Self {
        self.answers(Said::Pong(payload.as_ref().to_vec()))
    }

    /// The endpoint sends a close frame, and nothing after it.
    fn closes(self, code: u16) -> Self {
        self.answers(Said::Close(Some(code)))
    }

    /// Nothing more is sent until all so far is answered as it was said.
    fn then(mut self) -> Self {
        self.turns.push(Turn::default());
        self
    }

    /// Ends with a close handshake, of which the answer is the last that comes.
    fn ends_well(self) -> Self {
        self.then().close(1000, "").closes(1000)
    }

    fn turn(&mut self) -> &mut Turn {
        self.turns.last_mut().expect("a case begins with a turn")
    }
}

/// The cases of one chapter of the suite and their like: `1` to `10`, but for the `8` that it does not have.
pub(crate) fn chapter(number: u32) -> Box<dyn Iterator<Item = Case>> {
    let cases = match number {
        1 => framing::cases(),
        2 => control::cases(),
        3 => reserved::bits(),
        4 => reserved::opcodes(),
        5 => fragmentation::cases(),
        6 => utf8::cases(),
        7 => closing::cases(),
        9 => return Box::new(large::cases()),
        10 => large::auto_fragmented(),
        _ => Vec::new(),
    };
    Box::new(cases.into_iter())
}
