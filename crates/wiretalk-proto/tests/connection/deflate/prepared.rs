//! One message, compressed once for many.

use wiretalk_proto::{Codecs, Compression, Config, DeflateConfig, Prepared, Role};

use super::{agreed, alone, json, noise, pair, taken_over};
use crate::pair::{Endpoint, Pair, binary, text};

fn window(server_max_window_bits: u8) -> Config {
    agreed(DeflateConfig {
        server_max_window_bits,
        ..DeflateConfig::default()
    })
}

#[test]
fn everybody_understands_the_same_message() {
    for length in [0, 10, 500, 513, 20_000, 100_000] {
        for compression in [Compression::Auto, Compression::Always, Compression::Never] {
            let content = json(0, length);
            let message = Prepared::text(&content);
            // The order matters: the first one's window is the one that is compressed for.
            let configs = [
                window(12),
                window(9),
                taken_over(),
                window(15),
                Config::default(),
                alone(),
            ];
            for config in configs {
                let mut pair = pair(config);
                for endpoint in [&mut pair.client, &mut pair.server] {
                    endpoint.compression = compression;
                    endpoint.prepared(&message).unwrap();
                    endpoint.text("between").unwrap();
                    endpoint.prepared(&message).unwrap();
                }
                let all = vec![text(&content), text("between"), text(&content)];
                assert_eq!(pair.heard(), (all.clone(), all), "{length} {compression:?}");
            }
        }
    }
}

/// What a server with that window writes.
fn wire(config: Config, message: &Prepared) -> Vec<u8> {
    let mut server = Endpoint::new(Role::Server, config);
    server.prepared(message).unwrap();
    server.outbox
}

/// Whether a window is small can only be seen by a peer that has no larger one.
#[test]
fn a_message_looks_back_no_further_than_the_window_goes() {
    // The second half is the first one, so far back that only a large window reaches it.
    let half = noise(3, 3000);
    let content = [half.clone(), half].concat();
    let message = Prepared::binary(&content);
    let wide = wire(window(15), &message);
    let narrow = wire(window(9), &message);
    assert!(wide.len() < 4000, "{}", wide.len());
    assert!(narrow.len() >= 6000, "{}", narrow.len());
    assert_eq!(wire(window(13), &message), wide, "it is short enough");
    assert_eq!(wire(window(12), &message), narrow);
    assert_eq!(wire(window(15), &message), wide);
    for config in [window(15), window(9)] {
        let mut pair = pair(config);
        pair.server.prepared(&message).unwrap();
        assert_eq!(pair.heard().0, [binary(&content)]);
    }
}

#[test]
fn it_is_compressed_once_however_many_receive_it() {
    let message = Prepared::text(&json(0, 2000));
    let copy = message.clone();
    let mut codecs = Codecs::new();
    let mut wires = Vec::new();
    for _ in 0..3 {
        let mut server = Endpoint::new(Role::Server, alone()).connection;
        let wire = server
            .prepared_wire(&copy, Compression::Auto, &mut codecs)
            .unwrap()
            .unwrap();
        assert!(wire.len() < 1000);
        wires.push(wire.as_ptr());
    }
    assert!(
        wires.iter().all(|wire| *wire == wires[0]),
        "the bytes are shared"
    );
    assert_eq!(wire(alone(), &message)[0], 0xC1);
    assert_eq!(message, Prepared::text(&json(0, 2000)));
    assert_eq!(message.payload(), json(0, 2000).as_bytes());
    assert_eq!(message.wire()[0], 0x81);
}

#[test]
fn what_has_no_shared_form() {
    let message = Prepared::text(&json(0, 2000));
    let mut codecs = Codecs::new();
    for (role, config, is_shared) in [
        (Role::Server, Config::default(), true),
        (Role::Server, alone(), true),
        (Role::Server, taken_over(), false),
        (Role::Client, Config::default(), false),
        (Role::Client, alone(), false),
    ] {
        let mut connection = Endpoint::new(role, config).connection;
        let wire = connection
            .prepared_wire(&message, Compression::Auto, &mut codecs)
            .unwrap();
        assert_eq!(wire.is_some(), is_shared, "{role:?}");
        connection.handle_end();
        let refused = connection.prepared_wire(&message, Compression::Auto, &mut codecs);
        assert!(refused.is_err());
    }
}

#[test]
fn a_prepared_message_goes_through_the_window_of_who_keeps_one() {
    let message = Prepared::text(&json(0, 2000));
    let mut pair = Pair::with(taken_over(), taken_over());
    let mut lengths = Vec::new();
    for _ in 0..3 {
        pair.server.prepared(&message).unwrap();
        lengths.push(pair.server.outbox.len());
        pair.deliver();
    }
    assert!(lengths[1] * 4 < lengths[0], "{lengths:?}");
    assert_eq!(pair.client.heard().len(), 3);
}
