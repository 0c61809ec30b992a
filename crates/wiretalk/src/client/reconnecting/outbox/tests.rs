use super::*;

fn filled(texts: &[&str]) -> Outbox {
    let mut outbox = Outbox::default();
    for &text in texts {
        outbox.push(text.into(), 100).expect("there is room");
    }
    outbox
}

fn texts(mut outbox: Outbox) -> Vec<String> {
    let messages = outbox.take();
    let texts = messages.iter().map(|message| message.as_text().unwrap());
    texts.map(str::to_owned).collect()
}

#[test]
fn a_bound_in_bytes() {
    let mut outbox = filled(&["abc", "de"]);
    assert_eq!((outbox.messages(), outbox.bytes()), (2, 5));
    assert_eq!(outbox.push("fg".into(), 6), Err("fg".into()));
    assert_eq!(outbox.push("f".into(), 6), Ok(()));
    assert_eq!(outbox.bytes(), 6);
    assert_eq!(texts(outbox), ["abc", "de", "f"]);
}

#[test]
fn one_alone_may_be_larger() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.push("abc".into(), 2), Ok(()));
    assert_eq!(outbox.push("".into(), 2), Err("".into()));
}

#[test]
fn what_the_connection_has_written_is_gone() {
    let mut outbox = filled(&["a", "bc", "d"]);
    for expected in ["a", "bc"] {
        assert_eq!(outbox.next_to_feed(), Some(&expected.into()));
        outbox.on_fed();
    }
    outbox.on_written();
    assert_eq!((outbox.messages(), outbox.bytes()), (1, 1));
    assert_eq!(outbox.next_to_feed(), Some(&"d".into()));
    outbox.on_fed();
    assert_eq!(outbox.next_to_feed(), None);
}

#[test]
fn what_a_lost_connection_had_goes_to_the_next() {
    let mut outbox = filled(&["a", "b"]);
    outbox.on_fed();
    outbox.on_lost();
    assert_eq!(outbox.next_to_feed(), Some(&"a".into()));
    assert_eq!(texts(outbox), ["a", "b"]);
}

#[test]
fn the_oldest_make_room_but_those_on_their_way() {
    let mut outbox = filled(&["a", "bb", "ccc"]);
    outbox.on_fed();
    let dropped = outbox.make_room(2, 6);
    assert_eq!((dropped.messages, dropped.bytes), (1, 2));
    let dropped = outbox.make_room(100, 6);
    assert_eq!((dropped.messages, dropped.bytes), (1, 3));
    assert_eq!(outbox.push("x".into(), 6), Ok(()));
    assert_eq!(texts(outbox), ["a", "x"]);
}
