//! The player as the clients.

use super::stage::{Stage, test};

#[test]
fn a_dialogue_passes() {
    test(
        r#"
        connect ws://h/ws
          X-Who: me
        > Hello
        < Message text was: Hello
        > {"op":"subscribe"}
        < {"op":"subscribed","id":"{{id:uuid}}", ...}
          ? latency < 50ms
        < {"price":{{price:number}},"sub":"{{id}}"}
          ? {{price}} > 0
        >close 1000
        <close 1000
        "#,
        r#"
        connect #1 ws://h/ws X-Who: me
        * 1 opened
        #1 > Hello
        * at 10ms
        * 1 text Message text was: Hello
        #1 > {"op":"subscribe"}
        * at 20ms
        * 1 text {"more":1,"id":"123e4567-e89b-12d3-a456-426614174000","op":"subscribed"}
        * 1 text {"sub":"123e4567-e89b-12d3-a456-426614174000","price":1.50}
        #1 >close 1000
        * 1 close 1000
        passed
        * 1 gone
        "#,
    );
}

#[test]
fn every_kind_is_sent_and_expected() {
    test(
        r#"
        connect ws://h
        >
        >text {{no hole}}
        >esc a\tb\u{e9}
        >bin \x00x
        >hex 0a ff
        >base64 aGk=
        >ping hi
        >ping(hex) 00
        >pong
        <
        <text {{no hole}}
        <esc a\tb
        <bin \x00x
        <hex 0a ff
        <base64 aGk=
        <any
        <ping hi
        <pong(hex) 68 69
        >close 4000 bye {{n1=now}}
        <close
        "#,
        "
        connect #1 ws://h
        * 1 opened
        #1 >
        #1 > {{no hole}}
        #1 > a\tbé
        #1 >hex [00, 78]
        #1 >hex [0a, ff]
        #1 >hex [68, 69]
        #1 >ping hi
        #1 >ping \0
        #1 >pong
        * 1 text
        * 1 text {{no hole}}
        * 1 text a\tb
        * 1 hex 00 78
        * 1 hex 0a ff
        * 1 hex 68 69
        * 1 hex 01
        * 1 ping hi
        #1 >pong hi
        * 1 pong hi
        #1 >close 4000 bye now
        * 1 close 4000 bye now
        passed
        ",
    );
}

#[test]
fn a_message_that_differs_fails() {
    let talk = "
        connect ws://h
        > a
        < {{x:int}} b
        < {\"x\":{{x}}}
        ";
    for (came, failure) in [
        (
            "text 1 c",
            "`< {{x:int}} b`, came text 1 c: `1 c` is not `{{x:int}} b`",
        ),
        (
            "hex 00 ff",
            "`< {{x:int}} b`, came hex [00, ff]: a text message was expected, not a binary message",
        ),
        (
            "end it broke",
            "`< {{x:int}} b`, came end it broke: a text message was expected, not the end of the connection",
        ),
    ] {
        let script = format!(
            "connect #1 ws://h\n* 1 opened\n#1 > a\n* 1 {came}\nfailed in line 3 on #1: expected {failure}\n"
        );
        test(talk, &script);
    }
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 close 1011 oops
        #1 close is answered
        failed in line 3 on #1: expected `< {{x:int}} b`, came close 1011 oops: a text message was expected, not a close
        ",
    );
    test(
        talk,
        r#"
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text 1 b
        * 1 text {"x":2,"y":3}
        failed in line 4 on #1: expected `< {"x":1}`, came text {"x":2,"y":3}: $.x: expected 1, came 2, $.y is not expected: 3 came
        "#,
    );
}

