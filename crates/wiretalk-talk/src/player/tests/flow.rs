//! `unordered`, `repeat`, counts, `optional`, `skip`, `ignore`, in both roles.

use super::stage::{Stage, mock, test};

const UNORDERED: &str = r#"
    connect ws://h/
    > go
    unordered
      < {"id":"a","v":{{va:int}}}
        ? $.v > 0
      <(within 1s) {"id":"b"}
      <(optional) {"id":"c"}
    > got {{va}}
    "#;

#[test]
fn a_block_ends_when_all_have_come_in_any_order() {
    test(
        UNORDERED,
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > go
        * 1 text {"id":"b"}
        * 1 text {"id":"c"}
        * 1 text {"id":"a","v":7}
        #1 > got 7
        passed
        "#,
    );
    // What is optional in it is waited for, until its deadline.
    test(
        UNORDERED,
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > go
        * 1 text {"id":"a","v":7}
        * 1 text {"id":"b"}
        * deadline
        deadline 1s
        * at 1s
        * deadline
        deadline 5s
        * at 5s
        #1 > got 7
        passed
        "#,
    );
}

#[test]
fn each_line_of_a_block_has_its_deadline_and_its_checks() {
    test(
        UNORDERED,
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > go
        * 1 text {"id":"a","v":7}
        * at 1s
        failed in line 6 on #1: expected `< {"id":"b"}`, nothing came for 1s
        "#,
    );
    test(
        UNORDERED,
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > go
        * 1 text {"id":"a","v":0}
        failed in line 4 on #1: expected `< {"id":"a","v":{{va:int}}}`, came text {"id":"a","v":0}: `$.v > 0` does not hold of 0 (line 5)
        "#,
    );
    // The same message does not stand for two lines, and is not expected twice.
    test(
        UNORDERED,
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > go
        * 1 text {"id":"b"}
        * 1 text {"id":"b"}
        failed in line 7 on #1: expected `< {"id":"c"}`, came text {"id":"b"}: $.id: expected "c", came "b"
        "#,
    );
}

#[test]
fn a_mock_sends_a_block_in_its_order_and_takes_one_in_any() {
    mock(
        UNORDERED,
        r#"
        * connects /
        accepted #1
        * 1 text go
        #1 < {"id":"a","v":883311}
        #1 < {"id":"b"}
        #1 < {"id":"c"}
        * 1 text got 883311
        "#,
    );
    mock(
        "
        connect ws://h/
        unordered
          > a {{x:int}}
          > b
            size = size
        unordered
          < first {{x}} {{size}}
          <(after 1s) second
        > c
        < end
        ",
        "
        * connects /
        accepted #1
        * 1 text b
        * 1 text c
        #1 unmatched, nearest is line 3: `c` is not `a {{x:int}}`
        * 1 text a 5
        #1 < first 5 1
        * 1 text c
        * at 1s
        #1 < second
        #1 < end
        ",
    );
}

#[test]
fn a_body_is_repeated_and_forgets_between() {
    test(
        "
        set times = 2
        connect ws://h/
        repeat {{times}}
          > {{n}} {{word=fresh}}
          < {{answer:int}}
          > {{answer}}
        > end
        ",
        "
        connect #1 ws://h/
        * 1 opened
        #1 > 0 fresh
        * 1 text 7
        #1 > 7
        #1 > 1 fresh
        * 1 text 8
        #1 > 8
        #1 > end
        passed
        ",
    );
    mock(
        "
        connect ws://h/
        repeat 2
          > {{n}} {{what:word}}
          < got {{what}}
        > bye {{what:word}}
        < {{what}}
        ",
        "
        * connects /
        accepted #1
        * 1 text 0 a
        #1 < got a
        * 1 text 1 b
        #1 < got b
        * 1 text bye c
        #1 < c
        ",
    );
}

#[test]
fn blocks_stand_in_blocks_and_in_bodies() {
    let talk = "
        connect ws://h/
        repeat 2
          > round {{n}}
          repeat 2
            > turn {{n}}
            unordered
              < a {{n}}
              < b {{n}}
          < end {{n}}
        > bye
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        #1 > round 0
        #1 > turn 0
        * 1 text b 0
        * 1 text a 0
        #1 > turn 1
        * 1 text a 1
        * 1 text b 1
        * 1 text end 0
        #1 > round 1
        #1 > turn 0
        * 1 text a 0
        * 1 text b 0
        #1 > turn 1
        * 1 text a 1
        * 1 text b 2
        failed in line 8 on #1: expected `< b 1`, came text b 2: `b 2` is not `b 1`
        ",
    );
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text round 0
        * 1 text turn 0
        #1 < a 0
        #1 < b 0
        * 1 text turn 1
        #1 < a 1
        #1 < b 1
        #1 < end 0
        * 1 text round 1
        ",
    );
    mock(
        "
        on > count {{to:int}}
          repeat {{to}}
            <(after 1s) {{n}}
          < done
        on > never
          repeat {{ message }}
            < no
        ",
        "
        * connects /
        accepted #1
        * 1 text count 2
        * 1 text count 0
        #1 < done
        * at 1s
        #1 < 0
        * at 2s
        #1 < 1
        #1 < done
        * 1 text never
        #1 problem in line 6: `never` is not a number of times
        ",
    );
}

