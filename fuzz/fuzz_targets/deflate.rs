//! Whatever is said over a connection with permessage-deflate, however it is compressed, fragmented and cut: the other
//! end hears just that.
//!
//! The input's first four bytes choose what was agreed, the fifth how the stream is cut; the rest is what is said, as
//! records of two bytes (what, and the payload's length) and the payload.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wiretalk_proto::{
    Codecs, Compression, Config, Connection, DeflateConfig, Event, Lent, MessageKind, Prepared,
    Role,
};

fuzz_target!(|data: &[u8]| {
    let [choice, windows, level, threshold, cut, said @ ..] = data else {
        return;
    };
    let deflate = DeflateConfig {
        server_no_context_takeover: choice & 2 == 0,
        client_no_context_takeover: choice & 4 == 0,
        server_max_window_bits: 9 + (windows & 7).min(6),
        client_max_window_bits: 9 + (windows >> 3 & 7).min(6),
        level: level % 10,
        threshold: u32::from(*threshold),
    };
    let config = Config {
        deflate: Some(deflate.agreed()),
        ..Config::default()
    };
    let (speaker, listener) = if choice & 1 == 0 {
        (Role::Client, Role::Server)
    } else {
        (Role::Server, Role::Client)
    };
    let (wire, expected) = speak(Connection::new(speaker, config), said);
    let heard = listen(
        Connection::new(listener, config),
        &wire,
        usize::from(*cut) + 1,
    );
    assert!(heard == expected, "{heard:x?}\ninstead of\n{expected:x?}");
});

/// Says what the records ask for; gives the wire, and the payloads of the messages.
fn speak(mut connection: Connection, mut said: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut codecs, mut wire, mut expected) = (Codecs::new(), Vec::new(), Vec::new());
    let mut key = 0u32;
    let mut keys = || {
        key = key.wrapping_mul(747_796_405).wrapping_add(1);
        key.to_le_bytes()
    };
    // The message that is under way in fragments.
    let mut begun: Option<Vec<u8>> = None;
    while let [what, length, rest @ ..] = said {
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        said = rest;
        // Some of them are long, so that the window fills up.
        let payload = payload.repeat(if what & 0x80 == 0 { 1 } else { 100 });
        let compression = match what >> 2 & 3 {
            0 | 3 => Compression::Auto,
            1 => Compression::Always,
            _ => Compression::Never,
        };
        let lent = &mut Lent {
            keys: &mut keys,
            codecs: &mut codecs,
        };
        let sent = match (what & 3, &mut begun) {
            (0, None) => {
                expected.push(payload.clone());
                connection.send_binary(&payload, compression, lent, &mut wire)
            }
            (1, None) => {
                expected.push(payload.clone());
                let message = Prepared::binary(&payload);
                connection.send_prepared(&message, compression, lent, &mut wire)
            }
            (2, None) => {
                connection.release_compressor();
                Ok(())
            }
            (what, begun) => {
                let fin = what == 3;
                begun.get_or_insert_default().extend_from_slice(&payload);
                expected.extend(fin.then(|| begun.take()).flatten());
                let kind = MessageKind::Binary;
                connection.send_fragment(kind, &payload, fin, compression, lent, &mut wire)
            }
        };
        sent.expect("it may be sent");
    }
    (wire, expected)
}

/// The payloads of the messages in `wire`, of which `packet` bytes come at a time.
fn listen(mut connection: Connection, wire: &[u8], packet: usize) -> Vec<Vec<u8>> {
    let (mut codecs, mut heard, mut unread) = (Codecs::new(), Vec::new(), Vec::new());
    for packet in wire.chunks(packet) {
        unread.extend_from_slice(packet);
        loop {
            let step = connection
                .handle_input(&mut unread, &mut codecs)
                .expect("nothing breaks the protocol");
            let (consumed, is_done) = (step.consumed, step.event.is_none());
            match step.event {
                Some(Event::Binary(payload)) => heard.push(payload.to_owned()),
                None => {}
                other => panic!("{other:?} was not said"),
            }
            unread.drain(..consumed);
            if is_done {
                break;
            }
        }
    }
    heard
}