#[test]
fn a_deadline_is_absolute() {
    test(
        "
        option timeout 2s
        connect ws://h
        > a
        < b
        <(within 200ms) c
        ",
        "
        connect #1 ws://h
        * deadline
        deadline 2s
        * at 1s
        * 1 opened
        #1 > a
        * deadline
        deadline 3s
        * at 1.5s
        * 1 ping x
        #1 >pong x
        * at 2.5s
        * 1 ping y
        #1 >pong y
        * deadline
        deadline 3s
        * at 3s
        failed in line 4 on #1: expected `< b`, nothing came for 2s
        * deadline
        no deadline
        ",
    );
    test(
        "
        connect ws://h
        <(within 200ms) b
        <(within 200ms, after 1s) c
        < d
        ",
        "
        connect #1 ws://h
        * 1 opened
        * at 200ms
        failed in line 2 on #1: expected `< b`, nothing came for 200ms
        ",
    );
    test(
        "
        connect ws://h
        <(within 200ms, after 1s) c
        < d
        ",
        "
        connect #1 ws://h
        * 1 opened
        * at 1.1s
        * 1 text c
        * at 6.1s
        failed in line 3 on #1: expected `< d`, nothing came for 5s
        ",
    );
}

#[test]
fn a_deadline_holds_also_for_a_caller_who_comes_late() {
    test(
        "
        connect ws://h
        <(within 200ms) b
        ",
        "
        connect #1 ws://h
        * 1 opened
        * late 201ms
        * 1 text b
        failed in line 2 on #1: expected `< b`, nothing came for 200ms
        ",
    );
    test(
        "
        connect ws://h
        silence 200ms
        < b
        ",
        "
        connect #1 ws://h
        * 1 opened
        * late 201ms
        * 1 text b
        passed
        ",
    );
    test(
        "
        connect ws://h
        <(within 200ms) b
        ",
        "
        connect #1 ws://h
        * 1 opened
        * late 200ms
        * 1 text b
        passed
        ",
    );
}

#[test]
fn skip_passes_over_what_does_not_match() {
    test(
        r#"
        connect ws://h
        <(skip, within 1s) {"type":"wanted", ...}
        < next
        "#,
        r#"
        connect #1 ws://h
        * 1 opened
        * 1 text {"type":"other"}
        * 1 hex 00
        * at 900ms
        * 1 text {"type":"wanted","n":1}
        * 1 text next
        passed
        "#,
    );
    test(
        "
        connect ws://h
        <(skip, within 1s) wanted
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 text other
        * at 1s
        failed in line 2 on #1: expected `< wanted`, nothing came for 1s, passed over 1: text other
        ",
    );
    test(
        "
        connect ws://h
        <(skip) wanted
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 close 1001
        #1 close is answered
        failed in line 2 on #1: expected `< wanted`, came close 1001: a text message was expected, not a close
        ",
    );
}

#[test]
fn silence_is_kept_or_broken() {
    let talk = "
        connect ws://h
        > a
        < b
        silence 200ms
        > c
        < d
        ";
    // Before it began, in its midst, and behind its end.
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * at 100ms
        * 1 text b
        * 1 text early
        failed in line 4 on #1: expected `silence 200ms`, text early after 0ns
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 text b
        * 1 text early
        * at 10ms
        * 1 opened
        #1 > a
        failed in line 4 on #1: expected `silence 200ms`, text early after 0ns
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        * at 150ms
        * 1 hex 07
        failed in line 4 on #1: expected `silence 200ms`, hex [07] after 150ms
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        * at 100ms
        * 1 ping
        #1 >pong
        * at 200ms
        #1 > c
        * 1 text d
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        * 1 close 1000
        #1 close is answered
        failed in line 4 on #1: expected `silence 200ms`, close 1000 after 0ns
        ",
    );
}

