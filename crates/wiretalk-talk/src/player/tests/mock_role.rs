//! The player as the server.

use super::stage::{self, Stage, mock};

const MODES: &str = "
    listen ws://127.0.0.1:4000

    on > {{_}}ignore{{_}}
      # a request without a response
    on > {{_}}double{{_}}
      all < {{message}} #1
      all < {{message}} #2
    on > {{_}}
      all <echo
    every 5s
      all < hello world {{n}}
    ";

#[test]
fn a_server_answers_in_four_ways() {
    mock(
        MODES,
        "
        * connects /
        accepted #1
        * connects /any
        accepted #2
        * 1 text please ignore this
        * 2 text double it
        all < double it #1
        all < double it #2
        * 1 text hi
        all < hi
        * deadline
        deadline 5s
        * at 5s
        all < hello world 0
        * at 9s
        * 1 gone
        * clients
        1 open
        * at 10s
        all < hello world 1
        * 2 hex 00
        #2 unmatched, nearest is line 3: a text message was expected, not a binary message
        * 1 text from nobody
        ",
    );
}

#[test]
fn the_first_rule_that_matches_wins() {
    mock(
        r#"
        on > {"op":"add","n":{{n1:int}}, ...}
          ? {{n1}} < 10
          < small {{n1}}
        on > {"op":"add", ...}
          ? $.n isInteger
          half = $.n
          others < large {{half}}
          < {{message.op}} {{client.id}}
        on >hex 00
          <hex 01
        on >any
          <echo
        "#,
        r#"
        * connects /
        accepted #1
        * 1 text {"op":"add","n":9}
        #1 < small 9
        * 1 text {"n":10,"op":"add"}
        all but #1 < large 10
        #1 < add 1
        * 1 text {"op":"add","n":"x"}
        #1 < {"op":"add","n":"x"}
        * 1 hex 00
        #1 <hex [01]
        * 1 hex 02
        #1 <hex [02]
        * 1 text
        #1 <
        "#,
    );
}

#[test]
fn what_a_rule_captures_lives_for_that_run() {
    mock(
        "
        on > wait {{who:word}}
          wait 1s
          < {{who}}
        on > forget
          < {{who}}
        ",
        "
        * connects /
        accepted #1
        * 1 text wait a
        * at 500ms
        * 1 text wait b
        * 1 text forget
        #1 problem in line 5: `who` is not bound here
        * at 1s
        #1 < a
        * at 1.5s
        #1 < b
        ",
    );
}

#[test]
fn values_last_as_long_as_the_client_or_the_server() {
    mock(
        "
        on > name {{given:word}}
          set client.name = {{given}}
          set global.last = {{given}}
          set global.count = {{ global.count|default(0) + 1 }}
        on > who
          < {{client.name}} of {{server.clients}}, last {{global.last}}, {{global.count}} in all
        on > nobody
          ? client.name not exists
          < nobody yet
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 1 text nobody
        #1 < nobody yet
        * 1 text name ann
        * 1 text nobody
        #1 unmatched, nearest is line 7: `client.name not exists` does not hold of \"ann\"
        * 2 text name bob
        * 1 text who
        #1 < ann of 2, last bob, 2 in all
        * 2 gone
        * connects /
        accepted #3
        * 3 text who
        #3 problem in line 6: `client.name` is not there
        * 1 text who
        #1 < ann of 2, last bob, 2 in all
        ",
    );
}

#[test]
fn clocks_are_the_servers_or_each_clients_own() {
    mock(
        "
        every 2s
          all < tick {{n}} for {{server.clients}}
        every 2s per client
          < yours {{n}}, {{client.id}}
        ",
        "
        * connects /
        accepted #1
        * at 1s
        * connects /
        accepted #2
        * at 2s
        all < tick 0 for 2
        #1 < yours 0, 1
        * at 3s
        #2 < yours 0, 2
        * at 4s
        all < tick 1 for 2
        #1 < yours 1, 1
        * 1 gone
        * at 5s
        #2 < yours 1, 2
        * 2 close 1000
        #2 close is answered
        * at 7s
        all < tick 2 for 1
        * 2 gone
        * at 60s
        all < tick 3 for 0
        * deadline
        deadline 62s
        ",
    );
}

