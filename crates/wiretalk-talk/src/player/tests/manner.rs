//! How a talk is played: rows, tags, retries, `strict`, `paced`, `update`; and what is remembered of secrets.

use std::time::Duration;

use super::stage::{Stage, mock, plan, test};
use crate::player::Manner;

const ROWS: &str = "
    tag slow
    retry 2 every 1s
    test plain
    connect ws://h/
    > a
    test with rows
    tag users slow
    retry 3
    each users.csv
    set age = 1
    connect ws://h/{{name}}
    > {{age}}
    ";

#[test]
fn each_row_is_a_test() {
    let told: Vec<_> = plan(ROWS)
        .tests()
        .map(|test| {
            format!(
                "{} {} in line {} of {}, retry {:?}, row {:?}",
                test.index,
                test.title,
                test.line,
                test.tags.join("+"),
                test.retry,
                test.row
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "0 plain in line 3 of slow, retry Some((2, 1s)), row None",
            "1 with rows [row 1: age=30] in line 6 of slow+users, retry Some((3, 0ns)), row Some(0)",
            "1 with rows [row 2: age=40] in line 6 of slow+users, retry Some((3, 0ns)), row Some(1)",
        ]
    );
}

#[test]
fn a_row_wins_over_set_and_is_won_over_from_outside() {
    let of_row = |row| Manner {
        row,
        ..Manner::default()
    };
    let talk = "
        each users.csv
        set age = 1
        connect ws://h/{{name}}
        > {{age}}
        ";
    Stage::test_in(talk, of_row(0)).plays("connect #1 ws://h/ann\n* 1 opened\n#1 > 30\npassed");
    Stage::test_in(talk, of_row(1)).plays("connect #1 ws://h/bob\n* 1 opened\n#1 > 40\npassed");
    Stage::test(talk, 0, &[("age", "7")])
        .plays("connect #1 ws://h/ann\n* 1 opened\n#1 > 7\npassed");
}

#[test]
fn each_newcomer_of_a_mock_plays_the_next_row() {
    mock(
        "
        each users.csv
        connect ws://h/
        set age = 1
        > I am {{name}}
        < you are {{age}}
        ",
        "
        * connects /
        accepted #1
        * 1 text I am ann
        #1 < you are 30
        * connects /
        accepted #2
        * 2 text I am ann
        #2 unmatched, nearest is line 4: `I am ann` is not `I am bob`
        * 2 text I am bob
        #2 < you are 40
        * connects /
        accepted #3
        * 3 text I am ann
        #3 < you are 30
        ",
    );
    mock(
        "
        each users.csv
        connect ws://h/?user={{name}}
        < hi {{name}}
        ",
        "
        * connects /?user=ann
        accepted #1
        #1 < hi ann
        * connects /?user=ann
        accepted #2
        * connects /?user=bob
        accepted #3
        #3 < hi bob
        ",
    );
}

#[test]
fn strict_is_a_manner_too() {
    let manner = Manner {
        strict: true,
        ..Manner::default()
    };
    Stage::test_in("connect ws://h/\n< a\n", manner).plays(
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text a
        passed
        ",
    );
    Stage::mock_in("on > a\n  < b\n", manner).plays(
        "
        * connects /
        accepted #1
        * 1 text c
        #1 unmatched, nearest is line 1: `c` is not `a`
        #1 <close 1008 no line of the talk expects this message
        ",
    );
}

#[test]
fn a_test_waits_only_when_it_is_paced() {
    let talk = "
        connect ws://h/
        >(after 1s) a
        >(after 500ms, x2) b
        <(after 1s, within 1s) c
        ";
    test(
        talk,
        "
        connect #1 ws://h/
        * 1 opened
        #1 > a
        #1 > b
        #1 > b
        * late 2s
        * 1 text c
        passed
        ",
    );
    let paced = Manner {
        paced: true,
        ..Manner::default()
    };
    Stage::test_in(talk, paced).plays(
        "
        connect #1 ws://h/
        * 1 opened
        * at 1s
        #1 > a
        * at 1.5s
        #1 > b
        * at 2s
        #1 > b
        * deadline
        deadline 4s
        * 1 text c
        passed
        ",
    );
}

#[test]
fn under_update_what_differs_is_taken_and_told() {
    let update = Manner {
        update: true,
        ..Manner::default()
    };
    let talk = r#"
        connect ws://h/
        < hello
        < {"id":{{id:int}},"v":1}
          ? $.id > 0
        > {{id}}
        <hex 00
        <(skip) end
        "#;
    Stage::test_in(talk, update).plays(
        r#"
        connect #1 ws://h/
        * 1 opened
        * 1 text hallo
        * 1 text {"id":7,"v":2}
        #1 > 7
        * 1 hex 01
        * 1 text passed over
        * 1 text end
        passed, line 2 is now text hallo, line 3 is now text {"id":7,"v":2}, line 6 is now hex [01]
        "#,
    );
    Stage::test_in(talk, update).plays(
        r#"
        connect #1 ws://h/
        * 1 opened
        * 1 text hallo
        * 1 text {"id":0,"v":2}
        failed in line 3 on #1: expected `< {"id":{{id:int}},"v":1}`, came text {"id":0,"v":2}: `$.id > 0` does not hold of 0 (line 4), line 2 is now text hallo
        "#,
    );
    Stage::test_in(talk, update).plays(
        r#"
        connect #1 ws://h/
        * 1 opened
        * 1 hex 00
        failed in line 2 on #1: expected `< hello`, came hex [00]: a text message was expected, not a binary message
        "#,
    );
}

#[test]
fn every_value_of_a_watched_name_is_remembered() {
    let names = ["token".to_owned(), "other".to_owned()];
    let mut stage = Stage::test(
        "
        set other = first
        connect ws://h/
        repeat 2
          < {{token:word}}
        set other = second
        set global.token = third
        > end
        ",
        0,
        &[("token2", "x")],
    );
    stage.player().watch(&names);
    stage.goes_on(
        "
        connect #1 ws://h/
        * 1 opened
        * 1 text abc
        * 1 text def
        #1 > end
        passed
        ",
    );
    let values = stage.player().values_of(&names);
    assert_eq!(values, ["abc", "def", "first", "second", "third"]);
    assert_eq!(stage.player().values_of(&["token2".to_owned()]), ["x"]);

    let mut stage = Stage::mock("on > {{token:word}}\n  wait 1s\n", None);
    stage.player().watch(&names);
    stage.goes_on("* connects /\naccepted #1\n* 1 text abc\n* at 2s\n* 1 text abc\n* at 5s\n");
    assert_eq!(stage.player().values_of(&names), ["abc"]);
    assert_eq!(stage.player().deadline(), None::<Duration>);
}
