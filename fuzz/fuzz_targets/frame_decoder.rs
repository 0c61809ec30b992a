//! Whatever a peer sends, and however the stream cuts it: the events, the error and the answers are the same as if it
//! had come at once, and what is held back is less than a header and a control frame.
//!
//! The input's first byte chooses the role, the limits and what was agreed on permessage-deflate, the second how the
//! stream is cut; the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wiretalk_proto::frame::{CONTROL_PAYLOAD_LIMIT, HEADER_LIMIT};
use wiretalk_proto::{
    Assembled, CloseCode, Codecs, Config, Connection, DeflateConfig, End, Event, Limits,
    ProtocolError, Role, State,
};

#[derive(Debug, PartialEq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
    Broken(ProtocolError),
}

#[derive(Debug, PartialEq)]
struct Outcome {
    heard: Vec<Heard>,
    wrote: Vec<u8>,
    state: State,
    end: End,
}

fuzz_target!(|data: &[u8]| {
    let [choice, cut, stream @ ..] = data else {
        return;
    };
    let role = if choice & 1 == 0 {
        Role::Client
    } else {
        Role::Server
    };
    let limits = if choice & 2 == 0 {
        Limits {
            message_size: 300,
            frame_size: 200,
            fragments: 3,
        }
    } else {
        Limits {
            message_size: usize::MAX,
            frame_size: u64::MAX,
            fragments: u32::MAX,
        }
    };
    let deflate = DeflateConfig {
        server_no_context_takeover: choice & 8 == 0,
        client_no_context_takeover: choice & 16 == 0,
        ..DeflateConfig::default()
    };
    let config = Config {
        limits,
        deflate: (choice & 4 != 0).then(|| deflate.agreed()),
        ..Config::default()
    };

    let whole = receive(role, config, stream, usize::MAX);
    let in_pieces = receive(role, config, stream, usize::from(cut % 64) + 1);
    let by_bytes = receive(role, config, stream, 1);
    assert_eq!(whole, in_pieces, "pieces of {}", usize::from(cut % 64) + 1);
    assert_eq!(whole, by_bytes, "byte by byte");
});

/// Hands `stream` to a connection, `packet` bytes at a time, as a caller does that keeps what is not consumed.
fn receive(role: Role, config: Config, stream: &[u8], packet: usize) -> Outcome {
    let mut connection = Connection::new(role, config);
    let mut heard = Vec::new();
    let mut wrote = Vec::new();
    let mut key = 0u32;
    let mut keys = || {
        key += 1;
        key.to_le_bytes()
    };
    let mut codecs = Codecs::new();
    let mut unread = Vec::new();
    'stream: for packet in stream.chunks(packet) {
        unread.extend_from_slice(packet);
        let mut start = 0;
        loop {
            let (consumed, assembled, event) =
                match connection.handle_input(&mut unread[start..], &mut codecs) {
                    Ok(step) => (step.consumed, step.assembled, step.event.map(keep)),
                    Err(error) => {
                        heard.push(Heard::Broken(error));
                        connection.poll_reply(&mut keys, &mut wrote);
                        break 'stream;
                    }
                };
            start += consumed;
            let Some(event) = event else { break };
            check_assembled(&mut connection, assembled, &event);
            heard.push(event);
            connection.poll_reply(&mut keys, &mut wrote);
        }
        unread.drain(..start);
        assert!(
            unread.len() < HEADER_LIMIT + CONTROL_PAYLOAD_LIMIT,
            "{} bytes are held back",
            unread.len()
        );
    }
    let state = connection.state();
    Outcome {
        heard,
        wrote,
        state,
        end: connection.handle_end(),
    }
}

fn keep(event: Event<'_>) -> Heard {
    match event {
        Event::Text(text) => Heard::Text(text.to_owned()),
        Event::Binary(payload) => Heard::Binary(payload.to_owned()),
        Event::Ping(payload) => Heard::Ping(payload.to_owned()),
        Event::Pong(payload) => Heard::Pong(payload.to_owned()),
        Event::Close(frame) => {
            Heard::Close(frame.map(|frame| (frame.code, frame.reason.to_owned())))
        }
    }
}

/// What can be taken is what was told of.
fn check_assembled(connection: &mut Connection, assembled: bool, event: &Heard) {
    let taken = connection.take_assembled().map(|taken| match taken {
        Assembled::Text(text) => Heard::Text(text),
        Assembled::Binary(payload) => Heard::Binary(payload),
    });
    assert_eq!(taken.as_ref(), assembled.then_some(event));
}
