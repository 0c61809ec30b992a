//! `wiretalk lsp`, spoken to as an editor does.

use serde_json::{Value, json};
use wiretalk_interop::Program;

const URI: &str = "file:///talks/chat.talk";

/// Says these messages to the server, and gives all that it said.
fn session(talk: &str, between: &[Value]) -> Vec<Value> {
    let open =
        json!({"textDocument": {"uri": URI, "languageId": "talk", "version": 1, "text": talk}});
    let mut said = vec![
        json!({"id": 0, "method": "initialize", "params": {"capabilities": {}}}),
        json!({"method": "initialized", "params": {}}),
        json!({"method": "textDocument/didOpen", "params": open}),
    ];
    said.extend_from_slice(between);
    said.push(json!({"id": 99, "method": "shutdown"}));
    said.push(json!({"method": "exit"}));
    let mut input = String::new();
    for mut message in said {
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        input.push_str(&format!("Content-Length: {}\r\n\r\n{text}", text.len()));
    }
    let ended = Program::wiretalk().arg("lsp").finish(input).with_code(0);
    let mut rest = ended.out();
    let mut heard = Vec::new();
    while let Some((head, body)) = rest.split_once("\r\n\r\n") {
        let length = head
            .trim()
            .strip_prefix("Content-Length: ")
            .expect("a length");
        let length: usize = length.parse().expect("a number");
        heard.push(serde_json::from_str(&body[..length]).expect("JSON"));
        rest = body[length..].to_owned();
    }
    assert_eq!(rest, "", "nothing stands beside the messages");
    heard
}

fn answer(heard: &[Value], id: u64) -> &Value {
    let own = heard.iter().find(|message| message["id"] == json!(id));
    &own.unwrap_or_else(|| panic!("no answer to {id}: {heard:#?}"))["result"]
}

fn at(line: u64, character: u64) -> Value {
    json!({"textDocument": {"uri": URI}, "position": {"line": line, "character": character}})
}

#[test]
fn mistakes_are_told_when_a_talk_opens_and_as_it_changes() {
    let change = json!({
        "textDocument": {"uri": URI, "version": 2},
        "contentChanges": [{"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 6}}, "text": "connect"}],
    });
    let change = json!({"method": "textDocument/didChange", "params": change});
    let heard = session("conect ws://127.0.0.1:1\n> hi\n< hi\n", &[change]);
    let found: Vec<&Value> = heard
        .iter()
        .filter(|message| message["method"] == "textDocument/publishDiagnostics")
        .map(|message| &message["params"])
        .collect();
    assert_eq!(found.len(), 2, "{heard:#?}");
    let mistake = &found[0]["diagnostics"][0];
    assert_eq!(
        mistake["message"],
        "`conect` is not a directive\ndid you mean `connect`?"
    );
    assert_eq!(mistake["severity"], 1);
    assert_eq!(mistake["range"]["end"], json!({"line": 0, "character": 6}));
    assert_eq!(found[1]["diagnostics"], json!([]));
    assert_eq!(found[1]["version"], 2);
}

#[test]
fn an_editor_is_helped_to_write_and_to_find_its_way() {
    let talk = "listen ws://127.0.0.1:4000\non > 😀 {{name:word}}\n   < hello {{ name }}\n";
    let ask = |id: u64, method: &str, params: Value| json!({"id": id, "method": format!("textDocument/{method}"), "params": params});
    let document =
        json!({"textDocument": {"uri": URI}, "options": {"tabSize": 2, "insertSpaces": true}});
    let heard = session(
        talk,
        &[
            ask(1, "completion", at(2, 16)),
            ask(2, "hover", at(0, 2)),
            ask(3, "definition", at(2, 16)),
            ask(4, "documentSymbol", document.clone()),
            ask(5, "formatting", document),
            ask(6, "rename", at(0, 0)),
        ],
    );
    let labels = answer(&heard, 1).as_array().expect("a list");
    for wanted in ["name", "message", "uuid"] {
        assert!(
            labels.iter().any(|item| item["label"] == wanted),
            "{wanted}: {labels:#?}"
        );
    }
    let hover = answer(&heard, 2)["contents"]["value"]
        .as_str()
        .expect("a text");
    assert!(hover.contains("listen URL"), "{hover}");
    // Columns count units of UTF-16, if nothing else is agreed: the emoji is two.
    let name = &answer(&heard, 3)[0]["range"]["start"];
    assert_eq!(name, &json!({"line": 1, "character": 10}));
    assert_eq!(answer(&heard, 4)[0]["name"], "on > 😀 {{name:word}}");
    let formatted = answer(&heard, 5)[0]["newText"].as_str().expect("a text");
    assert!(
        formatted.contains("\n  < hello {{ name }}\n"),
        "{formatted}"
    );
    let refused = heard
        .iter()
        .find(|message| message["id"] == 6)
        .expect("an answer");
    assert_eq!(refused["error"]["code"], -32601);
}

#[test]
fn what_is_no_message_ends_the_server_with_a_sentence() {
    let ended = Program::wiretalk()
        .arg("lsp")
        .finish("hello\r\n\r\n")
        .with_code(1);
    assert!(
        !ended.err().contains("panicked") && !ended.err().is_empty(),
        "{}",
        ended.err()
    );
}