#[test]
fn a_dialogue_is_served() {
    let talk = "
        set url = ws://127.0.0.1:8765/ws
        connect {{url}}

        > Hello, WebSocket!
        <(within 1s) Message text was: Hello, WebSocket!
          ? latency < 1s

        > 你好
        <(within 1s) Message text was: 你好

        >text close
        <close(within 1s)
        ";
    mock(
        talk,
        "
        * connects /ws
        accepted #1
        * 1 text Hello, WebSocket!
        #1 < Message text was: Hello, WebSocket!
        * 1 text something else
        #1 unmatched, nearest is line 8: `something else` is not `你好`
        * at 100s
        * 1 text 你好
        #1 < Message text was: 你好
        * 1 text close
        #1 <close without a code
        * 1 close 1005
        * 1 gone
        ",
    );
    // Each client plays it from the top; and who asks for another path plays nothing.
    mock(
        talk,
        "
        * connects /ws
        accepted #1
        * connects /ws
        accepted #2
        * 1 text Hello, WebSocket!
        #1 < Message text was: Hello, WebSocket!
        * 2 text 你好
        #2 unmatched, nearest is line 4: `你好` is not `Hello, WebSocket!`
        * connects /other
        accepted #3
        * 3 text Hello, WebSocket!
        #3 unmatched
        ",
    );
}

#[test]
fn a_dialogue_waits_and_remembers() {
    mock(
        r#"
        connect ws://h/
        HTTP 101
          X-Served-By: {{by=wiretalk}}
        > {"id":{{id=5}}}
        <(after 1s) {"id":{{id}},"token":{{token:uuid}}}
        > {{token}}
        wait 500ms
        < bye
        > after
        < all
        "#,
        r#"
        * connects /
        accepted #1 X-Served-By: wiretalk
        * 1 text {"id":7}
        * at 1s
        #1 < {"id":7,"token":"e220a839-7b1d-4daf-ae78-9e6aa1b965f4"}
        * 1 text e220a839-7b1d-4daf-ae78-9e6aa1b965f4
        * 1 text after
        * at 1.5s
        #1 < bye
        #1 < all
        * 1 text more
        #1 unmatched
        "#,
    );
}

#[test]
fn rules_help_the_dialogue() {
    mock(
        "
        on > ping
          < pong
        on > {{_}}
          < what?
        > hello
        < welcome
        > bye
        <close 1000 see you
        ",
        "
        * connects /
        accepted #1
        * 1 text ping
        #1 < pong
        * 1 text hello
        #1 < welcome
        * 1 text hello
        #1 < what?
        * 1 text bye
        #1 <close 1000 see you
        * 1 close 1000
        ",
    );
}

#[test]
fn each_newcomer_takes_the_first_connect_that_is_free() {
    let talk = "
        connect alice ws://h/chat?user=alice
        connect bob ws://h/chat?user=bob
        set greeting = hi
        connect ws://h/other
        alice > {{greeting}}
        bob < {{greeting}}
        all < news
        others < alice spoke
        alice silence 1s
        bob > bye
        ";
    mock(
        talk,
        "
        * connects /chat?user=bob
        accepted #1
        * connects /chat?user=alice
        accepted #2
        * 2 text hi
        #1 < hi
        #1 < news
        #2 < news
        #1 < alice spoke
        * 1 text bye
        * connects /chat?user=carol
        accepted #3
        * 3 text hi
        #3 unmatched
        ",
    );
    let talk = "
        connect a ws://h
        connect b ws://h
        a > 1
        b > 2
        ";
    mock(
        talk,
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 2 text 1
        #2 unmatched, nearest is line 4: `1` is not `2`
        * 1 gone
        * connects /
        accepted #3
        * 3 text 1
        * 3 text 3
        #3 unmatched
        ",
    );
    // The same name again is another connection of the same client.
    let talk = "
        connect ws://h
        > 1
        < first
        connect ws://h
        > 2
        < second
        ";
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text 1
        #1 < first
        * 1 text 2
        #1 unmatched
        * connects /
        accepted #2
        * 2 text 2
        #2 < second
        ",
    );
}

