//! Workers: so many bodies at once, and each client's one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::stage::{Stage, mock, plan, setup};
use crate::player::{
    Action, ConnectionId, HandshakeAnswer, HandshakeResponse, Incoming, Manner, Outgoing, Player,
    Request, Setup, Target, Time,
};

#[test]
fn without_workers_a_body_that_waits_holds_up_nobody() {
    mock(
        "
        on > slow
          wait 1s
          < slow is done
        on > {{_}}
          <echo
        ",
        "
        * connects /
        accepted #1
        * 1 text slow
        * 1 text quick
        #1 < quick
        * at 1s
        #1 < slow is done
        ",
    );
}

#[test]
fn with_workers_each_client_is_answered_in_its_order() {
    mock(
        "
        option workers 2
        on > slow
          wait 1s
          < slow is done
        on > {{_}}
          <echo
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * connects /
        accepted #3
        * 1 text slow
        * 1 text one
        * 1 text slow
        * 2 text slow
        * 3 text three
        * 3 text four
        * at 1s
        #1 < slow is done
        #3 < three
        #1 < one
        #3 < four
        #2 < slow is done
        * 3 text five
        #3 < five
        * at 2s
        #1 < slow is done
        ",
    );
}

#[test]
fn what_nothing_takes_keeps_its_place_and_costs_no_worker() {
    mock(
        "
        option workers 1
        on > slow
          wait 1s
          < slow is done
        on > nothing
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 1 text slow
        * 2 text nothing
        * 2 text what
        * 2 text slow
        * at 1s
        #1 < slow is done
        #2 unmatched, nearest is line 2: `what` is not `slow`
        * at 2s
        #2 < slow is done
        ",
    );
}

#[test]
fn a_close_is_answered_behind_what_came_before_it() {
    mock(
        "
        option workers 1
        on > slow
          wait 1s
          < slow is done
        on close
          all < {{client.id}} left
        ",
        "
        * connects /
        accepted #1
        * 1 text slow
        * 1 text slow
        * 1 close 1000
        * at 1s
        #1 < slow is done
        * at 2s
        #1 < slow is done
        #1 close is answered
        * 1 gone
        all < 1 left
        * connects /
        accepted #2
        * 2 close 1000
        #2 close is answered
        ",
    );
}

#[test]
fn a_client_that_vanishes_frees_its_worker_and_leaves_the_queue() {
    mock(
        "
        option workers 1
        on > slow
          wait 1s
          < slow is done
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * connects /
        accepted #3
        * 1 text slow
        * 2 text slow
        * 3 text slow
        * 2 gone
        * at 500ms
        * 1 gone
        * at 1500ms
        #3 < slow is done
        ",
    );
}

#[test]
fn a_body_gets_the_message_that_it_waits_for() {
    mock(
        "
        option workers 1
        on > ask
          < who?
          > {{name:word}}
          < hello {{name}}
        on > {{_}}
          <echo
        ",
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 1 text ask
        #1 < who?
        * 2 text ask
        * 1 text bob
        #1 < hello bob
        #2 < who?
        * 2 gone
        * 1 text bob
        #1 < bob
        ",
    );
}

#[test]
fn a_talk_that_is_saved_without_workers_lets_all_go_on() {
    let slow = "
        on > slow
          wait 1s
          < slow is done
        on > {{_}}
          <echo
        ";
    let mut stage = Stage::mock(&format!("\n        option workers 1{slow}"), None);
    stage.goes_on(
        "
        * connects /
        accepted #1
        * connects /
        accepted #2
        * 1 text slow
        * 2 text two
        * 1 text one
        ",
    );
    stage.reload(slow);
    stage.plays(
        "
        #2 < two
        * at 1s
        #1 < slow is done
        #1 < one
        * 1 text slow
        * 1 text again
        #1 < again
        ",
    );
}

#[test]
fn who_sends_more_than_there_is_space_for_is_told_to_wait() {
    let talk = "
        option workers 1
        on > {{_}}
          wait 1s
          < done
        ";
    let mut stage = Stage::mock(talk, None);
    stage.goes_on(
        "
        * connects /
        accepted #1
        ",
    );
    let id = ConnectionId(1);
    let player = stage.player();
    let large = "x".repeat(100_000);
    let mut sent = 0;
    while player.takes_more(id) {
        player.received(Time::ZERO, id, Incoming::Text(large.clone()));
        sent += 1;
        assert!(sent < 10, "it never says no");
    }
    // One is in work, and the third of those that wait is over the bound.
    assert_eq!(sent, 4);
    let mut told = Vec::new();
    for second in 1..=4 {
        player.tick(Duration::from_secs(second));
        while let Some(action) = player.poll_action() {
            if let Action::TakesMore(who) = action {
                told.push((second, who));
            }
        }
    }
    assert_eq!(told, [(2, id)]);
    assert!(player.takes_more(id));
}

/// Clients that send all they have at once, and workers who take 50 ms for each message: when each answer came.
fn crowd(
    clients: u64,
    messages: u64,
    workers: usize,
) -> BTreeMap<ConnectionId, Vec<(Time, String)>> {
    let plan = plan(
        r#"
        on > {{job:int}}
          wait 50ms
          < {"status":"processed","data":{{job}}}
        "#,
    );
    let manner = Manner {
        workers: Some(workers),
        ..Manner::default()
    };
    let setup = Setup {
        manner,
        ..setup(&[])
    };
    let mut player = Player::mock(Arc::clone(&plan), plan.served_by_default(), setup);
    let mut ids = Vec::new();
    for _ in 0..clients {
        let HandshakeAnswer::Accept { connection, .. } = player.handshake(&Request::default())
        else {
            panic!("everybody is let in");
        };
        player.opened(Time::ZERO, connection, &HandshakeResponse::default());
        ids.push(connection);
    }
    for message in 0..messages {
        for id in &ids {
            player.received(Time::ZERO, *id, Incoming::Text(message.to_string()));
        }
    }
    let mut answers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut now = Time::ZERO;
    loop {
        while let Some(action) = player.poll_action() {
            let Action::Send {
                to: Target::One(id),
                frame: Outgoing::Text(text),
                ..
            } = action
            else {
                panic!("nothing but answers: {action:?}");
            };
            answers.entry(id).or_default().push((now, text));
        }
        let Some(next) = player.deadline() else {
            return answers;
        };
        now = next;
        player.tick(now);
    }
}

#[test]
fn ten_workers_take_a_tenth_of_the_time_of_one_and_keep_each_client_in_order() {
    let expected: Vec<String> = (0..10)
        .map(|n| format!(r#"{{"status":"processed","data":{n}}}"#))
        .collect();
    for (workers, time) in [(10, Duration::from_secs(5)), (1, Duration::from_secs(50))] {
        let answers = crowd(100, 10, workers);
        assert_eq!(answers.len(), 100);
        for own in answers.values() {
            let texts: Vec<&String> = own.iter().map(|(_, text)| text).collect();
            assert!(texts.iter().copied().eq(&expected), "{texts:?}");
        }
        let last = answers.values().flatten().map(|(at, _)| *at).max();
        assert_eq!(last, Some(time), "{workers} workers");
        // Nobody waits for others to be done with all of theirs.
        let firsts = answers.values().map(|own| own[0].0).max();
        assert_eq!(firsts, Some(time / 10), "{workers} workers");
    }
}

#[test]
fn ten_thousand_clients_may_wait() {
    let answers = crowd(10_000, 2, 100);
    assert_eq!(answers.len(), 10_000);
    assert!(answers.values().all(|own| own.len() == 2));
}
