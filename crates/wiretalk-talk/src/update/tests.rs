use super::*;
use crate::{Diagnostic, parse};

/// The statement on the last line that begins with an arrow `<`.
fn last_frame(talk: &Talk) -> Span {
    let mut spans = talk.statements.iter().filter_map(|statement| {
        let frame = matches!(statement.kind, StatementKind::Frame(_));
        frame.then_some(statement.span)
    });
    spans.next_back().expect("a frame")
}

/// The lines `expected`, rewritten for what came, and the notes.
fn rewritten(expected: &str, came: Incoming) -> (String, Vec<String>) {
    let text = format!("connect ws://a\n{expected}\n");
    let parsed = parse("a.talk", &text);
    assert!(
        !parsed.diagnostics.iter().any(Diagnostic::is_error),
        "{expected}: {:?}",
        parsed.diagnostics
    );
    let span = last_frame(&parsed.talk);
    let update = update(&parsed.talk, &[Change { span, came }]);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for edit in update.edits.iter().rev() {
        let from = edit.line - 1;
        lines.splice(from..from + edit.count, edit.lines.clone());
    }
    let after = lines.join("\n") + "\n";
    let again = parse("a.talk", &after);
    assert!(
        !again.diagnostics.iter().any(Diagnostic::is_error),
        "{after}: {:?}",
        again.diagnostics
    );
    let notes = update.notes.into_iter().map(|(_, note)| note).collect();
    (lines[1..].join("\n"), notes)
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.to_owned())
}

