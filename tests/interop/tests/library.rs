//! The servers among the examples of the library, against clients made with Python's `websockets`: each a conversation,
//! line by line.

use wiretalk_interop::{Process, Program, Server, Signal, Stream, certificate};

/// A step of a conversation: which client, and what it says or sees.
enum Step {
    /// Connects to this path, with these further arguments.
    Connect(&'static str, &'static str, &'static [&'static str]),
    /// Is refused with this status.
    Refused(&'static str, &'static [&'static str], u16),
    /// Sends a line, which may be a command.
    Say(&'static str, &'static str),
    /// The next line of output begins so.
    Sees(&'static str, &'static str),
}

use Step::{Connect, Refused, Say, Sees};

/// Holds a conversation with an example, and gives its clients back with their names.
fn hold(example: Program, steps: &[Step]) -> (Server, Vec<(&'static str, Process)>) {
    let server = Server::start(example);
    let mut clients: Vec<(&str, Process)> = Vec::new();
    for step in steps {
        let client = |clients: &mut Vec<(&str, Process)>, name: &str| {
            let found = clients.iter().position(|(own, _)| *own == name);
            found.expect("a client of that name")
        };
        match step {
            Connect(name, path, arguments) => {
                let mut process = python(&server, path, arguments).start();
                process.expect("open");
                clients.push((name, process));
            }
            Refused(path, arguments, status) => {
                let mut process = python(&server, path, arguments).start();
                process.expect_on(Stream::Err, &format!("failed status {status}"));
            }
            Say(name, line) => {
                let at = client(&mut clients, name);
                clients[at].1.say(line);
            }
            Sees(name, line) => {
                let at = client(&mut clients, name);
                clients[at].1.expect(line);
            }
        }
    }
    (server, clients)
}

fn python(server: &Server, path: &str, arguments: &[&str]) -> Program {
    let url = format!("{}{path}", server.origin);
    Program::peer("client.py").args(arguments).arg(url)
}

fn example(name: &str) -> Program {
    Program::example(name).arg("127.0.0.1:0")
}

/// All that a client has received.
fn received(client: &Process) -> Vec<String> {
    let output = client.output(Stream::Out);
    let lines = output
        .lines()
        .filter_map(|line| line.strip_prefix("recv: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn json_is_answered_with_json() {
    let steps = [
        Connect("ann", "/", &[]),
        Say("ann", r#"{"message": "hi"}"#),
        Sees("ann", r#""message":"Received: hi""#),
        Say("ann", "{}"),
        Sees("ann", r#""message":"Received: ""#),
        Say("ann", "no JSON"),
        Sees("ann", r#"recv: {"error":"Invalid JSON"}"#),
        Say("ann", "/hex 7b7d"),
        Sees("ann", r#""message":"Received: ""#),
        Say("ann", "/close 1000"),
        Sees("ann", "closed 1000"),
    ];
    hold(example("echo_json"), &steps);
}

#[test]
fn a_broadcast_reaches_everyone() {
    let steps = [
        Connect("ann", "/", &[]),
        Connect("bob", "/", &[]),
        Sees("ann", "recv: hello world "),
        Sees("bob", "recv: hello world "),
        Say("ann", "hi all"),
        Sees("ann", "recv: hi all"),
        Sees("bob", "recv: hi all"),
        Sees("bob", "recv: hello world "),
    ];
    let (mut server, clients) = hold(example("broadcast").arg("20"), &steps);
    for (_, client) in &clients {
        // Each number once, one after another.
        let messages = received(client);
        let numbers = messages
            .iter()
            .filter_map(|message| message.strip_prefix("hello world ")?.parse::<u64>().ok());
        let numbers: Vec<_> = numbers.collect();
        let first = numbers[0];
        let expected: Vec<_> = (first..).take(numbers.len()).collect();
        assert_eq!(numbers, expected);
    }
    server.process.signal(Signal::INT);
    for (_, mut client) in clients {
        client.expect("closed 1001");
    }
}

#[test]
fn a_chat_keeps_its_rooms_apart() {
    let steps = [
        Refused("/lobby", &[], 400),
        Refused("/lobby?name=", &[], 400),
        Connect("ann", "/lobby?name=ann", &[]),
        Connect("bob", "/lobby?name=bob", &[]),
        Sees("ann", "recv: bob is here"),
        Connect("cid", "/garden?name=cid", &[]),
        Connect("dan", "/garden?name=dan", &[]),
        Sees("cid", "recv: dan is here"),
        Say("bob", "hi ann"),
        Sees("ann", "recv: bob: hi ann"),
        Say("dan", "hi cid"),
        Sees("cid", "recv: dan: hi cid"),
        Say("bob", "/close 1000"),
        Sees("bob", "closed 1000"),
        Sees("ann", "recv: bob has left"),
        Say("dan", "/close 1000"),
        Sees("cid", "recv: dan has left"),
    ];
    let (_server, clients) = hold(example("chat"), &steps);
    for (name, expected) in [
        ("ann", &["bob is here", "bob: hi ann", "bob has left"][..]),
        ("bob", &[]),
        ("cid", &["dan is here", "dan: hi cid", "dan has left"]),
        ("dan", &[]),
    ] {
        let (_, client) = clients
            .iter()
            .find(|(own, _)| *own == name)
            .expect("a client");
        assert_eq!(received(client), expected, "{name}");
    }
}

#[test]
fn a_newcomer_gets_the_last_value_of_a_topic() {
    let steps = [
        Connect("ann", "/", &[]),
        Say("ann", "subscribe weather"),
        Say("ann", "publish weather rain"),
        Sees("ann", "recv: weather: rain"),
        Say("ann", "publish weather sun and wind"),
        Sees("ann", "recv: weather: sun and wind"),
        Connect("bob", "/", &[]),
        Say("bob", "subscribe weather"),
        Sees("bob", "recv: weather: sun and wind"),
        Say("bob", "nonsense"),
        Sees("bob", "recv: error: subscribe TOPIC, "),
        Say("bob", "unsubscribe weather"),
        Say("bob", "unsubscribe weather"),
        Sees("bob", "recv: error: subscribe TOPIC, "),
        Say("bob", "publish weather snow"),
        Sees("ann", "recv: weather: snow"),
        Say("bob", "subscribe weather"),
        Sees("bob", "recv: weather: snow"),
    ];
    let (_server, clients) = hold(example("topics"), &steps);
    let bob: Vec<_> = received(&clients[1].1)
        .into_iter()
        .filter(|message| message.starts_with("weather"))
        .collect();
    assert_eq!(bob, ["weather: sun and wind", "weather: snow"]);
}

#[test]
fn only_the_right_origin_and_the_right_token_come_in() {
    let bearer = ["--header", "Authorization: Bearer swordfish"];
    let steps = [
        Refused("/", &[], 401),
        Refused("/?token=wrong", &[], 401),
        Refused(
            "/?token=swordfish",
            &["--origin", "https://evil.example"],
            403,
        ),
        Refused(
            "/?token=swordfish",
            &["--origin", "http://app.example"],
            403,
        ),
        Connect(
            "page",
            "/?token=swordfish",
            &["--origin", "https://app.example"],
        ),
        Sees("page", "recv: welcome, ann"),
        Connect("query", "/?x=1&token=sword%66ish", &[]),
        Sees("query", "recv: welcome, ann"),
    ];
    let (server, _clients) = hold(example("token"), &steps);
    let mut header = python(&server, "/", &bearer).start();
    header.expect("recv: welcome, ann");
}

#[test]
fn an_echo_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = certificate(folder.path());
    let server = Server::start(example("tls").args([&certificate, &key]));
    assert!(server.origin.starts_with("wss://"));
    // Python's `ssl` reads its roots from there.
    let trusting = |file: &str| python(&server, "/", &[]).env("SSL_CERT_FILE", file);
    let mut client = trusting(&certificate).start();
    client.expect("open");
    client.say("hi");
    client.expect("recv: hi");
    client.say("/close 1000");
    client.expect("closed 1000");
    let mut other = trusting("/dev/null").start();
    other.expect_on(Stream::Err, "failed connect ");
}

/// Eight clients in one room: a message of one reaches all others.
#[test]
fn a_full_room_hears_everything() {
    let server = Server::start(example("chat"));
    let join = |n: usize| {
        let mut client = python(&server, &format!("/all?name=c{n}"), &[]).start();
        client.expect("open");
        client
    };
    let mut clients: Vec<_> = (0..8).map(join).collect();
    for n in 0..clients.len() {
        clients[n].say(&format!("from {n}"));
        for other in (0..clients.len()).filter(|other| *other != n) {
            clients[other].expect(&format!("recv: c{n}: from {n}"));
        }
    }
}
