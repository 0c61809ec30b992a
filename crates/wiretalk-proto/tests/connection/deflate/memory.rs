//! What compression allocates and keeps.

use allocation_counter::measure;
use wiretalk_proto::{
    CloseCode, Codecs, Compression, Config, Connection, Event, Lent, Limits, MessageKind,
    ProtocolErrorKind, Role,
};

use super::{alone, json, taken_over};
use crate::pair::frame_to;

const MIB: usize = 1 << 20;

/// The data of 1 MiB of zeros, whole, but not ended as a message's are.
fn zeros() -> Vec<u8> {
    let mut deflate = zlib_rs::Deflate::new(9, false, 15);
    let mut data = vec![0; 4096];
    deflate
        .compress(&vec![0; MIB], &mut data, zlib_rs::DeflateFlush::FullFlush)
        .unwrap();
    data.truncate(deflate.total_out() as usize);
    data
}

/// 1 MiB on the wire becomes 1 GiB, of which no more than the limit is ever held.
#[test]
fn a_bomb_is_refused_while_it_inflates() {
    const LIMIT: usize = 16 * MIB;
    let mut data = zeros().repeat(1024);
    data.push(0);
    assert!(
        (MIB..MIB + MIB / 16).contains(&data.len()),
        "{}",
        data.len()
    );
    for config in [alone(), taken_over()] {
        let config = Config {
            limits: Limits {
                message_size: LIMIT,
                ..Limits::default()
            },
            ..config
        };
        for (first, packet) in [(0xC2, usize::MAX), (0xC1, usize::MAX), (0xC2, 4096)] {
            let wire = frame_to(Role::Server, first, &data);
            let mut codecs = Codecs::new();
            let mut server = Connection::new(Role::Server, config);
            let mut refusal = None;
            let mut read = 0;
            let mut packets: Vec<_> = wire.chunks(packet).map(<[u8]>::to_vec).collect();
            let used = measure(|| {
                for packet in &mut packets {
                    match server.handle_input(packet, &mut codecs) {
                        Ok(step) => read += step.consumed,
                        Err(error) => {
                            refusal = Some(error);
                            break;
                        }
                    }
                }
            });
            let refusal = refusal.expect("it is refused");
            let (length, limit) = (LIMIT as u64 + 1, LIMIT as u64);
            assert_eq!(
                refusal.kind(),
                ProtocolErrorKind::MessageTooBig { length, limit }
            );
            assert_eq!(refusal.code(), CloseCode::TOO_BIG);
            assert!(read < data.len() / 32, "refused after {read} bytes");
            // A buffer that grows is there twice for a moment.
            let most = (2 * LIMIT + MIB) as u64;
            assert!(used.bytes_max <= most, "{} bytes at a time", used.bytes_max);
            assert!(used.bytes_current < 5 * MIB as i64);
        }
    }
}

/// An echo, as a server does it that recycles what it takes.
struct Echo {
    connection: Connection,
    out: Vec<u8>,
}

impl Echo {
    fn new(config: Config) -> Self {
        Self {
            connection: Connection::new(Role::Server, config),
            out: Vec::with_capacity(64 << 10),
        }
    }

    /// Reads what is there and answers it; gives the number of messages.
    fn read(&mut self, mut input: &mut [u8], codecs: &mut Codecs) -> usize {
        self.out.clear();
        let mut messages = 0;
        loop {
            let step = self.connection.handle_input(input, codecs).unwrap();
            let (consumed, is_done) = (step.consumed, step.event.is_none());
            if let Some(message) = self.connection.take_assembled() {
                messages += 1;
                let (kind, payload) = match &message {
                    wiretalk_proto::Assembled::Text(text) => (MessageKind::Text, text.as_bytes()),
                    wiretalk_proto::Assembled::Binary(payload) => {
                        (MessageKind::Binary, &payload[..])
                    }
                };
                let keys = &mut || [0; 4];
                let lent = &mut Lent { keys, codecs };
                self.connection
                    .send_payload(kind, payload, Compression::Auto, lent, &mut self.out)
                    .unwrap();
                codecs.give_back(message);
            }
            if is_done {
                return messages;
            }
            input = &mut input[consumed..];
        }
    }
}

