//! How connections fail, and what breaks the rules, in both roles.

use super::stage::{Stage, mock, test};

#[test]
fn a_connection_that_cannot_be_opened_is_expected() {
    let talk = "
        connect ws://h/
        <error refused
        connect ws://h/
        < hi
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 fails refused nobody listens
        connect #2 ws://h/
        * 2 opened
        * 2 text hi
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 fails dns no such host
        failed in line 2 on #1: expected `<error refused`, not connected: no such host
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 refused 404 A: b | no
        failed in line 2 on #1: expected `<error refused`, not connected: the server answered HTTP 404
        ",
    );
    // It opened: the line waits for how it ends.
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text hi
        failed in line 2 on #1: expected `<error refused`, came text hi: a connection that fails was expected, not a text message
        ",
    );
    test(
        "
        connect ws://h/
        <error handshake
        ",
        "
        connect #1 ws://h/
        * 1 refused 404 A: b | no
        passed
        ",
    );
}

#[test]
fn how_a_connection_ended_is_expected() {
    for (line, event, outcome) in [
        ("<error reset", "1 end it broke", "passed"),
        ("<drop", "1 end it broke", "passed"),
        ("<fail 1002", "1 end it broke", "passed"),
        ("<fail", "1 end it broke", "passed"),
        ("<error protocol", "1 breaks 1002", "passed"),
        ("<error protocol 1002", "1 breaks 1002", "passed"),
        (
            "<error protocol 1007",
            "1 breaks 1002",
            "failed in line 2 on #1: expected `<error protocol 1007`, came end it broke the rules: `error protocol 1002` is not `error protocol 1007`",
        ),
        (
            "<drop",
            "1 breaks 1002",
            "failed in line 2 on #1: expected `<drop`, came end it broke the rules: `error protocol 1002` is not `error reset`",
        ),
        (
            "<error timeout",
            "1 end it broke",
            "failed in line 2 on #1: expected `<error timeout`, came end it broke: `error reset` is not `error timeout`",
        ),
    ] {
        let talk = format!("connect ws://h/\n{line}\n");
        let script = format!("connect #1 ws://h/\n* 1 opened\n* {event}\n{outcome}\n");
        test(&talk, &script);
    }
    for (line, outcome) in [
        ("<fail 1002", "passed"),
        ("<fail", "passed"),
        (
            "<fail 1007",
            "failed in line 2 on #1: expected `<fail 1007`, came close 1002 bad: `close 1002 bad` is not `close 1007`",
        ),
        (
            "<drop",
            "failed in line 2 on #1: expected `<drop`, came close 1002 bad: the end of the connection, without a close frame was expected, not a close",
        ),
    ] {
        let talk = format!("connect ws://h/\n{line}\n");
        let script = format!(
            "connect #1 ws://h/\n* 1 opened\n* 1 close 1002 bad\n#1 close is answered\n{outcome}\n"
        );
        test(&talk, &script);
    }
}

#[test]
fn a_mock_sees_how_its_client_ends() {
    mock(
        "
        connect ws://h/
        > a
        >drop
        set global.dropped = yes
        on > dropped
          < {{ global.dropped }}
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        * 1 end it broke
        * 1 gone
        * connects /
        accepted #2
        * 2 text dropped
        #2 < yes
        ",
    );
}

#[test]
fn what_breaks_the_rules_is_sent() {
    let talk = "
        connect ws://h/
        >frame(fin=no, opcode=1, rsv=4, mask=no, length=70000) abc {{x=1}}
        >frame(opcode=9, hex) 00ff
        >raw 81 05
        >(fragment 2, chop 3, compress=no) hello
        >file photo.bin
        >file(bytes 2..4) photo.bin
        >stall 5s
        >drop
        > too late
        ";
    test(
        talk,
        r"
        connect #1 ws://h/
        * 1 opened
        #1 >frame RawHeader { fin: Some(false), opcode: Some(1), rsv: Some(4), mask: Some(false), key: None, length: Some(70000) } abc 1
        #1 >frame RawHeader { fin: None, opcode: Some(9), rsv: None, mask: None, key: None, length: None } NUL
        #1 >raw [81, 05]
        #1 > hello Delivery { fragment: Some(2), chop: Some(3), compress: Some(false), unremembered: false }
        #1 >hex [61, 20, 70, 68, 6f, 74, 6f]
        #1 >hex [70, 68, 6f]
        #1 >stall 5s
        #1 >drop
        failed in line 10: expected `> too late`, impossible: the connection is being closed, so nothing can be sent any more
        "
        .replace("NUL", "\0\u{fffd}")
        .as_str(),
    );
    mock(
        "
        on > drop
          <drop
        on > stall
          <stall 1s
          < after
        on > bad
          <frame(rsv=7) x
        on > raw
          <raw 00
        on >file photo.bin
          <file(bytes 0..0) photo.bin
        ",
        "
        * connects /
        accepted #1
        * 1 text stall
        #1 <stall 1s
        #1 < after
        * 1 text bad
        #1 <frame RawHeader { fin: None, opcode: None, rsv: Some(7), mask: None, key: None, length: None } x
        * 1 text raw
        #1 <raw [00]
        * 1 hex 61 20 70 68 6f 74 6f
        #1 <hex [61]
        * 1 text drop
        #1 <drop
        * 1 text stall
        ",
    );
}