#[test]
fn checks_look_at_what_came() {
    let talk = r#"
        connect ws://h
        > a
        < {"n":{{n1:int}}, ...}
          ? latency < 50ms
          ? $.items[0].name startsWith "a"
          ? $.items[*].id >= 1
          ? {{n1}} != 0
          ? size < 100
          ? text contains items
          ? $.gone not exists
          ? {{message.n}} == {{n1}}
          first = $.items[0].id
        > {{first}}
        < {{first}} {{n1}}
        "#;
    test(
        talk,
        r#"
        connect #1 ws://h
        * 1 opened
        #1 > a
        * at 49ms
        * 1 text {"n":5,"items":[{"id":7,"name":"ab"},{"id":1}]}
        #1 > 7
        * 1 text 7 5
        passed
        "#,
    );
    for (when, came, check) in [
        (
            "50ms",
            r#"{"n":5,"items":[{"id":7,"name":"ab"}]}"#,
            "latency < 50ms` does not hold of 50ms (line 4)",
        ),
        (
            "1ms",
            r#"{"n":5,"items":[{"id":7,"name":"b"}]}"#,
            r#"$.items[0].name startsWith "a"` does not hold of "b" (line 5)"#,
        ),
        (
            "1ms",
            r#"{"n":5,"items":[]}"#,
            r#"$.items[0].name startsWith "a"` does not hold of nothing is there (line 5)"#,
        ),
        (
            "1ms",
            r#"{"n":5,"items":[{"id":7,"name":"a"},{"id":0}]}"#,
            "$.items[*].id >= 1` does not hold of 7, 0 (line 6)",
        ),
        (
            "1ms",
            r#"{"n":0,"items":[{"id":7,"name":"ab"}]}"#,
            "{{n1}} != 0` does not hold of 0 (line 7)",
        ),
        (
            "1ms",
            r#"{"n":1,"items":[{"id":7,"name":"ab"}],"gone":null}"#,
            "$.gone not exists` does not hold of null (line 10)",
        ),
    ] {
        let script = format!(
            "connect #1 ws://h\n* 1 opened\n#1 > a\n* at {when}\n* 1 text {came}\n\
             failed in line 3 on #1: expected `< {{\"n\":{{{{n1:int}}}}, ...}}`, came text {came}: `{check}\n"
        );
        test(talk, &script);
    }
}

#[test]
fn named_clients_speak_in_turn() {
    test(
        r#"
        connect alice ws://h/chat?user=alice
        connect bob   ws://h/chat?user=bob
        alice > {"text":"hi"}
        bob   < {"from":"alice","text":"hi"}
        alice silence 200ms
        all   < news
        others > thanks
        all > bye
        others < bye
        "#,
        r#"
        connect #1 alice ws://h/chat?user=alice
        * 1 opened
        connect #2 bob ws://h/chat?user=bob
        * 2 opened
        #1 > {"text":"hi"}
        * 2 text {"text":"hi","from":"alice"}
        * 2 text news
        * at 200ms
        * 1 text news
        #2 > thanks
        #1 > bye
        #2 > bye
        * 2 text bye
        passed
        "#,
    );
    test(
        "
        connect alice ws://h
        connect bob ws://h
        all < news
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        * at 1s
        * 1 text news
        * at 5s
        failed in line 3 on #2: expected `all < news`, nothing came for 5s
        ",
    );
    test(
        "
        connect alice ws://h
        connect bob ws://h
        others < news
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        failed in line 3: expected `others < news`, impossible: `others` are all but the one that spoke last, and none has spoken yet
        ",
    );
}

#[test]
fn the_same_name_again_connects_anew() {
    test(
        "
        connect ws://h/1
        >close 1000
        <close 1000
        connect ws://h/2
        > again
        < yes
        ",
        "
        connect #1 ws://h/1
        * 1 opened
        #1 >close 1000
        * 1 close 1000
        connect #2 ws://h/2
        * 1 gone
        * 2 opened
        #2 > again
        * 2 text yes
        passed
        ",
    );
}

#[test]
fn what_comes_between_two_lines_is_kept() {
    test(
        "
        connect alice ws://h
        connect bob ws://h
        wait 1s
        bob < 1
        alice < 1
        alice < 2
        ",
        "
        connect #1 alice ws://h
        * 1 text 1
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        * 1 text 2
        * 2 text 1
        * at 1s
        passed
        ",
    );
}

