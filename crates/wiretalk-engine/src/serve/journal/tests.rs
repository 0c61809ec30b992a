use std::io::Write;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiretalk_talk::player::{Incoming, Outgoing};

use super::entry::To;
use super::{ClientId, Direction, Entry, EntryKind, Filter, Frame, Journal, Nearest, Page, Since};
use crate::redact::Redactor;
use crate::serve::Recipient;

fn talk() -> Arc<str> {
    "/chat".into()
}

fn received(client: u64, text: &str) -> Entry {
    let kind = EntryKind::Received {
        frame: Frame::received(&Incoming::Text(text.to_owned())),
        line: None,
        unmatched: None,
    };
    Entry::new(&talk(), Some(ClientId(client)), kind)
}

fn sent(what: &Outgoing, to: Recipient<'_>, clients: &[u64]) -> Entry {
    let kind = EntryKind::Sent {
        frame: Frame::sent(what),
        to: To::new(to, clients.iter().copied().map(ClientId).collect()),
    };
    let client = match to {
        Recipient::One(client) => Some(client),
        _ => None,
    };
    Entry::new(&talk(), client, kind)
}

fn numbers(page: &Page) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.number).collect()
}

fn all(journal: &Journal) -> Page {
    journal.read(&Filter::default(), usize::MAX, usize::MAX)
}

#[test]
fn it_keeps_the_newest_within_its_bytes_and_counts_the_rest() {
    let journal = Journal::new(100_000);
    let text = "x".repeat(10_000);
    for _ in 0..20 {
        journal.push([received(1, &text)]);
    }
    let page = all(&journal);
    // Each costs a little more than its payload.
    assert_eq!(numbers(&page), (12..=20).collect::<Vec<_>>());
    assert_eq!(page.dropped, 11);
    // A message that alone is too large does not push out the others.
    journal.push([received(1, &"é".repeat(50_000))]);
    let page = all(&journal);
    let last = page.entries.last().expect("it is there");
    let EntryKind::Received { frame, .. } = &last.kind else {
        panic!("{last:?}")
    };
    assert_eq!((frame.size, frame.payload.len()), (100_000, 25_000));
    assert!(std::str::from_utf8(&frame.payload).is_ok());
    assert_eq!(page.entries.len(), 8);
}

#[test]
fn clearing_hides_what_was_and_counts_anew() {
    let journal = Journal::new(10_000);
    journal.push((0..100).map(|_| received(1, "before")));
    assert!(all(&journal).dropped > 0);
    journal.clear();
    assert_eq!(numbers(&all(&journal)), [0; 0]);
    assert_eq!(all(&journal).dropped, 0);
    journal.push([received(1, "behind")]);
    assert_eq!(numbers(&all(&journal)), [101], "numbers go on");
}

#[test]
fn a_reader_gets_what_it_asks_for() {
    let journal = Journal::new(1_000_000);
    let text = Outgoing::Text("a".to_owned());
    journal.push([
        received(1, "a"),
        received(2, "b"),
        sent(&text, Recipient::One(ClientId(1)), &[]),
        sent(&text, Recipient::Room("r", 2), &[1, 3]),
        sent(&Outgoing::Drop, Recipient::One(ClientId(2)), &[]),
    ]);
    let time = all(&journal).entries[2].at;
    let filter = Filter::default();
    let of = |filter: &Filter| numbers(&journal.read(filter, usize::MAX, usize::MAX));
    for (filter, expected) in [
        (filter.clone(), &[1, 2, 3, 4, 5][..]),
        (
            Filter {
                client: Some(ClientId(1)),
                ..filter.clone()
            },
            &[1, 3, 4],
        ),
        (
            Filter {
                client: Some(ClientId(3)),
                ..filter.clone()
            },
            &[4],
        ),
        (
            Filter {
                direction: Some(Direction::Received),
                ..filter.clone()
            },
            &[1, 2],
        ),
        (
            Filter {
                kind: Some("drop".to_owned()),
                ..filter.clone()
            },
            &[5],
        ),
        (
            Filter {
                talk: Some("/other".to_owned()),
                ..filter.clone()
            },
            &[],
        ),
        (
            Filter {
                since: Some(Since::Number(3)),
                ..filter.clone()
            },
            &[4, 5],
        ),
    ] {
        assert_eq!(of(&filter), expected, "{filter:?}");
    }
    let since = Filter {
        since: Some(Since::Time(time)),
        ..filter.clone()
    };
    assert!(of(&since).ends_with(&[3, 4, 5]));

    let first = journal.read(&filter, 2, usize::MAX);
    assert_eq!((numbers(&first), first.next), (vec![1, 2], Some(2)));
    let rest = Filter {
        since: Some(Since::Number(2)),
        ..filter.clone()
    };
    assert_eq!(journal.read(&rest, 3, usize::MAX).next, None);
    // A page is bounded in bytes too, but never empty for that.
    assert_eq!(numbers(&journal.read(&filter, usize::MAX, 0)), [1]);
}

