//! `examples/modes.talk` and who joins it: each kind of client gets what any other causes, and who dies is noticed.

use wiretalk_interop::{Process, Program, Server, Signal, Stream};

const LOG_ROWS: &str = "[...document.querySelectorAll('#log .received span:nth-child(3)')].map(row => row.textContent)";

/// Somebody who joined.
enum Client {
    /// A script of `tests/peers`.
    Peer(Process),
    /// `wiretalk connect`.
    Ours(Process),
    /// A browser with the page that the server gives it.
    Browser(Process),
}

impl Client {
    fn peer(script: &str, server: &Server) -> Self {
        let mut process = Program::peer(script).arg(server.url()).start();
        process.expect("open");
        Self::Peer(process)
    }

    fn ours(server: &Server) -> Self {
        let mut process = Program::wiretalk().args(["connect", &server.url()]).start();
        process.expect_on(Stream::Err, "connected to ");
        Self::Ours(process)
    }

    fn browser(server: &Server) -> Self {
        let mut process = Program::peer("browser.py").arg(server.http()).start();
        process.expect("loaded ");
        process.say("document.getElementById('support').textContent");
        assert_eq!(
            process.expect("value: "),
            r#""This browser speaks WebSocket.""#
        );
        process.say("document.getElementById('location').value");
        assert_eq!(
            process.expect("value: "),
            format!(r#""{}/""#, server.origin)
        );
        process.say("document.getElementById('connect').click()");
        process.expect("value: ");
        process.say("until document.getElementById('state').textContent === 'open'");
        process.expect("value: true");
        Self::Browser(process)
    }

    fn process(&mut self) -> &mut Process {
        let (Self::Peer(process) | Self::Ours(process) | Self::Browser(process)) = self;
        process
    }

    fn say(&mut self, text: &str) {
        match self {
            Self::Peer(process) | Self::Ours(process) => process.say(text),
            Self::Browser(process) => {
                process.say(&format!(
                    "document.getElementById('message').value = '{text}'; \
                     document.getElementById('send').click()"
                ));
                process.expect("value: ");
            }
        }
    }

    /// Waits for a message.
    fn get(&mut self, text: &str) {
        match self {
            Self::Peer(process) => assert_eq!(process.expect(&format!("recv: {text}")), ""),
            Self::Ours(process) => assert_eq!(process.expect(text), ""),
            Self::Browser(process) => {
                process.say(&format!("until {LOG_ROWS}.includes('{text}')"));
                process.expect("value: true");
            }
        }
    }

    /// The messages that have come, but for those of the clock.
    fn got(&mut self) -> Vec<String> {
        let got = match self {
            Self::Peer(process) => process.output(Stream::Out),
            Self::Ours(process) => process.output(Stream::Out),
            Self::Browser(process) => {
                process.say(&format!("{LOG_ROWS}.join('|')"));
                let rows = process.expect("value: ");
                rows.trim_matches('"').replace('|', "\n")
            }
        };
        let lines = got.lines().filter_map(|line| match self {
            Self::Peer(_) => line.strip_prefix("recv: "),
            Self::Ours(_) | Self::Browser(_) => Some(line),
        });
        lines
            .filter(|line| !line.starts_with("hello world "))
            .map(str::to_owned)
            .collect()
    }
}

/// Python, Node, `wiretalk connect` and Chromium.
fn everyone(server: &Server) -> [Client; 4] {
    [
        Client::peer("client.py", server),
        Client::peer("client.mjs", server),
        Client::ours(server),
        Client::browser(server),
    ]
}

#[test]
fn each_client_gets_what_any_other_causes() {
    let mut server = Server::talk("examples/modes.talk", &["-v"]);
    let mut clients = everyone(&server);
    server.process.expect("(4 clients)");
    let mut all = Vec::new();
    for (sender, text) in [
        (0, "hi from Python"),
        (1, "hi from Node"),
        (2, "你好"),
        (3, "a page"),
    ] {
        clients[sender].say(text);
        clients.iter_mut().for_each(|client| client.get(text));
        all.push(text.to_owned());
    }
    for sender in 0..clients.len() {
        let text = format!("double {sender}");
        clients[sender].say(&text);
        let replies = [format!("{text} #1"), format!("{text} #2")];
        for client in &mut clients {
            client.get(&replies[0]);
            client.get(&replies[1]);
        }
        all.extend(replies);
    }
    for client in &mut clients {
        client.say("please ignore this");
        server.process.expect("> please ignore this");
    }
    clients[0].say("the end");
    all.push("the end".to_owned());
    for client in &mut clients {
        client.get("the end");
        assert_eq!(client.got(), all, "this much, in this order, and no more");
    }
}

#[test]
fn the_clock_speaks_to_every_client_and_counts_from_zero() {
    let server = Server::talk("examples/modes.talk", &[]);
    let mut clients = [
        Client::peer("client.py", &server),
        Client::peer("client.mjs", &server),
        Client::ours(&server),
    ];
    for client in &mut clients {
        client.get("hello world 0");
    }
    for client in &mut clients {
        client.get("hello world 1");
    }
}

#[test]
fn a_client_that_dies_or_freezes_is_dropped_and_the_rest_go_on() {
    let pings = ["-v", "--ping-interval", "0.5", "--ping-timeout", "1"];
    let mut server = Server::talk("examples/modes.talk", &pings);
    let mut clients = everyone(&server).into_iter();
    let mut next = || clients.next().expect("there are four");
    let (mut python, mut node, ours, browser) = (next(), next(), next(), next());
    server.process.expect("(4 clients)");

    python.process().signal(Signal::KILL);
    let left = server.process.expect("left with ");
    assert!(left.starts_with("1006"), "{left}");
    assert!(left.ends_with("(3 clients)"), "{left}");

    node.process().signal(Signal::STOP);
    let left = server.process.expect("left with ");
    assert!(left.starts_with("1006"), "{left}");
    assert!(left.contains("ping"), "{left}");
    assert!(left.ends_with("(2 clients)"), "{left}");

    let mut rest = [ours, browser];
    rest[0].say("double");
    for client in &mut rest {
        client.get("double #1");
        client.get("double #2");
    }
    server.process.expect("all (2 clients) < double #2");
    rest[0].process().end_input();
    let left = server.process.expect("left with ");
    assert!(left.starts_with("1000"), "{left}");
    assert!(left.ends_with("(1 client)"), "{left}");
}

#[test]
fn the_talk_knows_how_many_clients_there_are() {
    let pings = ["--ping-interval", "0.5", "--ping-timeout", "1"];
    let mut server = Server::talk("tests/interop/talks/counted.talk", &pings);
    let mut asking = Client::peer("client.py", &server);
    let mut killed = Client::peer("client.mjs", &server);
    let mut frozen = Client::peer("client.py", &server);
    let mut closing = Client::ours(&server);
    let mut count = |server: &mut Server, expected: usize| {
        server.process.expect(&format!("({expected} client"));
        asking.say("count");
        asking.get(&format!("{expected} connected"));
    };
    count(&mut server, 4);
    killed.process().signal(Signal::KILL);
    count(&mut server, 3);
    frozen.process().signal(Signal::STOP);
    count(&mut server, 2);
    closing.process().end_input();
    count(&mut server, 1);
}
