//! Rooms, users, `on open`, `on close`, in both roles.

use super::stage::{Stage, mock, test};
use crate::player::Load;
use crate::player::Manner;

const CHAT: &str = r#"
    on connect /chat
      set client.who = {{client.query.user}}
    on open
      identify {{client.who}}
      join lobby, user-{{client.who}}
      room lobby < {{client.who}} came, {{ members("lobby")|join(" ") }}
    on close
      < nobody hears this
      others < {{client.who}} left, {{server.clients}} remain
      room lobby < {{ members("lobby")|join(" ") }}
    on > keep {{what:word}}
      keep lobby {"last":"{{what}}"}
    on > leave
      leave lobby, nowhere
    on > tell {{to:word}} {{text:any}}
      user {{to}} < {{text}}
    on > who
      < {{ members("lobby")|length }} {{ members("empty")|length }}
    "#;

#[test]
fn clients_join_leave_and_are_told() {
    mock(
        CHAT,
        r#"
        * connects /chat?user=ann
        accepted #1
        #1 is ann
        #1 joins lobby
        #1 joins user-ann
        room lobby < ann came, ann
        * connects /chat?user=bob
        accepted #2
        #2 is bob
        #2 joins lobby
        #2 joins user-bob
        room lobby < bob came, ann bob
        * connects /chat?user=bob
        accepted #3
        #3 is bob
        #3 joins lobby
        #3 joins user-bob
        room lobby < bob came, ann bob
        * list
        #1 at /chat is ann in [lobby,user-ann]
        #2 at /chat is bob in [lobby,user-bob]
        #3 at /chat is bob in [lobby,user-bob]
        * 1 text keep it
        lobby keeps  {"last":"it"}
        * 1 text tell bob hi you
        user bob < hi you
        * 1 text leave
        #1 leaves lobby
        * 1 text leave
        * 1 text who
        #1 < 1 0
        * 2 gone
        all but #2 < bob left, 2 remain
        room lobby < bob
        #2 leaves lobby
        #2 leaves user-bob
        * 1 close 1000
        #1 close is answered
        * list
        #1 at /chat is ann in [user-ann]
        #3 at /chat is bob in [lobby,user-bob]
        * 1 gone
        all but #1 < ann left, 1 remain
        room lobby < bob
        #1 leaves user-ann
        "#,
    );
}

#[test]
fn a_client_without_a_name_is_a_member_by_its_number() {
    mock(
        r#"
        on open
          join lobby
        on > who
          < {{ members("lobby") }}
        "#,
        "
        * connects /
        accepted #1
        #1 joins lobby
        * connects /
        accepted #2
        #2 joins lobby
        * 2 text who
        #2 < [1,2]
        * 1 gone
        #1 leaves lobby
        * 2 text who
        #2 < [2]
        ",
    );
}

#[test]
fn a_body_of_on_close_may_take_its_time() {
    mock(
        "
        on open
          join lobby
        on close
          wait 1s
          others < later
          > never
        ",
        "
        * connects /
        accepted #1
        #1 joins lobby
        * connects /
        accepted #2
        #2 joins lobby
        * 1 gone
        * clients
        1 open
        * 1 text from nobody
        * at 1s
        all but #1 < later
        #1 leaves lobby
        ",
    );
}

#[test]
fn a_client_that_never_opened_does_not_close() {
    let mut stage = Stage::mock("on close\n  all < gone\n", None);
    let request = crate::player::Request::default();
    let crate::player::HandshakeAnswer::Accept { connection, .. } =
        stage.player().handshake(&request)
    else {
        panic!("it is accepted");
    };
    stage.player().gone(crate::player::Time::ZERO, connection);
    stage.goes_on("* clients\n0 open\n");
}

