use proptest::prelude::*;

use super::*;
use crate::syntax::{Content, Data, StatementKind};
use crate::testing::Scene;

/// What a line that was written says, read back.
#[derive(Debug, PartialEq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Drop,
}

fn said(what: What<'_>) -> Said {
    match what {
        What::Text(text) => Said::Text(text.to_owned()),
        What::Binary(bytes) => Said::Binary(bytes.to_owned()),
        What::Ping(bytes) => Said::Ping(bytes.to_owned()),
        What::Pong(bytes) => Said::Pong(bytes.to_owned()),
        What::Close { code, reason } => Said::Close(code, reason.to_owned()),
        What::Drop => Said::Drop,
    }
}

/// The payload of the only line of a talk, as it is sent; and whether it takes itself when it is expected.
fn read(talk: &str) -> Said {
    let parsed = crate::parse("t", talk);
    assert_eq!(parsed.diagnostics, [], "{talk:?}");
    let [statement] = &parsed.talk.statements[..] else {
        panic!("{talk:?} is not one line");
    };
    let StatementKind::Frame(frame) = &statement.kind else {
        panic!("{talk:?} is no frame");
    };
    let scene = Scene::with("");
    let context = scene.context();
    let filled = |pattern: &Pattern| {
        let sent = pattern.render(&context).expect("no holes").text;
        assert!(
            pattern.matches(&sent, &context).is_ok(),
            "{talk:?} takes itself"
        );
        sent
    };
    let data = |data: &Option<Data>| match data {
        None => Vec::new(),
        Some(Data::Text(pattern)) => filled(pattern).into_bytes(),
        Some(Data::Bytes(bytes)) => bytes.clone(),
    };
    match &frame.content {
        Content::Text(pattern) => Said::Text(filled(pattern)),
        Content::Binary(bytes) => Said::Binary(bytes.clone()),
        Content::Ping(payload) => Said::Ping(data(payload)),
        Content::Pong(payload) => Said::Pong(data(payload)),
        Content::Close { code, reason } => {
            let code = code.filter(|code| *code != 1005);
            Said::Close(code, reason.as_ref().map(filled).unwrap_or_default())
        }
        Content::Drop => Said::Drop,
        other => panic!("{other:?}"),
    }
}

/// Writes, reads, lays out and reads again: the same bytes each time.
fn comes_back(line: &Line<'_>) -> String {
    let mut talk = String::new();
    super::line(&mut talk, line);
    assert_eq!(read(&talk), said(line.what), "{talk:?}");
    let laid_out = crate::format("t", &talk).expect("it can be read");
    assert_eq!(read(&laid_out), said(line.what), "{laid_out:?}");
    assert_eq!(laid_out, talk, "it is written as it is laid out");
    for written in talk.lines() {
        assert!(!written.ends_with([' ', '\t', '\r']), "{talk:?}");
    }
    talk
}

#[test]
fn each_message_is_written_as_it_reads_best() {
    #[rustfmt::skip]
    let texts = [
        ("", ">\n"), ("hello", "> hello\n"), ("  hi", ">   hi\n"), ("(skip) x", "> (skip) x\n"),
        ("| a", "> | a\n"), ("# a", "> # a\n"), ("😀 日本", "> 😀 日本\n"),
        ("a ", ">esc a\\x20\n"), ("a\t", ">esc a\\t\n"), (" ", ">esc \\x20\n"), ("a\u{0}b\\", ">esc a\\x00b\\\\\n"),
        ("a\r", ">esc a\\r\n"), ("a\r\nb", ">esc a\\r\\nb\n"), ("a\u{2028}b", ">esc a\\u{2028}b\n"),
        ("\u{feff}a", ">esc \\u{feff}a\n"), ("a \nb", ">esc a \\nb\n"),
        ("a\nb", ">\n| a\n| b\n"), ("\na\n", ">\n|\n| a\n|\n"), ("\n", ">\n|\n|\n"), ("a\n  b", ">\n| a\n|   b\n"),
        ("a {{b}} c", ">text a {{b}} c\n"), ("{{{{", ">text {{{{\n"), ("{{\nx", ">text\n| {{\n| x\n"),
        ("{\"a\":1}", "> {\"a\":1}\n"), ("{\"a\":", ">text {\"a\":\n"), ("[1, ...]", ">text [1, ...]\n"),
        ("[...]", ">text [...]\n"), ("{\"a\":1,\"a\":2}", ">text {\"a\":1,\"a\":2}\n"), ("42[\"a\",{}]", "> 42[\"a\",{}]\n"),
        ("[1] and more", "> [1] and more\n"), ("{\"a\":\"\\ud800\"}", ">text {\"a\":\"\\ud800\"}\n"),
    ];
    for (text, expected) in texts {
        assert_eq!(
            comes_back(&Line::to_server(What::Text(text))),
            expected,
            "{text:?}"
        );
    }
    #[rustfmt::skip]
    let others = [
        (What::Binary(b""), "<hex\n"), (What::Binary(b"\x00\xff"), "<hex 00 ff\n"),
        (What::Binary(b"\x10\x0e\x00\x04MQTT"), "<hex 10 0e 00 04 4d 51 54 54\n"),
        (What::Binary(b"hello\\ world\n "), "<bin hello\\\\ world\\x0a\\x20\n"),
        (What::Ping(b""), "<ping\n"), (What::Ping(b"a"), "<ping a\n"), (What::Ping(b" "), "<ping(hex) 20\n"),
        (What::Pong(b"\xff"), "<pong(hex) ff\n"), (What::Pong(b"{{"), "<pong(hex) 7b 7b\n"),
        (What::Pong(b"a\nb"), "<pong(hex) 61 0a 62\n"),
        (What::Close { code: None, reason: "" }, "<close 1005\n"),
        (What::Close { code: Some(1000), reason: "" }, "<close 1000\n"),
        (What::Close { code: Some(4999), reason: "bye now" }, "<close 4999 bye now\n"),
        (What::Close { code: Some(1001), reason: " a\n\"b\" " }, "<close 1001 {{ \" a\\u000a\\\"b\\\" \" }}\n"),
        (What::Close { code: Some(1001), reason: "{{x}}" }, "<close 1001 {{ \"{{x}}\" }}\n"),
        (What::Close { code: Some(1001), reason: "{\"a\":" }, "<close 1001 {{ \"{\\\"a\\\":\" }}\n"),
        (What::Drop, "<drop\n"),
    ];
    for (what, expected) in others {
        assert_eq!(comes_back(&Line::to_client(what)), expected, "{what:?}");
    }
    let long: Vec<u8> = (0..200).collect();
    let talk = comes_back(&Line::to_client(What::Binary(&long)));
    assert!(talk.starts_with("<base64\n| AAEC") && talk.lines().all(|line| line.len() <= 98));
}