#[test]
fn a_handshake_is_refused_as_expected_or_not() {
    let talk = "
        connect ws://h
          Authorization: Bearer wrong
        HTTP 401
          WWW-Authenticate: {{scheme:word}}
          ? header Content-Length == 18
          | A token is needed.
        ";
    test(
        talk,
        "
        connect #1 ws://h Authorization: Bearer wrong
        * 1 refused 401 www-authenticate: Bearer; Content-Length: 18 | A token is needed.
        passed
        ",
    );
    for (answer, failure) in [
        (
            "refused 403 A: b | no",
            "answered 403 \"no\": `HTTP 403` is not `HTTP 401`",
        ),
        (
            "refused 401 A: b | no",
            "answered 401 \"no\": WWW-Authenticate: `no such header` is not `{{scheme:word}}`",
        ),
        (
            "refused 401 WWW-Authenticate: Bearer; Content-Length: 18 | no",
            "answered 401 \"no\": `no` is not `A token is needed.`",
        ),
        (
            "refused 401 WWW-Authenticate: Bearer; Content-Length: 1 | A token is needed.",
            "answered 401 \"A token is needed.\": `header Content-Length == 18` does not hold of \"1\" (line 5)",
        ),
        ("opened", "answered 101 \"\": `HTTP 101` is not `HTTP 401`"),
    ] {
        let script = format!(
            "connect #1 ws://h Authorization: Bearer wrong\n* 1 {answer}\nfailed in line 3 on #1: expected `HTTP 401`, {failure}\n"
        );
        test(talk, &script);
    }
    let talk = "
        connect ws://h
        > a
        < b
        ";
    test(
        talk,
        "
        connect #1 ws://h
        * 1 refused 503 A: b | busy
        failed in line 1 on #1: expected `connect ws://h`, answered 503 \"busy\": `HTTP 503` is not `HTTP 101`
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 failed connection refused
        failed in line 1 on #1: expected `connect ws://h`, not connected: connection refused
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * at 5s
        failed in line 1 on #1: expected `an answer to the handshake`, nothing came for 5s
        ",
    );
    test(
        "
        option subprotocol chat, superchat
        connect ws://h
        HTTP 101
          Sec-WebSocket-Protocol: {{protocol=chat}}
        > {{protocol}}
        < ok
        ",
        "
        connect #1 ws://h offering chat,superchat
        * 1 opened 101 Sec-WebSocket-Protocol: superchat
        #1 > superchat
        * 1 text ok
        passed
        ",
    );
}

#[test]
fn finally_comes_after_success_and_after_failure() {
    let talk = "
        finally
          > cleanup
          < cleaned
        test one
        connect ws://h
        > a
        < b
        finally
          > own
        ";
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        #1 > own
        #1 > cleanup
        * 1 text cleaned
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text c
        #1 > own
        #1 > cleanup
        * 1 text cleaned
        failed in line 7 on #1: expected `< b`, came text c: `c` is not `b`
        ",
    );
    // What fails in `finally` fails a test that passed, and does not hide why one failed.
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        #1 > own
        #1 > cleanup
        * at 5s
        failed in line 3 on #1: expected `< cleaned`, nothing came for 5s
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 end it broke
        #1 > own
        #1 > cleanup
        * 1 gone
        failed in line 7 on #1: expected `< b`, came end it broke: a text message was expected, not the end of the connection
        ",
    );
}

#[test]
fn each_line_of_finally_is_played_though_others_fail() {
    test(
        "
        connect alice ws://h
        connect bob ws://h
        bob > go
        bob < done
        finally
          alice > cleanup-a
          bob > cleanup-b
          bob < yes
          bob < cleaned
          bob silence 1s
          alice < never
          bob >(after 0s) bye
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        #2 > go
        * 1 end it broke
        * 1 gone
        * 2 text failed
        #2 > cleanup-b
        * 2 text no
        * 2 text cleaned
        * 2 text noise
        #2 > bye
        failed in line 4 on #2: expected `bob < done`, came text failed: `failed` is not `done`
        ",
    );
    // The first that fails there is the one that is told.
    test(
        "
        connect ws://h
        > a
        < b
        finally
          nobody > cleanup
          > own
          < cleaned
          > last
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 > a
        * 1 text b
        #1 > own
        * at 5s
        #1 > last
        failed in line 5: expected `nobody > cleanup`, impossible: there is no connection called `nobody`
        ",
    );
}