#[test]
fn a_long_repeat_takes_no_room() {
    let mut stage = Stage::test(
        "
        connect ws://h/
        repeat 100000
          >(x3) a
        ",
        0,
        &[],
    );
    stage.goes_on("connect #1 ws://h/");
    let mut played = Vec::new();
    stage.happens("1 opened", &mut played);
    let mut sent = 0;
    while let Some(action) = stage.player().poll_action() {
        sent += usize::from(matches!(action, crate::player::Action::Send { .. }));
        assert!(stage.player().waiting_actions() <= crate::player::MOST_ACTIONS);
    }
    assert_eq!(sent, 300_000);
}

#[test]
fn an_optional_line_is_over_when_a_later_one_is_met() {
    let talk = "
        connect ws://h/
        <(optional, within 1s) maybe {{x:int}}
        > go
        < next
        ";
    // It comes.
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text maybe 1
        #1 > go
        * 1 text next
        passed
        ",
    );
    // Its deadline comes.
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * at 1s
        #1 > go
        * at 5.9s
        * 1 text next
        passed
        ",
    );
    // The next line's message comes.
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text next
        #1 > go
        passed
        ",
    );
    // Something else comes.
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text other
        #1 > go
        failed in line 4 on #1: expected `< next`, came text other: `other` is not `next`
        ",
    );
    // What a rule takes ends nothing.
    test(
        "
        on < tick
        connect ws://h/
        <(optional) maybe
        < next
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text maybe
        * 1 text next
        passed
        ",
    );
    // The last line of all: what is not for it is nobody's.
    test(
        "
        connect ws://h/
        <(optional) maybe
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text other
        passed, unconsumed: text other
        ",
    );
    test(
        "
        connect ws://h/
        <(optional) maybe
        <close
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 close 1000
        #1 close is answered
        passed
        ",
    );
}

#[test]
fn a_mock_does_not_wait_for_ever_for_what_need_not_come() {
    let talk = "
        connect ws://h/
        >(optional) maybe
        < go
        > next
        < end
        ";
    mock(
        talk,
        "
        * connects /
        accepted #1
        * at 5s
        #1 < go
        * at 100s
        * 1 text next
        #1 < end
        ",
    );
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text other
        #1 unmatched, nearest is line 2: `other` is not `maybe`
        * 1 text next
        #1 < go
        #1 < end
        ",
    );
}

#[test]
fn a_line_stands_for_several_messages() {
    let talk = "
        connect ws://h/
        >(x2) ping {{id=7}}
        <(x3, within 1s) tick {{t:int}}
          ? {{t}} > 0
        > end
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        #1 > ping 7
        #1 > ping 7
        * 1 text tick 1
        * 1 text tick 2
        * at 900ms
        * 1 text tick 3
        #1 > end
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        #1 > ping 7
        #1 > ping 7
        * 1 text tick 1
        * at 900ms
        * 1 text tick 2
        * at 1s
        failed in line 3 on #1: expected `< tick {{t:int}}`, nothing came for 1s
        ",
    );
    mock(
        talk,
        "
        * connects /
        accepted #1
        * 1 text ping 7
        * 1 text ping 8
        #1 < tick 883311
        #1 < tick 431528
        #1 < tick 26433
        ",
    );
    mock(
        "
        connect ws://h/
        >(x2) a
        <(x2, after 1s) b {{t:int=5}}
        < c
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        * 1 text a
        * at 1s
        #1 < b 5
        * at 2s
        #1 < b 5
        #1 < c
        ",
    );
}

#[test]
fn a_range_ends_with_the_first_message_that_does_not_match() {
    let talk = "
        connect ws://h/
        <(x2..4, within 2s) tick
        > ok
        < end
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text tick
        * 1 text tick
        * 1 text end
        #1 > ok
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text tick
        * 1 text tick
        * 1 text tick
        #1 > ok
        * 1 text tick
        failed in line 4 on #1: expected `< end`, came text tick: `tick` is not `end`
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text tick
        * at 2s
        #1 > ok
        * 1 text end
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text end
        failed in line 2 on #1: expected `< tick`, came text end: `end` is not `tick`
        ",
    );
    // A mock sends the least number, and takes a range by the same rule; it has all the time until the least has come.
    mock(
        "
        connect ws://h/
        <(x2..4) tick
        >(x1..3) a
        < ok
        > b
        < end
        ",
        "
        * connects /
        accepted #1
        #1 < tick
        #1 < tick
        * at 60s
        * 1 text a
        * deadline
        deadline 65s
        * 1 text b
        #1 < ok
        #1 < end
        ",
    );
    mock(
        "
        connect ws://h/
        >(x1..3) a
        < ok
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        * at 5s
        #1 < ok
        ",
    );
}

