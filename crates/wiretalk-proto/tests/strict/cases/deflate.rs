//! permessage-deflate (RFC 7692): suite 12 and 13. A peer with a compressor of its own sends payloads of several kinds
//! and lengths, in fragments or whole, under all that can be agreed, and wants each of them back.
//!
//! The suite sends a thousand messages a case; here there are fewer, for the sake of time.

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

use super::{BINARY, CONTINUATION, FIN, Piece, TEXT, wire::take_frame};

/// Messages of one kind, under what the suite offers or accepts.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The number of the case in the suite.
    pub(crate) suite: String,
    pub(crate) name: String,
    pub(crate) agreement: Agreement,
    data: Data,
    length: usize,
    /// Bytes of each fragment on the wire; 0 for whole messages.
    fragment: usize,
}

/// What is wanted of the endpoint's compression: for its offer or its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    /// Offers that the peer makes as a client, in its order: that the server takes no context over, and with which
    /// window.
    offers: &'static [(bool, u8)],
    /// What the peer demands of the client as a server: that it takes no context over, and with which window, if the
    /// client can.
    demands: (bool, u8),
}

const ANY_WINDOW: u8 = 0;

/// What suite 12 agrees on, too.
const AGREEMENTS: [Agreement; 7] = [
    agreement(&[(false, ANY_WINDOW)]),
    agreement(&[(true, ANY_WINDOW)]),
    agreement(&[(false, 9)]),
    agreement(&[(false, 15)]),
    agreement(&[(true, 9)]),
    agreement(&[(true, 15)]),
    agreement(&[(true, 9), (true, ANY_WINDOW), (false, ANY_WINDOW)]),
];

const fn agreement(offers: &'static [(bool, u8)]) -> Agreement {
    Agreement {
        offers,
        demands: offers[0],
    }
}

/// The length of a message, and of its fragments.
const LENGTHS: [(usize, usize); 18] = [
    (16, 0),
    (64, 0),
    (256, 0),
    (1024, 0),
    (4096, 0),
    (8192, 0),
    (16_384, 0),
    (32_768, 0),
    (65_536, 0),
    (131_072, 0),
    (8192, 256),
    (16_384, 256),
    (32_768, 256),
    (65_536, 256),
    (131_072, 256),
    (131_072, 1024),
    (131_072, 4096),
    (131_072, 32_768),
];

/// Suite 12: five kinds of payload, under what nobody asked to be otherwise.
pub(crate) fn kinds() -> Vec<Exchange> {
    let kinds = [
        (Data::Json, "JSON"),
        (Data::Bitmap, "a bitmap"),
        (Data::Prose, "prose"),
        (Data::Html, "HTML"),
        (Data::Document, "a document that is compressed already"),
    ];
    (1..)
        .zip(kinds)
        .flat_map(|(chapter, (data, kind))| of_all_lengths(12, chapter, data, kind, AGREEMENTS[0]))
        .collect()
}

/// Suite 13: seven agreements, for JSON.
pub(crate) fn agreements() -> Vec<Exchange> {
    (1..)
        .zip(AGREEMENTS)
        .flat_map(|(chapter, agreement)| {
            let kind = format!("JSON under {:?}", agreement.offers);
            of_all_lengths(13, chapter, Data::Json, &kind, agreement)
        })
        .collect()
}

fn of_all_lengths(
    suite: u32,
    chapter: u32,
    data: Data,
    kind: &str,
    agreement: Agreement,
) -> Vec<Exchange> {
    let exchange = |(number, (length, fragment)): (u32, (usize, usize))| Exchange {
        suite: format!("{suite}.{chapter}.{number}"),
        name: match fragment {
            0 => format!("{kind} in messages of {length} is echoed"),
            _ => format!("{kind} in messages of {length} and fragments of {fragment} is echoed"),
        },
        agreement,
        data,
        length,
        fragment,
    };
    (1..).zip(LENGTHS).map(exchange).collect()
}

impl Agreement {
    /// What the peer offers as a client.
    pub(crate) fn offer(&self) -> String {
        let mut offers = Vec::new();
        for (no_context_takeover, window) in self.offers {
            let mut offer =
                "permessage-deflate; client_no_context_takeover; client_max_window_bits".to_owned();
            if *no_context_takeover {
                offer += "; server_no_context_takeover";
            }
            if *window != ANY_WINDOW {
                offer += &format!("; server_max_window_bits={window}");
            }
            offers.push(offer);
        }
        offers.join(", ")
    }

    /// What the peer answers as a server to the first of a client's offers.
    pub(crate) fn answer(&self, offer: &str) -> String {
        let first = offer.split(',').next().unwrap_or_default();
        let mut answer = "permessage-deflate".to_owned();
        for parameter in first.split(';').map(str::trim) {
            if parameter.starts_with("server_") {
                answer += &format!("; {parameter}");
            }
        }
        let (no_context_takeover, window) = self.demands;
        if no_context_takeover {
            answer += "; client_no_context_takeover";
        }
        if window != ANY_WINDOW && first.contains("client_max_window_bits") {
            answer += &format!("; client_max_window_bits={window}");
        }
        answer
    }
}

impl Exchange {
    /// Whether the messages are text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.data, Data::Json | Data::Html)
    }

    /// The payloads: one behind the other in the data, as if it were endless.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        let count = (100_000 / self.length).clamp(2, 20);
        if self.is_text() {
            let text = String::from_utf8(self.data.bytes()).expect("it is text");
            let mut characters = text.chars().cycle();
            let mut message = || -> String { characters.by_ref().take(self.length).collect() };
            (0..count).map(|_| message().into_bytes()).collect()
        } else {
            let mut bytes = self.data.bytes().into_iter().cycle();
            (0..count)
                .map(|_| bytes.by_ref().take(self.length).collect())
                .collect()
        }
    }
}

