//! Whatever happens in whatever order, the player goes on.

use proptest::prelude::*;

use super::stage::Stage;
use crate::testing::talks;

/// Talks that have every kind of line between them.
const TALKS: [&str; 11] = [
    include_str!("../../../../../examples/chat.talk"),
    include_str!("../../../../../examples/workers.talk"),
    include_str!("../../../../../examples/modes.talk"),
    include_str!("../../../../../examples/refused.talk"),
    include_str!("../../../../../examples/two-clients.talk"),
    r#"
    option timeout 1s
    option strict
    on < tick {{t:int}}
      ? {{t}} < 5
      > tock {{t}}
      < thanks
    on <ping {{p=x}}
      >pong {{p}}
    every 100ms
      >ping {{n}}
      alice > tick
    connect alice ws://h/{{id=1}}
    HTTP 101
      X: {{x=y}}
    connect bob ws://h/2
    wait 50ms
    alice > {"n":{{seq=1}}}
    all <(within 500ms, skip) {"n":{{seq}}, ...}
      first = $.n
    others < news {{first}}
    bob >echo
    silence 100ms
    bob <close 1000 {{reason=x}}
    bob >close 1000
    finally
      alice > bye
      alice < bye
    "#,
    r#"
    option subprotocol a, b
    listen ws://h/
    on connect
      X: {{x:word}}
      set client.x = {{x}}
      HTTP 101
        X: {{x}}
    on connect
      HTTP 401
        | no {{client.path}}
    on GET /{{name:word}}
      HTTP 200
        | {{name}}
    on > {"n":{{n1:int}}}
      <(after 100ms) {"n":{{ n1 + 1 }}}
      >(within 200ms) more
      others < {{client.id}} {{server.clients}}
    on > close
      <close 1000 {{client.x}}
      < never
    on >ping {{_}}
      <pong mine
    on > set {{v:int}}
      set global.v = {{v}}
    on >any
      all <echo
    every 70ms
      all < {{n}} {{ global.v|default("-") }}
    every 50ms per client
      < yours {{n}}
      wait 120ms
      <ping
    "#,
    r#"
    connect ws://h/
    > {{a:word}} {{b:int}}
    <(after 20ms) {{b}} {{a}}
    >echo
    wait 100ms
    <echo
    <close
    >close
    connect ws://h/
    > again
    < yes
    "#,
    r#"
    option timeout 1s
    each users.csv
    ignore < tick 3
    connect fans x2 ws://h/{{name}}
    fans join lobby
    fans identify {{name}}
    repeat 2
      fans > double {{n}}
      unordered
        fans <(optional, within 200ms) {"n":{{a1:int}}, ...}
        room lobby <(x1..3) more
          s1 = size
        <re (?<w1>\w+) (?<w2>\w+)
      fans <(optional, skip) news {{b1:int}}
      >(x2, after 10ms) {{w1}}
        all1 = text
    <(x0..2) bye
    room lobby < abc {{x:int}}
    <fail 1002
    connect other ws://h/2
    <error refused
    finally
      repeat 2
        fans > bye
        <(optional) bye
    "#,
    r#"
    option refuse close
    on open
      join lobby, {{client.id}}
      identify {{client.query.user|default("nobody")}}
      room lobby < {{ members("lobby")|length }}
    on close
      < nobody
      wait 100ms
      room lobby < {{client.id}} left
      > never
    on > tick {{n1:int}}
      repeat {{n1}}
        <(after 50ms) {{n}} {{ members("lobby")|length }}
      leave lobby
    on > close
      all leave lobby
      keep lobby {{message}}
      <drop
    on > double {{_}}
      unordered
        >(within 1s) more
        >(optional) bye
      user nobody < both
    every 60ms
      room lobby < {{n}}
    "#,
    r#"
    each users.csv
    connect alice ws://h/1
    connect bob ws://h/2
    ignore > bye
    alice > abc {{x:int}}
    bob < alice says {{x}}
    repeat 2
      bob >(optional) more
      alice >(x1..2) tick {{_:int}}
      all < {{n}}
    unordered
      bob > close
      bob > double ignore
    alice join lobby
    bob identify {{name}}
    room lobby < {{ members("lobby") }}
    user {{name}} < {{age|default("x")}}
    alice >drop
    bob <close 1000
    bob >close
    "#,
];