#[test]
fn names_of_rooms_and_whom_they_mean_are_checked() {
    mock(
        r#"
        on > join{{room:any}}
          join {{room}}
        on > all {{room:word}}
          all join {{room}}
        on > others
          others identify x
        every 1s
          room a < {{n}}
          join a
        "#,
        "
        * connects /
        accepted #1
        * 1 text join a b
        #1 joins  a b
        * 1 text join
        #1 problem in line 2: the name of a room is empty here
        * connects /
        accepted #2
        * 1 text all a
        #1 joins a
        #2 joins a
        * 1 text others
        #2 is x
        * at 1s
        room a < 0
        problem in line 9: no client is meant
        ",
    );
}

#[test]
fn a_test_says_who_is_in_a_room() {
    let talk = "
        connect alice ws://h/
        connect bob ws://h/
        connect carl ws://h/
        alice join lobby
        bob join lobby, other
        bob identify robert
        carl > hi
        room lobby < hi
        user robert < you
        alice silence 1s
        all leave lobby
        room lobby < nobody
        ";
    test(
        talk,
        "
        connect #1 alice ws://h/
        * 1 opened
        connect #2 bob ws://h/
        * 2 opened
        connect #3 carl ws://h/
        * 3 opened
        #3 > hi
        * 3 text hi
        * 2 text hi
        * 1 text hi
        * 2 text you
        * 3 text more
        * at 1s
        failed in line 12: expected `room lobby < nobody`, impossible: nobody is in the room `lobby`: say who with `NAME join lobby`
        ",
    );
    test(
        talk,
        "
        connect #1 alice ws://h/
        * 1 opened
        connect #2 bob ws://h/
        * 2 opened
        connect #3 carl ws://h/
        * 3 opened
        #3 > hi
        * 2 text hi
        * at 5s
        failed in line 8 on #1: expected `room lobby < hi`, nothing came for 5s
        ",
    );
    // Served, each client plays its own lines of it.
    Stage::mock(talk, None).plays(
        "
        * connects /
        accepted #1
        #1 joins lobby
        * connects /
        accepted #2
        #2 joins lobby
        #2 joins other
        #2 is robert
        * connects /
        accepted #3
        * 3 text hi
        #1 < hi
        #2 < hi
        #2 < you
        * at 1s
        #1 leaves lobby
        #2 leaves lobby
        ",
    );
}

#[test]
fn latency_counts_from_what_all_or_a_room_got() {
    mock(
        "
        on open
          join lobby
        on > tell {{who:word}}
          others < news
        on > room
          room lobby < news
        on > quick
          ? latency < 1s
          < yes
        on > quick
          < no
        ",
        "
        * connects /
        accepted #1
        #1 joins lobby
        * connects /
        accepted #2
        #2 joins lobby
        * 2 text quick
        #2 < no
        * at 10s
        * 1 text tell x
        all but #1 < news
        * 2 text quick
        #2 < yes
        * 1 text quick
        #1 < no
        * at 20s
        * 1 text room
        room lobby < news
        * 2 text quick
        #2 < yes
        ",
    );
}

#[test]
fn load_is_one_and_zero_unless_it_is_told() {
    let talk = "
        connect ws://h/
        > {{load.user}} {{load.iteration}}
        ";
    test(talk, "connect #1 ws://h/\n* 1 opened\n#1 > 1 0\npassed");
    let load = Load {
        user: 7,
        iteration: 2,
    };
    let manner = Manner {
        load,
        ..Manner::default()
    };
    Stage::test_in(talk, manner).plays("connect #1 ws://h/\n* 1 opened\n#1 > 7 2\npassed");
}

#[test]
fn a_guard_says_for_whom_on_open_and_on_close_are() {
    mock(
        r#"
        on open
          ? client.query.user == "ada"
          < hello ada
        on open
          ? header x-team exists
          < hello team
        on open
          < hello
        on close
          ? client.query.user == "ada"
          others < ada left
        "#,
        r#"
        * connects /?user=ada
        accepted #1
        #1 < hello ada
        #1 < hello
        * connects /?user=bob
        accepted #2
        #2 < hello
        * 2 gone
        * connects /?user=bob
        accepted #3
        #3 < hello
        * 1 gone
        all but #1 < ada left
        "#,
    );
}
