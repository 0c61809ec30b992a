//! The highlighting that `editors/` gives: the TextMate grammar in the engine of VS Code, the syntax file in Vim.

use std::fs;

use wiretalk_interop::{Program, repository};

/// A line, a part of it, and what it is highlighted as: a scope of TextMate, a group of Vim.
const HIGHLIGHTED: [(&str, &str, &str, &str); 42] = [
    ("# a comment", "# a comment", "comment.line", "talkComment"),
    (
        "connect alice ws://127.0.0.1:4000/x",
        "connect",
        "keyword.control",
        "talkDirective",
    ),
    (
        "connect alice ws://127.0.0.1:4000/x",
        "ws://127.0.0.1:4000/x",
        "markup.underline.link",
        "talkUrl",
    ),
    (
        "  Authorization: Bearer {{token}}",
        "Authorization",
        "entity.other.attribute-name",
        "talkHeader",
    ),
    (
        "  Authorization: Bearer {{token}}",
        "token",
        "meta.hole",
        "talkHole",
    ),
    ("> hello", ">", "keyword.operator.arrow", "talkArrow"),
    ("> hello", "hello", "string.unquoted.payload", "talkPayload"),
    (
        "> # no comment",
        "# no comment",
        "string.unquoted.payload",
        "talkPayload",
    ),
    ("<close 1000 bye", "close", "storage.type.kind", "talkArrow"),
    ("<(within 50ms) hi", "50ms", "constant.numeric", "talkTime"),
    (
        "< {\"id\":\"{{id:uuid}}\"}",
        "uuid",
        "storage.type.hole",
        "talkType",
    ),
    (
        "< {\"id\":\"{{id:uuid}}\"}",
        "{\"id\":\"",
        "string.unquoted.payload",
        "talkPayload",
    ),
    (
        "< {{ message|upper }}",
        "message",
        "variable.language",
        "talkReserved",
    ),
    (
        "< {{{{ is literal",
        "{{{{",
        "constant.character.escape",
        "talkLiteralHole",
    ),
    (
        ">text {{no hole}}",
        "{{no hole}}",
        "string.unquoted.payload",
        "talkLetters",
    ),
    (
        ">esc a\\u{1f600}b",
        "\\u{1f600}",
        "constant.character.escape",
        "talkEscape",
    ),
    (
        ">bin \\x10MQTT",
        "\\x10",
        "constant.character.escape",
        "talkEscape",
    ),
    (
        ">hex 0a ff",
        "0a ff",
        "constant.numeric.bytes",
        "talkLetters",
    ),
    (
        "alice > hi",
        "alice ",
        "entity.name.function.client",
        "talkWho",
    ),
    ("all < hi", "all ", "variable.language.who", "talkWho"),
    (
        "room lobby < hi",
        "room ",
        "variable.language.who",
        "talkWho",
    ),
    (
        "room lobby < hi",
        "hi",
        "string.unquoted.payload",
        "talkPayload",
    ),
    (
        "on > ping {{_}}",
        "on",
        "keyword.control.rule",
        "talkDirective",
    ),
    (
        "on > ping {{_}}",
        "ping",
        "string.unquoted.payload",
        "talkPayload",
    ),
    (
        "on connect /chat",
        "connect",
        "keyword.control.rule",
        "talkTrigger",
    ),
    (
        "every 5s per client",
        "5s",
        "constant.numeric.time",
        "talkTime",
    ),
    (
        "test a message reaches the other",
        "a message reaches the other",
        "entity.name.section.test",
        "talkTitle",
    ),
    (
        "  ? $.items count >= 3",
        "?",
        "keyword.operator.check",
        "talkCheckSign",
    ),
    (
        "  ? $.items count >= 3",
        "$.items",
        "variable.parameter.jsonpath",
        "talkJsonPath",
    ),
    (
        "  ? $.items count >= 3",
        ">=",
        "keyword.operator.comparison",
        "talkPredicate",
    ),
    (
        "  ? $.name not startsWith \"a\"",
        "startsWith",
        "keyword.operator.predicate",
        "talkPredicate",
    ),
    (
        "  ? $.name not startsWith \"a\"",
        "\"a\"",
        "string.quoted.double",
        "talkString",
    ),
    (
        "  ? latency < 50ms",
        "latency",
        "support.variable.query",
        "talkQuery",
    ),
    (
        "  first = $.items[0].id",
        "first",
        "variable.other",
        "talkCapture",
    ),
    (
        "  first = $.items[0].id",
        "$.items[0].id",
        "variable.parameter.jsonpath",
        "talkJsonPath",
    ),
    (
        "set client.name = bob",
        "set",
        "keyword.control.set",
        "talkDirective",
    ),
    (
        "option timeout 5s",
        "timeout",
        "support.type.property-name.option",
        "talkTrigger",
    ),
    (
        "bob silence 200ms",
        "silence",
        "keyword.control",
        "talkDirective",
    ),
    (
        "ignore < {\"type\":\"heartbeat\"}",
        "ignore",
        "keyword.control",
        "talkDirective",
    ),
    ("HTTP 101", "101", "constant.numeric.status", "talkNumber"),
    (
        "  | one more line",
        "|",
        "punctuation.definition.bar",
        "talkBar",
    ),
    ("finally", "finally", "keyword.control", "talkDirective"),
];

