//! What two well-behaved ends say to each other.

use wiretalk_proto::{
    Codecs, Config, Connection, Event, MessageKind, Prepared, Role, SendError, State,
};

use crate::pair::{Endpoint, Heard, Pair, binary, close, ping, pong, text};

use MessageKind::{Binary, Text};

#[test]
fn each_hears_what_the_other_says() {
    let mut pair = Pair::new();
    pair.client.text("Hello").unwrap();
    pair.client.binary(&[0, 255]).unwrap();
    assert_eq!(
        pair.heard(),
        (vec![], vec![text("Hello"), binary(&[0, 255])])
    );

    pair.server.text("").unwrap();
    pair.server.binary(&[]).unwrap();
    assert_eq!(pair.heard(), (vec![text(""), binary(&[])], vec![]));
    assert_eq!(pair.states(), (State::Open, State::Open));
}

#[test]
fn a_connection_knows_its_role_and_its_config() {
    let config = Config {
        auto_pong: false,
        ..Config::default()
    };
    for role in [Role::Client, Role::Server] {
        let connection = Connection::new(role, config);
        assert_eq!((connection.role(), connection.config()), (role, &config));
    }
}

/// Section 5.2: lengths of 7, 16 and 64 bits.
#[test]
fn messages_at_the_edges_of_the_length_forms_arrive_in_packets_of_any_size() {
    for packet in [1, 2, 3, 13, 1000, usize::MAX] {
        let mut pair = Pair::new();
        pair.packet = packet;
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 65_537] {
            let payload: Vec<u8> = (0..length).map(|i: u32| (i % 251) as u8).collect();
            pair.client.binary(&payload).unwrap();
            pair.server.binary(&payload).unwrap();
            assert_eq!(
                pair.heard(),
                (vec![binary(&payload)], vec![binary(&payload)]),
                "{length} by {packet}"
            );
        }
    }
}

/// Section 5.4: a fragmented message, and control frames between its fragments.
#[test]
fn a_message_in_fragments_arrives_as_one_with_the_pings_in_between_first() {
    let mut pair = Pair::new();
    pair.client.fragment(Text, b"one ", false).unwrap();
    pair.client.ping("are you there?").unwrap();
    pair.client.fragment(Text, b"", false).unwrap();
    assert_eq!(
        pair.heard(),
        (vec![pong("are you there?")], vec![ping("are you there?")])
    );

    pair.client.fragment(Text, b"two", true).unwrap();
    assert_eq!(pair.heard(), (vec![], vec![text("one two")]));
}

#[test]
fn a_text_may_be_cut_within_a_character() {
    for packet in [1, 2, 7, usize::MAX] {
        let mut pair = Pair::new();
        pair.packet = packet;
        let message = "κόσμε \u{1f30d}".as_bytes();
        for byte in message {
            pair.server.fragment(Text, &[*byte], false).unwrap();
        }
        pair.server.fragment(Text, b"", true).unwrap();
        assert_eq!(pair.heard(), (vec![text("κόσμε \u{1f30d}")], vec![]));
    }
}

#[test]
fn between_fragments_no_other_message_may_be_sent() {
    let mut server = Endpoint::new(Role::Server, Config::default());
    server.fragment(Text, b"a", false).unwrap();
    let written = server.outbox.clone();
    assert_eq!(server.text("b"), Err(SendError::MidMessage));
    assert_eq!(server.binary(b"b"), Err(SendError::MidMessage));
    assert_eq!(
        server.prepared(&Prepared::text("b")),
        Err(SendError::MidMessage)
    );
    assert_eq!(
        server.fragment(Binary, b"b", true),
        Err(SendError::MidMessage)
    );
    assert_eq!(server.outbox, written, "what was refused was written");
    server.fragment(Text, b"b", true).unwrap();
    server.text("c").unwrap();
}

#[test]
fn fragments_that_are_not_text_together_are_not_sent() {
    let mut server = Endpoint::new(Role::Server, Config::default());
    server.fragment(Text, b"\xc3", false).unwrap();
    assert_eq!(
        server.fragment(Text, b"x", true),
        Err(SendError::InvalidUtf8)
    );
    assert_eq!(
        server.fragment(Text, b"", true),
        Err(SendError::InvalidUtf8)
    );
    server.fragment(Text, b"\xa9", true).unwrap();

    let mut client = Endpoint::new(Role::Client, Config::default());
    client.read(&server.outbox);
    assert_eq!(client.heard(), [text("é")]);
}

/// Section 5.1: a client masks, each frame with a key of its own; a server does not.
#[test]
fn what_the_client_writes_is_masked_and_what_the_server_writes_is_not() {
    let mut pair = Pair::new();
    pair.server.text("Hello").unwrap();
    assert_eq!(pair.server.outbox, b"\x81\x05Hello");
    pair.client.text("Hello").unwrap();
    pair.client.text("Hello").unwrap();
    let (first, second) = pair.client.outbox.split_at(11);
    assert_eq!(first[..2], [0x81, 0x85]);
    assert_eq!(second[..2], [0x81, 0x85]);
    assert_ne!(first[2..6], second[2..6], "the keys are the same");
    assert_ne!(first[6..], *b"Hello");
}

