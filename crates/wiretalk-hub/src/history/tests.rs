use std::time::Duration;

use wiretalk_proto::Prepared;

use super::{Entry, Histories, Origin};
use crate::HistoryLimits;

const LIMITS: HistoryLimits = HistoryLimits {
    messages: 3,
    age: Duration::from_millis(100),
    rooms: 2,
    bytes: 100_000,
};

/// A history in which the n-th entry has offset n, and is made at time n.
struct Book(Histories, u64);

impl Book {
    fn new(limits: HistoryLimits) -> Self {
        Self(Histories::new(limits, "e".into(), true), 0)
    }

    fn push(&mut self, room: &str) -> u64 {
        self.1 += 1;
        self.0.push(room, entry(self.1, self.1), self.1);
        self.1
    }

    /// The messages, and whether that is all.
    fn get(&mut self, room: &str, after: Option<u64>, now: u64) -> (String, bool) {
        let history = self.0.get(room, 100, after, now);
        let texts: Vec<_> = history
            .messages
            .iter()
            .map(|(_, message)| String::from_utf8_lossy(&message.payload()).into_owned())
            .collect();
        (texts.join(" "), history.complete)
    }
}

fn entry(offset: u64, seq: u64) -> Entry {
    Entry {
        offset,
        origin: Origin { node: 1, seq },
        time: seq,
        message: Prepared::text(&seq.to_string()),
    }
}

fn is(texts: &str, complete: bool) -> (String, bool) {
    (texts.to_owned(), complete)
}

#[test]
fn the_newest_of_a_room_are_kept() {
    let mut book = Book::new(LIMITS);
    assert_eq!(book.get("a", None, 0), is("", true));
    for _ in 0..3 {
        book.push("a");
    }
    assert_eq!(book.get("a", None, 3), is("1 2 3", true));
    book.push("a");
    assert_eq!(book.get("a", None, 4), is("2 3 4", false));
    assert_eq!(book.get("a", Some(0), 4), is("2 3 4", false));
    assert_eq!(book.get("a", Some(1), 4), is("2 3 4", true));
    assert_eq!(book.get("a", Some(3), 4), is("4", true));
    assert_eq!(book.get("a", Some(9), 4), is("", true));
}

#[test]
fn whoever_comes_back_goes_on_from_where_it_was() {
    let mut book = Book::new(HistoryLimits {
        messages: 10,
        ..LIMITS
    });
    for _ in 0..10 {
        book.push("a");
    }
    let mut seen = Vec::new();
    while let page = book.0.get("a", 3, seen.last().copied().or(Some(0)), 10)
        && !page.messages.is_empty()
    {
        assert!(page.complete, "nothing is left out before these");
        seen.extend(page.messages.iter().map(|(offset, _)| *offset));
    }
    assert!(seen.into_iter().eq(1..=10));
    assert!(!book.0.get("a", 3, None, 10).complete);
}

#[test]
fn what_is_too_old_goes() {
    let mut book = Book::new(LIMITS);
    book.push("a");
    book.push("a");
    assert_eq!(book.get("a", None, 101), is("1 2", true));
    assert_eq!(book.get("a", None, 102), is("2", false));
    assert_eq!(book.get("a", Some(1), 102), is("2", true));
    assert_eq!(book.get("a", None, 103), is("", false));
    assert_eq!(book.0.bytes, "a".len(), "the room's name");
    // A room in which all is old goes with the next message of any other.
    book.push("b");
    book.1 = 500;
    book.push("c");
    assert_eq!(book.0.rooms.len(), 1);
}

#[test]
fn the_room_that_was_used_longest_ago_makes_place() {
    let mut book = Book::new(LIMITS);
    book.push("a");
    book.push("b");
    book.push("a");
    book.push("c");
    assert_eq!(book.get("b", None, 4), is("", false));
    assert_eq!(book.get("b", Some(2), 4), is("", true));
    assert_eq!(book.get("a", None, 4), is("1 3", true));
    // It comes back, and knows that something is missing.
    book.push("b");
    assert_eq!(book.get("b", None, 5), is("5", false));
    assert_eq!(book.get("b", Some(2), 5), is("5", true));
}

#[test]
fn bytes_are_bounded_whatever_the_rooms() {
    let mut book = Book::new(HistoryLimits {
        messages: 1000,
        age: Duration::MAX,
        rooms: 1000,
        bytes: 10_000,
    });
    for n in 0..2000 {
        book.push(["a", "b", "c"][n % 3]);
        assert!(book.0.bytes <= 10_000);
    }
    let left: usize = book.0.rooms.values().map(|room| room.messages.len()).sum();
    assert!(left > 50, "{left}");
    let costs = book.0.rooms.values().flat_map(|room| &room.messages);
    let names: usize = book.0.rooms.keys().map(|name| name.len()).sum();
    assert_eq!(costs.map(Entry::cost).sum::<usize>() + names, book.0.bytes);
    // Names count, too.
    for n in 0..20 {
        book.push(&format!("{n} {}", "x".repeat(3_000)));
        assert!(book.0.bytes <= 10_000, "{}", book.0.bytes);
    }
    // One message that is larger than all there is place for is not remembered.
    let large = Entry {
        message: Prepared::text(&"x".repeat(20_000)),
        ..entry(5000, 5000)
    };
    book.0.push("a", large, 5000);
    assert!(book.0.bytes <= 10_000);
}

#[test]
fn nothing_is_kept_where_nothing_is_wanted() {
    let mut book = Book::new(HistoryLimits::none());
    book.push("a");
    assert!(!book.0.is_kept());
    assert_eq!(book.get("a", None, 1), is("", true));
}

#[test]
fn another_log_gives_new_offsets_to_what_comes_again() {
    let mut book = Book::new(HistoryLimits {
        messages: 100,
        ..LIMITS
    });
    for _ in 0..4 {
        book.push("a");
    }
    book.0.begin("f".into());
    let history = book.0.get("a", 100, None, 4);
    assert_eq!((&*history.epoch, history.offset), ("f", 0));
    assert!(history.messages.iter().all(|(offset, _)| *offset == 0));
    // Those who wrote them append the third and the fourth again.
    book.0.push_again("a", entry(1, 3), 4);
    book.0.push_again("a", entry(2, 4), 4);
    book.0.push("a", entry(3, 5), 5);
    assert_eq!(book.get("a", None, 5), is("1 2 3 4 5", true));
    assert_eq!(book.get("a", Some(1), 5), is("4 5", true));
}

#[test]
fn what_was_never_read_is_missing() {
    let mut book = Book::new(LIMITS);
    book.0.missed(10);
    assert_eq!(book.get("a", None, 0), is("", false));
    book.1 = 10;
    book.push("a");
    assert_eq!(book.get("a", Some(9), 11), is("11", false));
    assert_eq!(book.get("a", Some(10), 11), is("11", true));
}

#[test]
fn without_offsets_nobody_can_tell_what_is_missing() {
    let mut histories = Histories::new(LIMITS, "e".into(), false);
    histories.push("a", entry(0, 1), 1);
    assert!(histories.get("a", 10, None, 1).complete);
    let after = histories.get("a", 10, Some(7), 1);
    assert_eq!((after.messages.len(), after.complete), (1, false));
}
