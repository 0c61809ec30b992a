//! What holds for any traffic that is compressed.

use proptest::prelude::*;
use wiretalk_proto::{Compression, Config, DeflateConfig, Limits, Prepared, Role};

use super::{agreed, json, noise};
use crate::pair::{Endpoint, Heard, frame_to};
use crate::properties::{Said, any_role, other, read_in_pieces, said, say, sizes};

fn deflate_config() -> impl Strategy<Value = DeflateConfig> {
    let flags = (any::<bool>(), any::<bool>());
    (flags, 9..=15u8, 9..=15u8, 0..=9u8, 0..300u32).prop_map(
        |((server, client), server_bits, client_bits, level, threshold)| DeflateConfig {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
            level,
            threshold,
        },
    )
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        Just(Compression::Auto),
        Just(Compression::Always),
        Just(Compression::Never),
    ]
}

/// What is said, among it much that resembles what was said before, nearly a window ago.
fn said_again() -> impl Strategy<Value = (Said, Compression)> {
    let content = prop_oneof![
        3 => said(),
        1 => (0..5usize, 0..5000usize).prop_map(|(seed, length)| Said::Text(json(seed, length))),
        1 => (0..3u32, 0..70_000usize).prop_map(|(seed, length)| Said::Binary(noise(seed, length))),
    ];
    (content, compression())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_said_is_heard_however_it_is_compressed_and_cut(
        role in any_role(),
        config in deflate_config(),
        all in prop::collection::vec(said_again(), 0..10),
        sizes in sizes(),
    ) {
        let config = agreed(config);
        let (mut speaker, mut listener) = (Endpoint::new(role, config), Endpoint::new(other(role), config));
        let mut expected = Vec::new();
        for (said, compression) in &all {
            speaker.compression = *compression;
            expected.extend(say(&mut speaker, said));
            if let Said::Text(text) = said {
                speaker.prepared(&Prepared::text(text)).unwrap();
                expected.push(Heard::Text(text.clone()));
            }
        }
        read_in_pieces(&mut listener, &speaker.outbox, &sizes);
        prop_assert_eq!(listener.heard(), expected);
    }

    /// Connections that share codecs do not hear each other.
    #[test]
    fn connections_share_codecs_without_a_trace(
        configs in prop::collection::vec(deflate_config(), 2..5),
        all in prop::collection::vec((any::<prop::sample::Index>(), said_again(), 1..2000usize), 0..12),
    ) {
        let mut ends: Vec<_> = configs
            .iter()
            .map(|config| {
                let config = agreed(*config);
                (Endpoint::new(Role::Server, config), Endpoint::new(Role::Client, config), Vec::new())
            })
            .collect();
        let mut codecs = wiretalk_proto::Codecs::new();
        let swap = |endpoint: &mut Endpoint, codecs: &mut wiretalk_proto::Codecs| {
            std::mem::swap(&mut endpoint.codecs, codecs);
        };
        for (index, (said, compression), packet) in &all {
            let (server, client, expected) = index.get_mut(&mut ends);
            server.compression = *compression;
            swap(server, &mut codecs);
            expected.extend(say(server, said));
            swap(server, &mut codecs);
            // What does not fill a packet waits, and so messages of several connections are under way at once.
            let wire = std::mem::take(&mut server.outbox);
            let (now, later) = wire.split_at(wire.len() / packet * packet);
            server.outbox = later.to_vec();
            swap(client, &mut codecs);
            for packet in now.chunks(*packet) {
                client.read(packet);
            }
            swap(client, &mut codecs);
        }
        for (server, client, expected) in &mut ends {
            swap(client, &mut codecs);
            client.read(&server.outbox);
            swap(client, &mut codecs);
            prop_assert_eq!(client.heard(), std::mem::take(expected));
        }
    }

    /// Data that are nearly right, or not at all: the same events and the same error however the stream is cut.
    #[test]
    fn events_and_errors_are_the_same_however_the_input_is_cut(
        role in any_role(),
        config in deflate_config(),
        all in prop::collection::vec(said_again(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        garbage in prop::collection::vec((0x40..=0xCFu8, prop::collection::vec(any::<u8>(), 0..60)), 0..3),
        message_size in 0..3000usize,
        sizes in sizes(),
    ) {
        let mut speaker = Endpoint::new(other(role), agreed(config));
        for (said, compression) in &all {
            speaker.compression = *compression;
            say(&mut speaker, said);
        }
        let mut wire = std::mem::take(&mut speaker.outbox);
        for (first, payload) in garbage {
            wire.extend(frame_to(role, first, &payload));
        }
        for (index, byte) in damage {
            if !wire.is_empty() {
                let at = index.index(wire.len());
                wire[at] = byte;
            }
        }
        let limits = Limits { message_size, ..Limits::default() };
        let config = Config { limits, ..agreed(config) };
        let (mut whole, mut pieces) = (Endpoint::new(role, config), Endpoint::new(role, config));
        whole.read(&wire);
        read_in_pieces(&mut pieces, &wire, &sizes);
        let (whole_heard, mut pieces_heard) = (whole.heard(), pieces.heard());
        while let [.., Heard::Broken(first), Heard::Broken(again)] = &pieces_heard[..] {
            prop_assert_eq!(first, again);
            pieces_heard.pop();
        }
        prop_assert_eq!(whole_heard, pieces_heard);
        prop_assert_eq!(whole.connection.handle_end(), pieces.connection.handle_end());
    }
}
