use proptest::prelude::*;

use super::*;
use crate::pattern::Segment;
use crate::testing::{mutated, show};

#[test]
fn the_examples_are_read_without_a_finding() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|ending| ending == "talk") {
            let text = std::fs::read_to_string(&path).expect("a talk");
            let name = path.display().to_string();
            let parsed = parse(&name, &text);
            assert_eq!(parsed.diagnostics, [], "{name}");
            let roles = [
                (
                    crate::Role::Test,
                    text.contains("connect ws") || text.contains("connect alice"),
                ),
                (crate::Role::Mock, text.contains("\nlisten ")),
            ];
            for (role, plays) in roles {
                if plays {
                    assert_eq!(
                        crate::check(&parsed.talk, role, &[]),
                        [],
                        "{name} as {role:?}"
                    );
                }
            }
            let laid_out = crate::format(&name, &text).expect("a layout");
            let again = crate::format(&name, &laid_out).expect("a layout");
            assert_eq!(laid_out, again, "{name}");
            count += 1;
        }
    }
    assert!(count >= 7, "{count} examples");
}

/// What is wrong with a talk.
fn errors(talk: &str) -> Vec<String> {
    let parsed = parse("chat.talk", talk);
    let source = parsed.talk.source().clone();
    let found = parsed.diagnostics.iter();
    found
        .map(|diagnostic| {
            let span = diagnostic.span;
            assert!(
                talk.get(span.start..span.end).is_some(),
                "{diagnostic:?} lies beside the text"
            );
            show(&source, diagnostic)
        })
        .collect()
}

/// `errors` looks at every place that is told.
#[test]
fn no_mistake_is_told_within_a_character_or_beside_the_text() {
    for talk in [" \u{67e}", " \u{67e} > a", "< a\n  ?", "\u{feff} \u{67e}"] {
        let talk = super::without_mark(talk);
        assert!(!errors(talk).is_empty(), "{talk:?}");
    }
}