#[test]
fn skip_passes_over_and_says_so() {
    test(
        "
        connect ws://h/
        <(skip, within 1s) here
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text a
        * 1 hex 00
        * at 1s
        failed in line 2 on #1: expected `< here`, nothing came for 1s, passed over 2: text a, hex [00]
        ",
    );
    let mut many = "connect #1 ws://h/\n* 1 opened\n".to_owned();
    for n in 0..20 {
        many += &format!("* 1 text m{n}\n");
    }
    many += "* 1 close 1000\n#1 close is answered\nfailed in line 2 on #1: expected `< here`, came close 1000: a text message was expected, not a close, passed over 20: ";
    many += &(12..20)
        .map(|n| format!("text m{n}"))
        .collect::<Vec<_>>()
        .join(", ");
    test(
        "
        connect ws://h/
        <(skip) here
        ",
        &many,
    );
    // In a mock what is passed over is not told as unmatched, also if the mock is strict.
    mock(
        "
        option strict
        connect ws://h/
        >(skip) here
        < yes
        ",
        "
        * connects /
        accepted #1
        * 1 text a
        * 1 text b
        * 1 text here
        #1 < yes
        * 1 text a
        #1 unmatched
        #1 <close 1008 no line of the talk expects this message
        ",
    );
}

#[test]
fn what_is_ignored_is_as_if_it_had_not_come() {
    test(
        r#"
        option strict
        connect ws://h/
        < tick 0
        ignore < tick {{_:int}}
        ignore < {"type":"ping", ...}
        > go
        < a
        silence 1s
        "#,
        r#"
        connect #1 ws://h/
        * 1 opened
        * 1 text tick 0
        #1 > go
        * 1 text tick 1
        * 1 text {"type":"ping","n":1}
        * 1 text a
        * 1 text tick 2
        * at 1s
        passed
        "#,
    );
    // What lies behind a message that no line has taken is ignored too.
    test(
        "
        connect ws://h/
        ignore < tick
        < a
        wait 1s
        ",
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text a
        * 1 text other
        * 1 text tick
        * at 1s
        passed, unconsumed: text other
        ",
    );
    // Before the first test: before every one.
    Stage::test(
        "
        ignore < tick
        test one
        connect ws://h/
        < a
        test two
        connect ws://h/
        < b
        ",
        1,
        &[],
    )
    .plays(
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text tick
        * 1 text b
        passed
        ",
    );
    // The other side's line is not for us; a name means its connections.
    test(
        "
        connect alice ws://h/
        connect bob ws://h/
        ignore > tick
        ignore alice < tick
        alice > tick
        alice < a
        bob < b
        ",
        "
        connect #1 alice ws://h/
        * 1 opened
        connect #2 bob ws://h/
        * 2 opened
        #1 > tick
        * 1 text tick
        * 1 text a
        * 2 text tick
        failed in line 7 on #2: expected `bob < b`, came text tick: `tick` is not `b`
        ",
    );
    mock(
        "
        option strict
        ignore > beat
        connect ws://h/
        > a
        < b
        ignore > c
        > d
        < e
        ",
        "
        * connects /
        accepted #1
        * 1 text beat
        * 1 text a
        #1 < b
        * 1 text beat
        * 1 text c
        * 1 text d
        #1 < e
        * connects /
        accepted #2
        * 2 text c
        #2 unmatched, nearest is line 4: `c` is not `a`
        #2 <close 1008 no line of the talk expects this message
        ",
    );
}

#[test]
fn what_is_sent_can_be_bound_from() {
    let talk = r#"
        connect ws://h/
        > {"id":"{{id:uuid}}","n":1}
          sent = $.n
          all = text
        < {{sent}} {{all}}
        "#;
    test(
        &talk.replace("{{id:uuid}}", "x"),
        r#"
        connect #1 ws://h/
        * 1 opened
        #1 > {"id":"x","n":1}
        * 1 text 1 {"id":"x","n":1}
        passed
        "#,
    );
    // The other side sees the same when it comes.
    mock(
        talk,
        r#"
        * connects /
        accepted #1
        * 1 text {"id":"123e4567-e89b-12d3-a456-426614174000","n":1}
        #1 < 1 {"id":"123e4567-e89b-12d3-a456-426614174000","n":1}
        "#,
    );
    mock(
        r#"
        connect ws://h/
        < {"n":5}
          ? latency < 1s
          n1 = $.n
          took = latency
        > {{n1}}
        < good
        "#,
        r#"
        * connects /
        accepted #1
        #1 < {"n":5}
        * 1 text 5
        #1 < good
        "#,
    );
    test(
        r#"
        connect ws://h/
        > {"n":5}
          x = $.m
        < {{x}}
        "#,
        r#"
        connect #1 ws://h/
        * 1 opened
        failed in line 2: expected `> {"n":5}`, impossible: `x = $.m` finds nothing in what is sent: nothing is there
        "#,
    );
}