#[test]
fn pings_are_answered_unless_a_line_does() {
    test(
        "
        connect ws://h
        < a
        <ping question
        >pong other answer
        < b
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 ping keepalive
        #1 >pong keepalive
        * 1 ping question
        * 1 text a
        #1 >pong other answer
        * 1 ping later
        #1 >pong later
        * 1 text b
        passed
        ",
    );
    test(
        "
        connect ws://h
        >pong unasked
        < a
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 >pong unasked
        * 1 ping x
        #1 >pong x
        * 1 text a
        passed
        ",
    );
    test(
        "
        connect ws://h
        on <ping {{p=x}}
          >pong not {{p}}
        < a
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 ping 1
        #1 >pong not 1
        * 1 text a
        passed
        ",
    );
    // A pong may come before or behind data.
    test(
        "
        connect ws://h
        >ping 1
        > a
        <pong 1
        < b
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 >ping 1
        #1 > a
        * 1 text b
        failed in line 4 on #1: expected `<pong 1`, came text b: a pong was expected, not a text message
        ",
    );
}

#[test]
fn a_close_is_answered_unless_a_line_does() {
    test(
        "
        connect ws://h
        <close 1001 {{why=x}}
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 close 1001 going down
        #1 close is answered
        passed
        ",
    );
    test(
        "
        connect ws://h
        < a
        <close 1001
        >close 4000 mine
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 text a
        * 1 close 1001
        #1 >close 4000 mine
        passed
        ",
    );
    test(
        "
        connect ws://h
        <close 1000 bye
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 close 1001 bye
        #1 close is answered
        failed in line 2 on #1: expected `<close 1000 bye`, came close 1001 bye: `close 1001 bye` is not `close 1000`
        ",
    );
    test(
        "
        connect ws://h
        <close
        > too late
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 close 1005
        #1 close is answered
        failed in line 3: expected `> too late`, impossible: the peer has closed the connection, so nothing can be sent any more
        ",
    );
    test(
        "
        connect ws://h
        >close 1005
        > too late
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 >close without a code
        failed in line 3: expected `> too late`, impossible: the connection is being closed, so nothing can be sent any more
        ",
    );
    test(
        "
        connect ws://h
        <close
        < more
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 close 1000
        #1 close is answered
        * 1 gone
        failed in line 3 on #1: expected `< more`, impossible: the connection is closed, so nothing can come any more
        ",
    );
}

#[test]
fn what_nobody_consumed_is_listed_and_fails_when_strict() {
    test(
        "
        connect alice ws://h
        connect bob ws://h
        alice < a
        bob < a
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        * 1 text a
        * 1 text b
        * 1 hex 01
        * 2 text a
        passed, unconsumed: alice text b, alice hex [01]
        ",
    );
    test(
        "
        option strict
        test nothing more may come
        connect ws://h
        < a
        silence 1s
        test nothing more
        ",
        "
        connect #1 ws://h
        * 1 opened
        * 1 text a
        * 1 text b
        failed in line 5 on #1: expected `silence 1s`, text b after 0ns
        ",
    );
    test(
        "
        option strict
        connect alice ws://h
        connect bob ws://h
        alice < a
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        * 2 text b
        * 1 text a
        failed in line 1: expected `nothing more`, unconsumed: bob text b
        ",
    );
}

