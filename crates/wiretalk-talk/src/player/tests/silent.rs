//! What a client costs that says nothing.

use super::stage::Stage;
use crate::player::{Connection, ConnectionId};

#[test]
fn a_client_keeps_no_more_than_it_needs() {
    let talk = "
        on open
          join lobby
        on > hi
          room lobby < hello
        on > {{_}}
          < what?
        ";
    let mut stage = Stage::mock(talk, None);
    stage.goes_on(
        "
        * connects /
        accepted #1
        #1 joins lobby
        * 1 text hi
        room lobby < hello
        ",
    );
    let player = stage.player();
    let connection = &player.connections[&ConnectionId(1)];
    assert!(connection.is_at_rest());
    assert!(connection.inbox.is_empty() && connection.runs.is_empty());
    // A dialogue is kept for as long as it goes on.
    let mut stage = Stage::mock("> hello\n< hi\n> bye\n< bye\n", None);
    stage.goes_on(
        "
        * connects /
        accepted #1
        * 1 text hello
        #1 < hi
        ",
    );
    let connection = &stage.player().connections[&ConnectionId(1)];
    assert!(!connection.is_at_rest());
    assert_eq!(connection.waiting.len(), 1);
}

#[test]
fn two_that_ask_for_the_same_share_its_name() {
    let mut stage = Stage::mock("on > hi\n  < hello\n", None);
    stage.goes_on(
        "
        * connects /chat
        accepted #1
        * connects /chat
        accepted #2
        ",
    );
    let connections = &stage.player().connections;
    let path = |id| &connections[&ConnectionId(id)].client.path;
    assert!(std::sync::Arc::ptr_eq(path(1), path(2)));
}

/// The bound is what it was when it was last looked at, and some: a field more for each of many thousand clients is to be
/// thought about.
#[test]
fn a_connection_is_small() {
    assert!(
        size_of::<Connection>() <= 160,
        "{}",
        size_of::<Connection>()
    );
}
