//! `wiretalk serve` as a test double among programs of others: several talks, the journal, the control API, reloads.

use std::fs;
use std::path::Path;

use wiretalk_interop::{Process, Program, Server, Stream};

/// Serves these talks on a free port with these further arguments.
fn serve(talks: &[&Path], arguments: &[&str]) -> Server {
    let program = Program::wiretalk().arg("serve").args(talks);
    Server::start(program.args(["--listen", "127.0.0.1:0"]).args(arguments))
}

fn join(url: &str) -> Process {
    let mut client = Program::peer("client.py").arg(url).start();
    client.expect("open");
    client
}

/// Says this, and gives the answer.
fn ask(client: &mut Process, text: &str) -> String {
    client.say(text);
    client.expect("recv: ")
}

/// Where the control API is, and what it wants to see.
struct Control {
    url: String,
    token: String,
}

impl Control {
    fn of(server: &mut Server) -> Self {
        let line = server.process.expect("control at ");
        let (url, token) = line.split_once(", token ").expect("url and token");
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    /// Asks with curl: the body, and behind it the status.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut curl = Program::curl()
            .args(["--request", method, "--write-out", " %{http_code}"])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)]);
        if !body.is_empty() {
            let json = "Content-Type: application/json";
            curl = curl.args(["--header", json, "--data-binary", body]);
        }
        let curl = curl.arg(format!("{}{path}", self.url));
        curl.finish("").with_code(0).out()
    }
}

#[test]
fn talks_share_a_port_and_say_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("chat.talk"),
        "listen ws://127.0.0.1:4000/rooms/1\non > {{_}}\n  < chat\n",
    )
    .expect("written");
    fs::write(at("two words.talk"), "on > {{_}}\n  < words\n").expect("written");
    let mut server = serve(&[&at("chat.talk"), &at("two words.talk")], &[]);
    assert!(server.url().ends_with("/rooms/1"), "{}", server.url());
    let second = server.process.expect("listening on ");
    let second = second.split(' ').next().expect("a URL").to_owned();
    assert!(second.ends_with("/two%20words"), "{second}");
    assert_eq!(ask(&mut join(&server.url()), "x"), "chat");
    assert_eq!(ask(&mut join(&second), "x"), "words");
    let nowhere = format!("{}/nowhere", server.origin);
    let mut refused = Program::peer("client.py").arg(&nowhere).start();
    refused.expect_on(Stream::Err, "failed status 404");
}

#[test]
fn talks_at_one_path_are_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a", "b"] {
        let text = "listen ws://127.0.0.1:4000/same\non > {{_}}\n  <echo\n";
        fs::write(folder.path().join(name), text).expect("written");
    }
    let finished = Program::wiretalk()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(["a", "b"].map(|name| folder.path().join(name)))
        .finish("")
        .with_code(2);
    assert!(
        finished.err().contains("are both found at `/same`"),
        "{finished:?}"
    );
}

#[test]
fn talks_at_several_addresses_are_served_at_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let talks = ["127.0.0.1", "127.0.0.2"].map(|host| {
        let path = folder.path().join(host);
        let text = format!("listen ws://{host}:0/\non > {{{{_}}}}\n  < {host}\n");
        fs::write(&path, text).expect("written");
        path
    });
    let program = Program::wiretalk().arg("serve").args(&talks);
    let mut server = Server::start(program);
    assert_eq!(ask(&mut join(&server.url()), "x"), "127.0.0.1");
    let second = server.process.expect("listening on ");
    let second = second.split(' ').next().expect("a URL");
    assert!(second.starts_with("ws://127.0.0.2:"), "{second}");
    assert_eq!(ask(&mut join(second), "x"), "127.0.0.2");
}

#[test]
fn a_saved_talk_is_played_anew_and_its_clients_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("live.talk");
    let version = |answer: &str| format!("on > {{{{_}}}}\n  < {answer}\n");
    fs::write(&talk, version("one")).expect("written");
    let mut server = serve(&[&talk], &[]);
    let mut client = join(&server.url());
    assert_eq!(ask(&mut client, "x"), "one");

    fs::write(&talk, version("number two")).expect("written");
    assert!(
        server
            .process
            .expect("reloaded ")
            .ends_with("(1 client stays)")
    );
    assert_eq!(ask(&mut client, "x"), "number two");

    // As most editors save: another file in its place.
    let other = folder.path().join("other");
    fs::write(&other, version("a third")).expect("written");
    fs::rename(&other, &talk).expect("renamed");
    server.process.expect("reloaded ");
    assert_eq!(ask(&mut client, "x"), "a third");

    // A mistake is shown, and the version before is played on.
    fs::write(&talk, "on > {{_}}\n  < {{oops\n").expect("written");
    server.process.expect("not reloaded ");
    server.process.expect_on(Stream::Err, "live.talk:2:");
    assert_eq!(ask(&mut client, "x"), "a third");
    fs::write(&talk, version("mended")).expect("written");
    server.process.expect("reloaded ");
    assert_eq!(ask(&mut client, "x"), "mended");
}

