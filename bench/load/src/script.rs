//! What is sent and what is to come back, made before anything is measured.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::Failure;

/// Different messages in a script, unless they are large.
const VARIETY: usize = 64;
/// What all messages of a script may take up together, about.
const BUDGET: usize = 4 << 20;
/// A masking key for every message, derived from these bits.
const MASKS: u32 = 0x9E37_79B9;

const OPCODE_TEXT: u8 = 0x1;
const OPCODE_BINARY: u8 = 0x2;
const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const MASKED: u8 = 0x80;
/// What a sender leaves off the end of a compressed message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// What the messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text messages, of letters only.
    Text,
    /// Binary messages.
    Binary,
    /// Bytes without frames, as many as a text message would have been.
    Raw,
    /// Compressed text messages of 1 KiB of JSON, about.
    Deflate,
}

/// A circle of messages that every connection goes around, each from a place of its own.
pub(crate) struct Script {
    kind: Kind,
    /// How many different messages there are.
    count: usize,
    /// Frames as a client sends them, one after another. The first are there again at the end, so that any batch is in
    /// one piece.
    wire: Vec<u8>,
    /// Where each of them begins, and where the last ends.
    starts: Vec<usize>,
    /// What comes back for each, one after another, and where each begins.
    replies: Vec<u8>,
    reply_starts: Vec<usize>,
    /// For `Deflate`: what replies inflate to.
    payloads: Vec<Vec<u8>>,
}

impl Script {
    /// Messages of `size` bytes, of which up to `batch` are sent at once. For `Deflate` the size is about 1 KiB.
    pub(crate) fn new(kind: Kind, size: usize, batch: usize) -> Result<Self, Failure> {
        let count = (BUDGET / size.max(1)).clamp(2, VARIETY);
        let mut script = Self {
            kind,
            count,
            wire: Vec::new(),
            starts: vec![0],
            replies: Vec::new(),
            reply_starts: vec![0],
            payloads: Vec::new(),
        };
        for at in 0..count + batch {
            let at = at % count;
            let payload = match kind {
                Kind::Text | Kind::Raw => letters(at, size),
                Kind::Binary => bytes(at, size),
                Kind::Deflate => json(at),
            };
            script.add(at, payload)?;
        }
        Ok(script)
    }

    /// How many different messages there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The bytes of `messages` messages from the one at `first` on, of which there may be up to a batch.
    pub(crate) fn wire(&self, first: usize, messages: usize) -> &[u8] {
        let first = first % self.count;
        &self.wire[self.starts[first]..self.starts[first + messages]]
    }

    /// The bytes of one message.
    pub(crate) fn length(&self, message: usize) -> usize {
        let at = message % self.count;
        self.starts[at + 1] - self.starts[at]
    }

    /// What comes back for one message, if that can be told to the byte.
    pub(crate) fn reply(&self, message: usize) -> &[u8] {
        let at = message % self.count;
        &self.replies[self.reply_starts[at]..self.reply_starts[at + 1]]
    }

    /// Whether replies can be told to the byte; not so if the server compresses as it likes.
    pub(crate) fn is_exact(&self) -> bool {
        self.kind != Kind::Deflate
    }

    /// Whether a reply's payload says what the message said.
    pub(crate) fn matches(&self, message: usize, compressed: bool, payload: &[u8]) -> bool {
        let expected = &self.payloads[message % self.count];
        if compressed {
            inflate(payload).is_some_and(|inflated| inflated == *expected)
        } else {
            payload == expected.as_slice()
        }
    }

    fn add(&mut self, at: usize, payload: Vec<u8>) -> Result<(), Failure> {
        let (first, sent) = match self.kind {
            Kind::Text | Kind::Raw => (FIN | OPCODE_TEXT, payload.clone()),
            Kind::Binary => (FIN | OPCODE_BINARY, payload.clone()),
            Kind::Deflate => (FIN | RSV1 | OPCODE_TEXT, deflate(&payload)?),
        };
        let start = self.wire.len();
        header(&mut self.wire, first, MASKED, sent.len());
        let mask = MASKS.rotate_left(at as u32).wrapping_add(at as u32);
        let mask = mask.to_be_bytes();
        self.wire.extend_from_slice(&mask);
        let masked = sent.iter().zip(mask.iter().cycle());
        self.wire.extend(masked.map(|(byte, mask)| byte ^ mask));
        self.starts.push(self.wire.len());
        match self.kind {
            Kind::Raw => self.replies.extend_from_slice(&self.wire[start..]),
            Kind::Text | Kind::Binary => {
                header(&mut self.replies, first, 0, payload.len());
                self.replies.extend_from_slice(&payload);
            }
            Kind::Deflate => self.payloads.push(payload),
        }
        self.reply_starts.push(self.replies.len());
        Ok(())
    }
}

/// A frame's header (RFC 6455 section 5.2), but for the masking key.
fn header(wire: &mut Vec<u8>, first: u8, masked: u8, length: usize) {
    wire.push(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => wire.push(masked | length),
        (_, Ok(length)) => {
            wire.push(masked | 126);
            wire.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            wire.push(masked | 127);
            wire.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

fn letters(seed: usize, size: usize) -> Vec<u8> {
    let letter = |at: usize| b'a' + ((at * 7 + at / 26 + seed) % 26) as u8;
    (0..size).map(letter).collect()
}

fn bytes(seed: usize, size: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed as u8;
    (0..size).map(byte).collect()
}

/// 1 KiB of an order book, about: the kind of text that is compressed in practice. No two are the same.
fn json(seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let mut random = move |below: u64| {
        // Knuth's MMIX generator: its upper bits are good enough for prices.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = format!(
        r#"{{"channel":"book","instrument":"{}-USD","sequence":{},"time":"2026-03-{:02}T{:02}:{:02}:{:02}.{:06}Z","levels":["#,
        ["BTC", "ETH", "SOL", "XRP", "ADA"][random(5) as usize],
        10_000_000 + random(89_999_999),
        1 + random(28),
        random(24),
        random(60),
        random(60),
        random(1_000_000),
    );
    while text.len() < 940 {
        let side = if random(2) == 0 { "bid" } else { "ask" };
        let level = format!(
            r#"{{"side":"{side}","price":{}.{:02},"size":{}.{:04},"orders":{}}},"#,
            60_000 + random(9_999),
            random(100),
            random(20),
            random(10_000),
            1 + random(30),
        );
        text.push_str(&level);
    }
    text.pop();
    text.push_str(r#"],"checksum":""#);
    while text.len() < 1022 {
        text.push(char::from(b"0123456789abcdef"[random(16) as usize]));
    }
    text.push_str("\"}");
    text.into_bytes()
}

/// Compresses a message by itself (RFC 7692 section 7.2.1).
fn deflate(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(payload.len() + 64);
    let mut encoder = Compress::new(Compression::default(), false);
    encoder.compress_vec(payload, &mut out, FlushCompress::Sync)?;
    if encoder.total_in() != payload.len() as u64 || !out.ends_with(&TAIL) {
        return Err("a message could not be compressed in one go".into());
    }
    out.truncate(out.len() - TAIL.len());
    Ok(out)
}

/// Inflates a message that was compressed by itself (RFC 7692 section 7.2.2).
fn inflate(payload: &[u8]) -> Option<Vec<u8>> {
    let mut compressed = payload.to_vec();
    compressed.extend_from_slice(&TAIL);
    let mut out = Vec::with_capacity(4096);
    let mut decoder = Decompress::new(false);
    let status = decoder
        .decompress_vec(&compressed, &mut out, FlushDecompress::Sync)
        .ok()?;
    (status != Status::BufError).then_some(out)
}