#[test]
fn an_entry_in_json_says_what_it_is() {
    let long_ago = "2026-11-21T12:15:05.1234Z".parse().expect("a time");
    let shown = |entry: Entry| {
        let entry = Entry {
            number: 7,
            at: long_ago,
            ..entry
        };
        let redactor = Redactor::new(["hunter2"]);
        serde_json::to_value(entry.shown(&redactor)).expect("it is JSON")
    };
    let unmatched = EntryKind::Received {
        frame: Frame::received(&Incoming::Text("the password is hunter2".to_owned())),
        line: None,
        unmatched: Some(Nearest {
            line: Some(4),
            why: "it expects `a`, and `hunter2` came".to_owned(),
        }),
    };
    let matched = EntryKind::Received {
        frame: Frame::received(&Incoming::Text("hi".to_owned())),
        line: Some(3),
        unmatched: None,
    };
    let open = EntryKind::Open {
        peer: ([127, 0, 0, 1], 9).into(),
        target: "/chat?token=x".to_owned(),
        subprotocol: None,
    };
    let close = Outgoing::Close {
        code: None,
        reason: String::new(),
    };
    let same = json!({"number":7,"time":"2026-11-21T12:15:05.123Z","talk":"/chat"});
    for (entry, own) in [
        (
            Entry::new(&talk(), Some(ClientId(1)), open),
            json!({"client":1,"kind":"open","peer":"127.0.0.1:9","target":"/chat?token=…"}),
        ),
        (
            Entry::new(&talk(), Some(ClientId(1)), matched),
            json!({"client":1,"direction":"received","kind":"text","size":2,"text":"hi","line":3}),
        ),
        (
            Entry::new(&talk(), Some(ClientId(1)), unmatched),
            json!({"client":1,"direction":"received","kind":"text","size":23,"text":"the password is ***",
                "unmatched":{"line":4,"why":"it expects `a`, and `***` came"}}),
        ),
        (
            sent(
                &Outgoing::Binary(vec![0, 255]),
                Recipient::User("ann", 2),
                &[1, 2],
            ),
            json!({"direction":"sent","kind":"binary","to":"user","name":"ann","clients":[1,2],"size":2,
                "base64":"AP8="}),
        ),
        (
            sent(&close, Recipient::One(ClientId(3)), &[]),
            json!({"client":3,"direction":"sent","kind":"close","to":"client","code":1005,"size":0,"text":""}),
        ),
    ] {
        let mut expected = same.clone();
        let fields = own.as_object().expect("an object").clone();
        expected.as_object_mut().expect("an object").extend(fields);
        assert_eq!(shown(entry), expected);
    }
}

/// A file that says when it is written to, and that may be held up.
struct Slow {
    lines: Arc<Mutex<Vec<u8>>>,
    writes: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writes.send(()).expect("the test listens");
        // Once the test is over, nothing holds it up any more.
        let _ = self.go_on.recv();
        self.lines
            .lock()
            .expect("no panic")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_gets_each_entry_once_and_a_slow_one_is_told_what_it_missed() {
    let journal = Journal::new(10_000);
    journal.push([received(1, "before it is written")]);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (writes, wrote) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let file = Slow {
        lines: Arc::clone(&lines),
        writes,
        go_on: may_go_on,
    };
    let writer = journal.write_to(file).expect("a thread");
    journal.push([received(1, "first")]);
    wrote.recv().expect("it writes at once");
    // While it is held up, more comes than the journal keeps.
    journal.push((0..100).map(|_| received(1, "more")));
    journal.clear();
    drop(go_on);
    journal.end();
    writer.join().expect("no panic").expect("it is written");
    let lines = lines.lock().expect("no panic");
    let lines: Vec<Value> = String::from_utf8_lossy(&lines)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["text"], "first");
    assert_eq!(lines[1]["kind"], "dropped");
    let missed = lines[1]["entries"].as_u64().expect("a number");
    let written = lines.len() as u64 - 2;
    assert!(missed > 0 && written > 0);
    assert_eq!(missed + written, 100);
    assert_eq!(lines.last().expect("the last")["number"], 102);
}