#[test]
fn nothing_is_to_be_seen_of_a_stall() {
    test(
        "
        connect ws://h/
        <stall 5s
        < a
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text a
        passed
        ",
    );
    mock(
        "
        connect ws://h/
        >stall 5s
        > a
        < b
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        #1 < b
        ",
    );
}

#[test]
fn a_close_that_is_sent_as_a_frame_is_a_close() {
    test(
        "
        connect ws://h/
        >frame(opcode=8, hex) 03e8
        <close 1000
        ",
        "
        connect #1 ws://h/
        * 1 opened
        #1 >frame RawHeader { fin: None, opcode: Some(8), rsv: None, mask: None, key: None, length: None } \u{3}\u{fffd}
        * 1 close 1000
        passed
        ",
    );
}

#[test]
fn a_regular_expression_captures_its_groups() {
    let talk = "
        connect ws://h/
        <re (?<who>\\w+) says (?<what>.*)
        > {{who}}: {{what}}
        <re (?<who>\\w+) is gone
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text ann says hi there
        #1 > ann: hi there
        * 1 text ann is gone
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text ann says hi there
        #1 > ann: hi there
        * 1 text bob is gone
        failed in line 4 on #1: expected `<re (?<who>\\w+) is gone`, came text bob is gone: the group `who`: `bob` is not `ann`
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text nobody
        failed in line 2 on #1: expected `<re (?<who>\\w+) says (?<what>.*)`, came text nobody: `nobody` is not `(?<who>\\w+) says (?<what>.*)`
        ",
    );
    mock(
        "
        on >re add (?<a1>\\d+) (?<b1>\\d+)
          < {{ a1|int + b1|int }}
        ",
        "
        * connects /
        accepted #1
        * 1 text add 1 2
        #1 < 3
        * 1 text add 1
        #1 unmatched, nearest is line 1: `add 1` is not `add (?<a1>\\d+) (?<b1>\\d+)`
        ",
    );
    mock(
        talk,
        "* connects /\naccepted #1\n#1 problem in line 2: `re` cannot be sent: it says what may come",
    );
}

#[test]
fn compression_and_the_way_of_refusing_are_options() {
    test(
        "
        option compression no
        connect ws://h/
        < a
        ",
        "
        connect #1 ws://h/ uncompressed
        * 1 opened
        * 1 text a
        passed
        ",
    );
    mock(
        "
        option compression yes
        option refuse close
        listen ws://h/chat
        on connect
          Authorization: Bearer {{token:word}}
        on connect
          HTTP 401
            | A token is needed.
            | Really.
        on > a
          < b
        ",
        "
        * connects /chat Authorization: Bearer x
        accepted #1 compressed
        * connects /chat
        refused by close 4401 A token is needed.
        * connects /other
        refused by close 4404 nothing is served at this path
        ",
    );
}

#[test]
fn a_file_is_expected() {
    let talk = "
        connect ws://h/
        <file photo.bin
        <file(bytes 0..0) photo.bin
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 hex 61 20 70 68 6f 74 6f
        * 1 hex 61
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 hex 61 20
        failed in line 2 on #1: expected `<file photo.bin`, came hex [61, 20]: `61 20` is not `61 20 70 68 6f 74 6f`
        ",
    );
    Stage::mock(talk, None).plays(
        "
        * connects /
        accepted #1
        #1 <hex [61, 20, 70, 68, 6f, 74, 6f]
        #1 <hex [61]
        ",
    );
}
