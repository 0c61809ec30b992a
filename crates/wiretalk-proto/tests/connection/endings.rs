//! How a connection ends: RFC 6455 sections 5.5.1 and 7.

use wiretalk_proto::{CloseCode, Codecs, Config, End, MessageKind, Role, SendError, State};

use crate::pair::{Endpoint, Heard, Pair, close, frame_to, text};

/// Section 7.1.2 and 7.1.3: one end begins the close handshake, the other answers with the same code.
#[test]
fn a_close_is_answered_with_its_code_and_both_ends_are_done() {
    let mut pair = Pair::new();
    pair.client.close(4321, "enough").unwrap();
    assert_eq!(pair.states(), (State::Closing, State::Open));
    assert_eq!(
        pair.heard(),
        (vec![close(4321, "")], vec![close(4321, "enough")])
    );
    assert_eq!(pair.states(), (State::Closed, State::Closed));
    assert_eq!(pair.client.connection.handle_end(), End::Clean);
    assert_eq!(pair.server.connection.handle_end(), End::Clean);
}

#[test]
fn a_close_without_a_code_is_answered_without_one() {
    let mut pair = Pair::new();
    pair.server.close_without_code().unwrap();
    assert_eq!(pair.server.outbox, [0x88, 0]);
    assert_eq!(
        pair.heard(),
        (vec![Heard::Close(None)], vec![Heard::Close(None)])
    );
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new();
    pair.client.close(1000, "I go").unwrap();
    pair.server.close(1001, "no, I").unwrap();
    assert_eq!(
        pair.heard(),
        (vec![close(1001, "no, I")], vec![close(1000, "I go")])
    );
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}

#[test]
fn after_our_close_frame_nothing_is_sent_but_what_the_peer_sends_still_comes() {
    let mut pair = Pair::new();
    pair.client.close(1000, "").unwrap();
    assert_eq!(pair.client.text("x"), Err(SendError::Closed));
    assert_eq!(
        pair.client.fragment(MessageKind::Text, b"x", true),
        Err(SendError::Closed)
    );
    assert_eq!(pair.client.ping(""), Err(SendError::Closed));
    assert_eq!(pair.client.close(1000, ""), Err(SendError::Closed));
    // It had not seen the close yet. No pong follows a close frame.
    pair.server.text("late").unwrap();
    pair.server.ping("late").unwrap();
    let (client, server) = pair.heard();
    assert_eq!(
        client,
        [text("late"), Heard::Ping(b"late".to_vec()), close(1000, "")]
    );
    assert_eq!(server, [close(1000, "")]);
}

/// Section 5.5.1: "an endpoint MAY delay sending a Close frame until its current message is sent".
#[test]
fn a_message_that_had_begun_may_be_ended_before_the_answer() {
    let by_hand = Config {
        auto_close: false,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), by_hand);
    pair.server
        .fragment(MessageKind::Text, b"one ", false)
        .unwrap();
    pair.client.close(1000, "").unwrap();
    pair.deliver();
    assert_eq!(pair.states(), (State::Closing, State::PeerClosed));
    assert_eq!(pair.server.ping(""), Err(SendError::Closed));
    pair.server
        .fragment(MessageKind::Text, b"two", true)
        .unwrap();
    assert_eq!(
        pair.server.fragment(MessageKind::Text, b"x", true),
        Err(SendError::Closed)
    );
    pair.server.close(1000, "done").unwrap();
    assert_eq!(pair.heard().0, [text("one two"), close(1000, "done")]);
    assert_eq!(pair.states(), (State::Closed, State::Closed));
}

/// Section 5.5.2: a ping is answered "unless it already received a Close frame".
#[test]
fn a_ping_that_was_not_answered_when_the_close_came_is_not_answered() {
    let mut pair = Pair::new();
    pair.server.eager = false;
    pair.client.ping("late").unwrap();
    pair.client.close(1000, "").unwrap();
    assert_eq!(
        pair.heard(),
        (
            vec![close(1000, "")],
            vec![Heard::Ping(b"late".to_vec()), close(1000, "")]
        )
    );
}

#[test]
fn who_answers_a_close_by_hand_is_not_answered_for() {
    let by_hand = Config {
        auto_close: false,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), by_hand);
    pair.client.close(1000, "").unwrap();
    assert_eq!(pair.heard(), (vec![], vec![close(1000, "")]));
    assert!(!pair.server.reply());
    pair.server.close(4000, "mine").unwrap();
    assert_eq!(pair.heard(), (vec![close(4000, "mine")], vec![]));
}

