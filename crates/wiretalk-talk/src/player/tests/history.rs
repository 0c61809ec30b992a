//! What rooms have heard, who is in them on other nodes, and what is lost on the way from those.

use super::stage::{Stage, mock};
use crate::Value;

const LOBBY: &str = r#"
    on open
      identify {{ client.query.user }}
      join lobby
    on > say {{what:any}}
      room lobby < {"by":"{{ client.query.user }}","said":"{{what}}"}
      < {{ history("lobby", 2)|length }} at {{ offset("lobby") }}
    on > whisper {{what:any}}
      room lobby <(history=no) {{what}}
    on > history {{count:int}}
      < {{ history("lobby", count) }}
    on > after {{since:int}} in {{known:word}}
      ? {{ known == epoch }} == true
      < {{ history("lobby", 2, after=since) }}
      < {{ history("lobby", 2, after=since).complete }} {{ history("lobby", 2, after=since).offsets }}
    on > after {{_}}
      < {{epoch}} it is, at {{ history("lobby", 0).offset }}
    on > first
      < {{ history("lobby", 9)[0].said }} and {{ (history("lobby", 9)|last).said }}
    on > who
      < {{ members("lobby") }} in {{ client.rooms }}
    "#;

#[test]
fn a_line_sees_what_the_room_has_heard_before_it() {
    Stage::mock_among(LOBBY, Vec::new()).plays(
        r#"
        * connects /?user=ann
        accepted #1
        #1 is ann
        #1 joins lobby
        * 1 text history 5
        #1 < []
        * 1 text say one
        room lobby < {"by":"ann","said":"one"}
        #1 < 1 at 1
        * 1 text whisper psst
        room lobby < psst (unremembered)
        * 1 text say two
        room lobby < {"by":"ann","said":"two"}
        #1 < 2 at 2
        * 1 text say three
        room lobby < {"by":"ann","said":"three"}
        #1 < 2 at 3
        * 1 text history 2
        #1 < [{"by":"ann","said":"two"},{"by":"ann","said":"three"}]
        * 1 text history 9
        #1 < [{"by":"ann","said":"one"},{"by":"ann","said":"two"},{"by":"ann","said":"three"}]
        * 1 text after 1 in e1
        #1 < [{"by":"ann","said":"two"},{"by":"ann","said":"three"}]
        #1 < true [2,3]
        * 1 text after 3 in e1
        #1 < []
        #1 < true []
        * 1 text after 1 in e0
        #1 < e1 it is, at 3
        * 1 text first
        #1 < one and three
        "#,
    );
}

#[test]
fn two_that_speak_in_the_same_moment_see_each_other() {
    let talk = r#"
        every 1s per client
          room tea < tick
          < {{ history("tea")|length }}
        "#;
    Stage::mock_among(talk, Vec::new()).plays(
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * at 1s
        room tea < tick
        #1 < 1
        room tea < tick
        #2 < 2
        ",
    );
}

#[test]
fn members_are_those_of_all_nodes_each_user_once() {
    let others = ["ann", "zoe", "zoe", "7f-3"].map(|other| Value::Text(other.into()));
    Stage::mock_among(LOBBY, others.into()).plays(
        r#"
        * connects /?user=ann
        accepted #1
        #1 is ann
        #1 joins lobby
        * connects /?user=bob
        accepted #2
        #2 is bob
        #2 joins lobby
        * 2 text who
        #2 < ["ann","bob","zoe","7f-3"] in ["lobby"]
        "#,
    );
}

#[test]
fn a_talk_may_bind_the_names_itself() {
    mock(
        r#"
        on > {"offset":{{offset:int}},"epoch":"{{epoch:word}}"}
          set history = {{offset}} of {{epoch}}
          < {{history}}
        "#,
        r#"
        * connects /
        accepted #1
        * 1 text {"offset":7,"epoch":"x"}
        #1 < 7 of x
        "#,
    );
}

#[test]
fn what_is_lost_is_told_by_the_talk() {
    mock(
        r#"
        on open
          set client.role = {{ client.query.role }}
        on lost
          ? {{ client.role }} == "reader"
          < {{lost}} messages are missing
        "#,
        "
        * connects /?role=reader
        accepted #1
        * connects /?role=writer
        accepted #2
        * connects /?role=reader
        accepted #3
        * 3 close 1000
        #3 close is answered
        * lost 0
        * lost 12
        #1 < 12 messages are missing
        ",
    );
}

#[test]
fn without_a_word_for_it_the_clients_are_closed() {
    mock(
        "
        on > {{_}}
          all <echo
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * lost 1
        all <close 1012 1 message was lost on the way to this server: connect again
        * 1 close 1012
        * connects /
        accepted #3
        * lost 30
        all <close 1012 30 messages were lost on the way to this server: connect again
        ",
    );
}
