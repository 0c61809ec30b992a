//! Results to be written.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use wiretalk_talk::player::{ConnectionId, ErrorKind, Failure, Fault, Incoming, Plan};
use wiretalk_talk::{Difference, JsonDifference, Mismatch, Span};

use crate::record::{Direction, Kind, Log, Record};
use crate::runner::{Connection, Outcome, Skip, TestResult};

/// The talk that the results are of; `@LINE` in [`failure`] is a line of it.
const TALK: &str = "\
connect ws://127.0.0.1:4000/

> hello
< hello

> {\"op\":\"get\"}
< {\"price\":1}
";

/// What a page, a table, a comment or a terminal might take for its own.
pub(in super::super) const HOSTILE: &[&str] = &[
    "</script><img src=x onerror=alert(1)>",
    "</textarea></title></style><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x='",
    "]]> <!-- --> <![CDATA[ &lt; &#0; &bogus;",
    "a\u{0}b\u{1b}[31mred\u{7f}\u{85}\u{9b}",
    "\u{202e}evil\u{2066}\u{200f}\u{2028}\u{feff}\u{fffe}\u{ffff}\u{1ffff}",
    "\r\n...\r\n---\nnot ok 99 - injected # TODO\n1..0\nBail out!",
    "  ...\n# SKIP \\# \\\\ \"quoted\" 'single'",
    "%0A::error file=x::injected\n::add-mask::x\n##[command]",
    "| a | `b` | **c** | <details> | [x](javascript:alert(1)) | @everyone |",
    "[[ATTACHMENT|/etc/passwd]]",
    "你好 \u{1f388} Zoë \u{300}",
    "\t \t",
    "",
];

/// A test that passed, with nothing special about it.
pub(in super::super) fn passed(title: &str) -> TestResult {
    let parsed = wiretalk_talk::parse("chat.talk", TALK);
    let plan = Arc::new(Plan::new(&parsed.talk));
    TestResult {
        source: plan.source().clone(),
        plan,
        file: "chat.talk".to_owned(),
        title: title.to_owned(),
        line: 1,
        tags: Vec::new(),
        row: None,
        repetition: 1,
        outcome: Outcome::Passed {
            unconsumed: Vec::new(),
        },
        attempts: 1,
        started: UNIX_EPOCH + Duration::from_millis(1_767_225_600_250),
        offset: Duration::ZERO,
        duration: Duration::from_micros(4321),
        finally: None,
        log: log([
            (Direction::Sent, Kind::Event, "is open".as_bytes(), 900),
            (Direction::Sent, Kind::Text, b"hello", 1000),
            (Direction::Received, Kind::Text, b"hello", 2000),
        ]),
        connections: vec![Connection {
            name: None,
            url: "ws://127.0.0.1:4000/".to_owned(),
        }],
        seed: None,
        changes: Vec::new(),
    }
}

/// The same, failed on a line of the talk.
pub(in super::super) fn failed(
    title: &str,
    line: usize,
    expected: &str,
    fault: Fault,
) -> TestResult {
    let mut result = passed(title);
    let before: usize = TALK
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    result.outcome = Outcome::Failed(Box::new(Failure::new(
        Span::new(before, before + 1),
        Some(ConnectionId(1)),
        expected.to_owned(),
        fault,
    )));
    result
}

/// A log of one connection; the times are microseconds.
pub(in super::super) fn log<'a>(
    records: impl IntoIterator<Item = (Direction, Kind, &'a [u8], u64)>,
) -> Log {
    let mut log = Log::default();
    for (direction, kind, payload, at) in records {
        log.push(Record {
            connection: 1,
            direction,
            kind,
            payload: Bytes::copy_from_slice(payload),
            at: Duration::from_micros(at),
        });
    }
    log
}

/// A message that came at 2 ms, and does not match.
pub(in super::super) fn mismatch(came: Incoming, mismatch: Mismatch) -> Fault {
    Fault::Mismatch {
        came,
        at: Duration::from_millis(2),
        mismatch,
    }
}

/// One of each kind of result.
pub(in super::super) fn one_of_each() -> Vec<TestResult> {
    let mut results = vec![passed("it says hello back")];

    let differences = [
        ("$.price", Some("1"), Some("\"1\"")),
        ("$.id", Some("7"), None),
        ("$.more", None, Some("true")),
    ];
    let differences = differences.map(|(path, expected, came)| JsonDifference {
        path: path.to_owned(),
        expected: expected.map(str::to_owned),
        came: came.map(str::to_owned),
    });
    let text = r#"{"price":"1","more":true}"#;
    let mut json = failed(
        "the price is a number",
        7,
        r#"< {"price":1,"id":7}"#,
        mismatch(
            Incoming::Text(text.to_owned()),
            Mismatch::Json(differences.to_vec()),
        ),
    );
    json.line = 5;
    json.tags = vec!["smoke".to_owned(), "slow one".to_owned()];
    json.log = log([
        (
            Direction::Sent,
            Kind::Text,
            br#"{"op":"get"}"#.as_slice(),
            1500,
        ),
        (Direction::Received, Kind::Text, text.as_bytes(), 2000),
    ]);
    results.push(json);

    let difference = Difference {
        path: String::new(),
        expected: "hello".to_owned(),
        came: "hullo".to_owned(),
    };
    let mut text = failed(
        "a text that parts [row 3: name=alice]",
        4,
        "alice < hello",
        mismatch(
            Incoming::Text("hullo".to_owned()),
            Mismatch::Text(difference),
        ),
    );
    text.connections[0].name = Some("alice".to_owned());
    text.row = Some(2);
    text.repetition = 2;
    text.attempts = 3;
    results.push(text);

    let mut nothing = failed(
        "nothing comes, but then it does",
        4,
        "< hello",
        Fault::Nothing {
            waited: Duration::from_millis(3),
        },
    );
    nothing.log = log([
        (Direction::Sent, Kind::Text, b"hello".as_slice(), 1000),
        (Direction::Received, Kind::Binary, &[0, 255, 16], 9000),
        (Direction::Sent, Kind::Close(1000), b"bye", 9500),
    ]);
    nothing.finally = Some(Duration::from_millis(4));
    results.push(nothing);

    results.push(failed(
        "nobody is there",
        1,
        "connect ws://127.0.0.1:4000/",
        Fault::NotConnected {
            kind: ErrorKind::Refused,
            why: "127.0.0.1:4000 refused the connection".to_owned(),
        },
    ));

    let left = vec![(
        Some("bob".to_owned()),
        Incoming::Close {
            code: 1001,
            reason: "going away".to_owned(),
        },
    )];
    results.push(failed(
        "strict",
        7,
        "no message left over",
        Fault::Unconsumed {
            messages: left.clone(),
        },
    ));

    let mut flaky = passed("flaky, and something is left");
    flaky.attempts = 2;
    flaky.seed = Some(42);
    flaky.outcome = Outcome::Passed { unconsumed: left };
    results.push(flaky);

    let mut skipped = passed("never run");
    skipped.file = "other/späte.talk".to_owned();
    skipped.attempts = 0;
    skipped.duration = Duration::ZERO;
    skipped.log = Log::default();
    skipped.connections.clear();
    skipped.outcome = Outcome::Skipped(Skip::FailFast);
    results.push(skipped);
    results
}

/// A text wherever others may write one: the title, a tag, the file, the talk, payloads of each kind, a close's reason.
pub(in super::super) fn everywhere(text: &str) -> Vec<TestResult> {
    let bytes = text.as_bytes();
    let records = [
        (Direction::Sent, Kind::Event, bytes, 1),
        (Direction::Sent, Kind::Text, bytes, 2),
        (Direction::Received, Kind::Text, bytes, 3),
        (Direction::Received, Kind::Binary, bytes, 4),
        (Direction::Sent, Kind::Ping, bytes, 5),
        (Direction::Sent, Kind::Raw, bytes, 6),
        (Direction::Received, Kind::Close(4000), bytes, 7),
    ];
    let text_differs = Mismatch::Text(Difference {
        path: String::new(),
        expected: text.to_owned(),
        came: text.to_owned(),
    });
    let header_differs = Mismatch::Text(Difference {
        path: text.to_owned(),
        expected: text.to_owned(),
        came: text.to_owned(),
    });
    let json_differs = Mismatch::Json(vec![JsonDifference {
        path: text.to_owned(),
        expected: Some(text.to_owned()),
        came: Some(text.to_owned()),
    }]);
    let check = Mismatch::Check {
        check: text.to_owned(),
        came: text.to_owned(),
    };
    let came = || Incoming::Text(text.to_owned());
    let left = || {
        vec![
            (Some(text.to_owned()), came()),
            (None, Incoming::Binary(bytes.to_vec())),
        ]
    };
    let faults = vec![
        mismatch(came(), text_differs),
        mismatch(came(), json_differs),
        mismatch(came(), check),
        mismatch(came(), Mismatch::NotJson(text.to_owned())),
        mismatch(came(), Mismatch::Expression(text.to_owned())),
        Fault::Handshake {
            mismatch: header_differs,
            status: 403,
            body: text.to_owned(),
        },
        Fault::Nothing {
            waited: Duration::from_secs(1),
        },
        Fault::NotSilent {
            came: came(),
            after: Duration::from_millis(1),
        },
        Fault::NotConnected {
            kind: ErrorKind::Dns,
            why: text.to_owned(),
        },
        Fault::Impossible {
            why: text.to_owned(),
        },
        Fault::Unconsumed { messages: left() },
    ];
    let mut results: Vec<TestResult> = faults
        .into_iter()
        .map(|fault| failed(text, 7, text, fault))
        .collect();
    let mut passed = passed(text);
    passed.outcome = Outcome::Passed { unconsumed: left() };
    results.push(passed);
    for result in &mut results {
        result.file = text.to_owned();
        result.tags = vec![text.to_owned()];
        result.source = wiretalk_talk::Source::new(text, &text.repeat(8));
        result.connections[0].name = Some(text.to_owned());
        result.connections[0].url = text.to_owned();
        result.log = log(records);
    }
    results
}