#[test]
fn a_prepared_message_is_the_same_bytes_for_every_receiver_and_a_client_masks_it() {
    let message = Prepared::text("to all");
    assert_eq!(
        (message.payload().as_ref(), message.kind()),
        (&b"to all"[..], Text)
    );
    let mut pair = Pair::new();
    pair.server.prepared(&message).unwrap();
    assert_eq!(pair.server.outbox, message.wire()[..]);
    pair.client.prepared(&message).unwrap();
    pair.client.prepared(&Prepared::binary(&[7; 300])).unwrap();
    assert_eq!(
        pair.heard(),
        (
            vec![text("to all")],
            vec![text("to all"), binary(&[7; 300])]
        )
    );
}

/// Section 5.5.2.
#[test]
fn a_ping_is_answered_with_its_payload() {
    let mut pair = Pair::new();
    pair.server.ping("").unwrap();
    pair.client.ping("p").unwrap();
    assert_eq!(
        pair.heard(),
        (vec![ping(""), pong("p")], vec![ping("p"), pong("")])
    );
}

/// Section 5.5.3: "it MAY elect to send a Pong frame for only the most recently processed Ping frame".
#[test]
fn pings_that_pile_up_are_answered_by_one_pong() {
    let mut pair = Pair::new();
    pair.server.eager = false;
    for payload in ["1", "2", "3"] {
        pair.client.ping(payload).unwrap();
    }
    assert_eq!(
        pair.heard(),
        (vec![pong("3")], vec![ping("1"), ping("2"), ping("3")])
    );

    pair.server.eager = true;
    pair.client.ping("4").unwrap();
    pair.client.ping("5").unwrap();
    assert_eq!(
        pair.heard(),
        (vec![pong("4"), pong("5")], vec![ping("4"), ping("5")])
    );
}

#[test]
fn who_answers_pings_by_hand_is_not_answered_for() {
    let by_hand = Config {
        auto_pong: false,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), by_hand);
    pair.client.ping("p").unwrap();
    assert_eq!(pair.heard(), (vec![], vec![ping("p")]));
    pair.server.pong("p").unwrap();
    assert_eq!(pair.heard(), (vec![pong("p")], vec![]));
}

#[test]
fn a_pong_sent_by_hand_is_not_sent_again() {
    let mut wire = b"\x89\x01p".to_vec();
    let mut client = Connection::new(Role::Client, Config::default());
    let mut out = Vec::new();
    assert_eq!(
        client
            .handle_input(&mut wire, &mut Codecs::new())
            .unwrap()
            .event,
        Some(Event::Ping(b"p"))
    );
    client.send_pong(b"p", &mut || [0; 4], &mut out).unwrap();
    assert!(!client.poll_reply(&mut || [0; 4], &mut out));
}

/// Section 5.5: at most 125 bytes.
#[test]
fn a_control_frame_holds_125_bytes_and_no_more() {
    let mut pair = Pair::new();
    let (longest, longer) = ("x".repeat(125), "x".repeat(126));
    pair.client.ping(&longest).unwrap();
    assert_eq!(
        pair.client.ping(&longer),
        Err(SendError::ControlTooLong { length: 126 })
    );
    assert_eq!(
        pair.client.pong(&longer),
        Err(SendError::ControlTooLong { length: 126 })
    );
    assert_eq!(pair.heard(), (vec![pong(&longest)], vec![ping(&longest)]));
}

/// A whole message is lent from where it came; one in pieces can be taken.
#[test]
fn a_message_in_pieces_can_be_taken_once() {
    let mut server = Connection::new(Role::Client, Config::default());
    let mut wire = b"\x81\x02ab\x01\x01c\x80\x01d".to_vec();
    let mut codecs = Codecs::new();
    let step = server.handle_input(&mut wire, &mut codecs).unwrap();
    assert_eq!(
        (step.event, step.consumed, step.assembled),
        (Some(Event::Text("ab")), 4, false)
    );
    assert_eq!(server.take_assembled(), None);

    let step = server.handle_input(&mut wire[4..], &mut codecs).unwrap();
    assert_eq!(
        (step.event, step.consumed, step.assembled),
        (Some(Event::Text("cd")), 6, true)
    );
    assert_eq!(
        server.take_assembled(),
        Some(wiretalk_proto::Assembled::Text("cd".to_owned()))
    );
    assert_eq!(server.take_assembled(), None);
}

#[test]
fn what_is_behind_a_close_frame_in_the_same_packet_does_not_spoil_the_answer() {
    let mut pair = Pair::new();
    pair.server.eager = false;
    pair.client.close(1000, "bye").unwrap();
    pair.client.outbox.extend_from_slice(b"\x89\x80\0\0\0\0");
    let (client, server) = pair.heard();
    assert_eq!(client, [close(1000, "")]);
    assert_eq!(server[0], close(1000, "bye"));
    assert!(matches!(server[1], Heard::Broken(_)));
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}