/// What a client sends: text and binary, in one frame and in fragments.
fn said(config: Config) -> Vec<u8> {
    let mut client = Connection::new(Role::Client, config);
    let (mut codecs, mut wire) = (Codecs::new(), Vec::new());
    let mut lent = Lent {
        keys: &mut || [1, 2, 3, 4],
        codecs: &mut codecs,
    };
    for i in 0..10 {
        let text = json(i, 1024);
        let (first, second) = text.as_bytes().split_at(300);
        let auto = Compression::Auto;
        client.send_text(&text, auto, &mut lent, &mut wire).unwrap();
        client
            .send_binary(text.as_bytes(), auto, &mut lent, &mut wire)
            .unwrap();
        for (payload, fin) in [(first, false), (second, true)] {
            client
                .send_fragment(MessageKind::Text, payload, fin, auto, &mut lent, &mut wire)
                .unwrap();
        }
    }
    wire
}

#[test]
fn an_echo_allocates_nothing_per_message() {
    for config in [alone(), taken_over()] {
        let mut codecs = Codecs::new();
        let mut echo = Echo::new(config);
        let mut first = said(config);
        assert_eq!(echo.read(&mut first, &mut codecs), 30);

        // A client that begins with an empty window may do so at any time.
        let mut again = said(config);
        let mut messages = 0;
        let used = measure(|| messages = echo.read(&mut again, &mut codecs));
        assert_eq!((messages, used.count_total), (30, 0));
    }
}

#[test]
fn a_silent_connection_holds_nothing_without_context_takeover() {
    let mut codecs = Codecs::new();
    let mut wires: Vec<_> = (0..51).map(|_| said(alone())).collect();
    Echo::new(alone()).read(&mut wires[0], &mut codecs);

    let mut connections = Vec::with_capacity(50);
    let mut out = Vec::new();
    let used = measure(|| {
        for wire in &mut wires[1..] {
            let mut echo = Echo {
                connection: Connection::new(Role::Server, alone()),
                out: std::mem::take(&mut out),
            };
            echo.read(wire, &mut codecs);
            out = echo.out;
            echo.connection.release(&mut codecs);
            connections.push(echo.connection);
        }
    });
    let out = out.capacity() as i64;
    assert_eq!(used.bytes_current - out, 0, "for 50 connections");
}

#[test]
fn a_connection_under_context_takeover_holds_one_of_each_and_can_drop_the_compressor() {
    let mut codecs = Codecs::new();
    let mut wire = said(taken_over());
    let mut echo = Echo::new(taken_over());
    let used = measure(|| {
        echo.connection.handle_input(&mut [], &mut codecs).unwrap();
    });
    assert_eq!(used.bytes_total, 0, "nothing before the first message");
    let used = measure(|| {
        echo.read(&mut wire, &mut codecs);
        codecs.clear();
    });
    assert!(used.bytes_current < 400 << 10, "{}", used.bytes_current);
    let used = measure(|| echo.connection.release_compressor());
    assert!(used.bytes_current < -(200 << 10), "{}", used.bytes_current);
    let used = measure(|| drop(echo));
    let rest = -used.bytes_current - (64 << 10);
    assert!((30 << 10..64 << 10).contains(&rest), "{rest}");
}

#[test]
fn a_connection_that_fails_gives_back_what_it_was_lent() {
    let mut codecs = Codecs::new();
    let mut wires: Vec<_> = (0..21)
        .map(|_| {
            let mut wire = frame_to(Role::Server, 0x42, b"\x00\x05\x00\xFA\xFFHello");
            wire.extend(frame_to(Role::Server, 0x80, b"\x07"));
            wire
        })
        .collect();
    let mut connections: Vec<_> = (0..21)
        .map(|_| Connection::new(Role::Server, alone()))
        .collect();
    let mut fail = |i: usize| {
        connections[i]
            .handle_input(&mut wires[i], &mut codecs)
            .unwrap_err();
    };
    fail(0);
    let used = measure(|| (1..21).for_each(&mut fail));
    // Each keeps the reason, and nothing else.
    assert_eq!(used.count_total, 20);
    assert!(used.bytes_current < 20 * 64, "{}", used.bytes_current);
}