#[test]
fn json_keeps_holes_order_layout_and_openness() {
    for (expected, came, after) in [
        (
            r#"< {"a":1,"b":2}"#,
            r#"{"b":3,"a":1}"#,
            r#"< {"a":1,"b":3}"#,
        ),
        (
            r#"< {"id":"{{id:uuid}}", "n": 1, ...}"#,
            r#"{"n":2,"more":true,"id":"0b0a5b3c-8b1f-4c55-9a4e-0a3f1f6f3b11"}"#,
            r#"< {"id":"{{id:uuid}}", "n": 2, ...}"#,
        ),
        (
            r#"< {"id":{{id:int}},"old":{"x":[1,2]},"last":null}"#,
            r#"{"id":7,"last":null,"new":"{{x}}"}"#,
            r#"< {"id":{{id:int}},"last":null,"new":"{{{{x}}"}"#,
        ),
        (
            r#"< {"n":{{k:int}},"m":1}"#,
            r#"{"n":"seven","m":1}"#,
            r#"< {"n":"seven","m":1}"#,
        ),
        (
            r#"< {"hello":"dear {{who:word}}, welcome"}"#,
            r#"{"hello":"dear ann, good-bye"}"#,
            r#"< {"hello":"dear {{who:word}}, good-bye"}"#,
        ),
        (
            r#"< [1,{{_:int}},3]"#,
            "[1,2,4,5]",
            r#"< [1,{{_:int}},4,5]"#,
        ),
        (r#"< [1,{{_:int}},3]"#, "[1]", "< [1]"),
        (
            r#"< [{"a":1}, ...]"#,
            r#"[{"a":2},{"a":3}]"#,
            r#"< [{"a":2}, ...]"#,
        ),
        (r#"< []"#, "[1,{}]", "< [1,{}]"),
        (r#"< {"a":{ }}"#, r#"{"a":{"b":1}}"#, r#"< {"a":{"b":1}}"#),
        (r#"< {"a":[1]}"#, r#"{"a":[]}"#, r#"< {"a":[]}"#),
        (
            r#"< 42["chat",{"n":1}]"#,
            r#"42["chat",{"n":2}]"#,
            r#"< 42["chat",{"n":2}]"#,
        ),
        (
            r#"< {"n":1.0}"#,
            r#"{"n":1.10000000000000000001}"#,
            r#"< {"n":1.10000000000000000001}"#,
        ),
        (r#"< {"a":1}"#, "no JSON", "< no JSON"),
        (r#"< {"a":1}"#, "[1]", "< [1]"),
        (
            "<(within 200ms)\n| {\n|   \"a\": 1,\n|   \"b\": {{b:int}}\n| }",
            r#"{"a":2,"b":3,"c":4}"#,
            "<(within 200ms)\n| {\n|   \"a\": 2,\n|   \"b\": {{b:int}},\n|   \"c\":4\n| }",
        ),
    ] {
        let (shown, notes) = rewritten(expected, text(came));
        assert_eq!(shown, after, "{expected} and {came}");
        let lost = expected.contains("{{k:int}}") || came == "[1]" && expected.contains("{{");
        assert_eq!(!notes.is_empty(), lost, "{notes:?}");
    }
}

#[test]
fn text_keeps_the_holes_whose_surroundings_are_there() {
    for (expected, came, after) in [
        ("< hello", "hullo", "< hullo"),
        (
            "< user {{id:int}} joined",
            "user 7 left",
            "< user {{id:int}} left",
        ),
        (
            "< user {{id:int}} joined",
            "member 7 joined",
            "< member {{id:int}} joined",
        ),
        (
            "< at {{t}}: {{what}} !",
            "at noon: tea ?",
            "< at {{t}}: {{what}} ?",
        ),
        (
            "< {{a:word}} and {{b:word}}",
            "one and two, too",
            "< {{a:word}} and two, too",
        ),
        ("< {{x}}", "{{", "< {{x}}"),
        ("< a {{{{x}}", "b {{y}}", "< b {{{{y}}"),
        ("<text a {{x}}", "b {{y}}", "<text b {{y}}"),
        ("<text a", "b\nc", "<text\n| b\n| c"),
        ("<text a", "b\n", "<text\n| b\n|"),
        ("<text a", "b \nc", "<esc b \\nc"),
        ("<esc a\\x20", "b\\ ", "<esc b\\\\\\x20"),
        ("< a", "tab\tand blank ", "<esc tab\\tand blank\\x20"),
        ("< a", "two\nlines", "<\n| two\n| lines"),
        ("<\n| two\n| lines", "one", "< one"),
        ("< a", "", "<"),
    ] {
        let expected = expected.replace("{{x}}", if came == "{{" { "{{x:any}}" } else { "{{x}}" });
        let expected = expected
            .replace("{{t}}", "{{t:any}}")
            .replace("{{what}}", "{{what:any}}");
        let after = after
            .replace("{{t}}", "{{t:any}}")
            .replace("{{what}}", "{{what:any}}");
        let after = after.replace("{{x}}", if came == "{{" { "{{x:any}}" } else { "{{x}}" });
        let (shown, _) = rewritten(&expected, text(came));
        assert_eq!(shown, after, "{expected} and {came:?}");
    }
}

#[test]
fn other_kinds_keep_their_notation() {
    let close = |code, reason: &str| Incoming::Close {
        code,
        reason: reason.to_owned(),
    };
    for (expected, came, after) in [
        ("<hex 00 ff", Incoming::Binary(vec![1, 0xab]), "<hex 01 ab"),
        (
            "<base64 AAE=",
            Incoming::Binary(b"abc".to_vec()),
            "<base64 YWJj",
        ),
        (
            r"<bin \x00a",
            Incoming::Binary(b"\xff\nb".to_vec()),
            r"<bin \xff\nb",
        ),
        ("<ping(hex) 00", Incoming::Ping(vec![7]), "<ping(hex) 07"),
        (
            "<pong a {{x:int}}",
            Incoming::Pong(b"b 12".to_vec()),
            "<pong b {{x:int}}",
        ),
        ("<close 1000", close(1001, ""), "<close 1001"),
        (
            "<close 1000 bye {{k:int}}",
            close(4000, "bye 7"),
            "<close 4000 bye {{k:int}}",
        ),
        ("<close 1000", close(1005, ""), "<close 1005"),
        (
            "<(within 2s) a",
            Incoming::Binary(vec![1]),
            "<hex(within 2s) 01",
        ),
        ("<hex(within 2s) 01", text("a {{"), "<(within 2s) a {{{{"),
        ("< a", close(1008, "no"), "<close 1008 no"),
        ("<ping(hex) 00", text("x"), "< x"),
    ] {
        let (shown, notes) = rewritten(expected, came);
        assert_eq!((shown.as_str(), &notes[..]), (after, &[][..]), "{expected}");
    }
}

#[test]
fn what_cannot_be_written_is_left_and_said() {
    let end = Incoming::End {
        kind: crate::player::ErrorKind::Reset,
        why: "it ended".into(),
    };
    for (expected, came) in [("<re a+", text("b")), ("<echo", text("b")), ("< a", end)] {
        let whole = if expected == "<echo" {
            "> b\n<echo"
        } else {
            expected
        };
        let (shown, notes) = rewritten(whole, came);
        assert_eq!(shown, whole);
        assert_eq!(notes.len(), 1, "{notes:?}");
    }
    let parsed = parse("a.talk", "connect ws://a\n< a\n");
    let span = last_frame(&parsed.talk);
    let twice = ["b", "c"].map(|came| Change {
        span,
        came: text(came),
    });
    let update = update(&parsed.talk, &twice);
    assert_eq!(update.edits, []);
    assert_eq!(update.notes.len(), 1);
}

#[test]
fn lines_with_bodies_and_names_are_found() {
    let talk =
        "connect bob ws://a\nrepeat 2\n  bob <(skip) a\n    ? size > 0\nfinally\n  bob <\n  | b\n";
    let parsed = parse("a.talk", talk);
    assert_eq!(
        parsed
            .diagnostics
            .iter()
            .filter(|found| found.is_error())
            .count(),
        0
    );
    let span = |line: &str| {
        let start = talk.find(line).expect("it is there");
        Span::new(start, start + line.trim_end().len())
    };
    let changes = [("bob <(skip) a", "x"), ("bob <\n", "y")].map(|(line, came)| Change {
        span: span(line),
        came: text(came),
    });
    let update = update(&parsed.talk, &changes);
    let edit = |line, count, text: &str| Edit {
        line,
        count,
        lines: vec![text.to_owned()],
    };
    assert_eq!(
        update.edits,
        [edit(3, 1, "  bob <(skip) x"), edit(6, 2, "  bob < y")]
    );
}
