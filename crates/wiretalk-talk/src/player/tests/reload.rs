//! A mock whose talk is saved anew.

use super::stage::Stage;

#[test]
fn rules_and_settings_change_and_clients_stay() {
    let mut stage = Stage::mock(
        "
        set greeting = hi
        set global.count = 0
        on > join
          set global.count = {{ global.count + 1 }}
          join lobby
          set client.name = ann
          keep lobby last
        on > greet
          < {{greeting}}
        on > slow
          wait 1s
          < old
        ",
        None,
    );
    stage.goes_on(
        "
        * connects /
        accepted #1
        * 1 text join
        #1 joins lobby
        lobby keeps  last
        * 1 text greet
        #1 < hi
        * 1 text slow
        ",
    );
    stage.reload(
        r#"
        set greeting = hello
        set global.count = 0
        on > greet
          < {{greeting}} {{client.name}} {{ members("lobby")|length }} {{ global.count }}
        "#,
    );
    stage.goes_on(
        r"
        * 1 text greet
        #1 < hello ann 1 1
        * 1 text join
        #1 unmatched, nearest is line 3: `join` is not `greet`
        * at 1s
        #1 < old
        * list
        #1 at / in [lobby]
        ",
    );
}

#[test]
fn a_clock_that_has_not_changed_strikes_on() {
    let mut stage = Stage::mock(
        "
        every 2s
          all < a {{n}}
        every 2s
          all < b {{n}}
        every 3s per client
          < c {{n}}
        ",
        None,
    );
    stage.goes_on(
        "
        * connects /
        accepted #1
        * at 3s
        all < a 0
        all < b 0
        #1 < c 0
        ",
    );
    stage.reload(
        "
        every 2s
          all < new {{n}}
        every 2s
          all < b {{n}}
        every 3s per client
          < d {{n}}
        ",
    );
    stage.goes_on(
        "
        * at 4s
        all < b 1
        * at 5s
        all < new 0
        * at 6s
        all < b 2
        #1 < d 0
        ",
    );
}

const DIALOGUE: &str = "
    connect ws://h/
    > a {{x:int}}
    < b
    > c
    < d {{x}}
    ";

#[test]
fn a_dialogue_goes_on_if_what_is_behind_it_has_not_changed() {
    let begins = "
        * connects /
        accepted #1
        * 1 text a 7
        #1 < b
        ";
    let mut stage = Stage::mock(DIALOGUE, None);
    stage.goes_on(begins);
    stage.reload(&DIALOGUE.replace("< d", "< new"));
    stage.goes_on("* 1 text c\n#1 < new 7\n");

    // The line at hand is another one now.
    let mut stage = Stage::mock(DIALOGUE, None);
    stage.goes_on(begins);
    stage.reload(&DIALOGUE.replace("> c", "> e"));
    stage.goes_on(
        "* 1 text c\n#1 unmatched, nearest is line 4: `c` is not `e`\n* 1 text e\n#1 < d 7\n",
    );

    // A line before it has changed.
    let mut stage = Stage::mock(DIALOGUE, None);
    stage.goes_on(begins);
    stage.reload(&DIALOGUE.replace("< b", "< other"));
    stage.goes_on(
        "
        #1 problem in line 1: the talk was loaded anew, and lines that this client has behind it have changed: its dialogue ends here
        * 1 text c
        #1 unmatched
        * connects /
        accepted #2
        * 2 text a 1
        #2 < other
        ",
    );

    // Lines are cut off.
    let mut stage = Stage::mock(DIALOGUE, None);
    stage.goes_on(begins);
    stage.reload("connect ws://h/\n> a {{x:int}}\n< b\n");
    stage.goes_on("* 1 text c\n#1 unmatched\n");
}

#[test]
fn a_block_that_is_being_played_goes_on_or_begins_anew() {
    let talk = "
        connect ws://h/
        repeat 3
          > a
          < b {{n}}
        > end
        ";
    let begins = "
        * connects /
        accepted #1
        * 1 text a
        #1 < b 0
        ";
    let mut stage = Stage::mock(talk, None);
    stage.goes_on(begins);
    stage.reload(&talk.replace("> end", "> over"));
    stage.goes_on("* 1 text a\n#1 < b 1\n");

    let mut stage = Stage::mock(talk, None);
    stage.goes_on(begins);
    stage.reload(&talk.replace("repeat 3", "repeat 1"));
    stage.goes_on("* 1 text a\n#1 < b 0\n* 1 text end\n* 1 text a\n#1 unmatched\n");
}

#[test]
fn a_wait_is_not_cut_short() {
    let talk = "
        connect ws://h/
        wait 10s
        < a
        ";
    let mut stage = Stage::mock(talk, None);
    stage.goes_on("* connects /\naccepted #1\n* at 5s\n");
    stage.reload(&talk.replace("< a", "< b"));
    stage.goes_on("* at 10s\n#1 < b\n");
}
