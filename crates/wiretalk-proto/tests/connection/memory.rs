//! What a connection allocates: by the bytes that came, never by those that were announced.

use allocation_counter::measure;
use wiretalk_proto::{Codecs, Config, Connection, Event, Limits, ProtocolErrorKind, Role};

use crate::pair::frame_to;

const GIB: u64 = 1 << 30;

/// The header of a binary frame to a client that announces `length` bytes.
fn header(length: u64) -> Vec<u8> {
    [&[0x82, 127][..], &length.to_be_bytes()].concat()
}

#[test]
fn a_header_that_announces_3_gib_is_refused_and_allocates_only_the_reason() {
    let mut wire = header(3 * GIB);
    let mut codecs = Codecs::new();
    let mut client = Connection::new(Role::Client, Config::default());
    let mut refusal = None;
    let used = measure(|| refusal = client.handle_input(&mut wire, &mut codecs).err());
    let refusal = refusal.unwrap();
    assert_eq!(
        refusal.kind(),
        ProtocolErrorKind::FrameTooBig {
            length: 3 * GIB,
            limit: 64 << 20
        }
    );
    assert_eq!(refusal.code().as_u16(), 1009);
    assert!(used.bytes_total < 64, "{} bytes", used.bytes_total);
}

#[test]
fn where_3_gib_are_allowed_memory_grows_with_what_comes() {
    let limits = Limits {
        message_size: usize::MAX,
        frame_size: u64::MAX,
        fragments: 10,
    };
    let mut codecs = Codecs::new();
    let mut client = Connection::new(
        Role::Client,
        Config {
            limits,
            ..Config::default()
        },
    );
    let mut wire = header(3 * GIB);
    let used = measure(|| {
        client.handle_input(&mut wire, &mut codecs).unwrap();
    });
    assert!(
        used.bytes_total < 128,
        "the header alone: {} bytes",
        used.bytes_total
    );

    let mut came = 0;
    let used = measure(|| {
        for _ in 0..100 {
            let mut piece = [7; 1000];
            came += client
                .handle_input(&mut piece, &mut codecs)
                .unwrap()
                .consumed;
        }
    });
    assert_eq!(came, 100_000);
    assert!(
        used.bytes_current <= 2 * 100_000,
        "{} bytes are held",
        used.bytes_current
    );
}

#[test]
fn a_whole_message_in_the_input_is_lent_without_an_allocation() {
    for role in [Role::Client, Role::Server] {
        for payload in [&b""[..], b"Hello", &[b'x'; 100_000]] {
            for first in [0x81, 0x82, 0x8A] {
                let payload = if first == 0x8A {
                    &payload[..payload.len().min(125)]
                } else {
                    payload
                };
                let mut wire = frame_to(role, first, payload);
                let wire_length = wire.len();
                let mut codecs = Codecs::new();
                let mut connection = Connection::new(role, Config::default());
                let mut is_right = false;
                let used = measure(|| {
                    let step = connection.handle_input(&mut wire, &mut codecs).unwrap();
                    is_right = step.consumed == wire_length
                        && match step.event {
                            Some(Event::Text(text)) => text.as_bytes() == payload,
                            Some(Event::Binary(bytes) | Event::Pong(bytes)) => bytes == payload,
                            _ => false,
                        };
                });
                assert!(is_right);
                assert_eq!(used.count_total, 0);
            }
        }
    }
}

/// The last frame says how much is to come, so that the buffer need not end with half of it unused.
#[test]
fn a_message_in_pieces_ends_in_a_buffer_of_its_size() {
    let payload = vec![b'x'; 1_000_000];
    for first in [0x81, 0x82] {
        let wire = frame_to(Role::Client, first, &payload);
        let mut codecs = Codecs::new();
        let mut client = Connection::new(Role::Client, Config::default());
        let used = measure(|| {
            for piece in wire.chunks(10_000) {
                let mut buffer = [0; 10_000];
                let buffer = &mut buffer[..piece.len()];
                buffer.copy_from_slice(piece);
                client.handle_input(buffer, &mut codecs).unwrap();
            }
        });
        let held = used.bytes_current;
        assert!((1_000_000..1_000_128).contains(&held), "{held} bytes");
        let used = measure(|| {
            client.release(&mut codecs);
            codecs.clear();
        });
        assert_eq!(used.bytes_current, -held);
    }
}

#[test]
fn many_small_fragments_cost_few_allocations() {
    let mut wire = frame_to(Role::Client, 0x02, b"x");
    for _ in 0..10_000 {
        wire.extend(frame_to(Role::Client, 0x00, b"x"));
    }
    let mut codecs = Codecs::new();
    let mut client = Connection::new(Role::Client, Config::default());
    let used = measure(|| {
        assert_eq!(
            client.handle_input(&mut wire, &mut codecs).unwrap().event,
            None
        );
    });
    assert!(used.count_total < 40, "{} allocations", used.count_total);
}

#[test]
fn a_silent_connection_is_small() {
    assert!(
        size_of::<Connection>() <= 160,
        "{} bytes",
        size_of::<Connection>()
    );
}