/// All lines, one to a line of the document.
fn document() -> String {
    let mut text = String::new();
    for (line, ..) in HIGHLIGHTED {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Runs of characters with what they are highlighted as: line from 1, text, names.
fn runs(printed: &str) -> Vec<(usize, String, String)> {
    let run = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let number = parts.next()?.parse().ok()?;
        let text = parts.next()?.to_owned();
        Some((number, text, parts.next()?.to_owned()))
    };
    printed.lines().filter_map(run).collect()
}

/// That part of line `number` is highlighted as `wanted`, whatever runs it is cut into.
fn is_highlighted(
    runs: &[(usize, String, String)],
    number: usize,
    part: &str,
    wanted: &str,
) -> bool {
    let own: Vec<_> = runs.iter().filter(|(line, ..)| *line == number).collect();
    let whole: String = own.iter().map(|(_, text, _)| text.as_str()).collect();
    let Some(start) = whole.find(part) else {
        return false;
    };
    let (first, last) = (start, start + part.trim_end().len());
    let mut at = 0;
    own.iter().all(|(_, text, names)| {
        let begin = at;
        at += text.len();
        let outside = at <= first || begin >= last;
        outside || names.split(' ').any(|name| name.starts_with(wanted))
    })
}

#[track_caller]
fn check(
    printed: &str,
    wanted: impl Fn(&(&'static str, &'static str, &'static str, &'static str)) -> &'static str,
) {
    let runs = runs(printed);
    let mut wrong = Vec::new();
    for (index, row) in HIGHLIGHTED.iter().enumerate() {
        let wanted = wanted(row);
        if !is_highlighted(&runs, index + 1, row.1, wanted) {
            let own = runs.iter().filter(|(line, ..)| *line == index + 1);
            let own: Vec<_> = own
                .map(|(_, text, names)| format!("  {text:?} {names}"))
                .collect();
            wrong.push(format!(
                "`{}` of `{}` is not {wanted}:\n{}",
                row.1,
                row.0,
                own.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn vs_code_highlights_talks() {
    let grammar = repository().join("editors/vscode/syntaxes/talk.tmLanguage.json");
    let printed = Program::peer("highlight.mjs")
        .arg(grammar)
        .finish(document());
    check(&printed.with_code(0).out(), |row| row.2);
}

#[test]
fn vim_highlights_talks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (talk, said) = (folder.path().join("a.talk"), folder.path().join("said"));
    fs::write(&talk, document()).expect("it is written");
    let runtime = repository().join("editors/vim");
    let finished = Program::system("vim")
        .args(["-e", "-s", "-N", "-u", "NONE", "-i", "NONE", "-n"])
        .args(["--cmd", &format!("set runtimepath^={}", runtime.display())])
        .args(["--cmd", "filetype plugin on | syntax on"])
        .arg("-S")
        .arg(repository().join("tests/peers/highlight.vim"))
        .arg(&talk)
        .env("WIRETALK_HIGHLIGHTED", &said)
        .finish("");
    let printed = fs::read_to_string(&said)
        .unwrap_or_else(|error| panic!("vim highlights nothing: {error}; {}", finished.err()));
    check(&printed, |row| row.3);
}

#[test]
fn the_extension_of_vs_code_names_files_that_are_there() {
    let folder = repository().join("editors/vscode");
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let package = read("package.json");
    for grammar in package["contributes"]["grammars"]
        .as_array()
        .expect("grammars")
    {
        let path = grammar["path"].as_str().expect("a path");
        assert_eq!(read(path)["scopeName"], grammar["scopeName"], "{path}");
    }
    read("language-configuration.json");
    assert!(folder.join("extension.js").is_file());
}