/// The peer's end: a compressor and a decompressor with just the windows that were agreed on.
pub(crate) struct Peer {
    /// The endpoint under test is the server.
    of_server: bool,
    deflate: Deflate,
    resets: bool,
    inflate: Inflate,
    answer_resets: bool,
    answer_window: u8,
    /// Answers that came compressed.
    pub(crate) compressed: usize,
}

impl Peer {
    /// A peer of the server, if `of_server`, else of the client, by the element of `Sec-WebSocket-Extensions` in the
    /// server's answer.
    pub(crate) fn new(of_server: bool, answer: &str) -> Self {
        let has = |name: &str| answer.split(';').any(|parameter| parameter.trim() == name);
        let window = |name: &str| {
            let values = answer
                .split(';')
                .filter_map(|parameter| parameter.split_once('='));
            let mut values = values.filter(|(other, _)| other.trim() == name);
            values
                .next()
                .map_or(15, |(_, value)| value.trim().parse().expect("a number"))
        };
        let (ours, theirs) = if of_server {
            ("client", "server")
        } else {
            ("server", "client")
        };
        let answer_window = window(&format!("{theirs}_max_window_bits"));
        Self {
            of_server,
            deflate: Deflate::new(6, false, window(&format!("{ours}_max_window_bits"))),
            resets: has(&format!("{ours}_no_context_takeover")),
            inflate: Inflate::new(false, answer_window),
            answer_resets: has(&format!("{theirs}_no_context_takeover")),
            answer_window,
            compressed: 0,
        }
    }

    /// A message, compressed, in the frames of the exchange.
    pub(crate) fn frames(&mut self, exchange: &Exchange, payload: &[u8]) -> Vec<Piece> {
        if self.resets {
            self.deflate.reset();
        }
        let mut data = vec![0; payload.len() + payload.len() / 8 + 100];
        let before = self.deflate.total_out();
        self.deflate
            .compress(payload, &mut data, DeflateFlush::SyncFlush)
            .expect("it compresses");
        data.truncate((self.deflate.total_out() - before) as usize);
        assert!(data.ends_with(&[0, 0, 0xff, 0xff]), "it was not flushed");
        data.truncate(data.len() - 4);

        let opcode = if exchange.is_text() { TEXT } else { BINARY };
        let length = if exchange.fragment == 0 {
            data.len()
        } else {
            exchange.fragment
        };
        let mut pieces = Vec::new();
        for (index, fragment) in data.chunks(length).enumerate() {
            let last = (index + 1) * length >= data.len();
            let kind = if index == 0 {
                0x40 | opcode
            } else {
                CONTINUATION
            };
            pieces.push(Piece::Frame {
                first: if last { FIN | kind } else { kind },
                payload: fragment.to_vec(),
            });
        }
        pieces
    }

    /// The next answer in `bytes`, which must be a whole message of the same kind: its payload.
    ///
    /// # Panics
    /// If it is anything else, or was compressed with a larger window or an older context than was agreed on.
    pub(crate) fn read(&mut self, exchange: &Exchange, bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
        let (first, data) = take_frame(bytes, self.of_server)?;
        let opcode = if exchange.is_text() { TEXT } else { BINARY };
        if first == FIN | opcode {
            return Some(data);
        }
        assert_eq!(first, FIN | 0x40 | opcode, "a whole message, with RSV1");
        self.compressed += 1;
        if self.answer_resets {
            self.inflate = Inflate::new(false, self.answer_window);
        }
        let data = [&data[..], &[0, 0, 0xff, 0xff]].concat();
        // What a character takes, and a byte more, so that too much would show.
        let mut payload = vec![0; exchange.length * 4 + 1];
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        self.inflate
            .decompress(&data, &mut payload, InflateFlush::SyncFlush)
            .expect("it inflates with the window that was agreed on");
        assert_eq!(self.inflate.total_in() - read, data.len() as u64);
        payload.truncate((self.inflate.total_out() - written) as usize);
        Some(payload)
    }
}

/// What payloads are cut from: made up, the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Json,
    Bitmap,
    Prose,
    Html,
    Document,
}

/// Bytes of each.
const DATA_LENGTH: usize = 200_000;

const WORDS: [&str; 16] = [
    "wire",
    "frame",
    "Gr\u{f6}\u{df}e",
    "the",
    "message",
    "of",
    "and",
    "\u{3c3}\u{3ae}\u{3bc}\u{3b1}",
    "a",
    "fragment",
    "window",
    "der",
    "\u{1f30d}",
    "answer",
    "which",
    "to",
];

impl Data {
    fn bytes(self) -> Vec<u8> {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
            (state >> 16) as usize
        };
        let mut data = Vec::new();
        while data.len() < DATA_LENGTH {
            let word = WORDS[random() % WORDS.len()];
            match self {
                Self::Json => {
                    let number = random();
                    data.extend(
                        format!(r#"{{"id":{number},"name":"{word}","tags":["{word}"]}},"#).bytes(),
                    );
                }
                Self::Html => {
                    let class = random() % 9;
                    data.extend(format!("<p class=\"c{class}\">{word} {word}</p>\n").bytes());
                }
                Self::Prose => {
                    let end = if random() % 12 == 0 { ".\r\n" } else { " " };
                    data.extend(word.bytes().chain(end.bytes()));
                }
                // Each pixel is near the last one.
                Self::Bitmap => {
                    let last = data.last().copied().unwrap_or(0x80);
                    data.push(last.wrapping_add((random() % 5) as u8).wrapping_sub(2));
                }
                Self::Document => data.push((random() >> 3) as u8),
            }
        }
        data
    }
}
