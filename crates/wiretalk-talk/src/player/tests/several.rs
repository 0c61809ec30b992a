//! Many connections of one name, and several names that are served together.

use super::stage::{Stage, mock, test};

#[test]
fn many_connections_of_a_name_send_and_expect_each() {
    let talk = r#"
        connect fans x3 ws://h/{{seat:word=a}}
        HTTP 101
          X-Id: {{id:int}}
        fans > hello {{id}}
        fans < you are {{nick:word}}
        fans > bye {{nick}}
        fans silence 1s
        fans >close 1000
        fans <close
        "#;
    test(
        talk,
        "
        connect #1 fans ws://h/a
        connect #2 fans ws://h/a
        connect #3 fans ws://h/a
        * 2 opened 101 X-Id: 2
        * 1 opened 101 X-Id: 1
        * 3 opened 101 X-Id: 3
        #1 > hello 1
        #2 > hello 2
        #3 > hello 3
        * 3 text you are c
        * 1 text you are a
        * 2 text you are b
        #1 > bye a
        #2 > bye b
        #3 > bye c
        * at 1s
        #1 >close 1000
        #2 >close 1000
        #3 >close 1000
        * 1 close 1000
        * 2 close 1000
        * 3 close 1000
        passed
        ",
    );
    test(
        talk,
        "
        connect #1 fans ws://h/a
        connect #2 fans ws://h/a
        connect #3 fans ws://h/a
        * 1 opened 101 X-Id: 1
        * 2 opened 101 X-Id: 2
        * 3 opened 101 X-Id: 3
        #1 > hello 1
        #2 > hello 2
        #3 > hello 3
        * 3 text you are c
        * 1 text you are a
        * at 5s
        failed in line 5 on #2: expected `fans < you are {{nick:word}}`, nothing came for 5s
        ",
    );
    test(
        talk,
        "
        connect #1 fans ws://h/a
        connect #2 fans ws://h/a
        connect #3 fans ws://h/a
        * 1 opened 101 X-Id: 1
        * 3 failed no route
        failed in line 1 on #3: expected `connect fans x3 ws://h/{{seat:word=a}}`, not connected: no route
        ",
    );
}

#[test]
fn what_many_bind_in_a_repeat_is_forgotten() {
    test(
        "
        connect fans x2 ws://h/
        repeat 2
          fans < {{v:int}}
          fans > {{v}}
        ",
        "
        connect #1 fans ws://h/
        connect #2 fans ws://h/
        * 1 opened
        * 2 opened
        * 1 text 1
        * 2 text 2
        #1 > 1
        #2 > 2
        * 2 text 4
        * 1 text 3
        #1 > 3
        #2 > 4
        passed
        ",
    );
}

#[test]
fn a_thousand_connections_are_one_line() {
    let mut stage = Stage::test(
        "
        connect fans x1000 ws://h/
        unordered
          fans < a
          fans <(optional) b
          fans < c
        ",
        0,
        &[],
    );
    let mut played = Vec::new();
    stage.actions(&mut played);
    assert_eq!(played.len(), 1000);
    for id in 1..=1000 {
        stage.happens(&format!("{id} opened"), &mut played);
        stage.actions(&mut played);
    }
    for text in ["c", "b", "a"] {
        for id in 1..=1000 {
            assert_eq!(played.len(), 1000, "{:?}", played.last());
            stage.happens(&format!("{id} text {text}"), &mut played);
            stage.actions(&mut played);
        }
    }
    assert_eq!(played[1000..], ["passed"]);
}

#[test]
fn a_served_dialogue_of_several_names_keeps_its_order() {
    let talk = "
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        alice > hi
        bob < alice says hi
        bob > hello
        alice < bob says hello
        all < end
        ";
    mock(
        talk,
        "
        * connects /?user=alice
        accepted #1
        * connects /?user=bob
        accepted #2
        * 1 text hi
        #2 < alice says hi
        * 2 text hello
        #1 < bob says hello
        #1 < end
        #2 < end
        ",
    );
    // What bob says too early is kept; and what alice has to say is waited for before she has come.
    mock(
        talk,
        "
        * connects /?user=bob
        accepted #1
        * 1 text hello
        * connects /?user=alice
        accepted #2
        * 2 text hi
        #1 < alice says hi
        #2 < bob says hello
        #2 < end
        #1 < end
        ",
    );
}

#[test]
fn pairs_keep_apart_and_one_that_is_gone_may_come_again() {
    mock(
        "
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        alice > hi
        bob < alice says hi
        ",
        "
        * connects /?user=alice
        accepted #1
        * connects /?user=bob
        accepted #2
        * connects /?user=alice
        accepted #3
        * connects /?user=bob
        accepted #4
        * 3 text hi
        #4 < alice says hi
        * 1 gone
        * connects /?user=alice
        accepted #5
        * 5 text hi
        #2 < alice says hi
        * 5 gone
        * connects /?user=alice
        accepted #6
        ",
    );
    mock(
        "
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        repeat 2
          alice > say {{what:word}}
          bob < {{n}}
          alice < {{what}}
        ",
        "
        * connects /?user=alice
        accepted #1
        * connects /?user=bob
        accepted #2
        * 1 text say a
        #2 < 0
        #1 < a
        * 1 text say b
        #2 < 1
        #1 < b
        ",
    );
}

#[test]
fn one_that_connects_anew_plays_its_next_connect() {
    mock(
        "
        connect alice ws://h/
        alice < first
        connect bob ws://h/
        bob < bob
        connect alice ws://h/
        alice < second
        ",
        "
        * connects /
        accepted #1
        #1 < first
        * 1 gone
        * connects /
        accepted #2
        #2 < second
        * connects /
        accepted #3
        #3 < bob
        * connects /
        accepted #4
        #4 < first
        ",
    );
}

#[test]
fn what_one_binds_the_others_see_until_somebody_comes_in_its_place() {
    mock(
        "
        connect alice ws://h/?user=alice
        connect bob ws://h/?user=bob
        alice > hi {{id:int}}
        bob < hi {{id}}
        alice < you are {{id}}
        bob > bye {{id}}
        ",
        "
        * connects /?user=alice
        accepted #1
        * connects /?user=bob
        accepted #2
        * 1 text hi 1
        #2 < hi 1
        #1 < you are 1
        * 1 gone
        * connects /?user=alice
        accepted #3
        * 3 text hi 2
        #3 < you are 2
        * 2 text bye 2
        ",
    );
}