fn event() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just(r#"{"n":1}"#),
        Just(r#"{"n":1,"more":[{"a":null}]}"#),
        Just("tick 3"),
        Just("close"),
        Just("set 4"),
        Just("more"),
        Just("abc 12"),
        Just("12 abc"),
        Just("double ignore"),
        Just("news 1"),
        Just("bye"),
        Just(""),
    ];
    let target =
        "/(1|2|x)?(\\?user=a)?( (X: y|Authorization: Bearer s3cret|Origin: https://app.example))?";
    prop_oneof![
        8 => (0..4_u64, text).prop_map(|(id, text)| format!("{id} text {text}")),
        4 => (0..4_u64).prop_map(|id| format!("{id} opened")),
        2 => (0..4_u64).prop_map(|id| format!("{id} hex 00 ff")),
        2 => (0..4_u64).prop_map(|id| format!("{id} ping p")),
        1 => (0..4_u64).prop_map(|id| format!("{id} pong p")),
        1 => (0..4_u64, 1000..1012_u16).prop_map(|(id, code)| format!("{id} close {code} x")),
        1 => (0..4_u64).prop_map(|id| format!("{id} end it broke")),
        1 => (0..4_u64).prop_map(|id| format!("{id} gone")),
        1 => (0..4_u64).prop_map(|id| format!("{id} refused 401 X: y | no")),
        1 => (0..4_u64).prop_map(|id| format!("{id} failed no route")),
        1 => (0..4_u64).prop_map(|id| format!("{id} fails dns no such host")),
        1 => (0..4_u64).prop_map(|id| format!("{id} breaks 1002")),
        4 => target.prop_map(|target| format!("connects {target}")),
        1 => target.prop_map(|target| format!("GET {target}")),
        // Now and then the time goes backward: that is the caller's mistake, and no reason to panic.
        4 => (0..2_000_u64).prop_map(|time| format!("at {time}ms")),
        2 => (0..2_000_u64).prop_map(|time| format!("late {time}ms")),
        1 => Just("clients".to_owned()),
        1 => Just("list".to_owned()),
        1 => Just("deadline".to_owned()),
    ]
}

/// Plays events, and another talk in the midst of them.
fn plays_another(mut stage: Stage, events: &[String], talk: &str, when: usize) {
    let mut played = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if index == when {
            stage.reload(talk);
        }
        stage.happens(event, &mut played);
        stage.actions(&mut played);
        assert!(played.len() < 100_000, "it does not come to rest");
    }
}

/// Plays events, and checks what must hold however they come.
fn plays(mut stage: Stage, events: &[String]) {
    let mut played = Vec::new();
    stage.actions(&mut played);
    for event in events {
        stage.happens(event, &mut played);
        stage.actions(&mut played);
        assert!(played.len() < 100_000, "it does not come to rest");
    }
    let ends = |line: &&String| line.starts_with("passed") || line.starts_with("failed");
    assert!(played.iter().filter(ends).count() <= 1, "{played:#?}");
}

proptest! {
    #[test]
    fn a_test_survives_any_events(
        talk in prop::sample::select(TALKS.to_vec()),
        which in any::<prop::sample::Index>(),
        events in prop::collection::vec(event(), 0..60),
    ) {
        let count = super::stage::plan(talk).tests().count();
        if count > 0 {
            plays(Stage::test(talk, which.index(count), &[]), &events);
        }
    }

    #[test]
    fn a_mock_survives_any_events(
        talk in prop::sample::select(TALKS.to_vec()),
        events in prop::collection::vec(event(), 0..60),
    ) {
        plays(Stage::mock(talk, None), &events);
    }

    #[test]
    fn a_mock_survives_another_talk(
        talk in prop::sample::select(TALKS.to_vec()),
        other in prop::sample::select(TALKS.to_vec()),
        when in 0..20_usize,
        events in prop::collection::vec(event(), 0..40),
    ) {
        plays_another(Stage::mock(talk, None), &events, other, when);
    }

    #[test]
    fn any_talk_survives_any_events(
        talk in talks(),
        events in prop::collection::vec(event(), 0..30),
    ) {
        let wrong = crate::parse("t", &talk).diagnostics;
        if !wrong.iter().any(crate::Diagnostic::is_error) {
            plays(Stage::mock(&talk, None), &events);
            plays(Stage::test(&talk, 0, &[]), &events);
        }
    }
}

#[test]
fn a_large_message_is_not_compared_with_every_rule_to_say_which_came_nearest() {
    let mut talk: String = (0..100).map(|n| format!("on > {n}\n")).collect();
    talk += "on > near\n";
    for (size, nearest) in [(8, "line 101: "), (1 << 20, "line 1: ")] {
        let mut stage = Stage::mock(&talk, None);
        let mut played = Vec::new();
        stage.happens("connects /", &mut played);
        stage.happens(&format!("1 text near{}", "x".repeat(size)), &mut played);
        stage.actions(&mut played);
        let last = played.last().expect("an action");
        let told = format!("#1 unmatched, nearest is {nearest}");
        assert!(last.starts_with(&told), "{last:.80}");
    }
}