#[test]
fn a_test_by_title_is_served() {
    let talk = "
        set host = ws://h
        test one
        connect {{host}}/1
        > 1
        < one
        test two
        set answer = {{ 'two'|upper }}
        connect {{host}}/2
        > 2
        < {{answer}}
        ";
    Stage::mock(talk, Some("two")).plays(
        "
        * connects /2
        accepted #1
        * 1 text 2
        #1 < TWO
        ",
    );
    Stage::mock(talk, None).plays(
        "
        * connects /2
        accepted #1
        * 1 text 2
        #1 unmatched
        ",
    );
}

#[test]
fn handshakes_are_accepted_and_refused_by_rule() {
    let talk = "
        listen ws://127.0.0.1:4003/
        on connect
          Authorization: Bearer {{token:word}}
          Origin: https://app.example
          ? client.query.v == 2
          set client.token = {{token}}
          HTTP 101
            X-Token: {{token}}
        on connect
          Authorization: Bearer s3cret
          HTTP 403
            Content-Type: text/plain
            | This origin is not allowed:
            | {{client.header.origin}}
        on connect /public/{{room:word}}
        on connect
          HTTP 401
            WWW-Authenticate: Bearer
        on > {{_}}
          < welcome {{client.token|default(\"stranger\")}}
        ";
    mock(
        talk,
        r#"
        * connects /?v=2 authorization: Bearer abc; origin: https://app.example
        accepted #1 X-Token: abc
        * 1 text hi
        #1 < welcome abc
        * connects /?v=2 Authorization: Bearer s3cret; Origin: https://evil.example
        refused 403 [("Content-Type", "text/plain")] "This origin is not allowed:\nhttps://evil.example"
        * connects /?v=1 Authorization: Bearer abc; Origin: https://app.example
        refused 401 [("WWW-Authenticate", "Bearer")] ""
        * connects /public/hall
        accepted #2
        * 2 text hi
        #2 < welcome stranger
        * clients
        2 open
        * connects /other Authorization: Bearer s3cret
        refused 404 [("Content-Type", "text/plain; charset=utf-8")] "nothing is served at this path\n"
        "#,
    );
    mock(
        "
        on connect /only
        ",
        r#"
        * connects /
        refused 403 [("Content-Type", "text/plain; charset=utf-8")] "no rule accepts this handshake\n"
        * connects /only
        accepted #1
        "#,
    );
    mock(
        "
        on connect
          HTTP 101
            X: {{client.query.missing}}
        ",
        r#"
        * connects /
        refused 500 [("Content-Type", "text/plain; charset=utf-8")] "the mock could not answer\n"
        problem in line 3: `client.query.missing` is not there
        "#,
    );
}

#[test]
fn plain_http_is_answered() {
    mock(
        "
        listen ws://127.0.0.1:4002/
        on GET /
          HTTP 200
            Content-Type: text/plain
            | This is a WebSocket server.
        on GET /{{name:word}}
          Accept: {{_}}json{{_}}
          HTTP 418
            | {\"name\":\"{{name}}\",\"by\":\"{{client.header.accept}}\"}
        on GET /empty
        ",
        r#"
        * GET /
        200 [("Content-Type", "text/plain")] "This is a WebSocket server."
        * GET /tea Accept: application/json
        418 [] "{\"name\":\"tea\",\"by\":\"application/json\"}"
        * GET /tea
        no answer
        * GET /empty
        200 [("Content-Type", "text/plain; charset=utf-8")] ""
        * POST /
        no answer
        "#,
    );
}

#[test]
fn the_path_of_listen_is_served() {
    for (listen, good, bad) in [
        ("ws://127.0.0.1:4000", "/any", None),
        ("ws://127.0.0.1:4000/", "/", Some("/x")),
        ("ws://127.0.0.1:4000/ws?x=1", "/ws", Some("/")),
        ("{{base=ws://h}}/ws", "/ws", Some("/")),
    ] {
        let refused = bad.map(|bad| format!(
            "* connects {bad}\nrefused 404 [(\"Content-Type\", \"text/plain; charset=utf-8\")] \"nothing is served at this path\\n\"\n"
        ));
        mock(
            &format!("listen {listen}\non > {{{{_}}}}\n  < hi\n"),
            &format!(
                "* connects {good}\naccepted #1\n{}",
                refused.unwrap_or_default()
            ),
        );
    }
}

#[test]
fn listen_may_have_holes() {
    let talk = "
        set port = 42015
        set name = room
        listen ws://127.0.0.1:{{port}}/{{ name|upper }}
        on > {{_}}
          < hi
        ";
    let address =
        |talk: &str, variables: &[(&str, &str)]| stage::plan(talk).address(stage::setup(variables));
    assert_eq!(
        address(talk, &[]),
        Ok(Some("ws://127.0.0.1:42015/ROOM".into()))
    );
    assert_eq!(
        address(talk, &[("port", "1")]),
        Ok(Some("ws://127.0.0.1:1/ROOM".into()))
    );
    assert_eq!(
        address("listen ws://127.0.0.1:{{port}}/", &[]),
        Err("the address of `listen` cannot be filled: `port` is not bound here".into())
    );
    assert_eq!(
        address("connect ws://127.0.0.1:7/x", &[]),
        Ok(Some("ws://127.0.0.1:7/x".into()))
    );
    assert_eq!(address("connect ws://h/x", &[]), Ok(None));
    mock(
        talk,
        "
        * connects /ROOM
        accepted #1
        * connects /room
        refused 404 [(\"Content-Type\", \"text/plain; charset=utf-8\")] \"nothing is served at this path\\n\"
        ",
    );
}

#[test]
fn a_subprotocol_is_chosen_that_both_know() {
    mock(
        "
        option subprotocol chat, superchat
        on > {{_}}
          < hi
        ",
        "
        * connects / A: b | superchat, chat
        accepted #1 as chat
        * connects / A: b | superchat
        accepted #2 as superchat
        * connects / A: b | other
        accepted #3
        * connects /
        accepted #4
        ",
    );
}

#[test]
fn a_client_that_goes_leaves_its_bodies_unfinished() {
    let talk = "
        on > {{_}}
          wait 1s
          < late
          all < later
        on > never
        ";
    mock(
        talk,
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 1 text a
        * 2 text b
        * at 500ms
        * 1 gone
        * at 1s
        #2 < late
        all < later
        * deadline
        no deadline
        * clients
        1 open
        * 1 gone
        * 1 text too late
        ",
    );
    // It has said goodbye and is not gone yet: what it would be sent is no problem of anybody's.
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text a
        * 1 close 1001
        #1 close is answered
        * at 1s
        * 1 gone
        ",
    );
}

#[test]
fn a_body_waits_for_what_its_client_says() {
    let talk = "
        on > login
          < name?
          > {{name:word}}
          < hello {{name}}
          >(within 1s) password {{_}}
          < in
        on > {{_}}
          < what?
        ";
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text login
        #1 < name?
        * 1 text two words
        #1 < what?
        * 1 text bob
        #1 < hello bob
        * at 500ms
        * 1 text password x
        #1 < in
        * 1 text bob
        #1 < what?
        ",
    );
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text login
        #1 < name?
        * 1 text bob
        #1 < hello bob
        * at 1s
        #1 problem in line 5: the client did not send it within 1s
        * 1 text password x
        #1 < what?
        ",
    );
}

#[test]
fn under_strict_what_is_unknown_is_closed() {
    mock(
        "
        option strict
        on > known
        ",
        "
        * connects /
        accepted #1
        * 1 text unknown
        #1 unmatched, nearest is line 2: `unknown` is not `known`
        #1 <close 1008 no line of the talk expects this message
        * 1 text unknown
        * 1 close 1008
        ",
    );
    // What was under way when the mock closed asks for no answer, and what was to be sent is no problem.
    mock(
        "
        option strict
        on > ok
          < fine
        on > slow
          wait 1s
          < late
        > hello
        < welcome
        ",
        "
        * connects /
        accepted #1
        * 1 text slow
        * 1 text bad
        #1 unmatched, nearest is line 7: `bad` is not `hello`
        #1 <close 1008 no line of the talk expects this message
        * 1 text ok
        * 1 text ok
        * 1 text bad
        * 1 text hello
        * at 1s
        * 1 close 1008
        ",
    );
}

#[test]
fn what_came_during_the_last_wait_of_a_dialogue_is_looked_at_when_it_is_over() {
    mock(
        "
        option strict
        < a
        wait 300ms
        < b
        ",
        "
        * connects /
        accepted #1
        #1 < a
        * 1 text zzz
        * at 300ms
        #1 < b
        #1 unmatched
        #1 <close 1008 no line of the talk expects this message
        ",
    );
    mock(
        "
        on > zzz
          < yes
        wait 300ms
        < b
        ",
        "
        * connects /
        accepted #1
        * 1 text abc
        * 1 text zzz
        * at 300ms
        #1 < b
        #1 unmatched, nearest is line 1: `abc` is not `zzz`
        #1 < yes
        ",
    );
}

#[test]
fn a_connect_that_refuses_is_played_once_in_a_round() {
    let refused = "refused 403 [] \"\"";
    mock(
        "
        connect ws://h
        HTTP 403
        connect ws://h
        > a
        < b
        ",
        &format!(
            "
            * connects /
            {refused}
            * connects /
            accepted #1
            * 1 text a
            #1 < b
            * connects /
            {refused}
            * connects /
            accepted #2
            * 2 text a
            #2 < b
            * 1 gone
            * 2 gone
            * connects /
            {refused}
            * connects /
            accepted #3
            "
        ),
    );
    // One that refuses everybody goes on doing so, and another path has a round of its own.
    mock(
        "
        connect ws://h/no
        HTTP 403
        connect ws://h/yes
        > a
        ",
        &format!(
            "
            * connects /no
            {refused}
            * connects /yes
            accepted #1
            * connects /no
            {refused}
            * connects /no
            {refused}
            "
        ),
    );
}

#[test]
fn pings_are_answered_and_rules_may_do_it() {
    mock(
        "
        on >ping {{_}}special
          <pong mine
        on > {{_}}
          <ping are you there
        on >pong {{_}}there
          < you are
        ",
        "
        * connects /
        accepted #1
        * 1 text hi
        #1 <ping are you there
        * 1 pong are you there
        #1 < you are
        * 1 ping very special
        #1 <pong mine
        * 1 pong stray
        ",
    );
    mock(
        "
        on > {{_}}
          < hi
        ",
        "
        * connects /
        accepted #1
        * 1 ping x
        #1 <pong x
        * 1 close 4000 bye
        #1 close is answered
        ",
    );
}

#[test]
fn problems_are_told_and_the_mock_goes_on() {
    mock(
        "
        on > a
          < {{ env.NOBODY }}
          < not sent
        on > {\"n\":{{n1}}}
        on > c
          <close 1000
          < too late
        on > {{_}}
          < still here
        every 1h
          others < x
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        #1 problem in line 2: `env.NOBODY` is not there
        * 1 text {\"n\":1}
        #1 < still here
        * 1 text c
        #1 <close 1000
        #1 problem in line 7: the connection is being closed, so nothing can be sent any more
        * at 3600s
        problem in line 11: `others` needs a client that it is not
        ",
    );
}

#[test]
fn all_are_closed_at_once() {
    mock(
        "
        on > shutdown
          all <close 1001 bye
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 2 text shutdown
        all <close 1001 bye
        * 1 close 1001
        * 2 close 1001
        ",
    );
}

#[test]
fn bodies_of_one_client_are_bounded() {
    let mut script = String::from("* connects /\naccepted #1\n");
    script += &"* 1 text slow\n".repeat(1024);
    script += "* 1 text slow\n\
        #1 problem in line 1: the client has more bodies running than a mock keeps; this message is left unanswered\n\
        * connects /\naccepted #2\n* 2 text slow\n* at 3600s\n";
    script += &"#1 < done\n".repeat(1024);
    script += "#2 < done\n* 1 text slow\n* at 7200s\n#1 < done\n";
    mock("on > slow\n  wait 1h\n  < done\n", &script);
}

#[test]
fn bodies_of_the_servers_clock_are_bounded() {
    let mut stage = Stage::mock("every 1s\n  wait 1h\n  all < late\n", None);
    let mut played = Vec::new();
    for second in 1..=1026 {
        stage.happens(&format!("at {second}s"), &mut played);
        stage.actions(&mut played);
    }
    let problem =
        "problem in line 2: so many bodies of the clock run already that no more are started";
    assert_eq!(played, [problem, problem]);
}

#[test]
fn an_inbox_is_bounded() {
    let mut stage = Stage::mock("> hi\nwait 1h\n< done\n> x\n", None);
    let mut played = Vec::new();
    stage.happens("connects /", &mut played);
    stage.happens("1 text hi", &mut played);
    let large = format!("1 text {}", "x".repeat(16 * 1024 * 1024));
    for _ in 0..5 {
        stage.happens(&large, &mut played);
        stage.actions(&mut played);
    }
    assert_eq!(
        played,
        [
            "accepted #1",
            "#1 problem in line 2: the peer sent more than 67108864 bytes that no line has taken",
            "#1 problem in line 2: the peer sent more than 67108864 bytes that no line has taken",
        ]
    );
    let mut stage = Stage::test("connect ws://h\nwait 1h\n< x\n", 0, &[]);
    let mut played = Vec::new();
    stage.actions(&mut played);
    stage.happens("1 opened", &mut played);
    for _ in 0..4 {
        stage.happens(&large, &mut played);
        stage.actions(&mut played);
    }
    assert_eq!(
        played,
        [
            "connect #1 ws://h",
            "failed in line 2 on #1: expected `wait 1h`, impossible: the peer sent more than 67108864 bytes that no line has taken",
        ]
    );
}

#[test]
fn which_line_took_what_came_is_told_if_it_is_asked_for() {
    let mut stage = Stage::mock(
        "
        connect ws://h/
        > one
        < two
        on > {{_}}
          < a rule
          > answer
        ",
        None,
    );
    stage.player().tell_matches();
    stage.plays(
        "
        * connects /
        accepted #1
        * 1 text one
        #1 took line 2
        #1 < two
        * 1 text what
        #1 took line 4
        #1 < a rule
        * 1 text answer
        #1 took line 6
        ",
    );
}

#[test]
fn rooms_of_a_client_and_their_names_are_bounded() {
    let talk = "
        on > join {{room:any}}
          join {{room}}
          < in
        on > leave {{room:any}}
          leave {{room}}
          < out
        on > keep {{room:any}}
          keep {{room}} x
          < kept
        ";
    let mut stage = Stage::mock(talk, None);
    stage.happens("connects /", &mut Vec::new());
    let mut tell = |text: &str| {
        let mut played = Vec::new();
        stage.happens(&format!("1 text {text}"), &mut played);
        stage.actions(&mut played);
        played
    };
    for n in 0..4096 {
        assert_eq!(
            tell(&format!("join r{n}")).last().map(String::as_str),
            Some("#1 < in")
        );
    }
    let full = tell("join another");
    assert!(
        full[0].contains("in 4096 rooms already, which is the most"),
        "{full:?}"
    );
    // Where it is already, it may be told to be.
    assert_eq!(tell("join r7"), ["#1 < in"]);
    tell("leave r7");
    assert_eq!(
        tell("join another").last().map(String::as_str),
        Some("#1 < in")
    );
    for verb in ["join", "keep"] {
        let long = tell(&format!("{verb} {}", "x".repeat(1025)));
        assert!(long[0].contains("is longer than 1024 bytes"), "{long:?}");
    }
}