/// What is kept for later is bounded, whatever was needed at once.
#[test]
fn codecs_keep_a_bounded_number() {
    let mut codecs = Codecs::new();
    let begins = frame_to(Role::Server, 0x42, b"\x00\x05\x00\xFA\xFFHello");
    let ends = frame_to(Role::Server, 0x80, b"\x00");
    let count = 100;
    let mut wires: Vec<_> = (0..count).map(|_| (begins.clone(), ends.clone())).collect();
    let mut connections: Vec<_> = (0..count)
        .map(|_| Connection::new(Role::Server, alone()))
        .collect();
    let used = measure(|| {
        for (connection, (begins, _)) in connections.iter_mut().zip(&mut wires) {
            connection.handle_input(begins, &mut codecs).unwrap();
        }
        for (connection, (_, ends)) in connections.iter_mut().zip(&mut wires) {
            let step = connection.handle_input(ends, &mut codecs).unwrap();
            assert_eq!(step.event, Some(Event::Binary(b"Hello")));
            connection.release(&mut codecs);
        }
    });
    assert!(used.bytes_max > count * (40 << 10));
    assert!(
        used.bytes_current < 16 * (64 << 10),
        "{}",
        used.bytes_current
    );
    let used = measure(|| codecs.clear());
    assert!(used.bytes_current < 0);
}

/// A message that is kept is fitted to its size, and its buffer serves the next one.
#[test]
fn a_large_buffer_does_not_leave_with_a_small_message() {
    let mut codecs = Codecs::new();
    let mut client = Connection::new(Role::Client, alone());
    let mut taken = |first: u8, payload: &[u8]| {
        let mut wire = frame_to(Role::Client, first, payload);
        wire.extend(frame_to(Role::Client, 0x80, b""));
        client.handle_input(&mut wire, &mut codecs).unwrap();
        let message = client.take_assembled().unwrap();
        assert_eq!(client.take_assembled(), None);
        codecs.fit(message)
    };
    let capacity = |message: &wiretalk_proto::Assembled| match message {
        wiretalk_proto::Assembled::Text(text) => text.capacity(),
        wiretalk_proto::Assembled::Binary(payload) => payload.capacity(),
    };
    let large = taken(0x02, &[7; 10_000]);
    assert!(capacity(&large) < 12_600);
    codecs.give_back(large);
    let mut taken = |first: u8, payload: &[u8]| {
        let mut wire = frame_to(Role::Client, first, payload);
        wire.extend(frame_to(Role::Client, 0x80, b""));
        client.handle_input(&mut wire, &mut codecs).unwrap();
        let message = client.take_assembled().unwrap();
        codecs.fit(message)
    };
    for _ in 0..3 {
        let small = taken(0x01, b"small");
        assert_eq!(small, wiretalk_proto::Assembled::Text("small".to_owned()));
        assert!(capacity(&small) < 100);
    }
}

/// The longest are not copied: their buffer gives back what it does not need.
#[test]
fn a_long_message_that_is_kept_takes_no_more_than_its_size() {
    for first in [0x41, 0x42] {
        let mut codecs = Codecs::new();
        let mut client = Connection::new(Role::Client, alone());
        let mut wire = frame_to(Role::Client, first, &zeros().repeat(3));
        wire.extend(frame_to(Role::Client, 0x80, &[0]));
        client.handle_input(&mut wire, &mut codecs).unwrap();
        let message = client.take_assembled().unwrap();
        let message = codecs.fit(message);
        let used = measure(|| drop(message));
        assert_eq!(used.bytes_current, -3 * MIB as i64);
    }
}

/// The header of a compressed message announces a decompressor, and gets none before its first byte.
#[test]
fn a_header_alone_takes_no_decompressor() {
    let mut codecs = Codecs::new();
    let mut connection = Connection::new(Role::Server, alone());
    let mut wire = frame_to(Role::Server, 0xC1, b"\x4A");
    let payload = wire.split_off(wire.len() - 1);
    let used = measure(|| {
        connection.handle_input(&mut wire, &mut codecs).unwrap();
    });
    assert!(used.bytes_current < 1 << 10, "{}", used.bytes_current);
    let used = measure(|| {
        let mut payload = payload.clone();
        // One byte is not a whole block.
        connection
            .handle_input(&mut payload, &mut codecs)
            .unwrap_err();
    });
    assert!(used.bytes_total > 1 << 10, "{}", used.bytes_total);
}