#[test]
fn rules_and_clocks_work_beside_the_dialogue() {
    test(
        r#"
        on < {"type":"ping","id":{{id:int}}}
          ? {{id}} < 100
          > {"type":"pong","id":{{id}}}
        every 1s
          > heartbeat {{n}}
        connect ws://h
        > start
        < {"type":"ready"}
        wait 2s
        > end
        <(skip) done
        "#,
        r#"
        connect #1 ws://h
        * 1 opened
        #1 > start
        * 1 text {"type":"ping","id":1}
        #1 > {"type":"pong","id":1}
        * 1 text {"type":"ready"}
        * 1 text {"type":"ping","id":2}
        #1 > {"type":"pong","id":2}
        * at 1s
        #1 > heartbeat 0
        * at 2s
        #1 > end
        #1 > heartbeat 1
        * 1 text {"type":"ping","id":100}
        * 1 text done
        passed
        "#,
    );
    // A clock does not outlive its connection, and has no part in a close.
    test(
        "
        every 1s
          >ping
        connect ws://h
        >close 1000
        <close
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 >close 1000
        * at 1s
        * at 2s
        * 1 close 1000
        passed
        ",
    );
    // The line of one client is played by the clock of that one.
    test(
        "
        every 1s
          alice > tick
        connect alice ws://h
        connect bob ws://h
        bob < end
        ",
        "
        connect #1 alice ws://h
        * 1 opened
        connect #2 bob ws://h
        * 2 opened
        * at 1s
        #1 > tick
        * 2 text end
        passed
        ",
    );
}

#[test]
fn echo_and_message_mean_what_the_other_side_received() {
    test(
        r#"
        connect ws://h
        > one
        <echo
        >hex 00 ff
        <echo
        > two
        < you said {{message|upper}}
          ? {{message|length}} == 12
        >echo
        <close
        "#,
        "
        connect #1 ws://h
        * 1 opened
        #1 > one
        * 1 text one
        #1 >hex [00, ff]
        * 1 hex 00 ff
        #1 > two
        * 1 text you said TWO
        #1 > you said TWO
        * 1 close 1000
        #1 close is answered
        passed
        ",
    );
    test(
        "
        connect ws://h
        > one
        <echo
        ",
        "
        connect #1 ws://h
        * 1 opened
        #1 > one
        * 1 text two
        failed in line 3 on #1: expected `<echo`, came text two: `two` is not `one`
        ",
    );
}

#[test]
fn variables_from_outside_win() {
    let talk = "
        set url = ws://h
        set greeting = hello
        test one
        set who = {{name=bob}}
        connect {{url}}/{{who}}
        > {{greeting}} {{who}}
        < ok
        ";
    Stage::test(talk, 0, &[("url", "ws://other"), ("name", "eve")]).plays(
        "
        connect #1 ws://other/eve
        * 1 opened
        #1 > hello eve
        * 1 text ok
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/bob
        * 1 opened
        #1 > hello bob
        * 1 text ok
        passed
        ",
    );
}

#[test]
fn what_cannot_be_sent_fails_the_test() {
    for (line, why) in [
        ("> {{ env.NOBODY }}", "`env.NOBODY` is not there"),
        (
            ">ping {{ \"ab\" * 100 }}",
            "a control frame carries 125 bytes at the most, and this has 200 (RFC 6455 section 5.5)",
        ),
        (
            ">close 1000 {{ \"ab\" * 100 }}",
            "a close reason has 123 bytes at the most, and this has 200 (RFC 6455 section 5.5)",
        ),
        (">echo", "nothing was received that could be echoed"),
        (">any", "`any` cannot be sent"),
        ("bob > hi", "there is no connection called `bob`"),
        ("bob silence 1s", "there is no connection called `bob`"),
    ] {
        test(
            &format!("connect ws://h\n{line}\n< x\n"),
            &format!(
                "connect #1 ws://h\n* 1 opened\nfailed in line 2: expected `{line}`, impossible: {why}\n"
            ),
        );
    }
    test(
        "
        > hi
        < x
        ",
        "failed in line 1: expected `> hi`, impossible: there is no connection: `connect` comes first",
    );
}
