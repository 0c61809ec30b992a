//! What we send compressed.

use wiretalk_proto::handshake::Extension;
use wiretalk_proto::{Compression, Config, DeflateConfig, MessageKind, Role, SendError};

use super::{agreed, alone, json, noise, pair, taken_over};
use crate::pair::{Endpoint, Pair, binary, ping, pong, text};

use Compression::{Always, Auto, Never};
use MessageKind::{Binary, Text};

/// A server's frames as first byte and payload.
fn frames(mut wire: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let Some((header, length)) = wiretalk_proto::frame::Header::decode(wire).unwrap() {
        let end = length + header.length as usize;
        frames.push((wire[0], &wire[length..end]));
        wire = &wire[end..];
    }
    frames
}

#[test]
fn the_examples_of_section_7_2_3() {
    let config = agreed(DeflateConfig {
        level: 6,
        ..DeflateConfig::with_context_takeover()
    });
    let mut server = Endpoint::new(Role::Server, config);
    server.compression = Always;
    server.text("Hello").unwrap();
    server.text("Hello").unwrap();
    server.text("").unwrap();
    assert_eq!(
        frames(&server.outbox),
        [
            // 7.2.3.1, 7.2.3.2, 7.2.3.6.
            (0xC1, &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00][..]),
            (0xC1, &[0xF2, 0x00, 0x11, 0x00, 0x00]),
            (0xC1, &[0x00]),
        ]
    );
}

#[test]
fn without_context_takeover_every_message_stands_for_itself() {
    let mut server = Endpoint::new(Role::Server, alone());
    server.compression = Always;
    server.text("Hello").unwrap();
    server.text("Hello").unwrap();
    let frames = frames(&server.outbox);
    assert_eq!(frames[0], frames[1]);
}

/// The first byte of a message of a server, and how many bytes the payload has on the wire.
fn sent(config: Config, compression: Compression, payload: &[u8]) -> (u8, usize) {
    let mut server = Endpoint::new(Role::Server, config);
    server.compression = compression;
    server.binary(payload).unwrap();
    let frames = frames(&server.outbox);
    (frames[0].0, frames[0].1.len())
}

#[test]
fn what_is_compressed() {
    let threshold = DeflateConfig::default().threshold as usize;
    let long = vec![b'x'; threshold];
    let short = vec![b'x'; threshold - 1];
    let noise = noise(1, 5000);
    let plain = Config::default();
    let cases: [(&str, Config, Compression, &[u8], bool); 15] = [
        ("long", alone(), Auto, &long, true),
        ("long", taken_over(), Auto, &long, true),
        ("long", plain, Auto, &long, false),
        ("short", alone(), Auto, &short, false),
        ("short", taken_over(), Auto, &short, false),
        ("noise", alone(), Auto, &noise, false),
        // It is in the window already, so the peer must see it too.
        ("noise", taken_over(), Auto, &noise, true),
        ("short", alone(), Always, &short, true),
        ("noise", alone(), Always, &noise, true),
        ("empty", alone(), Always, b"", true),
        ("empty", alone(), Auto, b"", false),
        ("long", plain, Always, &long, false),
        ("long", alone(), Never, &long, false),
        ("long", taken_over(), Never, &long, false),
        ("long", plain, Never, &long, false),
    ];
    for (name, config, compression, payload, expected) in cases {
        let (first, length) = sent(config, compression, payload);
        assert_eq!(first == 0xC2, expected, "{name} {compression:?}");
        if !expected {
            assert_eq!((first, length), (0x82, payload.len()), "{name}");
        }
        let server = Endpoint::new(Role::Server, config);
        let told = server.connection.compresses(compression, payload.len());
        assert!(told || !expected, "{name}");
    }
    assert!(sent(alone(), Auto, json(0, 1024).as_bytes()).1 < 1024 / 2);
}

/// Levels, windows, and how small a message becomes with them.
#[test]
fn levels_and_windows() {
    let text = json(0, 60_000);
    for level in [0, 1, 2, 6, 9, 200] {
        for server_max_window_bits in 9..=15 {
            let config = agreed(DeflateConfig {
                level,
                server_max_window_bits,
                ..DeflateConfig::default()
            });
            let mut pair = pair(config);
            pair.server.compression = Always;
            pair.server.text(&text).unwrap();
            let length = pair.server.outbox.len();
            assert_eq!(length < 30_000, level > 0, "{level} {length}");
            assert_eq!(pair.heard().0, [crate::pair::text(&text)]);
        }
    }
}

#[test]
fn a_message_in_fragments_is_compressed_as_one() {
    for config in [alone(), taken_over()] {
        for compression in [Auto, Always] {
            let mut pair = pair(config);
            pair.server.compression = compression;
            let server = &mut pair.server;
            for _ in 0..2 {
                server.fragment(Text, b"Hel", false).unwrap();
                server.ping("p").unwrap();
                server.fragment(Text, b"", false).unwrap();
                // Only the first call settles it.
                server.compression = Never;
                server
                    .fragment(Text, "lo \u{20AC}".as_bytes(), false)
                    .unwrap();
                server.fragment(Text, b"", true).unwrap();
                server.compression = compression;
            }
            let firsts: Vec<u8> = frames(&server.outbox)
                .iter()
                .map(|(first, _)| *first)
                .collect();
            assert_eq!(firsts, [0x41, 0x89, 0, 0, 0x80].repeat(2));
            let heard = [ping("p"), text("Hello \u{20AC}")];
            let again = heard.clone();
            assert_eq!(pair.heard().0, [heard, again].concat());
            assert_eq!(pair.server.heard(), []);
        }
    }
}

