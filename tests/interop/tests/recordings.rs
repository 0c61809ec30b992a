//! A recording, unedited, passes as a test and serves as a mock, and not a byte of a payload is lost on the way.
//!
//! The conversations come from a program that knows nothing of talks (`tests/peers/conversations.py`). Each is written
//! down, then laid out by `wiretalk fmt`, and both are played: as a mock, against that program as the client; as a test,
//! against that program as the server; and as a test against their own mock. The program holds every payload to the byte.

use std::fs;
use std::path::Path;

use serde_json::Value;
use wiretalk_interop::{Program, Server};
use wiretalk_talk::write::{self, Line, What};

const ADDRESS: &str = "127.0.0.1:4000";

struct Conversation {
    name: String,
    /// The talk, as it is written down.
    talk: String,
}

fn corpus() -> Vec<Conversation> {
    let printed = Program::peer("conversations.py")
        .arg("list")
        .finish("")
        .with_code(0)
        .out();
    printed.lines().map(conversation).collect()
}

fn conversation(line: &str) -> Conversation {
    let conversation: Value = serde_json::from_str(line).expect("a line of JSON");
    let name = conversation["name"].as_str().expect("a name").to_owned();
    let mut talk = String::new();
    write::connect(&mut talk, None, &format!("ws://{ADDRESS}/{name}"), &[]);
    for frame in conversation["frames"].as_array().expect("frames") {
        let payload = frame["payload"].as_str().unwrap_or_default();
        let payload = decoded(payload);
        let text = || std::str::from_utf8(&payload).expect("a text is UTF-8");
        let what = match frame["kind"].as_str().expect("a kind") {
            "text" => What::Text(text()),
            "binary" => What::Binary(&payload),
            "ping" => What::Ping(&payload),
            "close" => What::Close {
                code: frame["code"]
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok())
                    .filter(|code| *code != 1005),
                reason: frame["reason"].as_str().expect("a reason"),
            },
            kind => panic!("{name}: {kind}"),
        };
        let line = match frame["arrow"].as_str() {
            Some(">") => Line::to_server(what),
            _ => Line::to_client(what),
        };
        write::line(&mut talk, &line);
    }
    Conversation { name, talk }
}

fn decoded(base64: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

#[test]
fn at_least_thirty_conversations_are_recorded_and_played_in_both_roles_as_they_are_written() {
    let corpus = corpus();
    assert!(corpus.len() >= 30);
    let folder = tempfile::tempdir().expect("a folder");
    for conversation in &corpus {
        let path = folder.path().join(format!("{}.talk", conversation.name));
        fs::write(path, &conversation.talk).expect("it is written");
    }
    plays(folder.path(), corpus.len());
}

#[test]
fn at_least_thirty_conversations_are_recorded_and_played_in_both_roles_as_they_are_laid_out() {
    let corpus = corpus();
    let folder = tempfile::tempdir().expect("a folder");
    for conversation in &corpus {
        let name = &conversation.name;
        let laid_out = wiretalk_talk::format(name, &conversation.talk);
        let laid_out = laid_out.unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"));
        let again = wiretalk_talk::format(name, &laid_out).expect("it is a talk still");
        assert!(
            again == laid_out,
            "{name} is laid out otherwise the second time"
        );
        let path = folder.path().join(format!("{name}.talk"));
        fs::write(path, laid_out).expect("it is written");
    }
    plays(folder.path(), corpus.len());
}

/// Plays all talks of a folder against the corpus's own client and server, and against each other.
fn plays(folder: &Path, count: usize) {
    let mut talks: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    talks.sort();

    let mocks = Program::wiretalk()
        .arg("serve")
        .args(&talks)
        .args(["--listen", "127.0.0.1:0"]);
    let mocks = Server::start(mocks);
    let played = Program::peer("conversations.py")
        .args(["client", &mocks.origin])
        .finish("");
    all_well(
        &played.out(),
        count,
        "a client that is not ours, against the mock",
    );

    passes(
        folder,
        &mocks.origin,
        count,
        "the talk as a test of its own mock",
    );

    let server = Server::peer("conversations.py", &["server"]);
    passes(
        folder,
        &server.origin,
        count,
        "the talk as a test of a server that is not ours",
    );
    server.process.expect_count(" ok", count);
}

fn all_well(printed: &str, count: usize, what: &str) {
    let wrong: Vec<&str> = printed
        .lines()
        .filter(|line| !line.ends_with(" ok"))
        .collect();
    assert!(wrong.is_empty(), "{what}: {}", wrong.join("\n"));
    assert_eq!(printed.lines().count(), count, "{what}");
}

/// All talks of a folder pass against the servers at an origin.
fn passes(folder: &Path, origin: &str, count: usize, what: &str) {
    let place = origin.strip_prefix("ws://").expect("an origin");
    let tests = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it can be listed").path();
        let talk = fs::read_to_string(&path).expect("a talk");
        // The first line is the address; the payloads are nobody's to change.
        let talk = talk.replacen(ADDRESS, place, 1);
        fs::write(tests.path().join(path.file_name().expect("a name")), talk)
            .expect("it is written");
    }
    let tested = Program::wiretalk()
        .args(["test", "--strict"])
        .arg(tests.path())
        .finish("");
    let said = tested.out();
    assert!(
        tested.code == Some(0) && said.contains(&format!("{count} passed, 0 failed")),
        "{what}:\n{}{}",
        said.lines()
            .filter(|line| !line.starts_with("PASS"))
            .take(60)
            .collect::<Vec<_>>()
            .join("\n"),
        tested.err().lines().take(40).collect::<Vec<_>>().join("\n")
    );
}