#[test]
fn each_mistake_is_told_with_its_place_and_its_mend() {
    const TIME: &str = "write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`";
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        // Lines, indentation and bars.
        (" > a", "1:2 error: one space is not an indentation / indent by two spaces or more to attach the line to the statement above, or by none"),
        ("  > a", "1:3 error: this line is indented, but there is no statement above to attach it to / remove the indentation"),
        ("on > a\n    < b\n  < c", "3:3 error: this indentation matches no line above / line it up with the other lines of the block"),
        ("| a", "1:1 error: a bar goes on with a payload, but no line that has one stands right above it / put it under a `>` or `<` line, or under `HTTP`"),
        ("wait 1s\n  | a", "2:3 error: a bar goes on with a payload, but no line that has one stands right above it / put it under a `>` or `<` line, or under `HTTP`"),
        ("on connect\n  | a", "2:3 error: a bar goes on with a payload, but no line that has one stands right above it / put it under a `>` or `<` line, or under `HTTP`"),
        ("< a\n  ? size > 1\n| b", "3:1 error: a bar goes on with a payload, but no line that has one stands right above it / put it under a `>` or `<` line, or under `HTTP`"),
        // Directives.
        ("conect ws://h", "1:1 error: `conect` is not a directive / did you mean `connect`?"),
        ("hello", "1:1 error: `hello` is not a directive / a line begins with `>` or `<`, with a directive such as `connect` or `wait`, or with `#`"),
        ("all hello", "1:1 error: `all` begins no line without an arrow / write `all < hello`, or put `#` before a comment"),
        ("? size > 1", "1:1 error: a check stands under the message that it checks / indent it by two spaces under a `<` or `>` line"),
        ("Origin: https://a", "1:1 error: a header stands under `connect`, `HTTP`, `on connect` or `on GET` / indent it by two spaces under one of those"),
        ("on > a\n  connect ws://h", "2:3 error: `connect` cannot stand in a body / put it at the start of a line of its own, without indentation"),
        ("every 1s\n  test x", "2:3 error: `test` cannot stand in a body / put it at the start of a line of its own, without indentation"),
        // connect
        ("connect", "1:1 error: something is missing behind `connect` / write an address: `connect ws://127.0.0.1:4000/path`"),
        ("connect test ws://h", "1:9 error: a client cannot be called `test`: the word has a meaning of its own / choose another name"),
        ("connect alice", "1:9 error: `alice` is not an address / if it is a client's name, the address stands behind it: `connect alice ws://host:port/path`; for a host of that name write `ws://alice`"),
        ("connect ws://h /x", "1:9 error: `ws://h /x` is not an address / an address has no blanks: `connect [NAME] ws://host:port/path`"),
        ("connect ftp://h", "1:9 error: `ftp://h` is not an address / it begins with `ws://` or `wss://`"),
        ("connect ws://h\n  > a", "2:3 error: this is not a header / under `connect` stand headers: `Name: value`"),
        ("connect ws://h\n  A: b\n    C: d", "3:5 error: nothing can be indented under a header / remove the indentation"),
        // HTTP and listen
        ("HTTP", "1:1 error: something is missing behind `HTTP` / write a status: `HTTP 101`"),
        ("HTTP ok", "1:6 error: `ok` is not an HTTP status / write a number from 100 to 599: `HTTP 101` for an upgrade, `HTTP 403` for a refusal"),
        ("HTTP 600", "1:6 error: `600` is not an HTTP status / write a number from 100 to 599: `HTTP 101` for an upgrade, `HTTP 403` for a refusal"),
        ("HTTP 200\n  wait 1s", "2:3 error: this is neither a check nor a capture / under a message stand `? QUERY PREDICATE` and `NAME = QUERY`"),
        ("listen", "1:1 error: something is missing behind `listen` / write an address: `listen ws://127.0.0.1:4000/path`"),
        ("listen ws://h\n  A: b", "2:3 error: nothing can be indented under `listen` / remove the indentation"),
        // test, finally, set, option
        ("test", "1:1 error: something is missing behind `test` / write a title: `test a message is answered`"),
        ("test a\n  > b", "2:3 error: nothing can be indented under `test`: what follows it is the test, not indented / remove the indentation"),
        ("finally", "1:1 warning: nothing is indented under `finally` / indent what it should do by two spaces"),
        ("finally > a\n  > b", "1:9 error: nothing stands behind `finally` / put it on a line of its own, indented"),
        ("set", "1:1 error: something is missing behind `set` / write a name and a value: `set url = ws://127.0.0.1:4000`"),
        ("set x", "1:5 error: `set` needs a value / write `set NAME = VALUE`"),
        ("set a b = 1", "1:5 error: `a b` is not a name / a name is letters, digits and underscores: `set NAME`, `set client.NAME` or `set global.NAME`"),
        ("set room.x = 1", "1:5 error: `room.x` is not a name / a name is letters, digits and underscores: `set NAME`, `set client.NAME` or `set global.NAME`"),
        ("set message = 1", "1:5 error: `message` has a meaning of its own and cannot be bound / choose another name"),
        ("set client.id = 1", "1:5 error: `client.id` has a meaning of its own and cannot be set / choose another name"),
        ("option", "1:1 error: something is missing behind `option` / write a name and a value: `option timeout 5s`"),
        ("option timeout", "1:8 error: something is missing behind `timeout` / write a time: `option timeout 5s`"),
        ("option timeout soon", "1:16 error: `soon` is not a time / write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`"),
        ("option timeout 0s", "1:16 error: the time is too short / nothing could arrive within no time at all"),
        ("option strict maybe", "1:15 error: `maybe` is neither yes nor no / write `option strict yes` or `option strict no`"),
        ("option subprotocol a,,b", "1:20 error: `option subprotocol` needs names / separate them by commas: `option subprotocol chat, superchat`"),
        ("option timout 5s", "1:8 error: there is no option `timout` / did you mean `timeout`?"),
        ("option colour red", "1:8 error: there is no option `colour` / the options are timeout, strict, subprotocol, compression, refuse, history, workers"),
        // wait and silence
        ("wait", "1:1 error: something is missing behind `wait` / write a time: `wait 500ms`"),
        ("wait 5", "1:6 error: `5` is not a time / write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`"),
        ("wait 400d", "1:6 error: `400d` is not a time / write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`"),
        ("silence 9999999h", "1:9 error: `9999999h` is not a time / write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`"),
        ("silence 1s\n  > a", "2:3 error: nothing can be indented under `silence` / remove the indentation"),
        // on and every
        ("on", "1:1 error: something is missing behind `on` / write what to wait for: `on > PATTERN`, `on connect` or `on GET /path`"),
        ("on message", "1:4 error: `on message` is no rule / write `on > PATTERN`, `on < PATTERN`, `on connect [PATH]`, `on GET PATH`, `on open`, `on close` or `on lost`"),
        ("on GET", "1:1 error: `on GET` needs a path / write `on GET /path`"),
        ("on connect chat", "1:12 error: `chat` is not a path / a path begins with `/`"),
        ("on >(skip) a", "1:1 error: a rule takes no options / it waits for as long as the talk runs, for each message anew"),
        ("on >close", "1:1 error: a rule cannot wait for this kind / a client that goes is `on close`; a close frame is expected in the dialogue"),
        ("on >echo", "1:1 error: a rule cannot wait for this kind / it can wait for a text or binary message, for `any`, and for a ping or pong"),
        ("every", "1:1 error: something is missing behind `every` / write a time: `every 5s` or `every 5s per client`"),
        ("every 1s", "1:1 warning: nothing is indented under `every` / indent what it should do by two spaces"),
        ("every soon\n  > a", "1:7 error: `soon` is not a time / write a number and a unit: `500ms`, `5s`, `1.5s`, `2m`"),
        ("every 1us\n  > a", "1:7 error: the time is too short / one millisecond is the least"),
        ("every 1s per server\n  > a", "1:10 error: `per server` does not belong here / write `every 5s` or `every 5s per client`"),
        // Frames.
        (">\ta", "1:2 error: `\t` stands right behind the arrow or its kind / put one space before the payload"),
        (">{\"a\":1}", "1:2 error: `{` stands right behind the arrow or its kind / put one space before the payload"),
        ("<(skip x", "1:2 error: `(` stands right behind the arrow or its kind / put one space before the payload"),
        ("<(skip)x", "1:8 error: `x` stands right behind the arrow or its kind / put one space before the payload"),
        (">pnig a", "1:2 error: there is no kind `pnig` / did you mean `>ping`?"),
        ("alice <hello", "1:8 error: there is no kind `hello` / for a text message put a space behind the arrow: `< hello`"),
        ("<(skp) a", "1:3 error: there is no option `skp` / did you mean `skip`?"),
        ("<(hex) a", "1:3 error: there is no option `hex` for this kind / `hex` is an option of ping, pong and frame; for a binary message it is a kind: `<hex 0a ff`"),
        ("<(what) a", "1:3 error: there is no option `what` / the options are `within 200ms`, `after 1s`, `skip`, `optional`, `x3`, `fragment 256`, `chop 7`, `compress=no`, `history=no`; for a payload in parentheses put a space behind the arrow"),
        ("<(within soon) a", "1:3 error: `soon` is not a time / TIME"),
        ("<(within) a", "1:3 error: `within` needs a time / TIME"),
        (r">esc a\qb", r"1:7 error: `\q` is not an escape / the escapes are \n \r \t \\ \xNN and \u{NNNN}"),
        (r">bin \x0", r"1:6 error: `\x` is not an escape / the escapes are \n \r \t \\ \xNN and \u{NNNN}"),
        (r">bin \x+1", r"1:6 error: `\x` is not an escape / the escapes are \n \r \t \\ \xNN and \u{NNNN}"),
        (r">esc \u{d800}", r"1:6 error: `\u` is not an escape / the escapes are \n \r \t \\ \xNN and \u{NNNN}"),
        (r">esc a\", r"1:7 error: `\` is not an escape / the escapes are \n \r \t \\ \xNN and \u{NNNN}"),
        (r">esc \xff", "1:6 error: a text message must be UTF-8, and these escapes make bytes that are not / use the kind `bin` for a binary message"),
        (">hex 0g", "1:7 error: `g` is not a hexadecimal digit / write two digits for each byte: `10 0e ff`"),
        (">hex 0 1 2", "1:6 error: there is an odd number of hexadecimal digits / write two digits for each byte: `0a`, not `a`"),
        (">base64 a", "1:9 error: this is not base64: Invalid input length: 1 / use the alphabet of RFC 4648 section 4, with padding"),
        (">echo a", "1:7 error: `echo` takes no payload / remove what stands behind it"),
        ("<any a", "1:6 error: `any` takes no payload / remove what stands behind it"),
        ("<close now", "1:8 error: `now` is not a close code / write a number from 1000 to 4999, then the reason (RFC 6455 section 7.4)"),
        ("<close 999", "1:8 error: `999` is not a close code / write a number from 1000 to 4999, then the reason (RFC 6455 section 7.4)"),
        ("<close  1006", "1:9 error: no close frame may carry the code 1006 / 1000 to 1003, 1007 to 1014 and 3000 to 4999 may be sent (RFC 6455 section 7.4)"),
        (">close 1005 bye", "1:8 error: 1005 means a close frame without a code, and that has no reason / leave the reason out, or give another code"),
        ("> a\n  hello", "2:3 error: this is neither a check nor a capture / under a message stand `? QUERY PREDICATE` and `NAME = QUERY`"),
        // Payloads.
        ("> hi {{name", "1:6 error: this hole has no end / close it with `}}`, or write `{{{{` for a literal `{{`"),
        ("<\n| {\n|   \"id\": {{id:uid}}\n| }", "3:11 error: there is no type `uid` / did you mean `uuid`?"),
        ("> {\"a\":1,}", "1:3 warning: this looks like JSON, but it is not: a name in quotes is missing before `}` / it is compared as plain text; mend the JSON, or use the kind `text` if it is meant so"),
        // Checks and captures.
        ("< a\n  ?", "2:4 error: this check is empty / write `? QUERY PREDICATE`: `? $.price > 0`"),
        ("< a\n  ? size", "2:9 error: the check says nothing of what must hold / PREDICATES"),
        ("< a\n  ? size is 5", "2:10 error: `is` is neither a filter nor a predicate / PREDICATES; the filters are count first last nth split replace replaceRegex regex jsonpath toInt toFloat toString"),
        ("< a\n  ? text startWith x", "2:10 error: `startWith` is neither a filter nor a predicate / did you mean `startsWith`?"),
        ("< a\n  ? $.a not", "2:9 error: the check says nothing of what must hold / PREDICATES"),
        ("< a\n  ? size >", "2:10 error: `>` needs a value / write it behind: `> \"text\"` or `> 10`"),
        ("< a\n  ? $.a exists 5", "2:9 error: `exists` takes no value / remove what stands behind it"),
        ("< a\n  ? latency < 5", "2:13 error: `5` is not a time / TIME"),
        ("< a\n  ? text matches /(/", "2:10 error: `(` is not a regular expression: unclosed group / the syntax is that of the Rust crate `regex`"),
        ("< a\n  ? length > 5", "2:5 error: `length` is not a query / a check begins with a JSONPath (`$.a`), a hole (`{{x}}`), `text`, `size`, `latency`, `header NAME`, `client.NAME` or `schema FILE`"),
        ("< a\n  ? header", "2:5 error: `header` needs a name / write `header Content-Type == \"text/plain\"`"),
        ("< a\n  ? {{x == 1", "2:5 error: this hole has no end / close it with `}}`"),
        ("< a\n  ? {{a b}} == 1", "2:5 error: `a b` is not an expression: unexpected input after expression / write a name or a MiniJinja expression"),
        ("< a\n  ? size == {{a b}}", "2:10 error: `a b` is not an expression: unexpected input after expression / write a name or a MiniJinja expression"),
        ("< a\n  ? $.items cuont >= 3", "2:13 error: `cuont` is neither a filter nor a predicate / did you mean `count`?"),
        ("< a\n  ? schema", "2:5 error: `schema` needs the name of a file / write a path relative to the talk: `? schema item.schema.json`"),
        ("< a\n  id = $.id exists", "2:13 error: something stands behind the query / a capture is `NAME = QUERY [FILTER…]` and nothing more"),
        ("< a\n  n = $.id", "2:3 error: `n` has a meaning of its own and cannot be bound / choose another name"),
        ("< a\n  ? size > 1\n    ? size > 2", "3:5 error: nothing can be indented under a check / remove the indentation"),
        ("< a\n  x = $.a\n    ? size > 2", "3:5 error: nothing can be indented under a capture / remove the indentation"),
    ];
    let mut wrong = Vec::new();
    for (talk, expected) in table {
        let predicates = "the predicates are == != < <= > >= startsWith endsWith contains matches schema exists isEmpty isString isNumber isInteger isFloat isBoolean isObject isList isUuid isIsoDate, and `not` before any of them";
        let expected = expected
            .replace("PREDICATES", predicates)
            .replace("/ TIME", &format!("/ {TIME}"));
        let found = errors(talk);
        if found != [expected.as_str()] {
            wrong.push(format!(
                "{talk}\n  found    {found:?}\n  expected {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let control = format!(">ping {}", "x".repeat(126));
    assert_eq!(
        errors(&control),
        [
            "1:7 error: a control frame carries 125 bytes at the most, and this is 126 / shorten it (RFC 6455 section 5.5)"
        ]
    );
    let deep = format!(
        "< a\n  ? $[?{}@.a{}] exists",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    assert_eq!(
        errors(&deep),
        ["2:5 error: this JSONPath has too many brackets within each other / 32 are the most"]
    );
    let path = errors("< a\n  ? $.a[ == 1");
    assert!(
        path[0].starts_with("2:8 error: this is not a JSONPath"),
        "{path:?}"
    );
}

#[test]
fn a_talk_with_five_mistakes_reports_five() {
    let talk = "conect ws://h\r\n\
                > hi {{who\r\n\
                <(soon) there\r\n\
                \r\n\
                # A comment between.\r\n\
                <hex 0\r\n\
                wait long\r\n\
                > fine\r\n";
    let found = errors(talk);
    let places: Vec<&str> = found
        .iter()
        .map(|e| e.split(' ').next().unwrap_or(""))
        .collect();
    assert_eq!(places, ["1:1", "2:6", "3:3", "6:6", "7:6"], "{found:#?}");
}

/// The frames of a talk, in short.
fn frames(talk: &str) -> Vec<String> {
    let parsed = parse("chat.talk", talk);
    assert_eq!(parsed.diagnostics, [], "{talk}");
    let each = parsed
        .talk
        .statements
        .iter()
        .map(|statement| match &statement.kind {
            StatementKind::Frame(frame) => {
                let content = match &frame.content {
                    Content::Text(pattern) if pattern.literal => match &pattern.segments[..] {
                        [Segment::Literal(text)] => format!("literal {text:?}"),
                        other => format!("{other:?}"),
                    },
                    Content::Text(pattern) => format!("text {:?}", pattern.raw),
                    Content::Binary(bytes) => format!("binary {bytes:02x?}"),
                    Content::Ping(Some(Data::Text(pattern))) => format!("ping {:?}", pattern.raw),
                    Content::Ping(Some(Data::Bytes(bytes))) => format!("ping {bytes:02x?}"),
                    Content::Close { code, reason } => {
                        format!("close {code:?} {:?}", reason.as_ref().map(|r| &r.raw))
                    }
                    other => format!("{other:?}"),
                };
                let who = match &frame.who {
                    Some(Who::Name(name)) => format!("{name} "),
                    Some(who) => format!("{who:?} "),
                    None => String::new(),
                };
                let options = match &frame.options {
                    FrameOptions {
                        within: None,
                        after: None,
                        skip: false,
                        ..
                    } => String::new(),
                    FrameOptions {
                        within,
                        after,
                        skip,
                        ..
                    } => format!(" {within:?} {after:?} {skip}"),
                };
                format!("{who}{} {content}{options}", frame.arrow.sign())
            }
            other => format!("{other:?}"),
        });
    each.collect()
}

#[test]
fn an_arrow_with_a_space_is_text() {
    #[rustfmt::skip]
    let table = [
        ("> ping", r#"> text "ping""#),
        (">ping", "> Ping(None)"),
        (">ping ", "> Ping(None)"),
        (">ping  a", r#"> ping " a""#),
        (">ping(hex) 0A ff", "> ping [0a, ff]"),
        (">pong", "> Pong(None)"),
        ("< (skip) x", r#"< text "(skip) x""#),
        ("<(skip) x", r#"< text "x" None None true"#),
        ("<( within 200ms ,after 1.5s )", r#"< text "" Some(200ms) Some(1.5s) false"#),
        (">", r#"> text """#),
        ("> ", r#"> text """#),
        (">  ", r#"> text " ""#),
        (">  a  ", r#"> text " a  ""#),
        ("> # no comment", r##"> text "# no comment""##),
        (">text {{x", r#"> literal "{{x""#),
        (r">esc \n\r\t\\\x41\u{e9}\u{1F600}", "> literal \"\\n\\r\\t\\\\Aé😀\""),
        (r">esc a b  ", r#"> literal "a b  ""#),
        (r">bin \x10\xff\x00\x04MQTT é", "> binary [10, ff, 00, 04, 4d, 51, 54, 54, 20, c3, a9]"),
        (">hex", "> binary []"),
        (">hex 10 0E", "> binary [10, 0e]"),
        (">hex 100e ff", "> binary [10, 0e, ff]"),
        (">base64 aG kh", "> binary [68, 69, 21]"),
        (">echo", "> Echo"),
        ("<any", "< Any"),
        ("<close", "< close None None"),
        ("<close 1000", "< close Some(1000) None"),
        ("<close 1005", "< close Some(1005) None"),
        ("<close  4999   a b ", r#"< close Some(4999) Some("a b ")"#),
        ("alice > hi", r#"alice > text "hi""#),
        ("alice   \t > hi", r#"alice > text "hi""#),
        ("bob_2 <ping", "bob_2 < Ping(None)"),
        ("all < hi", r#"All < text "hi""#),
        ("others <echo", "Others < Echo"),
    ];
    for (talk, expected) in table {
        assert_eq!(frames(talk), [expected], "{talk}");
    }
}

#[test]
fn payloads_go_on_behind_bars() {
    #[rustfmt::skip]
    let table = [
        (">\n| a\n| b", r#"> text "a\nb""#),
        ("> a\n| b", r#"> text "a\nb""#),
        (">\n|\n| a", r#"> text "\na""#),
        (">\n|a\n|  b ", r#"> text "a\n b ""#),
        (">\n\n# a comment\n| a\n\n| b", r#"> text "a\nb""#),
        (">\n  | a\n\t| b", r#"> text "a\nb""#),
        (">\r\n| a\r\n| b\r\n", r#"> text "a\nb""#),
        (">text\n| {{x", r#"> literal "{{x""#),
        (">esc a\n| \\x62", r#"> literal "a\nb""#),
        (">hex\n| 00 01\n| 02", "> binary [00, 01, 02]"),
        (">base64\n| aG\n| kh", "> binary [68, 69, 21]"),
        (">close 1000\n| bye", r#"> close Some(1000) Some("bye")"#),
        (">ping\n| a", r#"> ping "a""#),
        (">\n| | a\n| # b\n| > c", r#"> text "| a\n# b\n> c""#),
    ];
    for (talk, expected) in table {
        assert_eq!(frames(talk), [expected], "{talk:?}");
    }
}

#[test]
fn a_talk_may_come_from_any_editor() {
    for talk in [
        "> a\n< b\n",
        "> a\r\n< b\r\n",
        "> a\n< b",
        "\u{feff}> a\n< b\n",
        "# c\n\n> a\n   \t\n  # c\n< b\n\u{a0}\n",
        "> a\r\r\n< b\r",
    ] {
        assert_eq!(frames(talk), [r#"> text "a""#, r#"< text "b""#], "{talk:?}");
    }
    assert_eq!(frames(""), [""; 0]);
    assert_eq!(decode(b"\xef\xbb\xbf> a").as_deref(), Ok("> a"));
    let wrong = decode(b"> a\n> caf\xe9").expect_err("Latin-1");
    assert_eq!(
        wrong.to_string(),
        "line 2, column 6: the byte 0xe9 is not UTF-8; save the talk as UTF-8 (from Latin-1: `iconv -f LATIN1 -t UTF-8`)"
    );
    assert_eq!((wrong.line, wrong.column, wrong.byte), (2, 6, 0xe9));
}

#[test]
fn indentation_attaches() {
    for body in [
        "  < b\n  < c\n",
        "\t< b\n\t< c\n",
        "      < b\n      < c\n",
        "    < b\n\t< c\n",
    ] {
        let parsed = parse("t", &format!("on > a\n{body}> d\n"));
        assert_eq!(parsed.diagnostics, [], "{body:?}");
        let [on, frame] = &parsed.talk.statements[..] else {
            panic!("{:?}", parsed.talk.statements);
        };
        assert!(
            matches!(&on.kind, StatementKind::On(on) if on.body.len() == 2),
            "{on:?}"
        );
        assert!(matches!(frame.kind, StatementKind::Frame(_)));
    }
    let talk = "on > a\n  ? size > 1\n  <\n  | b\n  | c\n  x = $.y\nconnect ws://h\n  A: b\n  C:d\nHTTP 403\n  A: b\n  ? header A == b\n  | body\n  | more\n";
    let parsed = parse("t", talk);
    assert_eq!(parsed.diagnostics, []);
    let [on, connect, http] = &parsed.talk.statements[..] else {
        panic!("{:?}", parsed.talk.statements);
    };
    assert!(
        matches!(&on.kind, StatementKind::On(on) if on.checks.len() == 2 && on.body.len() == 1)
    );
    assert!(matches!(&connect.kind, StatementKind::Connect(c) if c.headers.len() == 2));
    let StatementKind::Http(http) = &http.kind else {
        panic!("{http:?}");
    };
    assert_eq!((http.headers.len(), http.checks.len()), (1, 1));
    assert_eq!(
        http.body.as_ref().map(|body| body.raw.as_str()),
        Some("body\nmore")
    );
}

#[test]
fn places_are_in_lines_and_characters() {
    let talk = "# é\r\nconnect ws://h\r\n> é {{x:uid}}\r\n<\r\n| é\r\n| é {{y:uid}}\r\n";
    let places: Vec<String> = errors(talk)
        .iter()
        .map(|error| error.split(' ').next().unwrap_or("").to_owned())
        .collect();
    assert_eq!(places, ["3:5", "6:5"]);
    let source = Source::new("t", talk);
    assert_eq!(source.line(3), "> é {{x:uid}}");
    assert_eq!((source.line(0), source.line(99)), ("", ""));
    assert_eq!(source.position(usize::MAX / 2).0, 7);
}

/// Whatever is read, checked and laid out: nothing panics, and every place lies within the text.
fn survives(talk: &str) {
    let parsed = parse("chat.talk", talk);
    let end = parsed.talk.source().text().len();
    let roles = [crate::Role::Test, crate::Role::Mock];
    let found = roles
        .iter()
        .flat_map(|role| crate::check(&parsed.talk, *role, &[]));
    for diagnostic in found.chain(parsed.diagnostics.clone()) {
        let span = diagnostic.span;
        assert!(
            span.start <= span.end && span.end <= end + 1,
            "{diagnostic:?} of {end}"
        );
        assert!(!diagnostic.what.is_empty() && !diagnostic.mend.is_empty());
        assert!(parsed.talk.source().position(span.start).0 > 0);
        assert!(parsed.talk.source().slice(span).len() <= end);
    }
    let laid_out = crate::format("chat.talk", talk);
    let wrong = parsed.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(laid_out.is_err(), wrong);
}

proptest! {
    #[test]
    fn any_text_can_be_looked_at(talk in any::<String>()) {
        survives(&talk);
    }

    #[test]
    fn any_lines_can_be_looked_at(lines in prop::collection::vec(
        r#"[ \t]{0,4}(\||\?|#|on |every |set |connect |HTTP |test |option |[a-z]{1,5} )?[<>]?(text|close|hex|esc|bin|ping)?(\([a-z0-9, ]{0,9}\))?[ -~é日{}"\\]{0,20}"#,
        0..12,
    )) {
        survives(&lines.join("\n"));
    }

    #[test]
    fn a_talk_that_was_damaged_can_be_looked_at(talk in mutated()) {
        survives(&talk);
    }

    #[test]
    fn any_bytes_are_text_or_are_not(bytes in any::<Vec<u8>>()) {
        match decode(&bytes) {
            Ok(text) => survives(text),
            Err(wrong) => prop_assert!(std::str::from_utf8(&bytes).is_err() && wrong.line > 0),
        }
    }
}

#[test]
fn what_is_nested_or_long_beyond_reason_can_be_looked_at() {
    for (before, nested, behind) in [
        ("> ", "{{", ""),
        ("> ", "{{_}}", ""),
        ("> ", "[", ""),
        ("> ", "{\"a\":", ""),
        ("> {{ ", "(", ") }}"),
        ("> {{ ", "[", "] }}"),
        ("> {{ ", "-", "1 }}"),
        ("> {{ ", "not ", "x }}"),
        ("> {{ 1", "+1", " }}"),
        ("> {{ 1", "|f", " }}"),
        ("> {{ x", ".a", " }}"),
        ("> {{x:/", "(", ")/}}"),
        ("< a\n  ? $", "[0]", " exists"),
        ("< a\n  ? $[?", "!", "@.a] exists"),
        ("< a\n  ? $[?", "(", "@.a)] exists"),
        ("< a\n  ? size ", "not ", "> 1"),
        ("", "x", ""),
    ] {
        for times in [100, 250, 500, 50_000] {
            survives(&format!("{before}{}{behind}", nested.repeat(times)));
        }
    }
    let deep = (0..2_000).map(|depth| format!("{}on > x\n", "\t".repeat(depth)));
    survives(&deep.collect::<String>());
    let long = (0..20_000).map(|n| format!("< {{{{v{n}:int}}}}\n"));
    survives(&long.collect::<String>());
}

/// The statements of a talk without a finding, each as the debugger shows it, without where it stands.
fn statements(talk: &str) -> Vec<String> {
    let parsed = parse("chat.talk", talk);
    assert_eq!(parsed.diagnostics, [], "{talk}");
    let each = parsed.talk.statements.iter().map(|statement| {
        let shown = format!("{:?}", statement.kind);
        let span =
            regex::Regex::new(r"span: Span \{ start: \d+, end: \d+ \}(, )?").expect("a regex");
        span.replace_all(&shown, "").into_owned()
    });
    each.collect()
}

#[test]
fn every_kind_and_option_is_read() {
    #[rustfmt::skip]
    let table = [
        ("<re a+(?P<x>b)", r#"Re(Regex("^(?:a+(?P<x>b))$"))"#),
        ("<re (?x) a # b", r##"Re(Regex("^(?:(?x) a # b\n)$"))"##),
        (">file a b.bin", r#"path: "a b.bin" }, bytes: None"#),
        (">file(bytes 0..65535) a.bin", r#"bytes: Some(0..65536)"#),
        (">file(bytes 5..) a.bin", r#"bytes: Some(5..18446744073709551615)"#),
        ("<error refused", "Error(Refused)"),
        ("<error  timeout ", "Error(Timeout)"),
        ("<error protocol", "Error(Protocol(None))"),
        ("<error protocol 1002", "Error(Protocol(Some(1002)))"),
        ("<fail", "Fail(None)"),
        ("<fail 1007", "Fail(Some(1007))"),
        (">frame abc", "RawHeader { fin: None, opcode: None, rsv: None, mask: None, key: None, length: None }"),
        (">frame(fin=no, opcode=0x2, rsv=4, mask=no, key=01020304, length=70000) x",
         "RawHeader { fin: Some(false), opcode: Some(2), rsv: Some(4), mask: Some(false), key: Some([1, 2, 3, 4]), length: Some(70000) }"),
        (">frame(hex) 00 ff", "bytes: Some([0, 255])"),
        (">raw 81 05", "Raw([129, 5])"),
        (">drop", "Drop"),
        ("<stall 5s", "Stall(5s)"),
        ("<(optional) a", "optional: true"),
        ("<(x3) a", "count: Some(Count { least: 3, most: 3 })"),
        ("<( x2..5 , skip) a", "count: Some(Count { least: 2, most: 5 })"),
        ("<(x0..1) a", "count: Some(Count { least: 0, most: 1 })"),
        (">(fragment 256, chop 7) a", "fragment: Some(256), chop: Some(7)"),
        (">bin(compress=no) a", "compress: Some(false)"),
        (">(compress=yes) a", "compress: Some(true)"),
        ("room lobby < a", r#"Some(Room(Pattern { raw: "lobby""#),
        ("room {{ a < b }}-x < c", r#"Some(Room(Pattern { raw: "{{ a < b }}-x""#),
        ("user {{message.to}} <re x", r#"Some(User(Pattern { raw: "{{message.to}}""#),
        ("room a{b}{{{{ < c", r#"raw: "a{b}{{{{""#),
    ];
    for (talk, expected) in table {
        let found = statements(talk);
        assert!(
            found[0].starts_with("Frame(") && found[0].contains(expected),
            "{talk}: {found:?}"
        );
        assert!(frame::is_frame(talk), "{talk}");
    }
}

#[test]
fn every_directive_is_read() {
    #[rustfmt::skip]
    let table = [
        ("tag  slow chat", r#"Tag(["slow", "chat"])"#),
        ("ignore < {{_}}tick", "Ignore(Frame { who: None, arrow: ToClient"),
        ("ignore alice >ping", r#"Ignore(Frame { who: Some(Name("alice")), arrow: ToServer"#),
        ("each a b.csv", r#"Each(FileName { path: "a b.csv" })"#),
        ("each users.NDJSON", r#"Each(FileName { path: "users.NDJSON" })"#),
        ("retry 3 every 1s", "Retry(Retry { times: 3, every: 1s })"),
        ("retry 2", "Retry(Retry { times: 2, every: 0ns })"),
        ("repeat 10\n  > a", "Repeat(Repeat { times: Pattern { raw: \"10\""),
        ("repeat {{times}}\n  > a", "Repeat(Repeat { times: Pattern { raw: \"{{times}}\""),
        ("repeat 2\n  repeat 3\n    unordered\n      < a\n      < b", "body: [Statement { kind: Repeat("),
        ("unordered\n  < a\n    ? size > 1\n  <\n  | b", "Unordered([Statement { kind: Frame("),
        ("join a, b-{{client.id}} ,{{ [1,2]|first }}", r#"Join(Rooms { who: None, rooms: [Pattern { raw: "a""#),
        ("join a, b-{{client.id}} ,{{ [1,2]|first }}", r#"Pattern { raw: "{{ [1,2]|first }}""#),
        ("alice join a", r#"Join(Rooms { who: Some(Name("alice"))"#),
        ("room {{a}} leave a", r#"Leave(Rooms { who: Some(Room(Pattern { raw: "{{a}}""#),
        ("others leave a", "Leave(Rooms { who: Some(Others)"),
        ("identify {{client.query.user}}", r#"Identify { who: None, user: Pattern { raw: "{{client.query.user}}""#),
        ("bob identify b", r#"Identify { who: Some(Name("bob")), user: Pattern { raw: "b""#),
        ("keep {{ r ~ s }} {\"a\": 1} ", r#"Keep { room: Pattern { raw: "{{ r ~ s }}""#),
        ("keep {{ r ~ s }} {\"a\": 1} ", r#"value: Pattern { raw: "{\"a\": 1}""#),
        ("on open\n  ? client.path == /a\n  < hi", "trigger: Open, checks: [Check"),
        ("on close\n  all < bye", "trigger: Close"),
        ("connect bots x1000 ws://h", r#"name: Some("bots"), count: 1000, url: Pattern { raw: "ws://h""#),
        ("connect x5 {{url}}", r#"name: None, count: 5, url: Pattern { raw: "{{url}}""#),
        ("option compression off", "Option(Compression(false))"),
        ("option compression", "Option(Compression(true))"),
        ("option refuse status", "Option(Refuse(Status))"),
        ("option refuse close", "Option(Refuse(Close))"),
        ("alice silence 1s", r#"Silence { who: Some(Name("alice"))"#),
        ("all silence 1s", "Silence { who: None"),
    ];
    for (talk, expected) in table {
        let found = statements(talk);
        assert!(found[0].contains(expected), "{talk}: {found:?}");
    }
}

/// A million lines are a million times this: what is rare stands in a box.
#[test]
fn the_tree_takes_little_room() {
    assert!(size_of::<Statement>() <= 96, "{}", size_of::<Statement>());
    assert!(size_of::<Frame>() <= 352, "{}", size_of::<Frame>());
    assert!(size_of::<Pattern>() <= 136, "{}", size_of::<Pattern>());
}

/// What is kept of a talk that is wrong everywhere does not grow with it.
#[test]
fn what_is_found_is_bounded_however_long_the_talk() {
    let deep = |size: usize| {
        let lines = (0..).map(|depth| format!("{}on > x\n", "  ".repeat(depth)));
        let mut talk = String::new();
        for line in lines.take_while(|line| line.len() * line.len() / 4 < size) {
            talk.push_str(&line);
        }
        talk
    };
    type Talk = fn(&str, usize) -> String;
    let hostile: [(&str, Talk); 6] = [
        ("wrong\n", |unit, size| unit.repeat(size / unit.len())),
        ("> {{x\n", |unit, size| unit.repeat(size / unit.len())),
        ("{{x:no}} ", |unit, size| {
            format!("> {}", unit.repeat(size / unit.len()))
        }),
        ("(", |unit, size| unit.repeat(size)),
        ("no,", |unit, size| {
            format!(">({}) a", unit.repeat(size / unit.len()))
        }),
        ("a b,", |unit, size| {
            format!("join {}", unit.repeat(size / unit.len()))
        }),
    ];
    let told = |talk: &str| {
        let found = parse("t", talk).diagnostics;
        let letters: usize = found
            .iter()
            .map(|one| one.what.len() + one.mend.len())
            .sum();
        assert!(
            !found.is_empty() && found.len() <= MOST_FINDINGS + 1,
            "{}",
            found.len()
        );
        (found.len(), letters)
    };
    for (unit, talk) in hostile {
        let (small, large) = (told(&talk(unit, 64 * 1024)), told(&talk(unit, 1024 * 1024)));
        assert!(large.0 <= small.0 + 1, "{unit:?}: {small:?} {large:?}");
        // The numbers in the sentences have more digits, and a long word is quoted up to a bound.
        assert!(large.1 <= small.1 + 4096, "{unit:?}: {small:?} {large:?}");
    }
    told(&deep(1024 * 1024));
}