#[test]
fn fragments_that_are_not_to_be_compressed() {
    let mut pair = pair(taken_over());
    pair.client.compression = Never;
    pair.client.fragment(Binary, b"ab", false).unwrap();
    pair.client.compression = Always;
    pair.client.fragment(Binary, b"cd", true).unwrap();
    assert_eq!(pair.client.outbox[0], 0x02);
    assert_eq!(pair.heard().1, [binary(b"abcd")]);
}

#[test]
fn what_cannot_be_sent_does_not_get_into_the_window() {
    for config in [alone(), taken_over()] {
        let mut pair = pair(config);
        let (client, long) = (&mut pair.client, json(3, 500));
        client.compression = Always;
        client.text(&long).unwrap();
        client.fragment(Text, b"a\xC3", false).unwrap();
        assert_eq!(
            client.fragment(Text, b"(", false),
            Err(SendError::InvalidUtf8)
        );
        assert_eq!(
            client.fragment(Text, b"", true),
            Err(SendError::InvalidUtf8)
        );
        assert_eq!(
            client.fragment(Binary, b"b", true),
            Err(SendError::MidMessage)
        );
        assert_eq!(client.text(&long), Err(SendError::MidMessage));
        client.fragment(Text, b"\xA9", true).unwrap();
        client.text(&long).unwrap();
        assert_eq!(pair.heard().1, [text(&long), text("a\u{E9}"), text(&long)]);
    }
}

#[test]
fn messages_that_are_not_compressed_may_go_between() {
    let mut pair = pair(taken_over());
    for (i, compression) in [Always, Never, Auto, Never, Always].into_iter().enumerate() {
        for endpoint in [&mut pair.client, &mut pair.server] {
            endpoint.compression = compression;
            endpoint.text(&json(i, 400)).unwrap();
        }
    }
    let all: Vec<_> = (0..5).map(|i| text(&json(i, 400))).collect();
    assert_eq!(pair.heard(), (all.clone(), all));
}

#[test]
fn a_compressor_can_be_dropped_between_messages() {
    let mut pair = pair(taken_over());
    for i in 0..4 {
        pair.server.compression = Always;
        pair.server.text(&json(0, 400)).unwrap();
        if i % 2 == 0 {
            pair.server.connection.release_compressor();
        }
        pair.server.fragment(Text, b"a", false).unwrap();
        // In the middle of a message it is needed.
        pair.server.connection.release_compressor();
        pair.server.fragment(Text, b"b", true).unwrap();
    }
    let expected: Vec<_> = (0..4)
        .flat_map(|_| [text(&json(0, 400)), text("ab")])
        .collect();
    assert_eq!(pair.heard().0, expected);
}

/// Section 7.1.2.2: a client that has no compressor for the window that it is held to sends as it can.
#[test]
fn a_client_that_is_held_to_8_bits_does_not_compress() {
    let answer = Extension {
        name: "permessage-deflate".to_owned(),
        parameters: vec![("client_max_window_bits".to_owned(), Some("8".to_owned()))],
    };
    let config = Config {
        deflate: Some(
            DeflateConfig::with_context_takeover()
                .judge(&answer)
                .unwrap(),
        ),
        ..Config::default()
    };
    let mut pair = Pair::with(config, taken_over());
    pair.client.compression = Always;
    pair.client.text(&json(0, 500)).unwrap();
    assert_eq!(pair.client.outbox[0], 0x81);
    pair.server.text(&json(1, 500)).unwrap();
    assert_eq!(
        pair.heard(),
        (vec![text(&json(1, 500))], vec![text(&json(0, 500))])
    );
}

/// Section 5.5.1 of RFC 6455: the answer to a close frame may wait until the message is sent.
#[test]
fn a_compressed_message_can_be_ended_after_the_peer_closed() {
    let mut pair = pair(Config {
        auto_close: false,
        ..alone()
    });
    pair.server.compression = Always;
    pair.server.fragment(Text, b"Hel", false).unwrap();
    pair.client.close(1000, "").unwrap();
    pair.deliver();
    pair.server.fragment(Text, b"lo", true).unwrap();
    assert_eq!(pair.server.text("more"), Err(SendError::Closed));
    pair.server.close(1000, "").unwrap();
    assert_eq!(
        pair.heard().0,
        [text("Hello"), crate::pair::close(1000, "")]
    );
}

#[test]
fn pings_are_answered_within_compressed_messages() {
    let mut pair = pair(alone());
    pair.packet = 3;
    pair.client.compression = Always;
    pair.client.fragment(Binary, &[7; 1000], false).unwrap();
    pair.client.ping("p").unwrap();
    pair.client.fragment(Binary, &noise(5, 1000), true).unwrap();
    let whole = [&[7; 1000][..], &noise(5, 1000)].concat();
    assert_eq!(
        pair.heard(),
        (vec![pong("p")], vec![ping("p"), binary(&whole)])
    );
}