#[test]
fn the_journal_is_lines_of_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("a.talk");
    fs::write(&talk, "on > hello\n  < hi\non >hex 00\n  <hex ff\n").expect("written");
    let file = folder.path().join("seen.jsonl");
    fs::write(&file, "what was there stays\n").expect("written");
    let path = file.to_str().expect("UTF-8");
    let mut server = serve(&[&talk], &["--journal", path]);
    let mut client = join(&server.url());
    assert_eq!(ask(&mut client, "hello"), "hi");
    client.say("/hex 00");
    client.expect("recv hex: ff");
    client.say("what is this");
    server.process.expect("unmatched");
    client.say("/close 1000 bye");
    client.exit_code();
    server.process.expect("left with ");
    server.process.signal(wiretalk_interop::Signal::INT);
    assert_eq!(server.process.exit_code(), 0);
    let written = fs::read_to_string(&file).expect("it is there");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "what was there stays");
    for (line, parts) in lines[1..].iter().zip([
        &[r#""client":1,"kind":"open","#, r#""target":"/""#][..],
        &[r#""direction":"received","kind":"text","size":5,"text":"hello""#],
        &[r#""direction":"sent","kind":"text","to":"client","size":2,"text":"hi""#],
        &[r#""kind":"binary","size":1,"base64":"AA==""#],
        &[r#""kind":"binary","to":"client","size":1,"base64":"/w==""#],
        &[
            r#""text":"what is this","#,
            r#""unmatched":{"line":1,"why":"it expects"#,
        ],
        &[r#""kind":"close","size":3,"text":"bye","code":1000"#],
        &[r#""kind":"close","to":"client""#],
        &[r#""kind":"gone","code":1000,"why":"bye","after_ms":"#],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    assert_eq!(lines.len(), 10, "{written}");
}

#[test]
fn a_test_gives_orders_with_curl() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("a.talk");
    fs::write(&talk, "on > hello {{_}}\n  < hi\n").expect("written");
    let mut server = serve(&[&talk], &["--control"]);
    let control = Control::of(&mut server);
    let mut client = join(&server.url());
    assert_eq!(ask(&mut client, "hello world"), "hi");

    let clients = control.ask("GET", "/clients", "");
    assert!(
        clients.contains(r#""id":1"#) && clients.ends_with(" 200"),
        "{clients}"
    );
    let sent = control.ask("POST", "/send", r#"{"client":1,"text":"from outside"}"#);
    assert_eq!(sent, r#"{"receivers":1} 200"#);
    assert_eq!(client.expect("recv: "), "from outside");
    let verified = control.ask(
        "POST",
        "/verify",
        r#"{"pattern":"> hello {{_}}","times":1}"#,
    );
    assert!(verified.contains(r#""passed":true"#), "{verified}");
    let journal = control.ask("GET", "/journal?direction=received", "");
    assert!(journal.contains(r#""text":"hello world""#), "{journal}");
    assert_eq!(control.ask("DELETE", "/journal", ""), " 204");
    let closed = control.ask(
        "POST",
        "/clients/1/close",
        r#"{"code":4001,"reason":"enough"}"#,
    );
    assert_eq!(closed, r#"{"closed":1} 200"#);
    assert_eq!(client.expect("closed "), "4001 enough");

    // Without the token, or as a page in a browser would ask, nothing is told.
    let bare = |header: &str| {
        let curl = Program::curl().args(["--write-out", "%{http_code}", "--header", header]);
        let curl = curl.arg(format!("{}/clients", control.url));
        curl.finish("").with_code(0).out()
    };
    assert!(bare("X-Nothing: 1").ends_with("401"));
    assert!(bare("Origin: http://127.0.0.1").ends_with("403"));
    assert!(bare("Host: evil.example").ends_with("403"));
}

#[test]
fn the_control_api_is_for_this_machine_alone() {
    let finished = Program::wiretalk()
        .args(["serve", "examples/modes.talk", "--listen", "127.0.0.1:0"])
        .arg("--control=0.0.0.0:0")
        .finish("")
        .with_code(2);
    assert!(finished.err().contains("loopback"), "{finished:?}");

    let program = Program::wiretalk()
        .args(["serve", "examples/modes.talk", "--listen", "127.0.0.1:0"])
        .arg("--control")
        .env("WIRETALK_CONTROL_TOKEN", "0123456789abcdef-own");
    let mut server = Server::start(program);
    let line = server.process.expect("control at ");
    let url = line.split(',').next().expect("a URL").to_owned();
    assert!(
        !server
            .process
            .output(Stream::Out)
            .contains("0123456789abcdef-own")
    );
    let control = Control {
        url,
        token: "0123456789abcdef-own".to_owned(),
    };
    assert!(control.ask("GET", "/talks", "").ends_with(" 200"));
}

/// Secrets from outside, from a file and from the talk itself: in no line of the log, in no line of the journal, in no
/// answer of the control API; but on the wire.
#[test]
fn secrets_are_shown_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("a.talk");
    let rule = |own: &str| {
        format!(
            "set own = {own}\non > {{{{given}}}} {{{{env.FROM_FILE}}}}\n  < {{{{own}}}} and {{{{given}}}}\n"
        )
    };
    fs::write(&talk, rule("of-the-talk")).expect("written");
    let env = folder.path().join("secrets.env");
    fs::write(&env, "FROM_FILE=of-the-file\n").expect("written");
    let journal = folder.path().join("seen.jsonl");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (env, journal) = (path(&env), path(&journal));
    let mut arguments = vec!["-v", "--control", "--set", "given=of-the-flag"];
    arguments.extend(["--env-file", &env, "--journal", &journal]);
    for name in ["own", "given", "FROM_FILE"] {
        arguments.extend(["--secret", name]);
    }
    let mut server = serve(&[&talk], &arguments);
    let control = Control::of(&mut server);
    let mut client = join(&server.url());
    let answer = ask(&mut client, "of-the-flag of-the-file");
    assert_eq!(answer, "of-the-talk and of-the-flag");
    client.say("of-the-file the wrong way round: of-the-flag");
    server.process.expect("unmatched: ");
    fs::write(&talk, rule("of-the-next-talk")).expect("written");
    server.process.expect("reloaded ");
    let answer = ask(&mut client, "of-the-flag of-the-file");
    assert_eq!(answer, "of-the-next-talk and of-the-flag");
    let told = control.ask("GET", "/journal", "");
    assert!(told.contains("*** and ***"), "{told}");
    let verified = control.ask(
        "POST",
        "/verify",
        r#"{"pattern":"> of-the-flag","times":7}"#,
    );
    assert!(verified.contains(r#""nearest":{"#), "{verified}");
    client.say("/close 1000");
    server.process.expect("left with ");
    server.process.signal(wiretalk_interop::Signal::INT);
    assert_eq!(server.process.exit_code(), 0);
    let log = server.process.output(Stream::Out) + &server.process.output(Stream::Err);
    let written = fs::read_to_string(&journal).expect("it is there");
    assert!(log.contains("*** and ***") && written.contains("*** and ***"));
    for secret in [
        "of-the-flag",
        "of-the-file",
        "of-the-talk",
        "of-the-next-talk",
    ] {
        for shown in [&log, &written, &told, &verified] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}

#[test]
fn a_seed_makes_what_is_fresh_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let talk = folder.path().join("a.talk");
    fs::write(&talk, "on > {{_}}\n  < {{_:uuid}}\n").expect("written");
    let drawn = |arguments: &[&str]| {
        let server = serve(&[&talk], arguments);
        let mut client = join(&server.url());
        [ask(&mut client, "x"), ask(&mut client, "x")]
    };
    let [one, two] = drawn(&["--seed", "7"]);
    assert_ne!(one, two);
    assert_eq!(drawn(&["--seed", "7"]), [one.clone(), two]);
    assert_ne!(drawn(&["--seed", "8"])[0], one);
    assert_ne!(drawn(&[])[0], one);
}

#[test]
fn strict_closes_and_quiet_keeps_quiet() {
    let mut server = Server::talk("tests/interop/talks/counted.talk", &["--strict", "-q"]);
    let mut client = join(&server.url());
    client.say("what is this");
    assert!(client.expect("closed ").starts_with("1008"));
    server.process.expect("unmatched: ");
    server.process.signal(wiretalk_interop::Signal::INT);
    assert_eq!(server.process.exit_code(), 0);
    let log = server.process.output(Stream::Out);
    assert!(
        !log.contains("connected") && !log.contains("left with"),
        "{log}"
    );
}