/// Section 7.4: what may be sent, and what may not.
#[test]
fn only_codes_that_may_be_on_the_wire_are_sent() {
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        let mut pair = Pair::new();
        pair.client.close(code, "").unwrap();
        assert_eq!(pair.heard().1, [close(code, "")]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        let mut client = Endpoint::new(Role::Client, Config::default());
        assert_eq!(
            client.close(code, ""),
            Err(SendError::CodeNotSendable(CloseCode::new(code)))
        );
        assert_eq!((client.state(), client.outbox.len()), (State::Open, 0));
    }
}

/// Section 5.5.1 with 5.5: two bytes of code leave 123 for the reason.
#[test]
fn a_reason_holds_123_bytes_and_no_more() {
    let mut pair = Pair::new();
    let longest = "é".repeat(61) + "x";
    assert_eq!(
        pair.client.close(1000, &(longest.clone() + "y")),
        Err(SendError::ReasonTooLong { length: 124 })
    );
    pair.client.close(1000, &longest).unwrap();
    assert_eq!(pair.heard().1, [close(1000, &longest)]);
}

#[test]
fn a_reason_needs_a_code() {
    let mut connection = Endpoint::new(Role::Server, Config::default()).connection;
    let mut out = Vec::new();
    let refused = connection.send_close(None, "why", &mut || [0; 4], &mut out);
    assert_eq!((refused, out.len()), (Err(SendError::ReasonWithoutCode), 0));
}

/// Section 7.1.5: without a close frame the code is 1006. Where the stream was cut is told.
#[test]
fn a_stream_that_ends_without_a_close_is_abnormal_and_says_where_it_was_cut() {
    let end = |wire: &[u8]| {
        let mut client = Endpoint::new(Role::Client, Config::default());
        client.read(wire);
        let end = client.connection.handle_end();
        assert_eq!(client.state(), State::Closed);
        assert_eq!(client.text("x"), Err(SendError::Closed));
        match end {
            End::Abnormal {
                mid_frame,
                mid_message,
            } => (mid_frame, mid_message),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end(b""), (false, false));
    assert_eq!(end(b"\x81\x01a"), (false, false));
    assert_eq!(end(b"\x81"), (true, false), "in a header");
    assert_eq!(end(b"\x82\x7e\x01"), (true, false), "in a length");
    assert_eq!(end(b"\x81\x02"), (true, true), "before a payload");
    assert_eq!(end(b"\x81\x02a"), (true, true), "in a payload");
    assert_eq!(end(b"\x01\x01a"), (false, true), "between fragments");
    assert_eq!(
        end(b"\x01\x01a\x80"),
        (true, true),
        "in the second fragment's header"
    );
    assert_eq!(end(b"\x89\x02a"), (true, false), "in a ping");
}

/// Section 7.1.7: the connection fails with a close frame that says why, and nothing more is received or sent.
#[test]
fn a_broken_rule_fails_the_connection() {
    let mut server = Endpoint::new(Role::Server, Config::default());
    server.read(&frame_to(
        Role::Server,
        0x89,
        b"unanswered when the next frame breaks the rules",
    ));
    server.outbox.clear();
    server.read(&frame_to(Role::Server, 0x83, b""));
    let Some(Heard::Broken(error)) = server.heard().pop() else {
        panic!("not refused")
    };
    assert_eq!(server.state(), State::Closed);
    assert!(!server.reply(), "one close frame is enough");

    let mut client = Endpoint::new(Role::Client, Config::default());
    client.read(&server.outbox);
    assert_eq!(
        client.heard(),
        [close(1002, "a frame has the reserved opcode 0x3")]
    );

    assert_eq!(server.text("x"), Err(SendError::Closed));
    assert_eq!(server.close(1000, ""), Err(SendError::Closed));
    server.read(&frame_to(Role::Server, 0x81, b"fine"));
    assert_eq!(
        server.heard(),
        [Heard::Broken(error)],
        "the connection stays failed"
    );
    assert_eq!(server.connection.handle_end(), End::Failed(error));
}

#[test]
fn until_its_close_frame_is_written_a_broken_connection_is_failing() {
    let mut server = Endpoint::new(Role::Server, Config::default());
    server
        .connection
        .handle_input(&mut [0x83], &mut Codecs::new())
        .unwrap_err();
    assert_eq!(server.state(), State::Failing);
    assert_eq!(server.close(1000, ""), Err(SendError::Closed));
    assert!(server.reply());
    assert_eq!(server.state(), State::Closed);
}

#[test]
fn a_rule_broken_after_our_close_frame_is_not_answered_with_another() {
    let mut server = Endpoint::new(Role::Server, Config::default());
    server.close(1000, "").unwrap();
    server.outbox.clear();
    server.read(&frame_to(Role::Server, 0x83, b""));
    assert_eq!(server.state(), State::Closed);
    assert!(server.outbox.is_empty());
}