#[test]
fn a_line_has_a_name_and_a_time() {
    let mut talk = String::new();
    let mut one = Line::to_server(What::Ping(b"\x00"));
    one.who = Some("alice");
    one.after = Some(Duration::from_micros(1_204_900));
    line(&mut talk, &one);
    one.what = What::Text("a");
    one.after = Some(Duration::from_micros(10));
    line(&mut talk, &one);
    assert_eq!(talk, "alice >ping(hex, after 1.204s) 00\nalice > a\n");
    assert_eq!(crate::format("t", &talk), Ok(talk));
}

#[test]
fn a_handshake_is_written_with_its_headers() {
    let mut talk = String::new();
    comment(&mut talk, "Recorded.\n\nSecrets are left out.");
    connect(
        &mut talk,
        Some("alice"),
        "ws://h/{{x",
        &[("Origin", "http://h"), ("X-Empty", "")],
    );
    http(&mut talk, 403, &[("Server", "a  b")]);
    assert_eq!(
        talk,
        "# Recorded.\n#\n# Secrets are left out.\nconnect alice ws://h/{{{{x\n  Origin: http://h\n  X-Empty:\nHTTP 403\n  Server: a  b\n"
    );
    assert_eq!(crate::parse("t", &talk).diagnostics, []);
    assert_eq!(crate::format("t", &talk), Ok(talk));
}

/// Texts that are hard to write down.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        2 => "[ -~]{0,6}".prop_map(String::from),
        1 => any::<String>(),
        2 => prop::sample::select(vec![
            "\n", "\r", "\r\n", " ", "\t", "{{", "}}", "{{{{", "{", "}", "[", "]", "...", "|", "\"", "\\", "#",
            "\u{0}", "\u{7f}", "\u{feff}", "\u{2028}", "\u{a0}", "😀", "é", "{\"a\":1}", "[1, ...]", "{\"a\":\"", ",",
            "(skip)", ">", "<", "{{x}}", "{{_}}", "1e400", "\"\\ud800\"",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_comes_back(text in texts()) {
        comes_back(&Line::to_server(What::Text(&text)));
    }

    #[test]
    fn any_bytes_come_back(bytes in any::<Vec<u8>>(), text in texts()) {
        comes_back(&Line::to_server(What::Binary(&bytes)));
        comes_back(&Line::to_client(What::Binary(text.as_bytes())));
        let most = |bytes: &[u8]| bytes[..bytes.len().min(125)].to_vec();
        comes_back(&Line::to_client(What::Ping(&most(&bytes))));
        comes_back(&Line::to_client(What::Pong(&most(text.as_bytes()))));
    }

    #[test]
    fn any_close_comes_back(reason in texts(), code in prop::sample::select(vec![1000, 1001, 1011, 3000, 4999])) {
        let end = reason.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 123).last();
        let reason = &reason[..end.unwrap_or(0)];
        comes_back(&Line::to_client(What::Close { code: Some(code), reason }));
    }
}
